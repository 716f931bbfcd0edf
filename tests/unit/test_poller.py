"""The polling engine: what is read when, what is told at once, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from dbc_exporter.collectors.clients import ClientCollector
from dbc_exporter.collectors.node import NodeCollector
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import ClientState, ClientStatus, Fact, Reachability
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.poller import REFUSED_SECONDS, TROUBLED_REFRESH_SECONDS, ClientSource, Poller
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.sweep import Sweep
from dbc_exporter.targets import Target
from tests.pacing.rig import CountedRuns, LoopTicker
from tests.unit.dbc.scripted import NODE_TIMEOUT, A, B, Scripted, client_of, config
from tests.unit.polling import ended
from tests.virtual import virtually

INTERVAL = 60.0


@dataclass
class Source:
    """A source of facts about clients that does as told, and notes when it was asked."""

    clock: LoopClock
    name: str = "centre_images"
    failure: Exception | None = None
    asked: list[float] = field(default_factory=list)

    async def fetch(self, client: DbcClient) -> dict[str, Fact]:
        del client
        self.asked.append(self.clock.monotonic())
        if self.failure is not None:
            raise self.failure
        return {}


class Case:
    """A poller over one scripted client, with a sweep of node configurations."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.transport = Scripted(clock, {A: config, B: config})
        self.client = client_of(self.transport)
        self.store = Store(clock)
        self.pool = Pool([self.client], clock)
        sweep = Sweep(
            NodeCollector(), INTERVAL, pool=self.pool, store=self.store, clock=clock, counters=CountedRuns()
        )
        self.source = Source(clock)
        sources: list[tuple[ClientSource, float]] = [(ClientCollector(), INTERVAL), (self.source, INTERVAL)]
        self.poller = Poller(self.pool, self.store, clock, [sweep], sources)
        self.ticker = LoopTicker()

    def start(self) -> None:
        self.poller.set_targets([Target(A), Target(B)])
        self.poller.schedule(self.ticker)

    def looks(self) -> list[float]:
        """Return when the client was asked for its list."""
        return [at for at, path in self.transport.looks if path.endswith("/mining_nodes")]

    def state(self) -> ClientState:
        status = self.store.facts(Owner(client="one"), "status")[""]
        assert isinstance(status, ClientStatus)
        return status.state

    def there(self, node: str) -> Reachability:
        fact = self.store.facts(Owner(node_id=node), "reachability")[""]
        assert isinstance(fact, Reachability)
        return fact


def played(story: Callable[[Case], Awaitable[None]]) -> None:
    async def play(clock: LoopClock) -> None:
        async with ended(Case(clock)) as case:
            await story(case)

    virtually(play)


def test_clients_are_read_first_of_all_and_then_at_their_interval() -> None:
    async def story(case: Case) -> None:
        case.start()
        await asyncio.sleep(3 * INTERVAL)
        looks = case.looks()
        assert looks[0] == 0
        assert all(
            INTERVAL - 2 <= after - before <= INTERVAL + 2 for before, after in itertools.pairwise(looks)
        )

    played(story)


def test_a_client_in_trouble_is_read_again_soon() -> None:
    async def story(case: Case) -> None:
        case.start()
        await asyncio.sleep(10)
        case.transport.refused = True
        await asyncio.sleep(2 * INTERVAL)
        tries = [at for at, path in case.transport.looks if path.endswith("/peers/active")]
        assert len([at for at in tries if at > INTERVAL]) >= INTERVAL / TROUBLED_REFRESH_SECONDS / 1.5
        assert case.state() is ClientState.UNREACHABLE

    played(story)


def test_a_client_that_fails_while_forwarding_is_looked_at_before_its_time() -> None:
    async def story(case: Case) -> None:
        case.start()
        await asyncio.sleep(10)
        case.transport.nodes[A] = lambda _path: DbcError(Reason.UNREACHABLE, "connection reset")
        looks = len(case.looks())
        next(iter(case.poller.sweeps)).hasten([A])
        await asyncio.sleep(TROUBLED_REFRESH_SECONDS)
        assert len(case.looks()) > looks
        assert case.state() is ClientState.OK

    played(story)


def test_while_a_request_is_overdue_the_client_is_looked_at_more_often() -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = lambda _path: None
        case.start()
        await asyncio.sleep(36)
        assert len(case.looks()) >= 4

    played(story)


@pytest.mark.parametrize("reason", [Reason.OWN_DEADLINE, Reason.MALFORMED])
def test_a_dear_read_that_failed_is_not_repeated_before_its_time(reason: Reason) -> None:
    async def story(case: Case) -> None:
        case.source.failure = DbcError(reason)
        case.start()
        await asyncio.sleep(4 * INTERVAL)
        asked = case.source.asked
        assert all(after - before >= INTERVAL - 2 for before, after in itertools.pairwise(asked))
        assert len(asked) >= 4

    played(story)


def test_a_dear_read_that_never_left_is_repeated_a_little_later() -> None:
    async def story(case: Case) -> None:
        case.source.failure = DbcError(Reason.UNREACHABLE)
        case.start()
        await asyncio.sleep(4 * REFUSED_SECONDS)
        assert len(case.source.asked) >= 4

    played(story)


def test_a_mistake_of_ours_in_one_source_ends_neither_it_nor_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(case: Case) -> None:
        case.source.failure = RuntimeError("a mistake")
        case.start()
        await asyncio.sleep(3 * INTERVAL)
        assert 3 <= len(case.source.asked) <= 4
        assert case.state() is ClientState.OK

    with caplog.at_level(logging.ERROR):
        played(story)
    assert "never retrieved" not in caplog.text


def test_a_silent_node_is_told_as_suspect_then_down_and_is_polled_again_when_it_is_back() -> None:
    async def story(case: Case) -> None:
        case.start()
        await asyncio.sleep(10)
        assert case.there(A) == Reachability(visible=True, up=True)
        case.transport.nodes[A] = lambda _path: NODE_TIMEOUT
        await asyncio.sleep(3 * INTERVAL)
        assert case.there(A).suspect
        assert case.there(A).up is False
        asked = case.transport.forwarded("/mining_nodes")
        case.transport.nodes[A] = config
        await asyncio.sleep(4 * INTERVAL)  # the probes' back-off after some silent ones
        assert case.there(A) == Reachability(visible=True, up=True)
        assert case.transport.forwarded("/mining_nodes") > asked

    played(story)


def test_a_client_probes_one_suspect_at_a_time() -> None:
    async def story(case: Case) -> None:
        case.start()
        await asyncio.sleep(10)
        for node in (A, B):
            case.transport.nodes[node] = lambda _path: None
            case.pool.suspects.add(node, -1000.0)
        for _ in range(100):
            await asyncio.sleep(1)
            lane = case.client.gate.lanes.get("list local area network")
            assert lane is None or lane.in_flight <= 1
        assert case.transport.forwarded("/lan") >= 2

    played(story)


def test_after_a_stop_nothing_runs_any_more() -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = lambda _path: None
        case.start()
        await asyncio.sleep(5)
        case.ticker.stop()
        await case.poller.stop()
        await case.client.aclose()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    played(story)
