"""The whole application in virtual time: only its sockets, its threads and APScheduler are left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pytest

from dbc_exporter import app as app_module
from dbc_exporter import engine as engine_module
from dbc_exporter.app import App
from dbc_exporter.clock import Clock
from dbc_exporter.config.settings import ClientSettings, Settings
from dbc_exporter.remediating import policy_of
from dbc_exporter.simulator.fleet import Fleet
from dbc_exporter.simulator.virtual import LoopClock
from tests.world_transport import WorldTransport

T = TypeVar("T")

IN_THREADS = frozenset({"state", "target_files"})
"""Jobs that wait for threads, which have no place in virtual time."""


class VirtualScheduler:
    """Stands in for the scheduler: the same jobs, on the running loop's time."""

    def __init__(self, tick_seconds: float, clock: Clock, *_collaborators: Any) -> None:
        self._tick_seconds = tick_seconds
        self._clock = clock
        self._heartbeat = clock.monotonic()
        self._jobs: list[tuple[float, Callable[[], None]]] = []
        self._running: list[asyncio.Task[None]] = []

    def every(self, name: str, seconds: float, tick: Callable[[], None]) -> None:
        if name not in IN_THREADS:
            self._jobs.append((max(seconds, self._tick_seconds), tick))

    def take_over(self, old: VirtualScheduler) -> None:
        """Nothing is put off by reloads here: all jobs run at every start."""

    def start(self) -> None:
        self._running = [asyncio.ensure_future(self._forever(*job)) for job in self._jobs]

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()

    def heartbeat_age(self) -> float:
        return self._clock.monotonic() - self._heartbeat

    async def _forever(self, seconds: float, tick: Callable[[], None]) -> None:
        while True:
            self._heartbeat = self._clock.monotonic()
            tick()
            await asyncio.sleep(seconds)


async def _in_place(work: Callable[..., T], *arguments: Any) -> T:
    """Do at once what the application leaves to a thread: virtual time knows none."""
    return work(*arguments)


class VirtualApp:
    """An application on a simulated fleet, whose clients are its own, dealt out to the shards.

    `settings` need only have those clients that are set otherwise.

    Jobs are ticked no more often than every `tick_seconds`: days are cheap without most of their ticks.
    """

    def __init__(
        self,
        fleet: Fleet,
        settings: Settings,
        clock: LoopClock,
        patch: pytest.MonkeyPatch,
        tick_seconds: float = 0.0,
    ) -> None:
        self.transports = {name: WorldTransport(client) for name, client in fleet.world.clients.items()}
        patch.setattr(app_module, "Scheduler", partial(VirtualScheduler, tick_seconds))
        patch.setattr(engine_module, "transport_for", lambda client: self.transports[client.name])
        patch.setattr(asyncio, "to_thread", _in_place)
        shards = settings.total_shards
        clients = {
            name: ClientSettings(
                name=name, url=f"http://{name}.invalid", shard=number % shards if shards > 1 else None
            )
            for number, name in enumerate(self.transports)
        }
        clients |= {client.name: client for client in settings.clients if client.name in clients}
        chosen = settings.model_copy(update={"clients": tuple(clients.values())})
        self.fleet = fleet
        self._probed = 0
        self.read_settings: Callable[[], Settings] = lambda: chosen
        """What a reload calls; may be replaced."""
        self.app = App(chosen, reload=self._read_settings, clock=clock)

    def start(self) -> None:
        self.fleet.start()
        self.app._start_polling()

    async def remediate(self) -> None:
        """Let remediation begin, where the settings ask for it."""
        await self.app.remediating.follow(self.app.engine, policy_of(self.app.engine.settings))

    async def stop(self) -> None:
        await self.app.scheduler.stop()
        await self.app.engine.stop()
        await self.fleet.stop()

    def _read_settings(self) -> Settings:
        return self.read_settings()

    async def probe(self) -> str:
        """Probe the next target and return the page."""
        targets = self.app.engine.poller.targets
        self._probed += 1
        reply = await self.app._probe(targets[self._probed % len(targets)].id, 9.5, {})
        assert reply is not None
        return reply.body.decode()

    def exposition(self) -> str:
        """Answer a scrape."""
        self.app.instruments.sample(self.app.engine.clients, self.app.scheduler.heartbeat_age())
        return self.app.exposition.reply({}, {}).body.decode()
