"""A compute node: a GPU machine that runs its renters' VMs and answers for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dbc_exporter.simulator import (
    disks,
    hardware,
    images,
    node_settings,
    snapshots,
    vm_create,
    vm_events,
    vm_modify,
)
from dbc_exporter.simulator.authority import Access, Authority, Refusal, Role
from dbc_exporter.simulator.body import leading_int
from dbc_exporter.simulator.chain import LIVE_ORDER
from dbc_exporter.simulator.networks import Network
from dbc_exporter.simulator.protocol import COMPUTE, NodeRequest, node_answer
from dbc_exporter.simulator.timing import Timing
from dbc_exporter.simulator.vm import RUNNING, Vm, detail, local_time, summary

if TYPE_CHECKING:
    from dbc_exporter.simulator.host import NodeHost

RENTER_ONLY = frozenset({"disk", "monitor"})
MAX_ORDERS = 51
MAX_LOG_BYTES = 8192
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789+/"


class ComputeNode:
    """Answers forwarded requests; its VMs, images, disks, networks and monitor servers survive a restart."""

    def __init__(
        self,
        node_id: str,
        *,
        name: str = "",
        version: str = "0.4.1.8",
        machine: hardware.Hardware | None = None,
    ) -> None:
        self.node_id = node_id
        self.name = name or f"gpu-{node_id[:6]}"
        self.version = version
        self.node_type = COMPUTE
        self.alive = True
        self.frozen = False
        self.hardware = machine or hardware.Hardware()
        self.libvirt_alive = True
        self.can_virtualise = True
        self.foreign_domain = False
        """A running domain that DBC does not know: the next start makes the node wait 20 s, then kill every VM."""
        self.vms: dict[str, Vm] = {}
        self.images = images.ImageStore(self)
        self.networks: dict[str, Network] = {}
        self.monitor_servers: dict[str, list[str]] = {}
        self.events = vm_events.EventThread(self)
        self.host: NodeHost
        self.authority: Authority

    # -- the process

    def addresses(self) -> Mapping[str, int]:
        """Return the one id served here."""
        return {self.node_id: self.node_type}

    def attached(self, host: NodeHost) -> None:
        """Take the host."""
        self.host = host
        self.authority = Authority(host)

    def started(self) -> None:
        """Begin with what libvirt and the databases know."""
        self.authority.started()
        self.events.started()
        self.images.started()
        if self.host.incarnation > 1:
            for vm in self.vms.values():
                vm.status = "running" if vm.domain == RUNNING else "closed"

    @property
    def timing(self) -> Timing:
        """The world's durations."""
        return self.host.world.timing

    # -- answers

    async def answer(self, addressed_to: str, request: NodeRequest) -> str:
        """Answer one request as the node's service thread does."""
        del addressed_to  # a compute node has one id
        public = self._public(request)
        if public is not None:
            return public
        if request.segments == ("images",):
            await self.host.work(self.timing.image_scan)
            return images.list_images(self, await self.authority.check(request, self.node_id))
        access = await self.authority.check(request, self.node_id)
        if isinstance(access, Refusal):
            return access.answer
        if access.role is Role.VERIFIER and self._renters_only(request):
            return node_answer("check authority failed: ", -3)
        return await self._authorised(request, access)

    def _public(self, request: NodeRequest) -> str | None:
        segments = request.segments
        if segments == ("mining_nodes",):
            shown = hardware.configuration(
                self.hardware, self.version, self.gpus_used(), self.images.shared()
            )
            return f'{{"errcode":0,"message":{shown}}}'
        if segments[0] == "rent_orders":
            return self._rent_orders()
        if segments[0] == "lan" and segments[1:2] not in (("create",), ("delete",)):
            return node_settings.list_networks(self, request)
        if segments[0] in ("bare_metal", "deeplink"):
            return node_answer("Not supported", -3)
        return None

    def _renters_only(self, request: NodeRequest) -> bool:
        segments = request.segments
        return (
            segments[0] in RENTER_ONLY
            or segments[0] == "lan"
            or segments[:2]
            in (
                ("snapshot", "create"),
                ("snapshot", "delete"),
            )
        )

    async def _authorised(self, request: NodeRequest, access: Access) -> str:
        match request.segments:
            case ("tasks", *rest):
                return await self._tasks(request, access, rest)
            case ("mining_nodes", "session_id"):
                return self._session_id(access)
            case ("mining_nodes", "free_memory"):
                return vm_events.OK
            case ("images", what):
                return self._images(what, request, access)
            case ("disk", *_):
                return disks.answer(self, request, access)
            case ("snapshot", *_):
                return snapshots.answer(self, request, access)
            case ("monitor", "set"):
                return node_settings.set_monitor_servers(self, request, access)
            case ("monitor", *_):
                return node_settings.list_monitor_servers(self, access)
            case ("lan", "create"):
                return node_settings.create_network(self, request, access)
        return node_settings.delete_network(self, request, access)

    async def _tasks(self, request: NodeRequest, access: Access, rest: list[str]) -> str:
        match rest:
            case []:
                mine = [vm for vm in self.vms.values() if vm.wallet == access.wallet]
                entries = ",".join(summary(vm, self._status(vm)) for vm in mine)
                return f'{{"errcode":0, "message":[{entries}]}}'
            case ["start"]:
                await self._settle_domains()
                return vm_create.create(self, request, access)
            case [task_id]:
                return self._detail(task_id, access)
            case ["modify", _]:
                return vm_modify.modify(self, request, access)
            case ["passwd", _]:
                return vm_modify.set_password(self, request, access)
            case ["logs", task_id]:
                return self._logs(task_id, request.query)
        verb, task_id = rest
        if verb in ("start", "restart"):
            await self._settle_domains()
        force = request.query.get("force_reboot", "")
        forced = force == "true" or leading_int(force) != 0
        return vm_events.accept(self, verb, task_id, access, force=forced)

    def _detail(self, task_id: str, access: Access) -> str:
        vm = self.vms.get(task_id)
        if vm is None or vm.wallet != access.wallet:
            return node_answer("task_id not exist", -3)
        self.secret(vm.login_password)
        self.secret(vm.vnc_password)
        return f'{{"errcode":0, "message":{detail(vm, self._status(vm), self.hardware.public_ip)}}}'

    def _images(self, what: str, request: NodeRequest, access: Access) -> str:
        match what:
            case "download":
                return images.download(self, request, access)
            case "upload":
                return images.upload(self, request, access)
            case "delete":
                return images.delete(self, request, access)
            case "download_stop":
                return images.stop(self, request, images.DOWNLOAD, access)
            case "upload_stop":
                return images.stop(self, request, images.UPLOAD, access)
            case "downloadprogress":
                return images.progress(self, request, images.DOWNLOAD)
        return images.progress(self, request, images.UPLOAD)

    def _session_id(self, access: Access) -> str:
        session_id = self.authority.session_id(access.wallet)
        if access.role is not Role.WALLET_RENTER:
            return node_answer("check authority failed", -3)
        if session_id is None:
            return node_answer("no session id", -3)
        return f'{{"errcode":0, "message":{{"session_id":"{session_id}"}}}}'

    def _rent_orders(self) -> str:
        orders = sorted(self.host.world.chain.orders(self.node_id), key=lambda order: order.id)[:MAX_ORDERS]
        entries = ",".join(
            f'{{"id":"{order.id}","renter":"{order.renter}","rent_end":"{order.rent_end}",'
            f'"rent_status":"{order.rent_status}","gpu_nums":"{len(order.gpu_index)}",'
            f'"gpu_index":[{",".join(map(str, order.gpu_index))}]}}'
            for order in orders
        )
        return f'{{"errcode":0,"message":{{"rent_orders":[{entries}]}}}}'

    def _logs(self, task_id: str, query: Mapping[str, str]) -> str:
        vm = self.domain(task_id)
        if vm is None:
            return vm_events.TASK_NOT_EXIST
        if not vm.log:
            return node_answer("task log not exist", 1)
        count = int(query.get("line_num", "100"))
        lines = vm.log[:count] if query.get("flag") == "head" else vm.log[-count:]
        content = ",".join(f'"{line}"' for line in lines)[-MAX_LOG_BYTES:]
        return f'{{"errcode":0, "message":{{"task_id":"{task_id}", "log_content":[{content}]}}}}'

    async def _settle_domains(self) -> None:
        """Wait for, then destroy, every domain when one is not DBC's, before a create, start or restart."""
        if not self.foreign_domain:
            return
        await self.host.work(20)
        for vm in self.vms.values():
            if vm.domain == RUNNING:
                vm.power(on=False)
                self.record(vm.task_id, "destroyed with a foreign domain", None)
        self.foreign_domain = False

    # -- what the verbs ask

    def _status(self, vm: Vm) -> str:
        return vm.shown_status(libvirt=self.libvirt_alive)

    def domain(self, task_id: str) -> Vm | None:
        """Return a VM whose domain libvirt knows; none at all while libvirt is dead."""
        vm = self.vms.get(task_id)
        return vm if vm and vm.domain is not None and self.libvirt_alive else None

    def gpus_used(self) -> int:
        """Count the GPUs allotted to VMs that are neither closed nor in an error."""
        return sum(len(vm.gpus) for vm in self.vms.values() if vm.counts_gpus)

    def resources_left(self) -> Mapping[str, int]:
        """Return what is left for new VMs."""
        running = sum(vm.cpu_cores for vm in self.vms.values() if vm.domain == RUNNING)
        return hardware.resources_left(self.hardware, self.gpus_used(), running)

    def lacking(self, vm: Vm) -> str:
        """Return why a VM cannot be started, `""` if it can; GPUs that fell off the bus are silently removed."""
        present = self.hardware.gpus - self.hardware.lost_gpus
        vm.gpus = tuple(gpu for gpu in vm.gpus if gpu < present)
        others = [other for other in self.vms.values() if other is not vm and other.domain == RUNNING]
        if sum(other.cpu_cores for other in others) + vm.cpu_cores > self.hardware.cpu_cores:
            return "cpu count exceeds the maximum"
        if {gpu for other in others for gpu in other.gpus}.intersection(vm.gpus):
            return "check gpu failed"
        if vm.domain != RUNNING and vm.memory > self.hardware.memory_free_shown:
            return "check memory failed"
        if self.port_used(vm.port, vm):
            return "check rdp_port failed" if vm.is_windows else "check ssh_port failed"
        return "check vnc_port failed" if self.port_used(vm.vnc_port, vm) else ""

    def port_used(self, port: str, besides: Vm | None = None) -> bool:
        """Say whether another VM has this port."""
        return any(port in (vm.port, vm.vnc_port) for vm in self.vms.values() if vm is not besides)

    def check_port(self, port: str) -> None:
        """Refuse a port that another VM has. Raises Refused."""
        for vm in self.vms.values():
            names = {vm.port: "rdp_port" if vm.is_windows else "ssh_port", vm.vnc_port: "vnc_port"}
            if port in names:
                raise vm_create.Refused(f"port conflict, exist {names[port]} = {port}")

    def leased_gpus(self, rent_order: str, wallet: str) -> tuple[int, ...]:
        """Return the GPUs of an order (of the wallet's whole-machine order where none is named)."""
        for order in self.host.world.chain.orders(self.node_id):
            if (
                order.id == (rent_order or wallet)
                and order.renter == wallet
                and order.rent_status in LIVE_ORDER
            ):
                return order.gpu_index
        return ()

    def new_password(self) -> str:
        """Return a password as the node makes them: 16 characters."""
        return "".join(self.host.random.choice(_ALPHABET) for _ in range(16))

    def secret(self, value: str) -> str:
        """Record a secret in the ledger and return it."""
        return self.host.world.ledger.secret(value)

    def record(self, target: str, action: str, access: Access | None) -> None:
        """Record a write that was carried out."""
        wallet, nonce = (access.wallet, access.nonce) if access else ("", "")
        self.host.world.ledger.execute(self.node_id, target, action, wallet=wallet, nonce=nonce)

    def log_line(self, vm: Vm, level: str, function: str, text: str) -> str:
        """Return a line of DBC's log of a task."""
        stamp = local_time(self.host.world.clock.wall())
        return f"{stamp}.000000 | {vm.task_id} | {level:<7} | vm_client.cpp | 944 | {function} | {text}"
