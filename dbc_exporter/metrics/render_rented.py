"""Rendering of facts about what is rented on nodes: tasks, VMs, disks, snapshots, images, transfers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, tzinfo

from dbc_exporter import facts
from dbc_exporter.metrics.lines import Entry, StateSet, columns, info, label, labels, sample, samples
from dbc_exporter.metrics.options import RenderOptions
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.render_fleet import Renderer

_LOCAL_TIME = "%Y-%m-%d %H:%M:%S"

_TASKS = StateSet("dbc_node_tasks")
_VM_STATE = StateSet("dbc_vm_state")
_SNAPSHOT_STATE = StateSet("dbc_snapshot_state")
_TRANSFER_STATE = StateSet("dbc_image_transfer_state")

_VM = columns(
    ("dbc_vm_cpu_cores", "cpu_cores"),
    ("dbc_vm_gpus", "gpus"),
    ("dbc_vm_memory_bytes", "memory_bytes"),
    ("dbc_vm_system_disk_bytes", "system_disk_bytes"),
    ("dbc_vm_network_interfaces", "network_interfaces"),
)
_VM_DISK = columns(("dbc_vm_disk_size_bytes", "size_bytes"))
_DISK = columns(("dbc_disk_size_bytes", "size_bytes"))
_IMAGE = columns(("dbc_image_size_bytes", "size_bytes"))
_CENTRE_IMAGE = columns(("dbc_centre_image_size_bytes", "size_bytes"))
_PROGRESS = columns(("dbc_image_transfer_progress_ratio", "progress_ratio"))


def unix_time(local: str | None, zone: tzinfo | None) -> float | None:
    """Read a node's local time ("2026-11-23 11:22:45"); `None` when it has no one meaning in that zone."""
    if local is None or zone is None:
        return None
    try:
        first = datetime.strptime(local, _LOCAL_TIME).replace(tzinfo=zone)
        if first.utcoffset() != first.replace(fold=1).utcoffset():
            return None
        return first.timestamp()
    except (ValueError, OverflowError):
        return None


def _tasks(owner: Owner, _key: str, fact: facts.TaskList, _options: RenderOptions) -> list[Entry]:
    me = label("node_id", owner.node_id)
    entries = [sample("dbc_node_tasks_parsable", me, fact.parsable)]
    if fact.parsable and "tasks" not in fact.unreadable:  # a row lost is a task uncounted
        entries.append(_TASKS.counts(me, Counter(task.state for task in fact.tasks)))
    entries.extend(_VM_STATE.one(f"{me},{label('task_id', task.task_id)}", task.state) for task in fact.tasks)
    return entries


def _vm(owner: Owner, _key: str, fact: facts.Vm, options: RenderOptions) -> list[Entry]:
    me = labels(node_id=owner.node_id, task_id=fact.task_id)
    entries = samples(_VM, me, fact)
    texts = labels(
        os=fact.os,
        description=fact.description,
        rent_order=fact.rent_order,
        created_local=fact.created_local,
    )
    entries.append(info("dbc_vm_info", f"{me},{texts}"))
    for disk in fact.disks or ():
        entries.extend(samples(_VM_DISK, f"{me},{label('disk', disk.name)}", disk))
    created = unix_time(fact.created_local, options.node_timezone)
    if created is not None:
        entries.append(sample("dbc_vm_created_timestamp_seconds", me, created))
    return entries


def _disks(owner: Owner, key: str, fact: facts.DiskList, _options: RenderOptions) -> list[Entry]:
    me = labels(node_id=owner.node_id, task_id=key)
    entries: list[Entry] = []
    for disk in fact.disks:
        entries.extend(samples(_DISK, f"{me},{label('disk', disk.name)}", disk))
    return entries


def _snapshots(owner: Owner, key: str, fact: facts.SnapshotList, _options: RenderOptions) -> list[Entry]:
    me = labels(node_id=owner.node_id, task_id=key)
    entries = []
    if "snapshots" not in fact.unreadable:  # a row lost is a snapshot uncounted
        entries.append(sample("dbc_vm_snapshots", me, len(fact.snapshots)))
    entries.extend(
        _SNAPSHOT_STATE.one(f"{me},{label('snapshot', snapshot.name)}", snapshot.state)
        for snapshot in fact.snapshots
    )
    return entries


def _images(owner: Owner, key: str, fact: facts.ImageList, _options: RenderOptions) -> list[Entry]:
    if owner.node_id:
        me, table = label("node_id", owner.node_id), _IMAGE
    else:
        me, table = labels(client=owner.client, centre=key), _CENTRE_IMAGE
    entries: list[Entry] = []
    for image in fact.images:
        entries.extend(samples(table, f"{me},{label('image', image.name)}", image))
    return entries


def _transfer(owner: Owner, _key: str, fact: facts.Transfer, _options: RenderOptions) -> list[Entry]:
    me = labels(node_id=owner.node_id, image=fact.image, direction=fact.direction)
    return [_TRANSFER_STATE.one(me, fact.state), *samples(_PROGRESS, me, fact)]


RENDERERS: Mapping[type[facts.Fact], Renderer] = {
    facts.TaskList: _tasks,
    facts.Vm: _vm,
    facts.DiskList: _disks,
    facts.SnapshotList: _snapshots,
    facts.ImageList: _images,
    facts.Transfer: _transfer,
}
