"""Data disks of VMs: list, grow, add, delete; changes want a closed VM and are carried out as events."""

from __future__ import annotations

import string
import time
from typing import TYPE_CHECKING

from dbc_exporter.simulator.authority import Access
from dbc_exporter.simulator.hardware import GIB
from dbc_exporter.simulator.protocol import NodeRequest, node_answer
from dbc_exporter.simulator.sizes import scale_size
from dbc_exporter.simulator.vm import SHUT_OFF, Disk, Vm

if TYPE_CHECKING:
    from dbc_exporter.simulator.compute import ComputeNode

OK = '{"errcode":0,"message":"ok"}'


def _refused(text: str) -> str:
    return f'{{"errcode":1,"message":"{text}"}}'


CLOSE_FIRST = _refused("please close task first and try again")


def answer(node: ComputeNode, request: NodeRequest, access: Access) -> str:
    """Answer one of the four disk calls."""
    vm = node.domain(request.segments[2])
    if vm is None:
        return node_answer("task not exist", -3)
    if vm.bios_mode == "pxe":
        return node_answer("pxe not support disk", -3)
    return _CALLS[request.segments[1]](node, vm, request, access)


def _list(_node: ComputeNode, vm: Vm, _request: NodeRequest, _access: Access) -> str:
    entries = ",".join(
        f'{{"name":"{disk.name}","file":"{disk.source_file}","size":"{scale_size(disk.size)}"}}'
        for _, disk in sorted(vm.disks.items())
    )
    return f'{{"errcode":0,"message":[{entries}]}}'


def _size(request: NodeRequest) -> int:
    """Return the wanted size; the server takes integers only (a text leaves it with an uninitialised number)."""
    found = request.additional.get("size")
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def _disk_name(request: NodeRequest) -> str:
    found = request.additional.get("disk")
    return found if isinstance(found, str) else ""


def _resize(node: ComputeNode, vm: Vm, request: NodeRequest, access: Access) -> str:
    name, size = _disk_name(request), _size(request)
    if not name:
        return node_answer("'disk' is empty", -3)
    if size <= 0:
        return node_answer("'size' is invalid", -3)
    if name not in vm.disks:
        return _refused(f"task have no disk:{name}")
    if vm.domain != SHUT_OFF:
        return CLOSE_FIRST

    async def grow() -> None:
        await node.host.work_slowly(node.timing.disk_change)
        if name in vm.disks:
            vm.disks[name].size += size * GIB
            node.record(vm.task_id, f"resize disk {name}", access)

    node.events.push(grow)
    return OK


def _add(node: ComputeNode, vm: Vm, request: NodeRequest, access: Access) -> str:
    size = _size(request)
    if size <= 0:
        return node_answer("'size' is invalid", -3)
    directory = request.additional.get("mount_dir") or "/data"
    mounted = {disk.path: disk for disk in node.hardware.disks}
    if not isinstance(directory, str) or directory not in mounted:
        return node_answer(f"{directory} is not exist", -3)
    if vm.domain != SHUT_OFF:
        return CLOSE_FIRST
    if mounted[directory].available <= GIB:
        return _refused(f"mount directory:{directory} have no enough space")

    async def add() -> None:
        await node.host.work_slowly(node.timing.disk_change)
        name = next(f"vd{letter}" for letter in string.ascii_lowercase if f"vd{letter}" not in vm.disks)
        stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(node.host.world.clock.wall()))
        number = node.host.random.randrange(100_000)
        vm.disks[name] = Disk(name, size * GIB, f"{directory}/data_{number}_{stamp}.qcow2")
        node.record(vm.task_id, f"add disk {name}", access)

    node.events.push(add)
    return OK


def _delete(node: ComputeNode, vm: Vm, request: NodeRequest, access: Access) -> str:
    name = _disk_name(request)
    if not name:
        return node_answer("'disk' is empty", -3)
    if name not in vm.disks:
        return _refused(f"task have no disk:{name}")
    if vm.domain != SHUT_OFF:
        return CLOSE_FIRST
    if name == "vda":
        return _refused("can not allowed to delete disk:'vda'")

    async def delete() -> None:
        await node.host.work_slowly(node.timing.disk_change)
        vm.disks.pop(name, None)
        node.record(vm.task_id, f"delete disk {name}", access)

    node.events.push(delete)
    return OK


_CALLS = {"list": _list, "resize": _resize, "add": _add, "delete": _delete}
