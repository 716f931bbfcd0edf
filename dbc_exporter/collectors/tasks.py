"""Tasks: the renter's VMs on a node and their statuses. Authenticated."""

from __future__ import annotations

from dataclasses import dataclass

from dbc_exporter.collectors.base import Outcome
from dbc_exporter.collectors.orders import KnownTasks, RenterGuard
from dbc_exporter.collectors.per_vm import THIS_VM_ONLY
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.pool import Reader
from dbc_exporter.facts import Task, TaskList, TaskState
from dbc_exporter.targets import Kind, Target


@dataclass(slots=True)
class TasksCollector:
    """`/tasks` of a compute node."""

    guard: RenterGuard
    known_tasks: KnownTasks
    name: str = "tasks"
    kinds: frozenset[Kind] = frozenset({Kind.COMPUTE})
    lane: str = "list task"
    authenticated: bool = True
    calls_per_target: float = 1.0

    def unavailable(self, target: Target) -> str | None:
        """Ask for a renter's credential."""
        return self.guard.unavailable(target)

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """List the VMs; one by one where a quote in a description broke the list."""
        await self.guard.require_live_order(target, read)
        try:
            return Outcome({"": await read(reads.task_list(target.id), target)})
        except DbcError as error:
            known = self.known_tasks(target)
            if error.reason is not Reason.UNPARSABLE or known is None:
                raise
        tasks = [await self._one(target, task_id, read) for task_id in known]
        return Outcome({"": TaskList(tasks=tuple(task for task in tasks if task), parsable=False)})

    async def _one(self, target: Target, task_id: str, read: Reader) -> Task | None:
        """Return a VM's state, `unknown` where only this VM cannot be read, or None when it has left."""
        try:
            vm = await read(reads.vm(target.id, task_id), target)
        except DbcError as error:
            if error.reason is Reason.NOT_FOUND:
                return None
            if error.reason not in THIS_VM_ONLY:
                raise
            return Task(task_id, TaskState.UNKNOWN)
        return Task(task_id, vm.state, vm.created_local, vm.description)
