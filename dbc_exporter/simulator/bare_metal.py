"""A bare-metal manager: one process that answers for itself and for every physical server it controls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from dbc_exporter.simulator import bare_metal_admin, prune
from dbc_exporter.simulator.authority import Access, Authority, Refusal, Role
from dbc_exporter.simulator.bare_metal_server import BareMetalServer
from dbc_exporter.simulator.bmc import (
    BOOT_DEVICES,
    POWER_COMMANDS,
    Bmc,
    BmcNetwork,
    carried_out,
    reported_as_error,
)
from dbc_exporter.simulator.host import NodeHost
from dbc_exporter.simulator.protocol import (
    BARE_METAL_MANAGER,
    BARE_METAL_SERVER,
    NOT_SUPPORTED_ON_BARE_METAL,
    NodeRequest,
    node_answer,
)

MAX_LISTED = 51
"""A manager's list never shows more servers than this, the first by id."""

NOT_SUPPORTED = node_answer("Not supported", -3)
_NO_MACHINE_INFO = node_answer("bare metal node has no machine info for now", -3)
_SERVER_GONE = node_answer("get bare metal node info failed", -3)
_NO_SUCH_SERVER = node_answer("node id not existed", -3)
_BOOTDEV_LIE = node_answer("bare metal client not existed", -3)
_AUTHORITY_FAILED = node_answer("check authority failed", -3)

Handler = Callable[[str, NodeRequest], Awaitable[str | None]]


