"""Probes: one target asked now through the engine's own polls, in time, and no oftener than anybody may."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dbc_exporter.collectors.bare_metal import PowerCollector
from dbc_exporter.collectors.base import Collector
from dbc_exporter.collectors.clients import ClientCollector
from dbc_exporter.collectors.node import NodeCollector
from dbc_exporter.collectors.orders import OrderBook, OrdersCollector, RenterGuard
from dbc_exporter.config.floors import FLOORS
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.poller import Poller
from dbc_exporter.probing import Probe, probe, probe_lines
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.sweep import Sweep
from dbc_exporter.targets import Kind, Target
from tests.pacing.rig import CountedRuns, LoopTicker
from tests.unit.dbc.scripted import A, B, C, Scripted, client_of, config
from tests.unit.polling import ended
from tests.virtual import settle, virtually

INTERVAL = 600.0
BUDGET = 9.5
NODE, ORDERS = "/mining_nodes", "/rent_orders"
NODE_FLOOR, ORDERS_FLOOR = FLOORS["node"][0], FLOORS["orders"][0]
TARGETS = (Target(A), Target(B), Target(C), Target("d" * 64, Kind.SERVER))


def answers(path: str) -> object:
    return {"rent_orders": []} if path.endswith("rent_orders") else config(path)


class Case:
    """A poller over one scripted client that lists A and B, not C."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.transport = Scripted(clock, {A: answers, B: answers})
        self.client = client_of(self.transport)
        self.store = Store(clock)
        self.counts = CountedRuns()
        self.poller = self.another_poller()
        self.ticker = LoopTicker()

    def another_poller(self) -> Poller:
        book = OrderBook(self.clock, {})
        pool = Pool([self.client], self.clock, orders=book)
        collectors: tuple[Collector, ...] = (
            NodeCollector(),
            OrdersCollector(book),
            PowerCollector(RenterGuard(book)),
        )
        sweeps = [
            Sweep(one, INTERVAL, pool=pool, store=self.store, clock=self.clock, counters=self.counts)
            for one in collectors
        ]
        return Poller(pool, self.store, self.clock, sweeps, [(ClientCollector(), 15.0)])

    async def start(self) -> None:
        """Let everything be polled once, and everything public be old enough to be asked again."""
        self.poller.set_targets(TARGETS)
        self.poller.schedule(self.ticker)
        await asyncio.sleep(2 * ORDERS_FLOOR)
        self.transport.asked.clear()

    async def probe(self, target_id: str, seconds: float = BUDGET) -> Probe:
        target = next(target for target in TARGETS if target.id == target_id)
        return await probe(self.poller, target, self.clock, seconds)

    def page(self, found: Probe, target_id: str) -> dict[str, list[bytes]]:
        target = next(target for target in TARGETS if target.id == target_id)
        return probe_lines(found, target, self.store)

    def asked(self, node: str) -> list[str]:
        """Return the last words of what a node was asked, in order."""
        return [path.rpartition("/")[2] for _, path, who, _ in self.transport.asked if who == node]


def played(story: Callable[[Case], Awaitable[None]]) -> None:
    async def play(clock: LoopClock) -> None:
        async with ended(Case(clock)) as case:
            await case.start()
            await story(case)

    virtually(play)


def test_a_probe_asks_every_public_source_of_its_target_now_and_nobody_else() -> None:
    async def story(case: Case) -> None:
        found = await case.probe(A)
        assert found.reasons == frozenset()
        assert len(case.asked(A)) == 2
        assert case.asked(B) == []

    played(story)


def test_the_page_has_the_targets_own_lines_of_the_store_and_how_the_probe_went() -> None:
    async def story(case: Case) -> None:
        found = await case.probe(A)
        page = case.page(found, A)
        assert page["dbc_probe_success"] == [f'dbc_probe_success{{node_id="{A}"}} 1\n'.encode()]
        assert "dbc_probe_failed" not in page
        assert len(page["dbc_node_cpu_cores"]) == 1
        assert len(page["dbc_collector_last_success_timestamp_seconds"]) == 2
        assert page["dbc_target_present"] == [f'dbc_target_present{{node_id="{A}"}} 1\n'.encode()]
        lines = [line for family in page.values() for line in family]
        assert all(f'node_id="{A}"'.encode() in line for line in lines)

    played(story)


def test_what_a_probe_read_is_in_the_store_for_everybody() -> None:
    async def story(case: Case) -> None:
        owner = Owner(node_id=A)
        assert (case.store.age(owner, "node") or 0) > NODE_FLOOR
        await case.probe(A)
        assert case.store.age(owner, "node") == pytest.approx(0, abs=0.1)

    played(story)


