"""One collector over all its targets: who is due, who runs, what became of it.

Every target has a stable phase within the interval, so that a sweep spreads over it and a restart keeps the rhythm.
The first poll comes as soon as the pace allows. Only as many polls run side by side at a client as its lane needs;
the rest waits here, where waiting costs nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Protocol, TypeVar

from dbc_exporter.clock import Clock
from dbc_exporter.collectors.base import Collector, Learner, Outcome, Unavailable
from dbc_exporter.dbc.calls import ReadCall
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.errors import CLIENT_TROUBLE, SILENCE, DbcError, Reason
from dbc_exporter.dbc.failures import chain_silent
from dbc_exporter.dbc.lanes import width_for
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.logs import get_logger
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.targets import Target, spread

T = TypeVar("T")
log = get_logger(__name__)

RETRY_SECONDS = 10.0  # a target nobody can be asked about is looked at again this soon
DOUBLINGS = 10  # of the retries while a client stays in trouble; the interval ends them before
RETRY_SIGNED_SECONDS = 60.0  # a signed poll that hung in the chain is tried again this soon
RUN_DEADLINE_SECONDS = 900.0  # a poll that still waits after this long is given up and counted
CALLS_WEIGHT = 0.05
CATCH_UP = 1.25
_PHASES_KEPT = 1 << 16
MISTAKE = "error"


class RunCounters(Protocol):
    """Counts what the scheduler did, per collector."""

    def run(self, collector: str) -> None:
        """Count a started poll."""

    def overlapped(self, collector: str, times: int) -> None:
        """Count due times that passed while the poll before still ran or waited."""

    def deadline_exceeded(self, collector: str) -> None:
        """Count a poll given up at the deadline."""

    def error(self, collector: str) -> None:
        """Count a poll that failed by a mistake of ours."""


@dataclass(frozen=True, slots=True)
class Polled:
    """How a poll ended: when (monotonic), and why it brought nothing: a `Reason`, or `MISTAKE` (of ours)."""

    at: float
    failed: str | None


def owner_of(target: Target) -> Owner:
    """Return the label owner of a target's series."""
    return Owner(node_id=target.id, manager_id=target.manager or "")


@lru_cache(_PHASES_KEPT)
def phase(key: str, collector: str) -> float:
    """Return a target's place within the interval of a collector: 0 to 1, the same for ever."""
    return int.from_bytes(spread(collector, key)) / 2**64


