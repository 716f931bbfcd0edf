"""Sweeps while clients are in trouble, and over a reload: ever less where answers stay broken, and no storm."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from dbc_exporter.collectors.base import Outcome, Unavailable
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.pool import Pool, Reader
from dbc_exporter.facts import NodeConfig
from dbc_exporter.metrics.store import Store
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.sweep import RETRY_SECONDS, Sweep, owner_of
from dbc_exporter.targets import Kind, Target
from tests.pacing.rig import CountedRuns, LoopTicker
from tests.unit.dbc.scripted import A, B, C, Scripted, client_of, config
from tests.virtual import virtually

INTERVAL = 900.0


@dataclass
class Fetching:
    """A collector that fails as told, and notes when it was asked for whom."""

    clock: LoopClock
    name: str = "node"
    kinds: frozenset[Kind] = frozenset({Kind.COMPUTE})
    lane: str = "query node info"
    authenticated: bool = False
    calls_per_target: float = 1.0
    failure: Exception | None = None
    fetched: list[tuple[float, str]] = field(default_factory=list)

    def unavailable(self, target: Target) -> str | None:
        del target
        return None

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        del read
        self.fetched.append((self.clock.monotonic(), target.id))
        if self.failure is not None:
            raise self.failure
        return Outcome({"": NodeConfig(cpu_cores=8)})


class Case:
    """A sweep over one scripted client that lists three nodes."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.client = client_of(Scripted(clock, {A: config, B: config, C: config}))
        self.store = Store(clock)
        self.collector = Fetching(clock)
        self.ticker = LoopTicker()
        self.sweeps: list[Sweep] = []

    def sweep(self, *nodes: str) -> Sweep:
        """Start a sweep over some nodes, as at a start or after a reload."""
        targets = [Target(node) for node in nodes]
        sweep = Sweep(
            self.collector,
            INTERVAL,
            pool=Pool([self.client], self.clock),
            store=self.store,
            clock=self.clock,
            counters=CountedRuns(),
        )
        self.store.set_targets(targets)
        sweep.set_targets(targets)
        self.ticker.every("node", 1.0, sweep.tick)
        self.sweeps.append(sweep)
        return sweep

    def times(self, node: str = A) -> list[float]:
        return [at for at, fetched in self.collector.fetched if fetched == node]


def played(story: Callable[[Case], Awaitable[None]]) -> None:
    async def play(clock: LoopClock) -> None:
        case = Case(clock)
        await case.client.refresh()
        try:
            await story(case)
        finally:
            case.ticker.stop()
            for sweep in case.sweeps:
                await sweep.stop()
            await case.client.aclose()

    virtually(play)


def test_a_target_whose_answers_stay_broken_is_asked_ever_less() -> None:
    async def story(case: Case) -> None:
        case.collector.failure = DbcError(Reason.MALFORMED)
        case.sweep(A)
        await asyncio.sleep(2 * 3600)
        gaps = [after - before for before, after in itertools.pairwise(case.times())]
        assert gaps[0] == pytest.approx(RETRY_SECONDS, abs=1.5), "another client may be asked soon"
        soon = [gap for gap in gaps if gap < INTERVAL / 2]
        assert soon == sorted(soon) == gaps[: len(soon)], "and in the end no more than its interval"
        assert len(gaps) < 20

    played(story)


def test_one_good_poll_makes_up_for_all() -> None:
    async def story(case: Case) -> None:
        case.collector.failure = DbcError(Reason.UNREACHABLE)
        sweep = case.sweep(A)
        await asyncio.sleep(300)
        case.collector.failure = None
        sweep.hasten([A])
        await asyncio.sleep(5)
        case.collector.failure = DbcError(Reason.UNREACHABLE)
        sweep.hasten([A])
        await asyncio.sleep(2)
        before = len(case.times())
        await asyncio.sleep(RETRY_SECONDS + 1)
        assert len(case.times()) == before + 1

    played(story)


def test_a_reload_renews_values_in_their_time_and_reads_what_is_missing_at_once() -> None:
    async def story(case: Case) -> None:
        first = case.sweep(A, B)
        await asyncio.sleep(INTERVAL + 100)
        case.ticker.stop()
        await first.stop()
        rhythm = {node: first.next_due(node) for node in (A, B)}
        reloaded = case.clock.monotonic()
        case.ticker = LoopTicker()
        second = case.sweep(A, B, C)
        assert {node: second.next_due(node) for node in (A, B)} == rhythm
        await asyncio.sleep(2)
        assert [node for at, node in case.collector.fetched if at >= reloaded] == [C]

    played(story)


def test_reloads_in_a_row_put_no_poll_off() -> None:
    async def story(case: Case) -> None:
        case.sweep(A)
        await asyncio.sleep(INTERVAL + 100)
        polled = len(case.times())
        for _ in range(int(2 * INTERVAL)):
            case.ticker.stop()
            await case.sweeps[-1].stop()
            case.ticker = LoopTicker()
            case.sweep(A)
            await asyncio.sleep(1)
        assert len(case.times()) == polled + 2

    played(story)


def test_what_a_poll_said_of_a_target_outlives_a_change_of_the_inventory() -> None:
    async def story(case: Case) -> None:
        case.collector.failure = Unavailable("no_live_order")
        sweep = case.sweep(A)
        await asyncio.sleep(2)
        [before] = [one.unavailable for one in case.store.freshness(owner_of(Target(A)))]
        targets = [Target(A), Target(B)]
        case.store.set_targets(targets)
        sweep.set_targets(targets)
        [after] = [one.unavailable for one in case.store.freshness(owner_of(Target(A)))]
        assert before == after == "no_live_order"

    played(story)


def test_a_target_that_left_while_it_was_polled_is_polled_no_more() -> None:
    async def story(case: Case) -> None:
        sweep = case.sweep(A, B)
        await asyncio.sleep(2)
        case.store.set_targets([Target(B)])
        sweep.set_targets([Target(B)])
        polled = len(case.times(A))
        await asyncio.sleep(3 * INTERVAL)
        assert len(case.times(A)) == polled
        assert sweep.next_due(A) is None
        assert len(case.times(B)) >= 3

    played(story)
