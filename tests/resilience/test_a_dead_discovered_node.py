"""The default set-up, on which everything is discovered: a node that died stays a target, over reloads and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dbc_exporter.config.settings import Settings
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.simulator.fleet import Fleet, build_world
from dbc_exporter.simulator.scenario import Scenario
from dbc_exporter.simulator.virtual import LoopClock
from tests.e2e.virtual_app import VirtualApp
from tests.resilience.scene import MINUTE
from tests.virtual import virtually

NODES = 10


@dataclass
class Story:
    """An exporter with a state file whose first node died a quarter of an hour ago."""

    fleet: Fleet
    clock: LoopClock
    patch: pytest.MonkeyPatch
    storage: Path
    virtual: VirtualApp

    @property
    def dead(self) -> str:
        return self.fleet.compute[0].id

    def says(self, family: str) -> str | None:
        """Return the value of a family for the dead node, None while it has none."""
        start = f'{family}{{node_id="{self.dead}"}} '
        lines = self.virtual.exposition().splitlines()
        return next((line.removeprefix(start) for line in lines if line.startswith(start)), None)

    def shown(self) -> tuple[str | None, str | None]:
        return self.says("dbc_target_present"), self.says("dbc_node_visible")

    async def reload(self, **discover: Any) -> None:
        self.virtual.read_settings = lambda: self._settings(**discover)
        await self.virtual.app.reload()

    async def restart(self) -> None:
        """End the exporter as SIGTERM does, and start another one on its state file."""
        await self.virtual.app.scheduler.stop()
        await self.virtual.app.engine.stop()
        self.virtual.app._save()
        self.virtual = VirtualApp(self.fleet, self._settings(), self.clock, self.patch)
        self.virtual.app._start_polling()

    def _settings(self, **discover: Any) -> Settings:
        clients = self.virtual.app.engine.settings.clients
        return settings(self.storage, **discover).model_copy(update={"clients": clients})


def settings(storage: Path, **discover: Any) -> Settings:
    return Settings.model_validate({"storage": {"path": str(storage)}, "targets": {"discover": discover}})


def played(story: Callable[[Story], Awaitable[None]], storage: Path) -> None:
    async def play(clock: LoopClock) -> None:
        fleet = build_world(
            Scenario.model_validate({"version": 1, "clients": [{}], "compute": [{"count": NODES}]}),
            clock=clock,
        )
        with pytest.MonkeyPatch.context() as patch:
            virtual = VirtualApp(fleet, settings(storage), clock, patch)
            virtual.start()
            told = Story(fleet, clock, patch, storage, virtual)
            await asyncio.sleep(5 * MINUTE)
            assert told.shown() == ("1", "1")
            fleet.world.hosts[told.dead].kill()
            await asyncio.sleep(15 * MINUTE)
            await story(told)
            await told.virtual.stop()

    virtually(play)


def test_it_is_shown_as_missing_for_a_day_and_up_again_when_it_comes_back(tmp_path: Path) -> None:
    async def story(told: Story) -> None:
        assert (*told.shown(), told.says("dbc_node_up")) == ("1", "0", "0")
        await asyncio.sleep(60 * MINUTE)
        assert told.shown() == ("1", "0")
        told.fleet.world.hosts[told.dead].restart()
        await asyncio.sleep(3 * MINUTE)
        assert (*told.shown(), told.says("dbc_node_up")) == ("1", "1", "1")

    played(story, tmp_path)


def test_no_request_goes_to_it_while_it_is_on_no_list(tmp_path: Path) -> None:
    async def story(told: Story) -> None:
        (transport,) = told.virtual.transports.values()
        sent: list[bytes] = []
        send = transport.send

        async def listen(method: str, path: str, body: bytes, **more: Any) -> RawAnswer:
            sent.append(body)
            return await send(method, path, body, **more)

        told.patch.setattr(transport, "send", listen)
        await asyncio.sleep(60 * MINUTE)
        assert sum(told.fleet.compute[1].id.encode() in body for body in sent) > 60
        assert not any(told.dead.encode() in body for body in sent)

    played(story, tmp_path)


def test_it_is_missed_after_a_reload_and_after_a_restart(tmp_path: Path) -> None:
    async def story(told: Story) -> None:
        await told.reload()
        assert told.shown() == ("1", "0")
        await asyncio.sleep(10 * MINUTE)
        assert told.shown() == ("1", "0")
        await told.restart()
        await asyncio.sleep(10 * MINUTE)
        assert told.shown() == ("1", "0")

    played(story, tmp_path)


def test_a_restart_that_finds_the_client_down_says_nothing_of_it_and_keeps_it(tmp_path: Path) -> None:
    async def story(told: Story) -> None:
        (client,) = told.fleet.world.clients.values()
        client.kill()
        await told.restart()
        await asyncio.sleep(10 * MINUTE)
        assert told.shown() == ("1", None)
        client.restart()
        await asyncio.sleep(10 * MINUTE)
        assert told.shown() == ("1", "0")

    played(story, tmp_path)


def test_it_leaves_at_once_when_a_reload_excludes_it(tmp_path: Path) -> None:
    async def story(told: Story) -> None:
        await told.reload(exclude=[told.dead])
        assert told.shown() == ("0", None)
        assert f'dbc_exporter_targets{{kind="compute"}} {NODES - 1}' in told.virtual.exposition()

    played(story, tmp_path)
