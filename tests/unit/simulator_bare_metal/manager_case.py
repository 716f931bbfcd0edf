"""A manager with a few servers, asked directly, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from dbc_exporter.simulator.bare_metal import ManagerNode
from dbc_exporter.simulator.bare_metal_server import BareMetalServer
from dbc_exporter.simulator.bmc import Bmc, BmcNetwork
from dbc_exporter.simulator.chain import Order
from dbc_exporter.simulator.keys import derive_key
from dbc_exporter.simulator.protocol import NodeRequest
from dbc_exporter.simulator.virtual import LoopClock, VirtualTimeLoop, run_virtual
from dbc_exporter.simulator.world import World

T = TypeVar("T")
MANAGER = derive_key(1, "manager", real=True)
RENTER = derive_key(1, "renter", real=True)
SERVER = "44" * 32


class Case:
    """One manager in a world of its own."""

    def __init__(self, loop: VirtualTimeLoop, servers: int = 1) -> None:
        self.world = World(clock=LoopClock(loop), seed=1)
        self.network = BmcNetwork()
        records = [self._server(number) for number in range(servers)]
        self.manager = ManagerNode(MANAGER.public, "bm", self.network, records)
        self.host = self.world.add_node(self.manager)
        self._nonces = 0

    def _server(self, number: int) -> BareMetalServer:
        address = f"10.0.0.{number}"
        self.network.plug_in(address, 623, Bmc(password="pw"))
        return BareMetalServer(
            node_id=SERVER if number == 0 else f"{number:064x}",
            uuid=f"uuid-{number}",
            private_key="ab" * 32,
            ip="203.0.113.7",
            os="Ubuntu",
            description=f"box {number}",
            ipmi_hostname=address,
            ipmi_username="admin",
            ipmi_password="pw",
            ipmi_port=623,
        )

    def rent(self) -> Order:
        """Let the renter's wallet rent the first server."""
        return self.world.chain.rent(SERVER, Order(RENTER.wallet, RENTER.wallet))

    def signed_by_renter(self) -> dict[str, Any]:
        """Return fresh credentials of the renter."""
        nonce = self._nonce()
        return {"wallet": RENTER.wallet, "nonce": nonce, "sign": RENTER.sign(nonce)}

    def signed_by_manager(self) -> dict[str, Any]:
        """Return fresh credentials of the manager's own key."""
        nonce = self._nonce()
        return {"wallet": MANAGER.public, "nonce": nonce, "sign": "0x" + MANAGER.sign(nonce)}

    def _nonce(self) -> str:
        self._nonces += 1
        return f"nonce-{self._nonces}"

    async def text(self, to: str, path: str, body: dict[str, Any] | None = None, **additional: Any) -> str:
        """Ask the manager's process and return the raw text."""
        request = NodeRequest("kind", tuple(path.split("/")), {}, {"additional": additional, **(body or {})})
        answer = await self.manager.answer(to, request)
        assert answer is not None
        return answer

    async def silent(self, to: str, path: str) -> bool:
        """Say whether the manager's process never answers this."""
        return await self.manager.answer(to, NodeRequest("kind", tuple(path.split("/")))) is None

    async def ask(self, to: str, path: str, body: dict[str, Any] | None = None, **additional: Any) -> Any:
        """Ask the manager's process and return (errcode, message)."""
        answer = json.loads(await self.text(to, path, body, **additional))
        return answer["errcode"], answer["message"]


def play(scene: Callable[[Case], Awaitable[T]], servers: int = 1) -> T:
    """Run a scene with a manager of so many servers."""
    loop = VirtualTimeLoop()

    async def main() -> T:
        case = Case(loop, servers)
        try:
            return await scene(case)
        finally:
            case.manager.stop()
            await asyncio.sleep(0)

    return run_virtual(main(), loop)
