"""What was learnt by watching is still known after a reload that changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dbc_exporter import engine as engine_module
from dbc_exporter.collectors.bare_metal import MOST_PATIENT
from dbc_exporter.config.settings import Settings
from dbc_exporter.simulator.fleet import build_world
from dbc_exporter.simulator.scenario import Scenario
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.sweep import owner_of
from tests.e2e.virtual_app import VirtualApp
from tests.pacing.rig import PlainCredential
from tests.virtual import virtually

FILE = "new.qcow2"
POWER_SECONDS = 60.0
SCENARIO = Scenario.model_validate(
    {
        "version": 1,
        "verify_signatures": False,
        "compute": [{"count": 1, "vms": {"count": 1}, "rented_by": {"wallet": "renter"}}],
        "managers": [{"count": 1, "servers": [{"bmc": "dead"}]}],
        "image_servers": [{"name": "local01", "images": [{"name": FILE, "size": "10G"}]}],
    }
)


def played(story: Callable[[VirtualApp], Awaitable[None]]) -> None:
    async def play(clock: LoopClock) -> None:
        fleet = build_world(SCENARIO, clock=clock)
        node, manager = fleet.compute[0].id, fleet.managers[0].id
        renter = PlainCredential(fleet.wallets["renter"].wallet)
        written: dict[str, Any] = {
            "targets": {
                "static": [
                    {"id": node, "credential": "renter", "transfers": [FILE]},
                    {"id": manager, "kind": "bare_metal_manager"},
                ]
            },
            "collectors": {"power": {"interval_seconds": POWER_SECONDS}},
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine_module, "build_credentials", lambda _settings: {"renter": renter})
            virtual = VirtualApp(fleet, Settings.model_validate(written), clock, patch)
            virtual.start()
            await asyncio.sleep(100)
            await story(virtual)
            await virtual.stop()

    virtually(play)


def has(virtual: VirtualApp, family: str, *labels: str) -> bool:
    """Tell whether a series of a family with these labels is 1."""
    lines = [line for line in virtual.exposition().splitlines() if line.startswith(family + "{")]
    return any(line.endswith(" 1") and all(label in line for label in labels) for line in lines)


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


def test_a_finished_download_stays_finished() -> None:
    async def story(virtual: VirtualApp) -> None:
        virtual.fleet.compute[0].subject.images.begin(FILE, "downloading", "local01", 10 * 10**9)
        await asyncio.sleep(400)
        finished = ("dbc_image_transfer_state", f'image="{FILE}"', 'state="finished"')
        assert has(virtual, *finished)
        await virtual.app.reload()
        for _ in range(20):
            assert has(virtual, *finished)
            await asyncio.sleep(30)

    played(story)


def test_a_dead_bmc_is_asked_no_more_often() -> None:
    async def story(virtual: VirtualApp) -> None:
        await asyncio.sleep(20 * POWER_SECONDS)
        before = await power_polls(virtual, 24 * POWER_SECONDS)
        await virtual.app.reload()
        after = await power_polls(virtual, 24 * POWER_SECONDS)
        assert after == before == pytest.approx(24 / MOST_PATIENT, abs=1)

    played(story)
