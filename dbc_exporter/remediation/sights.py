"""What is known of one target's subjects: the facts held of it, their times, and what was noted of it before.

A list that could not be read, a fact that is absent and a state nobody knows are all the same: unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from msgspec.structs import replace

from dbc_exporter.facts import (
    Fact,
    NodeConfig,
    OrderStatus,
    Power,
    Reachability,
    SnapshotList,
    SnapshotState,
    Task,
    TaskList,
    TaskState,
    Transfer,
    TransferState,
    Vm,
)
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.remediation.model import Alert, Fence, Sight, Subject
from dbc_exporter.remediation.problems import UNKNOWN
from dbc_exporter.remediation.tracker import DAY, Presence, Run
from dbc_exporter.targets import Kind, Target

F = TypeVar("F", bound=Fact)
_MOVING = frozenset({TransferState.DOWNLOADING, TransferState.UPLOADING})
_BEING_MADE = frozenset({SnapshotState.CREATING, SnapshotState.UPLOADING})
_AT_WORK = frozenset(
    {TaskState.CREATING, TaskState.DELETING, TaskState.CHANGING_DISK, TaskState.SNAPSHOTTING}
)


class _Work(StrEnum):
    """Kinds of work of DBC that an action would disturb. Names that a renter gave do not show in it."""

    SNAPSHOT = "snapshot"
    TASK = "task"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads facts of one target from the store. `offset` makes steady times of monotonic ones."""

    store: Store
    owner: Owner
    offset: float

    def all(self, collector: str, kind: type[F]) -> dict[str, F]:
        """Return a collector's objects of this kind, by key."""
        held = self.store.facts(self.owner, collector)
        return {key: fact for key, fact in held.items() if isinstance(fact, kind)}

    def one(self, collector: str, kind: type[F]) -> tuple[F | None, float | None]:
        """Return a collector's one fact and the steady time at which it was read."""
        fact, at = self.store.readings(self.owner, collector).get("", (None, 0.0))
        return (fact, at + self.offset) if isinstance(fact, kind) else (None, None)


