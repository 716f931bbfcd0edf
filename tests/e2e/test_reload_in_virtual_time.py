"""What was learnt by watching is still known after a reload that changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dbc_exporter.collectors.bare_metal import MOST_PATIENT
from dbc_exporter.config.settings import Settings
from dbc_exporter.simulator.fleet import build_world
from dbc_exporter.simulator.scenario import Scenario
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.sweep import owner_of
from tests.e2e.virtual_app import VirtualApp
from tests.virtual import virtually

POWER_SECONDS = 60.0
SCENARIO = Scenario.model_validate(
    {
        "version": 1,
        "managers": [{"count": 1, "servers": [{"bmc": "dead"}]}],
    }
)


def played(story: Callable[[VirtualApp], Awaitable[None]]) -> None:
    async def play(clock: LoopClock) -> None:
        fleet = build_world(SCENARIO, clock=clock)
        written: dict[str, Any] = {
            "targets": {"static": [{"id": fleet.managers[0].id, "kind": "bare_metal_manager"}]},
            "collectors": {"power": {"interval_seconds": POWER_SECONDS}},
        }
        with pytest.MonkeyPatch.context() as patch:
            virtual = VirtualApp(fleet, Settings.model_validate(written), clock, patch)
            virtual.start()
            await asyncio.sleep(100)
            await story(virtual)
            await virtual.stop()

    virtually(play)


async def power_polls(virtual: VirtualApp, seconds: float) -> int:
    """Count how often the server's power is asked for in a time to come."""
    server = virtual.app.engine.poller.target(virtual.fleet.servers[0].id)
    assert server is not None
    attempts = set()
    for _ in range(int(seconds / 10)):
        await asyncio.sleep(10)
        records = virtual.app.store.freshness(owner_of(server))
        attempts |= {record.last_attempt for record in records if record.collector == "power"}
    return len(attempts)


def test_a_dead_bmc_is_asked_no_more_often() -> None:
    async def story(virtual: VirtualApp) -> None:
        await asyncio.sleep(20 * POWER_SECONDS)
        before = await power_polls(virtual, 24 * POWER_SECONDS)
        await virtual.app.reload()
        after = await power_polls(virtual, 24 * POWER_SECONDS)
        assert after == before == pytest.approx(24 / MOST_PATIENT, abs=1)

    played(story)
