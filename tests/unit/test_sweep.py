"""A sweep spreads over its interval, keeps its rhythm, and serves whoever waits longest first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from dbc_exporter.collectors.base import Outcome, Unavailable
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.gate import Gate
from dbc_exporter.facts import NodeConfig
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.sweep import RETRY_SECONDS, RETRY_SIGNED_SECONDS, Sweep, phase
from dbc_exporter.targets import Kind, Target
from tests.pacing.rig import CountedRuns
from tests.virtual import settle, virtually

INTERVAL = 60.0
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


class FakeClient:
    """A client that is always there."""

    name = "client"

    def __init__(self, clock: LoopClock) -> None:
        self.gate = Gate(clock, set())


class FakePool:
    """Serves every target through one client, unless told otherwise."""

    def __init__(self, clock: LoopClock) -> None:
        self.clients = [FakeClient(clock)]
        self.nobody: set[str] = set()

    def asker(self, target: Target) -> FakeClient | None:
        return None if target.id in self.nobody else self.clients[0]


class Scripted:
    """A collector whose polls take a second and end as the script says."""

    name = "node"
    kinds = frozenset({Kind.COMPUTE})
    lane = "query node info"
    calls_per_target = 1.0

    def __init__(self, clock: LoopClock) -> None:
        self.authenticated = False
        self.polled: list[tuple[float, str]] = []
        self.learnt: dict[str, str] = {}
        self.ends: dict[str, Callable[[], Outcome]] = {}
        self.seconds = 1.0
        self._clock = clock

    def unavailable(self, target: Target) -> str | None:
        return None if target.credential != "none" else "no_credential"

    async def fetch(self, target: Target, read: Any) -> Outcome:
        del read
        self.polled.append((self._clock.monotonic(), target.id))
        await asyncio.sleep(self.seconds)
        return self.ends.get(target.id, lambda: Outcome({"": NodeConfig(gpus=1)}))()

    def times(self, target_id: str) -> list[float]:
        return [at for at, who in self.polled if who == target_id]


class Bench:
    """One sweep with everything fake around it but clock and store."""

    def __init__(self, clock: LoopClock, interval: float = INTERVAL, store: Store | None = None) -> None:
        self.clock = clock
        self.pool = FakePool(clock)
        self.store = store or Store(clock)
        self.counts = CountedRuns()
        self.collector = Scripted(clock)
        self.sweep = Sweep(
            self.collector,
            interval,
            pool=cast("Any", self.pool),
            store=self.store,
            clock=clock,
            counters=self.counts,
        )

    def watch(self, *ids: str, **changes: Any) -> None:
        targets = [Target(one, **changes) for one in ids]
        self.store.set_targets(targets)
        self.sweep.set_targets(targets)

    async def run(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.sweep.tick()
            await asyncio.sleep(1)


def failing(reason: Reason) -> Callable[[], Outcome]:
    def end() -> Outcome:
        raise DbcError(reason)

    return end


def test_the_first_poll_comes_at_once_and_the_others_at_the_targets_own_phase() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.watch(A, B)
        await bench.run(5 * INTERVAL)
        for one in (A, B):
            first, *later = bench.collector.times(one)
            assert first <= 2
            offsets = {round((clock.wall() - clock.monotonic() + at) % INTERVAL) for at in later}
            wanted = phase(one, "node") * INTERVAL
            assert all(abs((offset - wanted + 2) % INTERVAL) <= 4 for offset in offsets)
            assert len(later) in {4, 5}

    virtually(story)


def test_phases_are_the_same_in_every_process_and_differ_between_targets() -> None:
    assert phase(A, "node") == phase(A, "node")
    assert phase(A, "node") != phase(B, "node")
    assert phase(A, "node") != phase(A, "tasks")


def test_a_target_that_cannot_be_polled_as_configured_says_so_and_stays_out() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.watch(A, credential="none")
        await bench.run(2 * INTERVAL)
        assert bench.collector.polled == []
        (freshness,) = bench.store.freshness(Owner(node_id=A))
        assert freshness.unavailable == "no_credential"

    virtually(story)


def test_who_waits_longest_for_a_good_poll_goes_first() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.collector.authenticated = True
        bench.collector.ends[A] = failing(Reason.NODE_TIMEOUT)
        bench.watch(A)
        await bench.run(RETRY_SIGNED_SECONDS - 2)  # A failed, and is owed a poll since then
        bench.collector.seconds = 20.0
        bench.sweep.set_targets([Target(one) for one in (A, B, C)])
        bench.sweep._width["client"] = 1
        await bench.run(2)
        bench.sweep._make_due(A, clock.monotonic())
        await bench.run(25)
        order = [who for at, who in bench.collector.polled if at > RETRY_SIGNED_SECONDS - 3]
        assert order.index(A) < 2, "before one of the newcomers that were queued earlier"

    virtually(story)


def test_what_nobody_could_be_asked_about_is_polled_as_soon_as_somebody_can() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.pool.nobody.add(A)
        bench.watch(A)
        await bench.run(3)
        assert bench.collector.polled == []
        bench.pool.nobody.clear()
        bench.sweep.resume()
        await bench.run(2)
        assert len(bench.collector.polled) == 1

    virtually(story)


def test_a_clients_trouble_brings_the_poll_back_soon_and_a_nodes_refusal_in_its_time() -> None:
    async def story(clock: LoopClock) -> tuple[int, int]:
        bench = Bench(clock)
        bench.collector.ends = {A: failing(Reason.UNREACHABLE), B: failing(Reason.REFUSED_BY_NODE)}
        bench.watch(A, B)
        await bench.run(RETRY_SECONDS + 4)
        return len(bench.collector.times(A)), len(bench.collector.times(B))

    assert virtually(story) == (2, 1)


def test_a_state_is_no_failure() -> None:
    async def story(clock: LoopClock) -> None:
        def no_order() -> Outcome:
            raise Unavailable("no_live_order")

        bench = Bench(clock)
        bench.collector.ends[A] = no_order
        bench.watch(A)
        await bench.run(5)
        (freshness,) = bench.store.freshness(Owner(node_id=A))
        assert (freshness.unavailable, freshness.failures) == ("no_live_order", 0)

    virtually(story)


def test_patience_stretches_the_interval_that_is_told() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.collector.ends[A] = lambda: Outcome({"": NodeConfig()}, patience=4.0)
        bench.watch(A)
        await bench.run(10)
        (freshness,) = bench.store.freshness(Owner(node_id=A))
        assert freshness.interval_seconds == 4 * INTERVAL
        await bench.run(3 * INTERVAL)
        assert len(bench.collector.polled) == 1

    virtually(story)


def test_values_do_not_grow_old_when_a_reload_makes_their_interval_longer() -> None:
    async def story(clock: LoopClock) -> None:
        before = Bench(clock)
        before.watch(A)
        await before.run(INTERVAL)
        after = Bench(clock, 20 * INTERVAL, before.store)
        after.watch(A)
        await after.run(9 * INTERVAL)
        assert after.collector.polled == []
        (freshness,) = after.store.freshness(Owner(node_id=A))
        assert (freshness.state, freshness.interval_seconds) == ("fresh", 20 * INTERVAL)
        assert after.store.facts(Owner(node_id=A), "node") != {}

    virtually(story)


def test_a_reload_forgets_nothing_that_was_learnt_of_targets_that_are_still_watched() -> None:
    async def story(clock: LoopClock) -> None:
        before = Bench(clock)
        before.collector.ends[A] = lambda: Outcome({"": NodeConfig()}, patience=4.0)
        before.watch(A, B)
        await before.run(10)
        before.collector.learnt = {A: "much", B: "little"}
        after = Bench(clock, store=before.store)
        after.collector.ends = before.collector.ends
        after.sweep.take_over(before.sweep)
        after.watch(A)
        assert after.collector.learnt == {A: "much"}
        assert after.sweep._latest.keys() == after.sweep._patience.keys() == {A}
        await after.run(3 * INTERVAL)
        assert after.collector.polled == []
        (freshness,) = after.store.freshness(Owner(node_id=A))
        assert freshness.interval_seconds == 4 * INTERVAL
        await after.run(2 * INTERVAL)
        assert len(after.collector.polled) == 1

    virtually(story)


def test_what_was_learnt_of_a_target_goes_with_it() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.watch(A, B)
        bench.collector.learnt = {A: "much", B: "little"}
        bench.watch(B)
        assert bench.collector.learnt == {B: "little"}

    virtually(story)


def test_a_mistake_of_ours_is_counted_and_ends_nothing() -> None:
    async def story(clock: LoopClock) -> None:
        def mistake() -> Outcome:
            raise KeyError("oops")

        bench = Bench(clock)
        bench.collector.ends[A] = mistake
        bench.watch(A, B)
        await bench.run(2 * INTERVAL + 5)
        assert bench.counts.counts["error", "node"] >= 2
        assert len(bench.collector.times(B)) >= 2

    virtually(story)


def test_due_times_that_pass_during_a_poll_are_counted() -> None:
    async def story(clock: LoopClock) -> int:
        bench = Bench(clock)
        bench.collector.seconds = 2.5 * INTERVAL
        bench.watch(A)
        await bench.run(3 * INTERVAL)
        return bench.counts.counts["overlapped", "node"]

    assert virtually(story) == 2


def test_after_a_stop_nothing_is_started() -> None:
    async def story(clock: LoopClock) -> int:
        bench = Bench(clock)
        bench.watch(A, B, C)
        bench.sweep._width["client"] = 1
        bench.sweep.tick()
        await asyncio.sleep(0)
        await bench.sweep.stop()
        await bench.run(10)
        return len(bench.collector.polled)

    assert virtually(story) == 1


def test_a_poll_cancelled_before_it_began_holds_neither_its_turn_nor_its_target() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.watch(A, B, C)
        bench.sweep._width["client"] = 1
        bench.sweep.tick()
        (started,) = bench.sweep._running
        bench.watch(*{A, B, C} - {started})  # the task has not had its first step yet
        await bench.run(10)
        bench.watch(A, B, C)
        await bench.run(3 * INTERVAL)
        assert all(len(bench.collector.times(one)) >= 2 for one in (A, B, C))

    virtually(story)


def test_a_target_that_is_back_before_its_cancelled_poll_ended_is_polled_anew() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.watch(A)
        bench.sweep.tick()
        bench.watch()
        bench.watch(A)
        bench.sweep.tick()
        await bench.run(3)
        assert len(bench.collector.times(A)) == 1

    virtually(story)


def ask(bench: Bench, target_id: str, floor: float) -> Any:
    """Ask as a probe does: returns the poll under way, or how the latest ended."""
    return bench.sweep.poll_now(bench.sweep.targets[target_id], floor)


def test_a_target_waiting_its_turn_is_polled_at_once_for_a_probe_and_not_twice() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.watch(A, B, C)
        bench.sweep.tick()
        await settle()
        (first,) = {who for _, who in bench.collector.polled}
        waiting = next(one for one in (A, B, C) if one != first)
        await ask(bench, waiting, 1.0)
        await bench.run(10)
        assert sorted(who for _, who in bench.collector.polled) == [A, B, C]

    virtually(story)


def test_a_poll_under_way_serves_a_probe_too() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.watch(A)
        bench.sweep.tick()
        assert ask(bench, A, 0.0) is ask(bench, A, 0.0)
        polled = await ask(bench, A, 0.0)
        assert (polled.at, polled.failed) == (clock.monotonic(), None)
        assert len(bench.collector.polled) == 1

    virtually(story)


@pytest.mark.parametrize(
    ("target", "least"),
    [
        ({}, 15.0),
        ({"kind": Kind.SERVER, "manager": B}, 15.0),
        ({"kind": Kind.SERVER, "manager": None}, INTERVAL),
    ],
)
def test_a_probe_asks_again_after_the_floor_and_what_its_renter_must_sign_after_the_interval(
    target: dict[str, Any], least: float
) -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.collector.kinds = frozenset(Kind)
        bench.watch(A, **target)
        await ask(bench, A, 15.0)
        await asyncio.sleep(least - 1)
        assert ask(bench, A, 15.0).failed is None
        assert len(bench.collector.polled) == 1
        await asyncio.sleep(1.5)
        await ask(bench, A, 15.0)
        assert len(bench.collector.polled) == 2

    virtually(story)


def test_a_probe_is_as_patient_with_the_dead_as_the_sweep() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.collector.ends[A] = lambda: Outcome({"": NodeConfig(gpus=1)}, patience=8.0)
        bench.watch(A)
        await ask(bench, A, 15.0)
        await asyncio.sleep(8 * 15.0 - 1)
        ask(bench, A, 15.0)
        assert len(bench.collector.polled) == 1

    virtually(story)


def test_a_failure_is_remembered_as_long_as_a_success_unless_nothing_was_sent() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.watch(A)
        bench.collector.ends[A] = failing(Reason.REFUSED_BY_NODE)
        await ask(bench, A, 15.0)
        assert ask(bench, A, 15.0).failed == "refused_by_node"
        await asyncio.sleep(15)
        bench.collector.ends[A] = failing(Reason.NOT_SENT)
        await ask(bench, A, 15.0)
        await ask(bench, A, 15.0)
        assert len(bench.collector.polled) == 3

    virtually(story)


def test_for_a_probe_nobody_is_asked_whom_the_sweep_would_not_ask() -> None:
    async def story(clock: LoopClock) -> None:
        bench = Bench(clock)
        bench.watch(A)
        bench.pool.nobody.add(A)
        assert ask(bench, A, 0.0) is None
        bench.pool.nobody.clear()
        await bench.sweep.stop()
        assert ask(bench, A, 0.0) is None
        assert bench.collector.polled == []

    virtually(story)