class Sweep:
    """The polls of one collector. Not started by itself: `tick` is called every second or so."""

    def __init__(
        self,
        collector: Collector,
        interval_seconds: float,
        *,
        pool: Pool,
        store: Store,
        clock: Clock,
        counters: RunCounters,
    ) -> None:
        self.collector = collector
        self.interval = interval_seconds
        self.targets: dict[str, Target] = {}
        self.calls = collector.calls_per_target
        self._pool = pool
        self._store = store
        self._clock = clock
        self._counters = counters
        self._wall_offset = clock.wall() - clock.monotonic()
        self._due_at: dict[str, float] = {}
        self._heap: list[tuple[float, float, str]] = []
        self._ready: dict[str, list[tuple[float, float, str]]] = {client.name: [] for client in pool.clients}
        self._owed_since: dict[str, float] = {}
        self._put_off: set[str] = set()
        self._patience: dict[str, float] = {}
        self._queued: set[str] = set()
        self._running: dict[str, asyncio.Task[Polled]] = {}
        self._latest: dict[str, Polled] = {}
        self._running_at: Counter[str] = Counter()
        self._troubled: Counter[str] = Counter()
        self._stopped = False
        self._width: dict[str, int] = {client.name: 1 for client in pool.clients}

    def take_over(self, old: Sweep) -> None:
        """Know what a stopped sweep knew: how polls ended, who is asked more rarely, what the collector has learnt.

        So reloads in a row let nobody be asked more often, and nothing be doubted that was seen. Call before polling.
        """
        self._latest, self._patience = old._latest, old._patience
        if isinstance(self.collector, Learner) and isinstance(old.collector, Learner):
            self.collector.learnt = old.collector.learnt

    # -- inventory and pace --------------------------------------------------------------------------------

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Take a new inventory; targets this collector is not for, or can never poll, say so and stay out."""
        now = self._clock.monotonic()
        mine: dict[str, Target] = {}
        for target in targets:
            if target.kind not in self.collector.kinds:
                continue
            reason = self.collector.unavailable(target)
            if reason is not None or target.id not in self.targets:  # polls say more of those that are here
                self._store.unavailable(owner_of(target), self.collector.name, reason)
            if reason is None:
                mine[target.id] = target
        for gone in self.targets.keys() - mine.keys():
            self._due_at.pop(gone, None)
            self._owed_since.pop(gone, None)
            self._troubled.pop(gone, None)
            if task := self._running.get(gone):
                task.cancel()
        self._retain(mine)
        new = mine.keys() - self.targets.keys()
        self.targets = mine
        for target_id in new:
            patience = self._patience.get(target_id, 1.0)
            self._store.lengthen(owner_of(mine[target_id]), self.collector.name, self.interval * patience)
            self._make_due(target_id, self._first_due(mine[target_id], now))

    def _retain(self, watched: Container[str]) -> None:
        """Forget what was learnt of targets that are watched no more, also from before a reload."""
        learnt = self.collector.learnt if isinstance(self.collector, Learner) else {}
        for by_id in (self._latest, self._patience, learnt):
            for gone in [target_id for target_id in by_id if target_id not in watched]:
                del by_id[gone]

    def replan(self, assigned: Mapping[str, frozenset[str]]) -> None:
        """Tell the clients' lanes what pace is wanted, given which targets each client serves."""
        for client in self._pool.clients:
            mine = len(self.targets.keys() & assigned.get(client.name, frozenset()))
            pace = mine * self.calls / self.interval * self._haste(client.name)
            lane = client.gate.lane(self.collector.lane, authenticated=self.collector.authenticated)
            lane.demand[self.collector.name] = pace
            self._width[client.name] = width_for(pace, lane.latency_seconds, lane.cap) + 1

    def _haste(self, name: str) -> float:
        """Return how much faster than the interval demands to go: some, while polls are owed for long."""
        ready = self._ready[name]
        owed = self._clock.monotonic() - ready[0][0] if ready else 0.0
        return CATCH_UP if owed > self.interval / 4 else 1.0

    def next_due(self, target_id: str) -> float | None:
        """Return the monotonic time of a target's next poll, or None when it has none."""
        return self._due_at.get(target_id)

    def hasten(self, target_ids: Iterable[str]) -> None:
        """Make targets due now: they came back."""
        now = self._clock.monotonic()
        for target_id in target_ids:
            if target_id in self.targets and target_id not in self._queued | self._running.keys():
                self._make_due(target_id, now)

    def resume(self) -> None:
        """Make due now what was put off because nobody could be asked: a client came back."""
        put_off, self._put_off = self._put_off, set()
        self.hasten(put_off)

    # -- running -------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Queue what is due and start what there is room for."""
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            due, _, target_id = heapq.heappop(self._heap)
            if self._due_at.get(target_id) == due and target_id not in self._queued:
                self._queue(target_id, now)
        for name in self._ready:
            self._pump(name)

    def poll_now(self, target: Target, floor: float) -> Polled | asyncio.Task[Polled] | None:
        """Poll a target ahead of its time for a probe, and return the poll under way, or how the latest ended.

        It is for public sources: what is signed has its order in the queue. A target is asked again once `floor`
        seconds have passed; the dead are given as much time as usual. `None` where nobody can be asked.
        """
        if target.id not in self.targets or target.id in self._running or self._stopped:
            return self._running.get(target.id)
        least = self.interval if target.unmanaged else min(floor, self.interval)
        least *= self._patience.get(target.id, 1.0)
        latest = self._latest.get(target.id)
        if latest and latest.failed != Reason.NOT_SENT and self._clock.monotonic() - latest.at < least:
            return latest
        client = self._pool.asker(target)
        if client is None:
            return None
        self._queued.discard(target.id)
        return self._start(self.targets[target.id], client)

    async def stop(self) -> None:
        """Start nothing more, cancel running polls and wait for them."""
        self._stopped = True
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def once(self) -> None:
        """Wait until every queued and running poll is done (for `once` and tests)."""
        self.tick()
        while self._running:
            await asyncio.wait(list(self._running.values()), return_when=asyncio.FIRST_COMPLETED)

    def _queue(self, target_id: str, now: float) -> None:
        target = self.targets.get(target_id)
        if target is None or target_id in self._running:
            return
        client = self._pool.asker(target)
        if client is None:
            self._put_off.add(target_id)
            self._make_due(target_id, now + min(RETRY_SECONDS, self.interval))
            return
        self._put_off.discard(target_id)
        self._queued.add(target_id)
        # whoever waits longest for a poll that succeeds goes first, however often it was tried meanwhile
        owed = self._owed_since.setdefault(target_id, now)
        heapq.heappush(self._ready[client.name], (owed, phase(target_id, self.collector.name), target_id))

    def _pump(self, name: str) -> None:
        ready = self._ready[name]
        while ready and not self._stopped and self._running_at[name] < self._width[name]:
            _, _, target_id = heapq.heappop(ready)
            if target_id not in self._queued:
                continue  # a probe was faster
            self._queued.discard(target_id)
            target = self.targets.get(target_id)
            client = self._pool.asker(target) if target else None
            if target is None or client is None or client.name != name:
                self._queue(target_id, self._clock.monotonic())
                continue
            self._start(target, client)

    def _start(self, target: Target, client: DbcClient) -> asyncio.Task[Polled]:
        self._running_at[client.name] += 1
        task = self._running[target.id] = asyncio.ensure_future(self._run(target, client))
        task.add_done_callback(partial(self._ended, target.id, client.name))
        return task

    def _ended(self, target_id: str, name: str, task: asyncio.Task[Polled]) -> None:
        """Let go what a poll holds that was cancelled before its first step: nothing of `_run` has run then."""
        if self._running.get(target_id) is not task:
            return
        self._let_go(target_id, name)
        if target_id in self.targets:  # it is back
            self._make_due(target_id, self._clock.monotonic())
        self._pump(name)

    def _let_go(self, target_id: str, name: str) -> None:
        self._running.pop(target_id, None)
        self._running_at[name] -= 1

    async def _run(self, target: Target, client: DbcClient) -> Polled:
        started = self._clock.monotonic()
        due = self._due_at.get(target.id, started)
        pause = self.interval
        try:
            pause, failed = await self._poll(target)
            polled = Polled(self._clock.monotonic(), failed)
            if target.id in self.targets:
                self._latest[target.id] = polled
            return polled
        finally:
            self._let_go(target.id, client.name)
            if target.id in self.targets:
                self._plan_next(target.id, due, started, pause)
            self._pump(client.name)

    async def _poll(self, target: Target) -> tuple[float, str | None]:
        """Poll once, commit or count the failure; return the seconds until the next poll, and why it failed."""
        owner, name = owner_of(target), self.collector.name
        reader = _CountingReader(self._pool, self.collector.lane)
        self._counters.run(name)
        self._store.attempt(owner, name, self.interval * self._patience.get(target.id, 1.0))
        try:
            async with asyncio.timeout(RUN_DEADLINE_SECONDS):
                outcome = await self.collector.fetch(target, reader)
        except Unavailable as state:
            self._owed_since.pop(target.id, None)
            self._store.unavailable(owner, name, state.reason)
            return self.interval, None
        except DbcError as error:
            return self._failed(owner, error), error.reason.value
        except TimeoutError:
            self._counters.deadline_exceeded(name)
            given_up = DbcError(Reason.OWN_DEADLINE, "the poll was given up")
            return self._failed(owner, given_up), given_up.reason.value
        except Exception as error:  # a mistake of ours must not end the sweep
            self._counters.error(name)
            log.exception("poll failed by a mistake of ours", collector=name, error=type(error).__name__)
            return self.interval, MISTAKE
        self.calls += CALLS_WEIGHT * (reader.calls - self.calls)
        self._store.unavailable(owner, name, None)
        return self._commit(owner, outcome), None

    def _commit(self, owner: Owner, outcome: Outcome) -> float:
        self._troubled.pop(owner.node_id, None)
        self._owed_since.pop(owner.node_id, None)
        interval = self.interval * outcome.patience
        if outcome.patience != self._patience.get(owner.node_id, 1.0):
            self._patience[owner.node_id] = outcome.patience
            self._store.attempt(owner, self.collector.name, interval)
        self._store.commit(owner, self.collector.name, outcome.objects, keep=outcome.keep)
        return interval

    def _failed(self, owner: Owner, error: DbcError) -> float:
        name = self.collector.name
        if error.reason is not Reason.NOT_SENT:
            self._store.fail(owner, name, error.reason, chain_silent=chain_silent(error))
            log.debug(
                "poll failed",
                collector=name,
                node_id=owner.node_id,
                reason=error.reason.value,
                said=error.said,
            )
        return self._pause_after(owner.node_id, error.reason)

    def _pause_after(self, target_id: str, reason: Reason) -> float:
        """Return when to come back after a failure: soon where it was not the target's, or the chain's, own.

        A client in trouble is left alone, and another may be asked soon; but one that goes on answering other things
        and fails at this target time after time is asked ever less, down to the usual interval.
        """
        if reason is Reason.NOT_SENT:
            return min(RETRY_SECONDS, self.interval)
        if reason in CLIENT_TROUBLE:
            self._troubled[target_id] += 1
            return min(RETRY_SECONDS * 2.0 ** min(self._troubled[target_id] - 1, DOUBLINGS), self.interval)
        self._troubled.pop(target_id, None)
        if self.collector.authenticated and reason in SILENCE:
            return min(RETRY_SIGNED_SECONDS, self.interval)  # the lane's own pauses keep this gentle
        if reason is Reason.AUTHORITY:
            return min(self.interval, max(RETRY_SIGNED_SECONDS, self.interval / 4))
        return self.interval

    # -- due times -----------------------------------------------------------------------------------------

    def _first_due(self, target: Target, now: float) -> float:
        """Return the time of a new target's first poll: at once, unless values at hand came from before a reload.

        Those are renewed in their time, counted from their last poll: counted from now, reloads in a row could put
        it off for ever.
        """
        owner, name = owner_of(target), self.collector.name
        ago = self._store.since_attempt(owner, name)
        if ago is None or not self._store.facts(owner, name):
            return now
        usual = self.interval * self._patience.get(target.id, 1.0)
        return max(now, self._grid_after(target.id, now - ago + usual - self.interval / 2))

    def _plan_next(self, target_id: str, due: float, started: float, pause: float) -> None:
        now = self._clock.monotonic()
        if pause < self.interval:
            self._make_due(target_id, now + pause)
            return
        target_time = self._grid_after(target_id, started + pause - self.interval / 2)
        passed = int((now - due) // self.interval)
        if passed > 0:
            self._counters.overlapped(self.collector.name, passed)
        self._make_due(target_id, max(now, target_time))

    def _grid_after(self, target_id: str, moment: float) -> float:
        """Return the first time after `moment` at which the target's phase comes round."""
        shift = phase(target_id, self.collector.name) * self.interval - self._wall_offset
        return math.ceil((moment - shift) / self.interval) * self.interval + shift

    def _make_due(self, target_id: str, when: float) -> None:
        self._due_at[target_id] = when
        heapq.heappush(self._heap, (when, phase(target_id, self.collector.name), target_id))


class _CountingReader:
    """Reads through the pool and counts the calls of the collector's own lane."""

    def __init__(self, pool: Pool, lane: str) -> None:
        self._pool = pool
        self._lane = lane
        self.calls = 0

    async def __call__(self, call: ReadCall[Any], target: Target) -> Any:
        self.calls += call.kind == self._lane
        return await self._pool.read(call, target)
