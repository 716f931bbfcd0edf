"""Turns what the exporter knows into the planner's snapshot: facts with their times, alerts, and what time told.

Reads the store and the pool; of the store it only lets go what is too old to be shown anyway. A target is looked at
again when something new is known of it, so that a snapshot of many targets without news costs little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dbc_exporter.clock import Clock
from dbc_exporter.dbc.calls import Authority
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import Reachability
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.remediation.model import Alert, Fence, Fleet, Sight, Snapshot, Subject
from dbc_exporter.remediation.sights import Memory, Reading, Surroundings, Viewer
from dbc_exporter.remediation.steady import Steady
from dbc_exporter.remediation.tracker import Most
from dbc_exporter.targets import Kind, Target

STEP_SECONDS = 5.0  # how far wall and monotonic clock may drift apart between two snapshots
LONGEST_GAP_INTERVALS = 3.0
ASSUMED_INTERVAL = 300.0  # of a collector that is switched off, whose values others may have left
NEVER = float("-inf")


@dataclass(slots=True)
class _Watched:
    """One target as it was last looked at. Nodes count as silenced by the chain until `chain_silent_until`."""

    target: Target
    owner: Owner
    memory: Memory = field(default_factory=Memory)
    version: int = -1
    client: str | None = None
    known: bool = False
    chain_silent_until: float = NEVER
    sights: tuple[Sight, ...] = ()


@dataclass(slots=True)
class Evidence:
    """Makes snapshots. `intervals` has the seconds between two polls of a target, by collector.

    `pool` and `intervals` may be exchanged between two snapshots, after a reload; what was noted stays.
    """

    store: Store
    pool: Pool
    steady: Steady
    clock: Clock
    intervals: Mapping[str, float]
    shards: int = 1
    _started: float = field(init=False)
    _offset: float = field(init=False)
    _drift: float = field(init=False)
    _disturbed: float = NEVER
    _disturbance: str = ""
    _alerts: Mapping[Subject, tuple[Alert, ...]] = field(default_factory=dict)
    _truncated: float | None = None
    _watchdog: float | None = None
    _watched: dict[str, _Watched] = field(default_factory=dict)
    _most: Most = field(default_factory=Most)
    _looked_with: Pool | None = None

    def __post_init__(self) -> None:
        """Begin to watch now."""
        self._started = self.steady.now()
        self._offset = self._started - self.clock.monotonic()
        self._drift = self.clock.wall() - self.clock.monotonic()

    def take_alerts(
        self,
        alerts: Mapping[Subject, tuple[Alert, ...]],
        *,
        watchdog: float | None,
        truncated: float | None,
    ) -> None:
        """Take what the journal remembers of Alertmanager's words: after each delivery, and at the start."""
        before = self._alerts
        for subject in before.keys() | alerts.keys():
            if before.get(subject) != alerts.get(subject) and subject.node_id in self._watched:
                self._watched[subject.node_id].version = -1
        self._alerts, self._watchdog, self._truncated = alerts, watchdog, truncated

    def disturb(self, why: str) -> None:
        """Let the hold-off begin anew."""
        self._disturbed, self._disturbance = self.steady.now(), why

    def snapshot(self) -> Snapshot:
        """Look at everything."""
        self._watch_clocks()
        self.store.sweep()
        now = self.steady.now()
        targets = sorted(self.store.targets(), key=lambda target: target.id)
        anew = self.pool is not self._looked_with  # its credentials may be others
        watched = {target.id: self._look(target, now, anew=anew) for target in targets}
        self._watched, self._looked_with = watched, self.pool
        sights = [sight for one in watched.values() for sight in one.sights]
        return Snapshot(self.clock.wall(), self._fleet(now), tuple(sights))

    # -- the fleet -----------------------------------------------------------------------------------------

    def _watch_clocks(self) -> None:
        drift = self.clock.wall() - self.clock.monotonic()
        if abs(drift - self._drift) > STEP_SECONDS:
            self.disturb("clock step")
        self._drift = drift

    def _fleet(self, now: float) -> Fleet:
        watched = self._watched.values()
        return Fleet(
            started=self._started,
            disturbed=self._disturbed,
            disturbance=self._disturbance,
            clients=tuple((client.name, client.state().value) for client in self.pool.clients),
            watched=self._most.note(len(watched), now),
            present=len(watched),
            known=sum(one.known for one in watched),
            chain_silent=sum(now < one.chain_silent_until for one in watched),
            truncated=self._truncated,
            watchdog=self._watchdog,
            shards=self.shards,
        )

    # -- one target ----------------------------------------------------------------------------------------

    def _look(self, target: Target, now: float, *, anew: bool) -> _Watched:
        one = self._watched.get(target.id) or _Watched(target, Owner(node_id=target.id))
        client = self.pool.client_for(target)
        name = client.name if client else None
        version = self.store.version(one.owner)
        news = version != one.version or name != one.client or target is not one.target
        if not news and not anew:
            return one
        one.target, one.version, one.client = target, version, name
        facts = Reading(self.store, one.owner, self._offset)
        there, _ = facts.one("reachability", Reachability)
        one.known = there is not None and (there.up is not None or there.visible is False)
        one.chain_silent_until = self._chain_silent_until(one, now)
        around = Surroundings(name, self._fence(target), self._longest_gap(target), self._alerts)
        one.sights = Viewer(target, facts, one.memory, around, now).sights()
        return one

    def _fence(self, target: Target) -> Fence:
        credential = self.pool.credential(target)
        if credential is None or Authority.RENTER not in credential.serves:
            return Fence.NO_CREDENTIAL
        return Fence.NONCE if credential.can_fence else Fence.NONE

    def _longest_gap(self, target: Target) -> float:
        collector = "power" if target.kind is Kind.SERVER else "tasks"
        return LONGEST_GAP_INTERVALS * self.intervals.get(collector, ASSUMED_INTERVAL)

    def _chain_silent_until(self, one: _Watched, now: float) -> float:
        """Return until when a node counts whose signed polls began to fail because the chain did not answer.

        It does not count for longer than its facts would last: a machine that is reported on chain fails like that for
        ever. One whose polls have stopped since, because its lease ended, says nothing of the chain.
        """
        if one.target.kind is not Kind.COMPUTE or one.target.credential is None:
            return NEVER
        records = {record.collector: record for record in self.store.freshness(one.owner)}
        record = records.get("tasks")
        if record is None or record.unavailable is not None or record.chain_silent_seconds is None:
            return NEVER
        return now - record.chain_silent_seconds + self._longest_gap(one.target)