def test_probes_of_one_target_at_one_time_share_one_poll() -> None:
    async def story(case: Case) -> None:
        found = await asyncio.gather(*(case.probe(A) for _ in range(5)))
        assert [one.reasons for one in found] == [frozenset()] * 5
        assert len(case.asked(A)) == 2

    played(story)


def test_a_source_is_asked_again_only_after_its_floor() -> None:
    async def story(case: Case) -> None:
        for after, asked in ((0.0, 2), (NODE_FLOOR - 1, 2), (2.0, 3), (ORDERS_FLOOR - NODE_FLOOR, 5)):
            await asyncio.sleep(after)
            assert (await case.probe(A)).reasons == frozenset()
            assert len(case.asked(A)) == asked

    played(story)


def test_a_reload_lets_nobody_ask_more_often() -> None:
    async def story(case: Case) -> None:
        await case.probe(A)
        old, case.poller = case.poller, case.another_poller()
        await old.stop()
        case.poller.take_over(old)
        case.poller.set_targets(TARGETS)
        assert (await case.probe(A)).reasons == frozenset()
        assert len(case.asked(A)) == 2

    played(story)


def test_a_probed_target_is_not_polled_again_by_the_sweep_in_the_same_interval() -> None:
    async def story(case: Case) -> None:
        probes = int(3 * INTERVAL / ORDERS_FLOOR)
        for _ in range(probes):
            await case.probe(A)
            await asyncio.sleep(ORDERS_FLOOR)
        assert len(case.asked(A)) == 2 * probes
        assert 4 <= len(case.asked(B)) <= 8

    played(story)


def test_a_probe_ends_in_time_and_the_poll_goes_on_behind_it() -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = lambda _path: None
        began = case.clock.monotonic()
        found = await case.probe(A)
        assert case.clock.monotonic() - began == pytest.approx(BUDGET)
        assert found.reasons == {"busy"}
        assert found.seconds == pytest.approx(BUDGET)
        assert (await case.probe(A, 0.0)).reasons == {"busy"}
        assert len(case.asked(A)) == 1  # one request at a node at a time, whoever wants more
        await asyncio.sleep(30)
        assert (await case.probe(A)).reasons == {"own_deadline", "suspect"}

    played(story)


def test_a_suspect_is_not_asked_and_the_answer_comes_at_once() -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = lambda _path: None
        await case.probe(A)
        await asyncio.sleep(60)
        case.transport.asked.clear()
        found = await case.probe(A)
        assert found.reasons == {"suspect"}
        assert found.seconds == 0
        page = case.page(found, A)
        assert page["dbc_probe_success"] == [f'dbc_probe_success{{node_id="{A}"}} 0\n'.encode()]
        failed = f'dbc_probe_failed{{node_id="{A}",reason="suspect"}} 1\n'
        assert page["dbc_probe_failed"] == [failed.encode()]

    played(story)


def test_a_poll_of_the_sweep_that_is_under_way_is_joined() -> None:
    async def story(case: Case) -> None:
        next(iter(case.poller.sweeps)).hasten([A])
        next(iter(case.poller.sweeps)).tick()
        await settle()
        await case.probe(A)
        assert len(case.asked(A)) == 2

    played(story)


def test_a_node_that_no_client_lists_is_unlisted_and_without_a_usable_client_nothing_is_known() -> None:
    async def story(case: Case) -> None:
        assert (await case.probe(C)).reasons == {"unlisted"}
        case.transport.refused = True
        await asyncio.sleep(40)
        assert (await case.probe(C)).reasons == {"no_client"}
        assert (await case.probe(A)).reasons == {"no_client"}

    played(story)


def test_a_target_that_no_collector_can_ask_fails_for_want_of_a_source() -> None:
    async def story(case: Case) -> None:
        assert (await case.probe("d" * 64)).reasons == {"no_source"}

    played(story)


def test_signed_sources_are_left_to_the_sweep() -> None:
    async def story(case: Case) -> None:
        orders = next(sweep for sweep in case.poller.sweeps if sweep.collector.name == "orders")
        orders.collector.authenticated = True
        assert (await case.probe(A)).reasons == frozenset()
        assert len(case.asked(A)) == 1

    played(story)


def test_a_mistake_of_ours_is_named_as_such() -> None:
    async def story(case: Case) -> None:
        def broken(_path: str) -> object:
            raise RuntimeError("a mistake")

        case.transport.nodes[A] = broken
        assert (await case.probe(A)).reasons == {"error"}

    played(story)
