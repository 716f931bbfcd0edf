"""Fleets in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from dbc_exporter.simulator.fleet import Fleet, build_world
from dbc_exporter.simulator.protocol import Request
from dbc_exporter.simulator.scenario import FaultEntry, Scenario
from dbc_exporter.simulator.virtual import LoopClock, VirtualTimeLoop, run_virtual

T = TypeVar("T")


def play(scenario: Scenario, scene: Callable[[Fleet], Awaitable[T]]) -> T:
    """Build a scenario's fleet on a virtual loop, start it and run a scene."""
    loop = VirtualTimeLoop()

    async def main() -> T:
        fleet = build_world(scenario, clock=LoopClock(loop))
        fleet.start()
        try:
            return await scene(fleet)
        finally:
            await fleet.stop()

    return run_virtual(main(), loop)


def line(fault: str, **keys: Any) -> FaultEntry:
    """Return a line of a timeline."""
    return FaultEntry.model_validate({"fault": fault, **keys})


async def ask(fleet: Fleet, path: str, to: str | None = None, **body: Any) -> Any:
    """Ask the fleet's first client and return (status, parsed answer)."""
    client = next(iter(fleet.world.clients.values()))
    content = {"peer_nodes_list": [to] if to else [], "additional": {}, **body}
    request = Request("POST", f"/api/v1/{path}", body=json.dumps(content).encode())
    response = await client.handle(request)
    return response.status, json.loads(response.body)


async def listed(fleet: Fleet) -> set[str]:
    """Return the names of the compute nodes the first client lists."""
    _, answer = await ask(fleet, "mining_nodes")
    return {node["name"] for node in answer["message"]["mining_nodes"]}


class Credentials:
    """Fresh wallet credentials, one after the other."""

    def __init__(self, fleet: Fleet, wallet: str = "renter") -> None:
        self._key = fleet.wallets[wallet]
        self._count = 0

    def __call__(self) -> dict[str, str]:
        self._count += 1
        nonce = f"nonce-{self._count}"
        return {"wallet": self._key.wallet, "nonce": nonce, "sign": self._key.sign(nonce)}


async def after(seconds: float) -> None:
    """Let virtual time pass."""
    await asyncio.sleep(seconds)
