"""The gate takes lane, client and node together, so that waiting requests hold nothing."""

from __future__ import annotations

import asyncio

from dbc_exporter.dbc.gate import OVERDUE_SECONDS, Gate, Ticket
from dbc_exporter.simulator.virtual import LoopClock
from tests.virtual import settle, virtually

STARTED: list[asyncio.Future[Ticket]] = []


def ask(gate: Gate, kind: str, node: str) -> None:
    """Ask for a place and go on without waiting for it."""
    STARTED.append(asyncio.ensure_future(gate.enter(gate.lane(kind), node)))


def wide_gate(clock: LoopClock, busy: set[str] | None = None, total: int = 48) -> Gate:
    gate = Gate(clock, busy if busy is not None else set(), max_in_flight=total)
    gate.lane("info").demand["node"] = 1000.0
    gate.lane("tasks", authenticated=True).demand["tasks"] = 1000.0
    return gate


def test_one_request_per_node_even_through_two_clients() -> None:
    async def scenario(clock: LoopClock) -> list[str]:
        busy: set[str] = set()
        first, second = wide_gate(clock, busy), wide_gate(clock, busy)
        order = []
        ticket = await first.enter(first.lane("info"), "n")

        async def other() -> None:
            mine = await second.enter(second.lane("tasks"), "n")
            order.append("second")
            second.leave(mine)

        task = asyncio.ensure_future(other())
        await settle()
        order.append("first")
        first.leave(ticket)
        second.wake()
        await task
        return order

    assert virtually(scenario) == ["first", "second"]


def test_a_busy_node_holds_up_no_other_node_of_its_lane() -> None:
    async def scenario(clock: LoopClock) -> bool:
        gate = wide_gate(clock, {"busy"})
        waiting = asyncio.ensure_future(gate.enter(gate.lane("info"), "busy"))
        await settle()
        await gate.enter(gate.lane("info"), "free")
        return waiting.done()

    assert virtually(scenario) is False


def test_a_lane_without_demand_allows_one_in_flight() -> None:
    async def scenario(clock: LoopClock) -> int:
        gate = Gate(clock, set())
        for node in "abc":
            ask(gate, "probe", node)
        await settle()
        return gate.lanes["probe"].in_flight

    assert virtually(scenario) == 1


def test_the_client_as_a_whole_has_a_cap() -> None:
    async def scenario(clock: LoopClock) -> int:
        gate = wide_gate(clock, total=5)
        for i in range(8):
            ask(gate, "info", f"i{i}")
            ask(gate, "tasks", f"t{i}")
        await settle()
        return len(gate.tickets)

    assert virtually(scenario) == 5


def test_overdue_requests_of_several_kinds_make_the_whole_client_careful() -> None:
    async def scenario(clock: LoopClock) -> tuple[int, int]:
        gate = wide_gate(clock)
        gate.lane("tasks").latency_seconds = 0.1
        for i in range(2):
            await gate.enter(gate.lane("info"), f"i{i}")
            await gate.enter(gate.lane("tasks"), f"t{i}")
        await asyncio.sleep(OVERDUE_SECONDS + 1)
        gate.watch()
        ask(gate, "info", "next")
        ask(gate, "fresh kind", "other")
        await settle()
        return gate.lanes["info"].in_flight, gate.lanes["fresh kind"].in_flight

    assert virtually(scenario) == (2, 1)


def test_a_request_to_a_node_that_left_the_list_holds_up_nobody() -> None:
    async def scenario(clock: LoopClock) -> bool:
        gate = Gate(clock, set())
        await gate.enter(gate.lane("info"), "gone")
        waiting = asyncio.ensure_future(gate.enter(gate.lane("info"), "next"))
        await settle()
        assert not waiting.done()
        gate.nodes_left({"gone"})
        gate.wake()
        await settle()
        return waiting.done()

    assert virtually(scenario)


def test_a_request_cancelled_while_it_waits_leaves_no_trace() -> None:
    async def scenario(clock: LoopClock) -> tuple[int, set[str]]:
        gate = Gate(clock, set())
        first = await gate.enter(gate.lane("info"), "a")
        waiting = asyncio.ensure_future(gate.enter(gate.lane("info"), "b"))
        await settle()
        waiting.cancel()
        gate.leave(first)
        gate.wake()
        await settle()
        return gate.lanes["info"].in_flight, gate.busy

    assert virtually(scenario) == (0, set())
