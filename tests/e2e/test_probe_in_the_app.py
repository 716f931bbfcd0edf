"""Probes of the whole application in virtual time, while its inventory changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dbc_exporter.config.settings import Settings
from dbc_exporter.simulator.fleet import build_world
from dbc_exporter.simulator.scenario_file import parse_scenario
from dbc_exporter.simulator.virtual import LoopClock
from tests.e2e.virtual_app import VirtualApp
from tests.virtual import virtually

SCENARIO = """
version: 1
compute: [{count: 3}]
faults: [{at: 2m, fault: kill_nodes, names: ["*-1"]}]
"""
DEAD_SECONDS = 121.0
BUDGET = 9.5


def played(story: Callable[[VirtualApp], Awaitable[None]]) -> None:
    async def play(clock: LoopClock) -> None:
        fleet = build_world(parse_scenario(SCENARIO), clock=clock)
        with pytest.MonkeyPatch.context() as patch:
            virtual = VirtualApp(fleet, Settings(), clock, patch)
            virtual.start()
            await asyncio.sleep(DEAD_SECONDS)
            await story(virtual)
            await virtual.stop()

    virtually(play)


async def probed(virtual: VirtualApp, member: int) -> str | None:
    reply = await virtual.app._probe(virtual.fleet.compute[member].id, BUDGET, {})
    return reply.body.decode() if reply else None


def test_a_probe_tells_at_once_what_it_learnt_of_the_machines_being_there() -> None:
    async def story(virtual: VirtualApp) -> None:
        node = virtual.fleet.compute[1].id
        page = await probed(virtual, 1)
        assert page is not None
        assert f'dbc_probe_success{{node_id="{node}"}} 1\n' in page
        assert f'dbc_node_up{{node_id="{node}"}} 1\n' in page

    played(story)


def test_a_target_that_leaves_during_its_probe_is_watched_no_more_and_comes_back_whole() -> None:
    async def story(virtual: VirtualApp) -> None:
        poller = virtual.app.engine.poller
        everybody, gone = poller.targets, virtual.fleet.compute[0].id
        probing = asyncio.ensure_future(probed(virtual, 0))
        await asyncio.sleep(1)
        assert not probing.done()
        poller.set_targets(target for target in everybody if target.id != gone)
        assert await probing is None
        poller.set_targets(everybody)
        poller.tell_reachability()
        assert f'dbc_node_visible{{node_id="{gone}"}}' in virtual.exposition()

    played(story)
