"""What leaves the pool: no signature without a live order, one request per node, probes of their own kind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dbc_exporter.collectors.orders import OrderBook
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.pool import EVIDENCE_SECONDS, KNOCKS, Pool
from dbc_exporter.dbc.suspects import FIRST_SECONDS
from dbc_exporter.facts import Reachability, RentOrders
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.targets import Kind, Target
from tests.unit.dbc.scripted import (
    NODE_TIMEOUT,
    SIGNER,
    UNKNOWN_NODE,
    WEDGED,
    A,
    B,
    C,
    Node,
    Scripted,
    client_of,
    config,
    envelope,
)
from tests.virtual import virtually

LIVE = {"rent_orders": [{"id": "order", "renter": "wallet", "rent_status": "renting"}]}
ENDED = {"rent_orders": [{"id": "order", "renter": "wallet", "rent_status": "rentExpired"}]}
REFUSED = envelope("not support uri", errcode=-32601, status=404)


def renting(orders: Any) -> Node:
    """Return a node that knows these orders and has no VM."""

    def answer(path: str) -> Any:
        if path.endswith("/rent_orders"):
            return orders
        return [] if path.endswith("/tasks") else config(path)

    return answer


class Case:
    """A pool over scripted clients."""

    def __init__(self, clock: LoopClock, *nodes: dict[str, Node]) -> None:
        self.clock = clock
        self.transports = [Scripted(clock, dict(listed)) for listed in nodes]
        busy: set[str] = set()
        self.clients: list[DbcClient] = [
            client_of(transport, f"client-{n}", busy) for n, transport in enumerate(self.transports)
        ]
        book = OrderBook(clock, {"renter": frozenset({"wallet"})})
        self.pool = Pool(self.clients, clock, {"renter": SIGNER}, orders=book)

    async def look(self) -> None:
        for client in self.clients:
            await client.refresh()

    async def why_not(self, awaitable: Awaitable[object]) -> Reason | None:
        """Return why a read failed."""
        try:
            await awaitable
        except DbcError as error:
            return error.reason
        return None

    def paths(self, number: int = 0) -> list[str]:
        return [path.removeprefix("/api/v1/") for _, path, _, _ in self.transports[number].asked]


def played(story: Callable[[Case], Awaitable[None]], *nodes: dict[str, Node]) -> None:
    async def play(clock: LoopClock) -> None:
        case = Case(clock, *nodes)
        await case.look()
        await story(case)
        for client in case.clients:
            await client.aclose()

    virtually(play)


RENTED = Target(A, credential="renter")


def test_the_orders_are_asked_once_before_the_first_signature() -> None:
    async def story(case: Case) -> None:
        await case.pool.read(reads.task_list(A), RENTED)
        await case.pool.read(reads.task_list(A), RENTED)
        assert case.paths() == ["rent_orders", "tasks", "tasks"]
        assert [signed for *_, signed in case.transports[0].asked] == [False, True, True]

    played(story, {A: renting(LIVE)})


@pytest.mark.parametrize("orders", [ENDED, {"rent_orders": []}])
def test_nothing_is_signed_without_a_live_order_of_ours(orders: Any) -> None:
    async def story(case: Case) -> None:
        for _ in range(3):
            assert await case.why_not(case.pool.read(reads.task_list(A), RENTED)) is Reason.NOT_SENT
        assert not any(signed for *_, signed in case.transports[0].asked)

    played(story, {A: renting(orders)})


def test_where_several_signed_calls_are_in_flight_each_node_must_have_answered_just_now() -> None:
    async def story(case: Case) -> None:
        lane = case.clients[0].gate.lane("list task", authenticated=True)
        lane.demand["tasks"] = 1000.0
        await case.pool.read(reads.task_list(A), RENTED)
        await asyncio.sleep(20)
        await case.pool.read(reads.task_list(A), RENTED)
        assert case.paths() == ["rent_orders", "tasks", "rent_orders", "tasks"]

    played(story, {A: renting(LIVE)})


def test_a_node_that_dies_before_a_signed_call_is_found_out_by_the_public_one() -> None:
    async def story(case: Case) -> None:
        case.clients[0].gate.lane("list task", authenticated=True).demand["tasks"] = 1000.0
        await case.pool.read(reads.task_list(A), RENTED)
        await asyncio.sleep(20)
        case.transports[0].nodes[A] = lambda _path: NODE_TIMEOUT
        assert await case.why_not(case.pool.read(reads.task_list(A), RENTED)) is Reason.NODE_TIMEOUT
        assert case.paths()[-1] == "rent_orders"

    played(story, {A: renting(LIVE)})


def test_a_node_that_cannot_tell_its_orders_is_not_asked_for_them_again_and_again() -> None:
    async def story(case: Case) -> None:
        case.clients[0].gate.lane("list task", authenticated=True).demand["tasks"] = 1000.0
        target = Target(A, credential="renter", rent_order="order")
        assert await case.why_not(case.pool.read(reads.task_list(A), target)) is Reason.NOT_SENT
        assert case.paths() == ["rent_orders"] * (KNOCKS + 1)

    played(story, {A: renting(REFUSED)})


def test_public_calls_are_never_signed() -> None:
    async def story(case: Case) -> None:
        await case.pool.read(reads.node_config(A), RENTED)
        assert [signed for *_, signed in case.transports[0].asked] == [False]

    played(story, {A: config})


def test_one_request_at_a_time_at_one_node_also_through_two_clients() -> None:
    running, most = 0, 0

    class Counting(Scripted):
        async def send(self, method: str, path: str, body: bytes, **how: Any) -> Any:
            nonlocal running, most
            forwarded = b'"peer_nodes_list":["' in body
            running += forwarded
            most = max(most, running)
            try:
                return await super().send(method, path, body, **how)
            finally:
                running -= forwarded

    async def play(clock: LoopClock) -> None:
        busy: set[str] = set()
        clients = [client_of(Counting(clock, {A: config}), f"client-{n}", busy) for n in range(2)]
        pool = Pool(clients, clock)
        for client in clients:
            await client.refresh()
        calls = (reads.node_config(A), reads.rent_orders(A), reads.images(A), reads.lan_probe(A))
        targets = [Target(A, clients=(client.name,)) for client in clients]
        reading = [pool.read(call, target) for call in calls for target in targets]
        await asyncio.gather(*reading, return_exceptions=True)

    virtually(play)
    assert most == 1


def test_a_target_is_asked_through_its_own_clients_only() -> None:
    async def story(case: Case) -> None:
        target = Target(A, clients=("client-1",))
        await case.pool.read(reads.node_config(A), target)
        assert (len(case.paths(0)), len(case.paths(1))) == (0, 1)
        case.transports[1].refused = True
        await case.why_not(case.clients[1].refresh())
        assert await case.why_not(case.pool.read(reads.node_config(A), target)) is Reason.NOT_SENT
        assert case.paths(0) == []

    played(story, {A: config}, {A: config})


def test_a_client_is_asked_only_for_nodes_it_lists() -> None:
    async def story(case: Case) -> None:
        assert await case.why_not(case.pool.read(reads.node_config(B), Target(B))) is Reason.NOT_SENT
        assert case.paths() == []

    played(story, {A: config})


def test_a_suspect_is_asked_with_the_probes_kind_and_comes_back_at_once() -> None:
    async def story(case: Case) -> None:
        recovered: list[str] = []
        case.pool.on_recovered = recovered.append
        case.transports[0].nodes[A] = lambda _path: NODE_TIMEOUT
        await case.why_not(case.pool.read(reads.node_config(A), Target(A)))
        assert case.pool.asker(Target(A)) is None
        assert case.pool.probe_due(case.clients[0]) is None, "not at once"
        await asyncio.sleep(FIRST_SECONDS)
        assert case.pool.probe_due(case.clients[0]) == A
        case.transports[0].nodes[A] = lambda _path: []
        assert await case.pool.probe(case.clients[0], A)
        assert case.paths()[-1] == "lan"
        assert recovered == [A]
        assert case.pool.asker(Target(A)) is case.clients[0]

    played(story, {A: config})


@pytest.mark.parametrize(
    "refusal", [envelope("no rights", errcode=-3), envelope("x", errcode=-1, status=200)]
)
def test_any_word_of_its_own_proves_a_suspect_alive(refusal: Any) -> None:
    async def story(case: Case) -> None:
        case.pool.suspects.add(A, 0.0)
        assert await case.pool.probe(case.clients[0], A)
        assert A not in case.pool.suspects

    played(story, {A: lambda _path: refusal})


def test_a_probe_that_says_nothing_of_the_node_is_repeated_later_and_not_at_once() -> None:
    async def story(case: Case) -> None:
        case.pool.suspects.add(A, case.clock.monotonic())
        await asyncio.sleep(FIRST_SECONDS)
        assert not await case.pool.probe(case.clients[0], A)
        assert case.pool.probe_due(case.clients[0]) is None
        await asyncio.sleep(FIRST_SECONDS)
        assert case.pool.probe_due(case.clients[0]) == A

    played(story, {A: lambda _path: REFUSED})


def test_nodes_that_are_watched_no_more_are_probed_no_more() -> None:
    async def story(case: Case) -> None:
        for node in (A, B):
            case.pool.suspects.add(node, 0.0)
        case.pool.watch([Target(B)])
        assert A not in case.pool.suspects
        assert B in case.pool.suspects

    played(story, {A: config, B: config})


def test_nothing_is_kept_of_targets_that_are_watched_no_more() -> None:
    async def story(case: Case) -> None:
        book, pool = case.pool.orders, case.pool
        assert isinstance(book, OrderBook)
        targets = [Target(A), Target(B)]
        pool.watch(targets)
        for target in targets:
            await pool.read(reads.node_config(target.id), target)
            book.hear(target, RentOrders())
        pool.watch([Target(B)])
        assert {key for key, _ in pool._ranks} == pool._notes.keys() == book._heard.keys() == {B}
        pool.watch([])
        assert [*pool._ranks, *pool._notes, *book._heard] == []

    played(story, {A: config, B: config})


def test_a_wedged_client_is_tried_with_a_node_that_answered_or_else_any() -> None:
    async def story(case: Case) -> None:
        client = case.clients[0]
        await case.pool.read(reads.node_config(B), Target(B))
        case.transports[0].nodes[A] = lambda _path: WEDGED
        await case.why_not(case.pool.read(reads.node_config(A), Target(A)))
        assert case.pool.probe_due(client) is None, "it was refused just now"
        await asyncio.sleep(client.patience.wedge_retry)
        assert case.pool.probe_due(client) == B
        case.pool.watch([Target(C)])
        await asyncio.sleep(client.patience.wedge_retry)
        assert case.pool.probe_due(client) == A

    played(story, {A: config, B: config})


def test_a_silence_without_proof_makes_a_suspect_that_is_not_down() -> None:
    async def story(case: Case) -> None:
        await case.pool.read(reads.node_config(A), Target(A))
        await asyncio.sleep(1)
        case.transports[0].nodes[A] = lambda _path: NODE_TIMEOUT
        await case.why_not(case.pool.read(reads.node_config(A), Target(A)))
        assert case.pool.reachability(Target(A)).suspect
        assert case.pool.reachability(Target(A)).up is True, "the last word counts as long as it is fresh"
        await asyncio.sleep(FIRST_SECONDS)
        assert not await case.pool.probe(case.clients[0], A)
        assert case.pool.reachability(Target(A)).up is False

    played(story, {A: config})


def test_evidence_counts_for_three_minutes_and_never_without_a_usable_client() -> None:
    async def story(case: Case) -> None:
        await case.pool.read(reads.node_config(A), Target(A))
        assert case.pool.reachability(Target(A)) == Reachability(visible=True, up=True)
        case.transports[0].refused = True
        await case.why_not(case.clients[0].refresh())
        assert case.pool.reachability(Target(A)) == Reachability()
        case.transports[0].refused = False
        await case.look()
        assert case.pool.reachability(Target(A)).up is True
        await asyncio.sleep(EVIDENCE_SECONDS)
        assert case.pool.reachability(Target(A)).up is None

    played(story, {A: config})


def test_a_manager_unknown_to_a_client_that_just_started_is_not_gone() -> None:
    async def story(case: Case) -> None:
        manager = Target(C, Kind.MANAGER)
        read = reads.bare_metal_list(C)
        assert await case.why_not(case.pool.read(read, manager)) is Reason.UNKNOWN_NODE
        assert case.pool.reachability(manager).visible is None
        await asyncio.sleep(case.clients[0].patience.settle)
        await case.why_not(case.pool.read(read, manager))
        assert case.pool.reachability(manager).visible is False

    played(story, {A: config, C: lambda _path: UNKNOWN_NODE})


def test_a_suspect_is_probed_through_its_own_clients_only() -> None:
    async def story(case: Case) -> None:
        case.pool.watch([Target(node, clients=("client-1",)) for node in (A, B, C)])
        for node in (A, B, C):
            case.pool.suspects.add(node, 0.0)
        await asyncio.sleep(FIRST_SECONDS)
        assert case.pool.probe_due(case.clients[0]) is None
        assert case.pool.probe_due(case.clients[1]) is not None

    played(story, {A: config, B: config, C: config}, {A: config, B: config, C: config})


def test_a_suspected_manager_is_probed_through_its_own_clients_whatever_its_servers_may_use() -> None:
    async def story(case: Case) -> None:
        managers = [Target(node, Kind.MANAGER, clients=("client-1",)) for node in (A, B, C)]
        servers = [Target(f"{n}" * 64, Kind.SERVER, manager=one.id) for n, one in enumerate(managers)]
        case.pool.watch([*managers, *servers])
        for manager in managers:
            case.pool.suspects.add(manager.id, 0.0)
        await asyncio.sleep(FIRST_SECONDS)
        assert case.pool.probe_due(case.clients[0]) is None
        assert case.pool.probe_due(case.clients[1]) is not None

    played(story, {A: config, B: config, C: config}, {A: config, B: config, C: config})