@dataclass(slots=True)
class Memory:
    """What was noted of one target: its own presence, and by VM (a server's is "") its runs and its most GPUs.

    `work` is what DBC was last seen to be at, by kind and VM. It is over when that is seen, not when nobody knows.
    """

    presence: Presence = field(default_factory=Presence)
    runs: dict[str, Run] = field(default_factory=dict)
    most_gpus: dict[str, int] = field(default_factory=dict)
    work: dict[tuple[_Work, str], str] = field(default_factory=dict)

    def lately_there(self, now: float) -> set[str]:
        """Name the VMs of which something was known within a day."""
        return {
            task_id
            for task_id, run in self.runs.items()
            if run.state != UNKNOWN or run.since is None or now - run.since <= DAY
        }

    def retain(self, task_ids: set[str]) -> None:
        """Forget VMs that are no more."""
        for gone in self.runs.keys() - task_ids:
            del self.runs[gone]
            self.most_gpus.pop(gone, None)
            self.note_work(_Work.SNAPSHOT, gone, "")
            self.note_work(_Work.TASK, gone, "")

    def note_work(self, kind: _Work, task_id: str, what: str) -> None:
        """Take what DBC is seen to be at; "" is nothing."""
        if what:
            self.work[kind, task_id] = what
        else:
            self.work.pop((kind, task_id), None)

    def busy(self, task_id: str) -> str:
        """Name work on the node that an action on a VM would disturb. What the VM itself is at, its state tells."""
        others = (what for key, what in sorted(self.work.items()) if key != (_Work.TASK, task_id))
        return next(others, "")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known of a target from elsewhere. A run of readings bears no gap longer than `longest_gap` seconds."""

    client: str | None
    fence: Fence
    longest_gap: float
    alerts: Mapping[Subject, tuple[Alert, ...]]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Looks at one target at one time."""

    target: Target
    facts: Reading
    memory: Memory
    around: Surroundings
    now: float

    def sights(self) -> tuple[Sight, ...]:
        """Return the subjects of the target, in order, and note what will be needed later."""
        if self.target.kind is Kind.SERVER:
            return (self._server(),)
        if self.target.kind is Kind.COMPUTE and self.target.credential is not None:
            return self._vms()
        return ()

    def _server(self) -> Sight:
        subject = Subject(self.target.id)
        power, read_at = self.facts.one("power", Power)
        seen = self._noted("", power.state.value if power else UNKNOWN, read_at)
        return Sight(subject=subject, alerts=self.around.alerts.get(subject, ()), **seen, **self._shared())

    def _vms(self) -> tuple[Sight, ...]:
        listed, read_at = self.facts.one("tasks", TaskList)
        tasks = {task.task_id: task for task in listed.tasks} if listed else {}
        task_ids = set(tasks)
        if listed is None or not listed.parsable or listed.unreadable:  # some may be there that were not read
            task_ids |= self.memory.lately_there(self.now)
        self.memory.retain(task_ids)
        readable = listed is not None and listed.parsable
        details = self.facts.all("vms", Vm)
        config, _ = self.facts.one("node", NodeConfig)
        shared = {**self._shared(), "gpus": config.gpus if config else None}
        self._note_work(tasks, task_ids)
        sights = []
        for task_id in sorted(task_ids):
            task = tasks.get(task_id)
            state = task.state.value if task and readable else UNKNOWN
            sights.append(
                Sight(
                    subject=Subject(self.target.id, task_id),
                    expected_gpus=self.target.expected_gpus,
                    busy=self.memory.busy(task_id),
                    alerts=self._alerts(task_id),
                    **self._gpus(task_id, details.get(task_id)),
                    **self._noted(task_id, state, read_at),
                    **shared,
                )
            )
        return tuple(sights)

    def _shared(self) -> dict[str, Any]:
        there, told_at = self.facts.one("reachability", Reachability)
        there = there or Reachability()
        presence = self.memory.presence
        # not now: what answered between then and now was there
        at = self.now if told_at is None else told_at
        presence.note(False if there.visible is False else there.up, at)
        orders, orders_at = self.facts.one("orders", OrderStatus)
        return {
            "machine": self.target.manager or self.target.id,
            "labels": self.target.labels,
            "client": self.around.client,
            "desired": self.target.desired_state,
            "fence": self.around.fence,
            "node_up": there.up,
            "node_listed": there.visible,
            "node_back": presence.back,
            "node_away": presence.away,
            "order_live": orders.live if orders else None,
            "order_seen": orders_at,
        }

    def _noted(self, task_id: str, state: str, read_at: float | None) -> dict[str, Any]:
        run = self.memory.runs.setdefault(task_id, Run())
        if read_at is None or state == UNKNOWN:
            run.unknown(self.now)
        else:
            run.read(state, read_at, self.around.longest_gap)
        return {
            "state": run.state,
            "seen": run.seen,
            "since": run.since,
            "samples": run.samples,
            "was_well": run.was_well,
        }

    def _gpus(self, task_id: str, detail: Vm | None) -> dict[str, Any]:
        count, most = detail.gpus if detail else None, self.memory.most_gpus
        if count is not None:
            most[task_id] = max(count, most.get(task_id, 0))
        return {"vm_gpus": count, "vm_gpus_most": most.get(task_id)}

    def _alerts(self, task_id: str) -> tuple[Alert, ...]:
        """Return the VM's own alerts, then those of its node, of which some rules want to know."""
        alerts, node_id = self.around.alerts, self.target.id
        of_node = (replace(alert, of_node=True) for alert in alerts.get(Subject(node_id), ()))
        return (*alerts.get(Subject(node_id, task_id), ()), *of_node)

    def _note_work(self, tasks: Mapping[str, Task], task_ids: set[str]) -> None:
        memory, transfers = self.memory, self.facts.all("transfers", Transfer)
        if transfers or not self.target.transfers:
            moving = any(one.state in _MOVING for one in transfers.values())
            memory.note_work(_Work.TRANSFER, "", "transfer" if moving else "")
        for task_id, made in self.facts.all("snapshots", SnapshotList).items():
            states = {one.state for one in made.snapshots}
            if task_id not in task_ids:
                continue
            if states & _BEING_MADE:
                memory.note_work(_Work.SNAPSHOT, task_id, f"snapshot of {task_id}")
            elif SnapshotState.UNKNOWN not in states:
                memory.note_work(_Work.SNAPSHOT, task_id, "")
        for task_id, task in tasks.items():
            if task.state is not TaskState.UNKNOWN:
                at_work = task.state in _AT_WORK
                memory.note_work(_Work.TASK, task_id, f"{task_id} is {task.state}" if at_work else "")
