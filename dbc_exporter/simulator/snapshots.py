"""Snapshots of VMs' system disks: list, create (and upload), delete (which only aborts the upload)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dbc_exporter.simulator.authority import Access
from dbc_exporter.simulator.protocol import NodeRequest, node_answer
from dbc_exporter.simulator.vm import SHUT_OFF, Snapshot, Vm, local_time

if TYPE_CHECKING:
    from dbc_exporter.simulator.compute import ComputeNode

OK = '{"errcode":0,"message":"ok"}'


def _refused(text: str) -> str:
    return f'{{"errcode":1,"message":"{text}"}}'


def answer(node: ComputeNode, request: NodeRequest, access: Access) -> str:
    """Answer one of the three snapshot calls."""
    verb, task_id, *name = request.segments[1:]
    vm = node.vms.get(task_id)
    if verb == "list":
        return _list(vm, name[0] if name else "")
    if verb == "create":
        return _create(node, vm, request, access)
    return _delete(node, vm, name[0], access)


def _list(vm: Vm | None, name: str) -> str:
    snapshots = vm.snapshots if vm else {}
    if not name:
        entries = ",".join(_element(snapshot) for snapshot in snapshots.values())
        return f'{{"errcode":0, "message":[{entries}]}}'
    if name not in snapshots:
        return node_answer("snapshot_name not exist", 1)
    return f'{{"errcode":0, "message":{_element(snapshots[name])}}}'


def _element(snapshot: Snapshot) -> str:
    status = f', "status":"{snapshot.status}"' if snapshot.status else ""
    return (
        f'{{"snapshot_name":"{snapshot.name}", "description":"{snapshot.description}", '
        f'"snapshot_file":"{snapshot.file}", "create_time":"{local_time(snapshot.create_time)}"{status}}}'
    )


def _create(node: ComputeNode, vm: Vm | None, request: NodeRequest, access: Access) -> str:
    name, text = request.additional.get("snapshot_name"), request.additional.get("desc")
    if not isinstance(name, str) or not name:
        return node_answer("'snapshot_name' is empty", -3)
    if vm is None or not vm.disks:
        return _refused("task have no disk")
    if "vda" not in vm.disks:
        return _refused("task have no disk:'vda'")
    if vm.domain != SHUT_OFF:
        return _refused("please close task first and try again")
    if not vm.image_name:
        return _refused("not found vda's root backfile")
    now = node.host.world.clock.wall()
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(now))
    file = f"/tmp/dbc_snapshots/snap_{node.host.random.randrange(100_000)}_{stamp}_vda.qcow2"  # noqa: S108 - the node's own path
    snapshot = Snapshot(name, text if isinstance(text, str) else "", file, now, "creating")
    vm.snapshots[name] = snapshot
    node.events.push(lambda: _carry_out(node, vm, snapshot, access))
    return OK


async def _carry_out(node: ComputeNode, vm: Vm, snapshot: Snapshot, access: Access) -> None:
    await node.host.work_slowly(node.timing.snapshot)
    snapshot.status = "uploading"
    node.record(vm.task_id, f"create snapshot {snapshot.name}", access)
    await node.host.work_slowly(node.timing.snapshot)
    snapshot.status = "none"


def _delete(node: ComputeNode, vm: Vm | None, name: str, access: Access) -> str:
    snapshot = vm.snapshots.get(name) if vm else None
    if vm is None or snapshot is None:
        return _refused(f"{name} not exist")
    if snapshot.status == "uploading":
        snapshot.status = "none"
    node.record(vm.task_id, f"delete snapshot {name}", access)
    return OK
