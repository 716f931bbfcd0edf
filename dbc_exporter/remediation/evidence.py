"""Turns what the exporter knows into the planner's snapshot: facts with their ages, alerts, and what time told.

Reads the store and the pool and changes neither. Whatever cannot be said for certain is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dbc_exporter.clock import Clock
from dbc_exporter.dbc.calls import Authority
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import (
    Fact,
    NodeConfig,
    OrderStatus,
    Power,
    Reachability,
    Snapshot,
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
from dbc_exporter.remediation import model
from dbc_exporter.remediation.model import Alert, Fence, Fleet, Sight, Subject
from dbc_exporter.remediation.problems import UNKNOWN
from dbc_exporter.remediation.steady import Steady
from dbc_exporter.remediation.tracker import Most, Presence, Run
from dbc_exporter.targets import Kind, Target

F = TypeVar("F", bound=Fact)
STEP_SECONDS = 5.0  # how far wall and monotonic clock may drift apart between two looks
LONGEST_GAP_INTERVALS = 3.0
_MOVING = frozenset({TransferState.DOWNLOADING, TransferState.UPLOADING})
_AT_WORK = frozenset(
    {TaskState.CREATING, TaskState.DELETING, TaskState.CHANGING_DISK, TaskState.SNAPSHOTTING}
)


@dataclass(slots=True)
class Evidence:
    """Makes snapshots. `intervals` has the seconds between two readings of each collector."""

    store: Store
    pool: Pool
    steady: Steady
    clock: Clock
    intervals: Mapping[str, float]
    shards: int = 1
    _started: float = field(init=False)
    _disturbed: float = float("-inf")
    _disturbance: str = ""
    _drift: float = field(init=False)
    _alerts: Mapping[Subject, tuple[Alert, ...]] = field(default_factory=dict)
    _truncated: float | None = None
    _watchdog: float | None = None
    _runs: dict[Subject, Run] = field(default_factory=dict)
    _machines: dict[str, Presence] = field(default_factory=dict)
    _most_gpus: dict[Subject, int] = field(default_factory=dict)
    _watched: Most = field(default_factory=Most)

    def __post_init__(self) -> None:
        """Begin to watch now."""
        self._started = self.steady.now()
        self._drift = self.clock.wall() - self.clock.monotonic()

    def take_alerts(
        self,
        alerts: Mapping[Subject, tuple[Alert, ...]],
        *,
        watchdog: float | None,
        truncated: float | None,
    ) -> None:
        """Take what the journal remembers of Alertmanager's words."""
        self._alerts, self._watchdog, self._truncated = alerts, watchdog, truncated

    def disturb(self, why: str) -> None:
        """Let the hold-off begin anew."""
        self._disturbed, self._disturbance = self.steady.now(), why

    def snapshot(self) -> model.Snapshot:
        """Look at everything."""
        now = self.steady.now()
        self._watch_clock()
        targets = self.store.targets()
        sights = [sight for target in targets for sight in self._sights(target, now)]
        sights.sort(key=lambda sight: sight.subject)
        self._forget({sight.subject for sight in sights})
        return model.Snapshot(self.clock.wall(), self._fleet(targets, now), tuple(sights))

    # -- the fleet -----------------------------------------------------------------------------------------

    def _watch_clock(self) -> None:
        drift = self.clock.wall() - self.clock.monotonic()
        if abs(drift - self._drift) > STEP_SECONDS:
            self.disturb("clock step")
        self._drift = drift

    def _fleet(self, targets: Iterable[Target], now: float) -> Fleet:
        targets = tuple(targets)
        known = silent = 0
        for target in targets:
            there = self._facts(target, "reachability", Reachability)
            known += there is not None and (there.up is not None or there.visible is False)
            silent += self._chain_silent(target)
        return Fleet(
            started=self._started,
            disturbed=self._disturbed,
            disturbance=self._disturbance,
            clients=tuple((client.name, client.state().value) for client in self.pool.clients),
            watched=self._watched.note(len(targets), now),
            present=len(targets),
            known=known,
            chain_silent=silent,
            truncated=self._truncated,
            watchdog=self._watchdog,
            shards=self.shards,
        )

    def _chain_silent(self, target: Target) -> bool:
        """Tell whether a node's latest signed call failed for authority, which its chain lends it."""
        for record in self.store.freshness(Owner(node_id=target.id)) if target.credential else ():
            if record.collector == "tasks" and record.last_reason is Failure.AUTHORITY:
                return (record.last_failure or 0.0) > (record.last_success or 0.0)
        return False

    # -- subjects ------------------------------------------------------------------------------------------

    def _sights(self, target: Target, now: float) -> Iterator[Sight]:
        if target.kind is Kind.SERVER:
            yield self._server(target, now)
        elif target.kind is Kind.COMPUTE and target.credential is not None:
            yield from self._vms(target, now)

    def _vms(self, target: Target, now: float) -> Iterator[Sight]:
        listed = self._facts(target, "tasks", TaskList)
        details = self.store.facts(Owner(node_id=target.id), "vms")
        tasks = {task.task_id: task for task in listed.tasks} if listed else {}
        known = {run.task_id for run in self._runs if run.node_id == target.id} if listed is None else set()
        shared = self._shared(target, now)
        config = self._facts(target, "node", NodeConfig)
        for task_id in sorted(tasks.keys() | known):
            subject = Subject(target.id, task_id)
            task, detail = tasks.get(task_id), details.get(task_id)
            readable = listed is not None and listed.parsable
            state = task.state.value if task and readable else UNKNOWN
            run = self._run(subject, state, self._read_at(target, "tasks"), self._gap("tasks"), now)
            yield Sight(
                subject=subject,
                **shared,
                **_of(run),
                expected_gpus=target.expected_gpus,
                gpus=config.gpus if config else None,
                **self._gpus(subject, detail),
                busy=self._busy(target, tasks.values(), task_id),
                alerts=(*self._alerts.get(subject, ()), *self._alerts.get(Subject(target.id), ())),
            )

    def _server(self, target: Target, now: float) -> Sight:
        subject = Subject(target.id)
        power = self._facts(target, "power", Power)
        state = power.state.value if power else UNKNOWN
        run = self._run(subject, state, self._read_at(target, "power"), self._gap("power"), now)
        return Sight(
            subject=subject, **self._shared(target, now), **_of(run), alerts=self._alerts.get(subject, ())
        )

    def _shared(self, target: Target, now: float) -> dict[str, Any]:
        there = self._facts(target, "reachability", Reachability) or Reachability()
        machine = target.manager or target.id
        presence = self._machines.setdefault(machine, Presence())
        presence.note(False if there.visible is False else there.up, now)
        orders = self._facts(target, "orders", OrderStatus)
        client = self.pool.client_for(target)
        return {
            "machine": machine,
            "labels": target.labels,
            "client": client.name if client else None,
            "desired": target.desired_state,
            "fence": self._fence(target),
            "node_up": there.up,
            "node_listed": there.visible,
            "node_back": presence.back,
            "node_away": presence.away,
            "order_live": orders.live if orders else None,
            "order_seen": self._read_at(target, "orders"),
        }

    def _fence(self, target: Target) -> Fence:
        credential = self.pool.credentials.get(target.credential or "")
        if credential is None or Authority.RENTER not in credential.serves:
            return Fence.NO_CREDENTIAL
        return Fence.NONCE if credential.can_fence else Fence.NONE

    def _run(self, subject: Subject, state: str, read_at: float | None, gap: float, now: float) -> Run:
        run = self._runs.setdefault(subject, Run())
        if read_at is None or state == UNKNOWN:
            run.unknown(now)
        else:
            run.read(state, read_at, gap)
        return run

    def _gpus(self, subject: Subject, detail: Fact | None) -> dict[str, Any]:
        count = detail.gpus if isinstance(detail, Vm) else None
        if count is not None:
            self._most_gpus[subject] = max(count, self._most_gpus.get(subject, 0))
        return {"vm_gpus": count, "vm_gpus_most": self._most_gpus.get(subject)}

    def _busy(self, target: Target, siblings: Iterable[Task], task_id: str) -> str:
        owner = Owner(node_id=target.id)
        for fact in self.store.facts(owner, "transfers").values():
            if isinstance(fact, Transfer) and fact.state in _MOVING:
                return f"transfer of {fact.image}"
        for fact in self.store.facts(owner, "snapshots").values():
            for one in fact.snapshots if isinstance(fact, SnapshotList) else ():
                if _being_made(one):
                    return f"snapshot {one.name}"
        for task in siblings:
            if task.state in _AT_WORK and task.task_id != task_id:
                return f"{task.task_id} is {task.state}"
        return ""

    # -- the store -----------------------------------------------------------------------------------------

    def _facts(self, target: Target, collector: str, kind: type[F]) -> F | None:
        fact = self.store.facts(Owner(node_id=target.id), collector).get("")
        return fact if isinstance(fact, kind) else None

    def _read_at(self, target: Target, collector: str) -> float | None:
        age = self.store.age(Owner(node_id=target.id), collector)
        return None if age is None else self.steady.now() - age

    def _gap(self, collector: str) -> float:
        return LONGEST_GAP_INTERVALS * self.intervals.get(collector, 300.0)

    def _forget(self, present: set[Subject]) -> None:
        for subject in self._runs.keys() - present:
            del self._runs[subject]
            self._most_gpus.pop(subject, None)


def _of(run: Run) -> dict[str, Any]:
    return {
        "state": run.state,
        "seen": run.seen,
        "since": run.since,
        "samples": run.samples,
        "was_well": run.was_well,
    }


def _being_made(snapshot: Snapshot) -> bool:
    return snapshot.state in (SnapshotState.CREATING, SnapshotState.UPLOADING)
