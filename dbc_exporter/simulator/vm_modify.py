"""Changing a VM's ports, filters and size, and its password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbc_exporter.simulator.authority import Access
from dbc_exporter.simulator.body import leading_int
from dbc_exporter.simulator.hardware import GIB
from dbc_exporter.simulator.protocol import NodeRequest, node_answer
from dbc_exporter.simulator.vm import RUNNING, Vm
from dbc_exporter.simulator.vm_create import VNC_PORTS, Refused
from dbc_exporter.simulator.vm_events import OK, TASK_NOT_EXIST

if TYPE_CHECKING:
    from dbc_exporter.simulator.compute import ComputeNode

NEXT_BOOT = node_answer("some changes will take effect on the next boot")


def modify(node: ComputeNode, request: NodeRequest, access: Access) -> str:
    """Apply the members of `additional`; an absent `new_public_ip` clears the address."""
    vm = node.domain(request.segments[2])
    if vm is None:
        return TASK_NOT_EXIST
    try:
        later = _apply(node, vm, request)
    except Refused as refused:
        return node_answer(str(refused), 1)
    node.record(vm.task_id, "modify", access)
    return NEXT_BOOT if later else OK


def _text(request: NodeRequest, key: str) -> str:
    found = request.additional.get(key)
    return found if isinstance(found, str) else ""


def _apply(node: ComputeNode, vm: Vm, request: NodeRequest) -> bool:
    vm.public_ip = _text(request, "new_public_ip")
    field = "new_rdp_port" if vm.is_windows else "new_ssh_port"
    if port := _text(request, field):
        _check_port(node, vm, field, port)
        vm.port = port
    ssh, rdp = _text(request, "new_ssh_port"), _text(request, "new_rdp_port")
    if ssh and ssh == rdp:
        raise Refused("new_ssh_port and new_rdp_port are the same!")
    for key, target in (("new_custom_port", vm.custom_port), ("new_network_filters", vm.network_filters)):
        found = request.additional.get(key)
        if isinstance(found, list):
            target[:] = [item for item in found if isinstance(item, str)]
    later = _new_vnc_port(node, vm, _text(request, "new_vnc_port"))
    return _new_size(node, vm, request) or later


def _check_port(node: ComputeNode, vm: Vm, field: str, text: str) -> None:
    if leading_int(text) <= 0:
        raise Refused(f"{field} {text} is invalid! (usage: > 0)")
    if not vm.public_ip and node.port_used(text, vm):
        raise Refused(f"{field} {text} has been used!")


def _new_vnc_port(node: ComputeNode, vm: Vm, text: str) -> bool:
    if not text:
        return False
    if leading_int(text) not in VNC_PORTS:
        raise Refused(f"new_vnc_port {text} is invalid! (usage: 5900 =< port <= 65535)")
    if node.port_used(text, vm):
        raise Refused(f"new_vnc_port {text} has been used!")
    changed = vm.vnc_port != text
    vm.vnc_port = text
    return changed


def _new_size(node: ComputeNode, vm: Vm, request: NodeRequest) -> bool:
    leased = node.leased_gpus(vm.rent_order, vm.wallet)
    whole = not vm.rent_order or len(leased) == node.hardware.gpus
    if not whole and not leased:
        raise Refused("gpu rent order is empty")
    left = node.resources_left()
    later = False
    for key, name, room, full in (
        ("new_gpu_count", "gpu count", left["gpu"] + len(vm.gpus), "allocate gpu failed"),
        ("new_cpu_cores", "cpu cores", left["cpu"] + vm.cpu_cores, "allocate cpu failed"),
        ("new_mem_size", "mem size", left["memory"] // GIB + vm.memory // GIB, "allocate memory failed"),
    ):
        text = _text(request, key)
        if not text:
            continue
        if not whole:
            raise Refused(f"can not modify {name}")
        number = leading_int(text)
        if number < (0 if key == "new_gpu_count" else 1) or number > room:
            raise Refused(full)
        later = _resize(vm, key, number, leased) or later
    return later


def _resize(vm: Vm, key: str, number: int, leased: tuple[int, ...]) -> bool:
    before = (vm.gpus, vm.cpu_cores, vm.memory)
    if key == "new_gpu_count":
        vm.gpus = tuple(leased[:number]) if number != len(vm.gpus) else vm.gpus
    elif key == "new_cpu_cores":
        vm.cpu_cores = number
    else:
        vm.memory = number * GIB
    return before != (vm.gpus, vm.cpu_cores, vm.memory)


def set_password(node: ComputeNode, request: NodeRequest, access: Access) -> str:
    """Set the guest's password through its agent; the new one is shown in the details."""
    vm = node.domain(request.segments[2])
    if vm is None:
        return TASK_NOT_EXIST
    if vm.domain != RUNNING:
        return node_answer("Only the running task can change the password", 1)
    password, user = _text(request, "password"), _text(request, "username")
    if not password:
        return node_answer("password can not be empty", 1)
    if not user:
        return node_answer("user name can not be empty", 1)
    if vm.hung:
        return node_answer("Guest agent is not responding: QEMU guest agent is not connected", 1)
    vm.login_password = node.secret(password)
    if vm.user_name in ("", "N/A"):
        vm.user_name = user
    node.record(vm.task_id, "passwd", access)
    return OK
