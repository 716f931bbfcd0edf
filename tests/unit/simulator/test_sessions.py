from __future__ import annotations

import asyncio

import pytest

from dbc_exporter.simulator.protocol import ConnectionLost
from dbc_exporter.simulator.sessions import MAX_SESSIONS
from dbc_exporter.simulator.virtual import LoopClock
from tests.unit.simulator.lab import A, B, C, Lab
from tests.virtual import settle, virtually

INFO_TIMEOUT = (500, -1, "query node info timeout")


def test_a_request_to_a_dead_node_times_out_after_thirty_seconds() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.hosts[A].kill()
        answer = await lab.post("/mining_nodes", [A])
        assert answer.told == INFO_TIMEOUT
        assert lab.now == pytest.approx(30.0, abs=0.11)

    virtually(test)


def test_an_answer_of_the_same_kind_erases_the_timeout_of_a_pending_request() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.hosts[A].kill()
        lost = asyncio.create_task(lab.post("/mining_nodes", [A]))
        await asyncio.sleep(1)
        assert (await lab.post("/mining_nodes", [B])).status == 200
        await asyncio.sleep(1000)
        assert not lost.done()
        (entry,) = lab.world.ledger.lost
        assert (entry.kind, entry.node, entry.node_dead_since) == ("query node info", A, 0.0)
        assert lab.world.ledger.in_flight["client", ""] == 1
        lost.cancel()

    virtually(test)


def test_an_answer_of_another_kind_leaves_the_timeout_alone() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.hosts[A].kill()
        pending = asyncio.create_task(lab.post("/mining_nodes", [A]))
        await asyncio.sleep(1)
        await lab.post("/lan", [B])
        assert (await pending).told == INFO_TIMEOUT
        assert lab.world.ledger.lost == []

    virtually(test)


def test_stop_and_poweroff_share_a_text_but_not_a_timeout() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.add_vm(node_id=B)
        lab.world.hosts[A].kill()
        pending = asyncio.create_task(lab.call("/tasks/stop/x"))
        await asyncio.sleep(1)
        await lab.call("/tasks/poweroff/task", B)
        assert (await pending).told == (500, -1, "stop task timeout")

    virtually(test)


def test_requests_that_expire_in_the_same_tick_all_time_out() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.hosts[A].kill()
        answers = await asyncio.gather(*(lab.post("/mining_nodes", [A]) for _ in range(20)))
        assert [answer.told for answer in answers] == [INFO_TIMEOUT] * 20

    virtually(test)


def test_a_timeout_erases_the_handlers_of_later_requests_of_its_kind() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.hosts[A].kill()
        first = asyncio.create_task(lab.post("/mining_nodes", [A]))
        await asyncio.sleep(10)
        second = asyncio.create_task(lab.post("/mining_nodes", [A]))
        assert (await first).told == INFO_TIMEOUT
        await asyncio.sleep(100)
        assert not second.done()
        second.cancel()

    virtually(test)


def test_a_request_without_timeout_is_answered_late_when_its_frozen_node_thaws() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.hosts[A].freeze()
        late = asyncio.create_task(lab.post("/mining_nodes", [A]))
        await asyncio.sleep(1)
        await lab.post("/mining_nodes", [B])
        await asyncio.sleep(99)
        lab.world.hosts[A].thaw()
        assert (await late).status == 200
        (entry,) = lab.world.ledger.lost
        assert entry.answered_at == pytest.approx(100, abs=0.1)
        assert lab.world.ledger.in_flight["client", ""] == 0

    virtually(test)


def test_a_queued_request_is_lost_when_its_node_dies_after_the_handler_was_erased() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.chain.outage = True
        lost = asyncio.create_task(lab.call("/tasks", A))
        await asyncio.sleep(1)
        lab.world.chain.outage = False
        await lab.call("/tasks", B)
        assert lab.world.ledger.lost == []
        lab.world.hosts[A].kill()
        await settle()
        assert [entry.node for entry in lab.world.ledger.lost] == [A]
        lost.cancel()

    virtually(test)


def test_a_caller_that_hangs_up_keeps_the_slot_until_the_node_answers() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        gone = asyncio.create_task(lab.post("/mining_nodes", [A]))
        await settle()
        gone.cancel()
        await settle()
        assert len(lab.client.sessions) == 1
        await asyncio.sleep(1)
        assert len(lab.client.sessions) == 0

    virtually(test)


def test_the_1025th_pending_request_wedges_the_client_until_it_is_restarted() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.hosts[A].freeze()
        hung = [asyncio.create_task(lab.post("/mining_nodes", [A])) for _ in range(MAX_SESSIONS)]
        await settle()
        refused = (400, -32701, "create request session failed")
        assert (await lab.post("/mining_nodes", [A])).told == refused
        await asyncio.sleep(100)
        assert not any(task.done() for task in hung)
        assert (await lab.post("/lan", [B])).told == refused
        assert (await lab.post("/mining_nodes", [])).status == 200
        assert lab.world.ledger.peak_in_flight["client", ""] == MAX_SESSIONS
        lab.client.restart()
        for task in hung:
            with pytest.raises(ConnectionLost):
                await task
        await asyncio.sleep(20)
        assert (await lab.post("/lan", [B])).status == 200

    virtually(test)


def test_a_node_answers_one_request_at_a_time() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        await asyncio.gather(*(lab.post("/mining_nodes", [C]) for _ in range(10)))
        assert lab.now == pytest.approx(10 * lab.world.timing.public_answer)

    virtually(test)
