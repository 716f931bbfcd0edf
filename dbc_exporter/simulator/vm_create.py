"""Creating a VM: what the node checks in `additional`, in its order and words, and the slow birth itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbc_exporter.simulator.authority import Access, Role
from dbc_exporter.simulator.body import leading_int
from dbc_exporter.simulator.hardware import GIB
from dbc_exporter.simulator.protocol import NodeRequest, node_answer
from dbc_exporter.simulator.signatures import base58check
from dbc_exporter.simulator.vm import NONE, SHUT_OFF, Vm, new_disks, summary

if TYPE_CHECKING:
    from dbc_exporter.simulator.compute import ComputeNode

VNC_PORTS = range(5900, 65536)
ID_LENGTHS = range(20, 23)


class Refused(Exception):  # noqa: N818 - the node's answer, not a programming error
    """A parameter the node does not take; the text is its answer."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """String members of `additional`: anything that is no string counts as absent."""

    additional: Mapping[str, Any]

    def text(self, key: str) -> str:
        found = self.additional.get(key)
        return found if isinstance(found, str) else ""

    def number(self, key: str) -> int:
        return leading_int(self.text(key))

    def texts(self, key: str) -> list[str]:
        found = self.additional.get(key)
        return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def create(node: ComputeNode, request: NodeRequest, access: Access) -> str:
    """Accept a new VM (status `creating`) or refuse it; its birth is an event."""
    wanted = _Wanted(request.additional)
    try:
        vm = _vm(node, wanted, request.text("rent_order"), access)
    except Refused as refused:
        return node_answer(str(refused), 1)
    node.vms[vm.task_id] = vm
    node.events.push(lambda: give_birth(node, vm, access))
    return f'{{"errcode":0, "message":{summary(vm, "creating")}}}'


async def give_birth(node: ComputeNode, vm: Vm, access: Access) -> None:
    """Define and start the domain, wait for its network, set its password; minutes to a quarter of an hour."""
    node.record(vm.task_id, "create", access)
    vm.write_log(
        node.log_line(vm, "info", "CreateDomain", f"vnc port: {vm.vnc_port}, password: {vm.vnc_password}")
    )
    while vm.stuck:
        await node.host.work(5)
    await node.host.work_slowly(node.host.random.uniform(*node.timing.create_vm))
    if vm.fails == "create" or not node.libvirt_alive or not node.can_virtualise:
        vm.write_log(node.log_line(vm, "error", "CreateDomain", "create domain failed"))
        vm.fails = ""
        vm.domain = SHUT_OFF
        vm.status = "create error"
        return
    vm.power(on=True)
    vm.status = "running"


def _vm(node: ComputeNode, wanted: _Wanted, rent_order: str, access: Access) -> Vm:
    task_id = _task_id(node, wanted.text("task_id"), access)
    gpus = _gpus(node, wanted, rent_order, access)
    os = (wanted.text("operation_system") or "linux").lower()
    if not os.startswith(("linux", "ubuntu", "win")):
        raise Refused(f"unsupported operation system: {os} (usage: 'linux' 'windows')")
    bios_mode = (wanted.text("bios_mode") or "legacy").lower()
    if bios_mode not in ("legacy", "uefi", "pxe"):
        raise Refused(f"unsupported bios mode: {bios_mode} (usage: 'legacy' 'uefi' 'pxe')")
    _check_image(node, wanted.text("image_name"))
    public_ip = wanted.text("public_ip")
    port = _service_port(node, wanted, public_ip, "rdp_port" if os.startswith("win") else "ssh_port")
    vnc_port = _vnc_port(node, wanted.text("vnc_port"))
    cores, memory, disk = _room(node, wanted, bios_mode)
    if wanted.text("interface_model_type") not in ("", "e1000", "rtl8139"):
        raise Refused("invalid interface model type")
    password = node.secret(node.new_password())
    now = node.host.world.clock.wall()
    number = (node.host.random.randrange(100_000), node.host.random.randrange(100_000))
    return Vm(
        task_id=task_id,
        wallet=access.wallet,
        rent_order=rent_order,
        os=os,
        desc=wanted.text("desc"),
        port=port,
        vnc_port=vnc_port,
        custom_port=wanted.texts("custom_port"),
        public_ip=public_ip,
        login_password=password,
        vnc_password=node.secret(password[:8]),
        cpu_cores=cores,
        gpus=gpus,
        memory=memory,
        disks={} if bios_mode == "pxe" else new_disks(now, number, disk, wanted.text("data_file_name")),
        create_time=now,
        status="creating",
        domain=NONE,
        network_name=wanted.text("network_name"),
        network_filters=wanted.texts("network_filters"),
        image_name=wanted.text("image_name"),
        bios_mode=bios_mode,
    )


def _task_id(node: ComputeNode, wanted: str, access: Access) -> str:
    if access.role is Role.VERIFIER:
        return f"vm_check_{int(node.host.world.clock.wall())}"
    if not wanted:
        return base58check(f"{node.host.random.getrandbits(92):012x}"[:12])[:22]
    if len(wanted) not in ID_LENGTHS:
        raise Refused("wrong task id length")
    if not (wanted.isascii() and wanted.isalnum()):
        raise Refused("task id requires a combination of letters or numbers")
    if wanted in node.vms:
        raise Refused("task id already existed")
    return wanted


def _gpus(node: ComputeNode, wanted: _Wanted, rent_order: str, access: Access) -> tuple[int, ...]:
    leased = (
        range(node.hardware.gpus)
        if access.role is Role.VERIFIER
        else node.leased_gpus(rent_order, access.wallet)
    )
    if not leased:
        raise Refused("order gpu index is empty")
    count = wanted.number("gpu_count")
    if count < 0:
        raise Refused("gpu_count is invalid (usage: gpu_count >= 0)")
    if count > len(leased):
        raise Refused("gpu_count exceeds number of leases")
    if rent_order:
        if node.hardware.gpus < 1:
            raise Refused("get gpu info failed")
        if len(leased) not in (node.hardware.gpus, count):
            raise Refused("only use the number what you exactly rented")
    used = {gpu for vm in node.vms.values() if vm.counts_gpus for gpu in vm.gpus}
    free = [gpu for gpu in leased if gpu not in used]
    if count > len(free):
        raise Refused("allocate gpu failed")
    return tuple(free[:count])


def _check_image(node: ComputeNode, name: str) -> None:
    if not name:
        raise Refused("image_name is empty")
    if not name.endswith(".qcow2"):
        raise Refused("'image_name' extension name is invalid")
    if name not in node.images.files:
        raise Refused(f"'image_name' is not exist (path:/data/{name})")
    if node.images.in_transfer(name):
        raise Refused(f"'image_name':{name} in downloading or uploading, please try again later")


def _service_port(node: ComputeNode, wanted: _Wanted, public_ip: str, field: str) -> str:
    text = wanted.text(field)
    valid = text.isascii() and text.isdigit()
    if public_ip:
        return text if valid else {"ssh_port": "22", "rdp_port": "3389"}[field]
    if not text:
        raise Refused(f"{field} is empty")
    if not valid:
        raise Refused(f"{field} is not digit")
    node.check_port(text)
    return text


def _vnc_port(node: ComputeNode, text: str) -> str:
    if not text:
        raise Refused("vnc_port is empty")
    if not (text.isascii() and text.isdigit()):
        raise Refused("vnc_port is not digit")
    if int(text) not in VNC_PORTS:
        raise Refused("vnc_port is invalid (usage: [5900, 65535])")
    node.check_port(text)
    return text


def _room(node: ComputeNode, wanted: _Wanted, bios_mode: str) -> tuple[int, int, int]:
    left = node.resources_left()
    cores, memory, disk = (
        wanted.number("cpu_cores"),
        wanted.number("mem_size") * GIB,
        wanted.number("disk_size") * GIB,
    )
    for value, room, invalid, full in (
        (cores, left["cpu"], "cpu_cores is invalid", "allocate cpu failed"),
        (memory, left["memory"], "mem_size is invalid", "allocate mem failed"),
        (disk, left["disk"], "disk_size is invalid (usage: disk_size > 0)", "allocate disk failed"),
    ):
        if bios_mode == "pxe" and value is disk:
            continue
        if value <= 0:
            raise Refused(invalid)
        if value > room:
            raise Refused(full)
    if (data_file := wanted.text("data_file_name")) and data_file not in node.images.files:
        raise Refused(f"data_file_name is not exist, path: /data/{data_file}")
    return cores, memory, disk