class ManagerNode:
    """Implements `SimNode` for a manager and its servers.

    `first_prune_after` (seconds) places the first prune round of a process that has been running for long.
    """

    node_type = BARE_METAL_MANAGER

    def __init__(
        self,
        node_id: str,
        name: str,
        network: BmcNetwork,
        servers: Iterable[BareMetalServer] = (),
        *,
        version: str = "0.4.1.8",
        first_prune_after: float = prune.AFTER_START,
    ) -> None:
        self.node_id = node_id
        self.name = name
        self.version = version
        self.alive = True
        self.frozen = False
        self.network = network
        self.servers = {server.node_id: server for server in servers}
        self._first_prune_after = first_prune_after
        self._pruning: asyncio.Task[None] | None = None
        self._handlers: dict[tuple[str, str], Handler] = {
            ("mining_nodes", ""): self._info,
            ("mining_nodes", "session_id"): self._session_id,
            ("rent_orders", ""): self._rent_orders,
            ("bare_metal", ""): self._list,
            ("bare_metal", "add"): self._add,
            ("bare_metal", "delete"): self._delete,
            ("bare_metal", "modify"): self._modify,
            ("bare_metal", "power"): self._power,
            ("bare_metal", "bootdev"): self._bootdev,
            ("deeplink", ""): self._deeplink,
            ("deeplink", "set"): self._set_deeplink,
        }

    def addresses(self) -> Mapping[str, int]:
        """Return the manager's own id and its servers' ids with their gossiped types."""
        return {self.node_id: BARE_METAL_MANAGER} | dict.fromkeys(self.servers, BARE_METAL_SERVER)

    def attached(self, host: NodeHost) -> None:
        """Take the process this manager runs in."""
        self.host = host
        self.authority = Authority(host)

    def started(self) -> None:
        """Begin with an empty memory; needs a running loop for the prune rounds."""
        self.authority.started()
        self.stop()
        first, self._first_prune_after = self._first_prune_after, prune.AFTER_START
        self._pruning = self.host.spawn(prune.rounds(self, first))

    def stop(self) -> None:
        """End the prune rounds: the world is being taken down."""
        if self._pruning is not None:
            self._pruning.cancel()
            self._pruning = None

    def bmc(self, server: BareMetalServer) -> Bmc:
        """Return the controller the manager reaches for a server."""
        return self.network.find(server.ipmi_hostname, server.ipmi_port)

    async def answer(self, addressed_to: str, request: NodeRequest) -> str | None:
        """Return the answer's JSON text as the manager would build it, None where it never answers.

        That is for a server it has forgotten, and for a session asked of the manager itself.
        """
        if addressed_to != self.node_id and addressed_to not in self.servers:
            return None
        area = request.segments[0]
        verb = request.segments[1] if len(request.segments) > 1 else ""
        handler = self._handlers.get((area, verb))
        if handler is None and area in ("bare_metal", "rent_orders"):
            handler = self._handlers[area, ""]
        if handler is None:
            return NOT_SUPPORTED_ON_BARE_METAL
        return await handler(addressed_to, request)

    # -- reads

    async def _info(self, addressed_to: str, _request: NodeRequest) -> str:
        if addressed_to == self.node_id:
            return _NO_MACHINE_INFO
        return self.servers[addressed_to].info(self.version)

    async def _session_id(self, addressed_to: str, request: NodeRequest) -> str | None:
        if addressed_to == self.node_id:
            return None
        access = await self.authority.check(request, addressed_to)
        if isinstance(access, Refusal):
            return access.answer
        if access.role is not Role.WALLET_RENTER:
            return _AUTHORITY_FAILED
        session_id = self.authority.session_id(access.wallet)
        if session_id is None:
            return node_answer("no session id", -3)
        return f'{{"errcode":0, "message":{{"session_id":"{session_id}"}}}}'

    async def _rent_orders(self, addressed_to: str, _request: NodeRequest) -> str:
        if addressed_to not in self.servers:
            return NOT_SUPPORTED_ON_BARE_METAL
        orders = ",".join(
            f'{{"id":"{order.id}","renter":"{order.renter}","rent_end":"{order.rent_end}",'
            f'"rent_status":"{order.rent_status}","gpu_nums":"{len(order.gpu_index)}",'
            f'"gpu_index":[{",".join(map(str, order.gpu_index))}]}}'
            for order in sorted(self.host.world.chain.orders(addressed_to), key=lambda order: order.id)[
                :MAX_LISTED
            ]
        )
        return f'{{"errcode":0,"message":{{"rent_orders":[{orders}]}}}}'

    async def _list(self, addressed_to: str, request: NodeRequest) -> str:
        if addressed_to != self.node_id:
            return await self._detail(addressed_to, request)
        masked = not self.authority.check_manager(request, self.node_id)
        wanted = request.segments[1] if len(request.segments) > 1 else ""
        shown = self._matching(wanted)
        status = await self._power_status(shown[0]) if len(shown) == 1 else None
        if not masked:
            for secret in (secret for server in shown for secret in server.secrets()):
                self.host.world.ledger.secret(secret)
        texts = ",".join(server.listed(masked=masked, power_status=status) for server in shown)
        return f'{{"errcode":0, "message":{{"bare_metal_nodes":[{texts}]}}}}'

    async def _detail(self, addressed_to: str, request: NodeRequest) -> str:
        access = await self.authority.check(request, addressed_to)
        if isinstance(access, Refusal):
            return access.answer
        server = self.servers.get(addressed_to)
        if server is None:
            return _SERVER_GONE
        self.host.world.ledger.secret(server.deeplink_password)
        return server.detail(self.version, await self._power_status(server))

    def _matching(self, wanted: str) -> list[BareMetalServer]:
        servers = [self.servers[node_id] for node_id in sorted(self.servers)]
        if wanted:
            return [server for server in servers if wanted in (server.node_id, server.uuid)]
        return servers[:MAX_LISTED]

    async def _power_status(self, server: BareMetalServer) -> str | None:
        text = await self.run_power(server, "status")
        return None if reported_as_error(text) else text

    # -- power

    async def run_power(self, server: BareMetalServer, command: str) -> str:
        """Run one ipmitool power command and return what it printed; holds the service thread meanwhile."""
        text = await self.bmc(server).power(command, server.ipmi_username, server.ipmi_password)
        await self.host.work(0)
        return text

    async def _power(self, addressed_to: str, request: NodeRequest) -> str:
        server, access = await self._renters_server(addressed_to, request)
        if isinstance(access, str):
            return access
        command = request.additional.get("command")
        if server is None or command not in POWER_COMMANDS:
            return node_answer("invalid command", -3)
        text = await self.run_power(server, command)
        if reported_as_error(text):
            return node_answer(text, -3)
        if carried_out(text):
            self.record(server, f"power {command}", access.wallet, access.nonce)
        if command in ("on", "off"):
            server.deeplink_password = ""
        return node_answer(text)

    async def _bootdev(self, addressed_to: str, request: NodeRequest) -> str:
        server, access = await self._renters_server(addressed_to, request)
        if isinstance(access, str):
            return access
        if not access.role.is_renter:
            return _AUTHORITY_FAILED
        device = request.additional.get("device")
        if server is None or device not in BOOT_DEVICES:
            return node_answer("invalid device", -3)
        text = await self.bmc(server).set_boot_device(device, server.ipmi_username, server.ipmi_password)
        if not reported_as_error(text):
            server.boot_device = device
            self.record(server, f"bootdev {device}", access.wallet, access.nonce)
        return _BOOTDEV_LIE

    async def _renters_server(
        self, addressed_to: str, request: NodeRequest
    ) -> tuple[BareMetalServer | None, Access | str]:
        if addressed_to == self.node_id:
            return None, NOT_SUPPORTED
        access = await self.authority.check(request, addressed_to)
        if isinstance(access, Refusal):
            return None, access.answer
        server = self.servers.get(addressed_to)
        return server, access if server else _NO_SUCH_SERVER

    def record(self, server: BareMetalServer, action: str, wallet: str, nonce: str) -> None:
        """Write an executed command into the ledger."""
        self.host.world.ledger.execute(self.node_id, server.node_id, action, wallet=wallet, nonce=nonce)

    # -- remote desktop

    async def _deeplink(self, addressed_to: str, request: NodeRequest) -> str:
        if addressed_to == self.node_id:
            return _NO_SUCH_SERVER
        server, access = await self._renters_server(addressed_to, request)
        if isinstance(access, str):
            return access
        if server is None or not server.deeplink_device:
            return node_answer("deeplink service not connected", 1)
        self.host.world.ledger.secret(server.deeplink_password)
        return (
            f'{{"errcode":0, "message":{{"device_id":"{server.deeplink_device}",'
            f'"device_password":"{server.deeplink_password}"}}}}'
        )

    async def _set_deeplink(self, addressed_to: str, request: NodeRequest) -> str:
        if addressed_to == self.node_id:
            return _NO_SUCH_SERVER
        server, access = await self._renters_server(addressed_to, request)
        if isinstance(access, str):
            return access
        if not access.role.is_renter:
            return _AUTHORITY_FAILED
        device, password = request.additional.get("device_id"), request.additional.get("device_password")
        if server is None or not isinstance(device, str) or not isinstance(password, str) or not device:
            return node_answer("invalid device", -3)
        if not server.deeplink_device:
            return node_answer("deeplink service not connected", 1)
        server.deeplink_device, server.deeplink_password = device, password
        self.record(server, "deeplink set", access.wallet, access.nonce)
        return node_answer("ok")

    # -- the manager's own key only

    async def _add(self, addressed_to: str, request: NodeRequest) -> str:
        return self._as_manager(addressed_to, request, bare_metal_admin.add)

    async def _delete(self, addressed_to: str, request: NodeRequest) -> str:
        return self._as_manager(addressed_to, request, bare_metal_admin.delete)

    async def _modify(self, addressed_to: str, request: NodeRequest) -> str:
        return self._as_manager(addressed_to, request, bare_metal_admin.modify)

    def _as_manager(
        self, addressed_to: str, request: NodeRequest, call: Callable[[ManagerNode, NodeRequest], str]
    ) -> str:
        if addressed_to != self.node_id:
            return NOT_SUPPORTED
        if not self.authority.check_manager(request, self.node_id):
            return node_answer("verify sign failed", -3)
        return call(self, request)
