"""Sources with one call per VM: details, disks, snapshots. Authenticated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dbc_exporter.collectors.base import Outcome
from dbc_exporter.collectors.orders import KnownTasks, RenterGuard
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.calls import ReadCall
from dbc_exporter.dbc.errors import SILENCE, DbcError, Reason
from dbc_exporter.dbc.pool import Reader
from dbc_exporter.facts import Fact
from dbc_exporter.targets import Kind, Target

THIS_VM_ONLY = frozenset({Reason.UNPARSABLE, Reason.REFUSED_BY_NODE, Reason.UNREADABLE})


@dataclass(slots=True)
class PerVmCollector:
    """One read per VM of a node; a VM that cannot be read does not hide the others."""

    name: str
    lane: str
    call: Callable[[str, str], ReadCall[Any]]
    guard: RenterGuard
    known_tasks: KnownTasks
    kinds: frozenset[Kind] = frozenset({Kind.COMPUTE})
    authenticated: bool = True
    calls_per_target: float = 2.0

    def unavailable(self, target: Target) -> str | None:
        """Ask for a renter's credential."""
        return self.guard.unavailable(target)

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """Read every VM the task list names."""
        await self.guard.require_live_order(target, read)
        task_ids = self.known_tasks(target)
        if task_ids is None:
            task_ids = tuple(task.task_id for task in (await read(reads.task_list(target.id), target)).tasks)
        objects: dict[str, Fact] = {}
        unread: dict[str, DbcError] = {}
        for task_id in task_ids:
            try:
                objects[task_id] = await read(self.call(target.id, task_id), target)
            except DbcError as error:
                if error.reason is Reason.NOT_FOUND:
                    continue  # it left between the list and this call
                if error.reason not in THIS_VM_ONLY or error.reason in SILENCE:
                    raise
                unread[task_id] = error
        if unread and not objects:
            raise next(iter(unread.values()))
        return Outcome(objects, keep=frozenset(unread))


def vms(guard: RenterGuard, known_tasks: KnownTasks) -> PerVmCollector:
    """Return the collector of VM details; the server counts them as the same kind as the list."""
    return PerVmCollector("vms", "list task", reads.vm, guard, known_tasks)


def disks(guard: RenterGuard, known_tasks: KnownTasks) -> PerVmCollector:
    """Return the collector of VM disk lists."""
    return PerVmCollector("disks", "list disk", reads.disk_list, guard, known_tasks)


def snapshots(guard: RenterGuard, known_tasks: KnownTasks) -> PerVmCollector:
    """Return the collector of VM snapshots."""
    return PerVmCollector("snapshots", "list snapshot", reads.snapshot_list, guard, known_tasks)
