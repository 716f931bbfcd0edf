from __future__ import annotations

import asyncio

import pytest

from dbc_exporter.simulator.compute import ComputeNode
from dbc_exporter.simulator.virtual import LoopClock
from tests.unit.simulator.lab import A, B, C, Lab
from tests.virtual import virtually


async def listed(lab: Lab) -> list[str]:
    answer = await lab.post("/mining_nodes", [])
    return [entry["node_id"] for entry in answer.message["mining_nodes"]]


async def seconds_until(lab: Lab, node_id: str, *, present: bool) -> float:
    start = lab.now
    while (node_id in await listed(lab)) is not present:  # noqa: ASYNC110 - the gossip cache is lazy, it has no event
        await asyncio.sleep(0.5)
    return lab.now - start


def test_long_running_nodes_are_listed_by_id_from_the_start() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        answer = await lab.post("/mining_nodes", [])
        assert answer.message["mining_nodes"][0] == {"node_id": A, "name": "node-a", "version": "0.4.1.8"}
        assert await listed(lab) == [A, B, C]

    virtually(test)


def test_a_dead_node_stays_listed_for_about_five_minutes() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        await asyncio.sleep(1000)
        lab.world.hosts[A].kill()
        assert await seconds_until(lab, A, present=False) == pytest.approx(300, abs=11)
        assert (await lab.post("/mining_nodes", [A])).told == (400, -32701, "create node request failed")

    virtually(test)


def test_a_restarted_node_is_listed_again_after_about_eleven_seconds() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.hosts[A].kill()
        await asyncio.sleep(400)
        lab.world.hosts[A].restart()
        assert await seconds_until(lab, A, present=True) == pytest.approx(10.75, abs=0.8)
        assert (await lab.post("/mining_nodes", [A])).status == 200

    virtually(test)


def test_requests_under_the_old_key_of_a_restarted_node_time_out_until_its_next_gossip() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.hosts[A].restart()
        early = asyncio.create_task(lab.post("/mining_nodes", [A]))
        await asyncio.sleep(12)
        assert (await lab.post("/lan", [A])).status == 200
        assert (await early).told == (500, -1, "query node info timeout")

    virtually(test)


def test_a_frozen_node_drops_out_and_comes_back_when_it_thaws() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.hosts[A].freeze()
        await seconds_until(lab, A, present=False)
        lab.world.hosts[A].thaw()
        assert await seconds_until(lab, A, present=True) <= 10.5

    virtually(test)


def test_a_new_node_and_a_new_client_hear_of_each_other_by_gossip_only() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        await asyncio.sleep(100)
        new = "d" * 64
        lab.world.add_node(ComputeNode(new), fresh=True)
        assert new not in await listed(lab)
        assert await seconds_until(lab, new, present=True) <= 12
        lab.client.restart()
        assert await listed(lab) == []
        assert await seconds_until(lab, A, present=True) <= 14

    virtually(test)


def test_an_isolated_client_goes_on_listing_for_five_minutes_and_hears_again_when_it_rejoins() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.client.isolate()
        await asyncio.sleep(280)
        assert await listed(lab) == [A, B, C]
        assert (await lab.post("/peers/active", [])).message == {"peer_nodes": []}
        await asyncio.sleep(40)
        assert await listed(lab) == []
        lab.client.rejoin()
        assert await seconds_until(lab, A, present=True) <= 10.5

    virtually(test)


def test_peers_are_living_nodes_only() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.hosts[B].kill()
        peers = (await lab.post("/peers/active", [])).message["peer_nodes"]
        assert {peer["node_id"] for peer in peers} == {A, C}

    virtually(test)


def test_a_busy_service_thread_neither_answers_nor_gossips() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        async with lab.world.hosts[A].occupied():
            waiting = asyncio.create_task(lab.post("/lan", [A]))
            await asyncio.sleep(320)
            assert A not in await listed(lab)
        assert waiting.done()
        assert await seconds_until(lab, A, present=True) <= 10.5

    virtually(test)
