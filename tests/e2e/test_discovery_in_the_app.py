"""`/sd` lists no inventory of which nothing could be known yet: Prometheus would drop every target."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dbc_exporter.config.settings import Settings
from dbc_exporter.simulator.fleet import build_world
from dbc_exporter.simulator.scenario import Scenario
from dbc_exporter.simulator.virtual import LoopClock
from tests.e2e.virtual_app import VirtualApp
from tests.virtual import virtually

SCENARIO = Scenario.model_validate({"version": 1, "clients": [{"name": "one"}], "compute": [{"count": 2}]})
STATIC = {"static": [{"id": "a" * 64}]}


def played(story: Callable[[VirtualApp], Awaitable[None]], *, alive: bool = False, **written: Any) -> None:
    """Start an application, whose only client is down unless `alive`, and go on when it was asked."""

    async def play(clock: LoopClock) -> None:
        fleet = build_world(SCENARIO, clock=clock)
        if not alive:
            fleet.world.clients["one"].kill()
        with pytest.MonkeyPatch.context() as patch:
            virtual = VirtualApp(fleet, Settings.model_validate(written), clock, patch)
            virtual.start()
            await asyncio.sleep(60)
            assert virtual.app._ready().ok
            await story(virtual)
            await virtual.stop()

    virtually(play)


def listable(virtual: VirtualApp) -> bool:
    return virtual.app._sources().listable().ok


@pytest.mark.parametrize("targets", [{}, STATIC | {"discover": {"enabled": True}}])
def test_while_the_only_client_is_down_since_the_start_nobody_is_listed(targets: dict[str, Any]) -> None:
    async def story(virtual: VirtualApp) -> None:
        assert not listable(virtual)
        virtual.fleet.world.clients["one"].restart()
        await asyncio.sleep(60)
        assert listable(virtual)
        virtual.fleet.world.clients["one"].kill()
        await asyncio.sleep(600)
        assert listable(virtual)

    played(story, targets=targets)


def test_without_discovery_the_inventory_is_what_is_configured() -> None:
    async def story(virtual: VirtualApp) -> None:
        assert listable(virtual)

    played(story, targets=STATIC | {"discover": {"enabled": False}})


def test_what_an_earlier_run_found_is_listed_at_once(tmp_path: Path) -> None:
    async def save(virtual: VirtualApp) -> None:
        virtual.app._save()

    async def restored(virtual: VirtualApp) -> None:
        assert listable(virtual)
        assert len(virtual.app._sources().inventory()) == 2

    storage = {"path": tmp_path}
    played(save, alive=True, storage=storage)
    played(restored, storage=storage)
