"""The application: builds the parts from the settings, runs them, reloads them, drains them in order."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from dbc_exporter import __version__
from dbc_exporter.clock import Clock, SystemClock
from dbc_exporter.config.settings import Settings
from dbc_exporter.engine import Engine, build_engine
from dbc_exporter.instruments import Instruments
from dbc_exporter.logs import get_logger
from dbc_exporter.metrics.budget import Budgets
from dbc_exporter.metrics.exposition import Exposition, Reply
from dbc_exporter.metrics.options import RenderOptions
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.probing import probe, probe_lines
from dbc_exporter.remediating import Remediating, policy_of
from dbc_exporter.scheduler import Scheduler
from dbc_exporter.state import StateFile
from dbc_exporter.views import client_views, inventory_views, target_view, target_views
from dbc_exporter.watching import Watching
from dbc_exporter.web.server import WebServer
from dbc_exporter.web.types import About, Health, ReloadError, Sources

if TYPE_CHECKING:
    from dbc_exporter.remediation.policy_file import LoadedPolicy

log = get_logger(__name__)

SAVE_SECONDS = 30.0
Reload = Callable[[], Settings]


class App:
    """One exporter process. `reload` reads the settings anew and raises `ValueError` when they are refused."""

    def __init__(self, settings: Settings, *, reload: Reload, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._reload_settings = reload
        self._started = self._clock.wall()
        self.own = OwnMetrics(version=__version__, python=sys.version.split()[0])
        self.instruments = Instruments(self.own, self._clock)
        self.state = StateFile(settings.storage.path)
        self.store = Store(
            self._clock,
            withdraw_after_intervals=settings.freshness.withdraw_after_intervals,
            tombstone_seconds=settings.freshness.tombstone_seconds,
            options=RenderOptions(node_timezone=settings.node_timezone),
            budgets=Budgets(
                per_family=settings.series_budget.per_family,
                per_target=settings.series_budget.per_target,
            ),
        )
        self.exposition = Exposition(self.store, self.own)
        # threads of their own: a scrape never waits for a hung disk or for users' passwords
        self._scrapes = ThreadPoolExecutor(2, thread_name_prefix="scrape")
        self._saving: asyncio.Future[None] | None = None
        self._reloading = asyncio.Lock()
        self._stopping = False
        self._restore()
        self.engine = self._build(settings, self._unanswered_before(settings))
        self.store.retain_clients(self.engine.urls)
        self.watching = Watching(settings, self.engine.poller, self.store)
        self.watching.restore(self.state.get("listed") or {})
        self.remediating = Remediating(self.store, self._clock, self.own)
        self.scheduler = Scheduler(self._clock, self.instruments)
        self._say_loaded(self._started)

    # -- life ----------------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event, *, hangup: asyncio.Event | None = None) -> None:
        """Serve until `stop` is set; reload whenever `hangup` is.

        Raises `ListenError` when it cannot listen, `ConfigError` for a bad policy of remediation.
        """
        settings = self.engine.settings
        policy = policy_of(settings)
        server = WebServer(
            self._sources(),
            self._clock,
            telemetry_path=settings.web.telemetry_path,
            config_file=settings.web.config_file,
            prefix=settings.web.prefix,
            external_url=settings.web.external_url,
        )
        await server.start(*settings.web.listen_address)
        reloading = asyncio.ensure_future(self._reload_on(hangup)) if hangup else None
        self._start_polling()
        await self.remediating.follow(self.engine, policy)
        log.info("started", version=__version__, clients=len(self.engine.clients))
        try:
            await stop.wait()
        finally:
            log.info("stopping")
            if reloading:
                reloading.cancel()
            async with self._reloading:  # one under way ends first, none begins any more
                self._stopping = True
            await self._drain(server)

    async def once(self) -> bool:
        """Poll every client and every target once; tell whether every target could be polled and brought facts."""
        poller = self.engine.poller
        await poller.refresh_clients()
        for client in self.engine.clients:
            client.believe()
        self.watching.update()
        poller.replan()
        for sweep in poller.sweeps:  # in order: details need the lists, power needs the managers' servers
            await sweep.once()
            self.watching.update()
        poller.tell_reachability()
        await self.engine.stop()
        return all(client.usable() for client in self.engine.clients) and not self._failed()

    async def reload(self) -> None:
        """Take new settings and targets at once and whole, or keep the old ones. Raises `ReloadError`."""
        async with self._reloading:
            if self._stopping:
                raise ReloadError("the exporter is stopping")
            try:
                settings = await asyncio.to_thread(self._reload_settings)
                engine = self._build(settings, {})
                policy = await asyncio.to_thread(policy_of, settings)
                watching = await asyncio.to_thread(Watching, settings, engine.poller, self.store)
            except ValueError as error:
                self.own.reload_successful.set(0)
                log.error("reload refused, the old settings stay", reason=str(error))  # noqa: TRY400 (no mistake of ours)
                raise ReloadError(str(error)) from None
            await self._replace(engine, watching, policy)

    # -- inside --------------------------------------------------------------------------------------------

    async def _replace(self, engine: Engine, watching: Watching, policy: LoadedPolicy | None) -> None:
        """Let a new engine go on where the old one stops."""
        old = self.engine
        await self.scheduler.stop()
        await old.stop()
        engine.take_over(old)
        watching.take_over(self.watching)
        for gone in old.urls.keys() - engine.urls.keys():
            self.own.forget_client(gone)
            self.store.drop_owner(Owner(client=gone))
        scheduler = Scheduler(self._clock, self.instruments)
        scheduler.take_over(self.scheduler)
        self.engine, self.watching, self.scheduler = engine, watching, scheduler
        self._start_polling()
        await self.remediating.follow(engine, policy)
        self._say_loaded(self._clock.wall())
        log.info("reloaded")

    def _say_loaded(self, at: float) -> None:
        settings = self.engine.settings
        self.own.set_shard(settings.shard, settings.total_shards)
        self.own.reload_successful.set(1)
        self.own.reload_success_time.set(at)

    async def _drain(self, server: WebServer) -> None:
        """Stop in order: polling, its connections, our pages, and the state to disk; each also when one fails."""
        async with AsyncExitStack() as last_first:
            last_first.push_async_callback(asyncio.to_thread, self._save)
            last_first.callback(self._scrapes.shutdown, wait=False)
            last_first.push_async_callback(server.stop)
            last_first.push_async_callback(self.engine.stop)
            last_first.push_async_callback(self.scheduler.stop)
            last_first.push_async_callback(self.remediating.stop)

    def _build(self, settings: Settings, unanswered: Mapping[str, int]) -> Engine:
        return build_engine(
            settings,
            store=self.store,
            clock=self._clock,
            instruments=self.instruments,
            unanswered=unanswered,
        )

    def _start_polling(self) -> None:
        self.store.retain_collectors(
            [name for name, c in self.engine.settings.collectors.by_name().items() if c.enabled]
        )
        self.watching.update()
        self.engine.poller.schedule(self.scheduler)
        self.scheduler.every(*self.watching.ticks())
        self.scheduler.every("state", SAVE_SECONDS, self._save_soon)
        self.scheduler.start()

    async def _reload_on(self, hangup: asyncio.Event) -> None:
        while True:
            await hangup.wait()
            hangup.clear()
            try:
                await self.reload()
            except ReloadError:
                continue  # said in log and metric
            except Exception as error:  # a mistake of ours must not be the last reload
                self.own.reload_successful.set(0)
                log.exception("reload failed by a mistake of ours", error=type(error).__name__)

    def _unanswered(self) -> dict[str, int]:
        """Return the lost sessions by address: they are those of the process there, whatever it is called here."""
        return {self.engine.urls[client.name]: client.unanswered for client in self.engine.clients}

    def _unanswered_before(self, settings: Settings) -> dict[str, int]:
        """Return the sessions that each client had lost when an earlier run ended, by name."""
        saved = self.state.get("unanswered") or {}
        return {client.name: saved.get(str(client.url), 0) for client in settings.own_clients}

    def _restore(self) -> None:
        self.store.restore(self.state.load())
        self.own.state_persistent.set(self.state.persistent)

    def _save_soon(self) -> None:
        if self._saving is None or self._saving.done():
            self._saving = asyncio.ensure_future(asyncio.to_thread(self._save))

    def _save(self) -> None:
        self.state.set("unanswered", self._unanswered())
        self.state.set("listed", self.watching.saved())
        self.state.save(self.store.saved())
        self.own.state_persistent.set(self.state.persistent)

    def _failed(self) -> bool:
        views = target_views(self.engine.poller, self.store, self._clock)
        unpolled = any(view.client is None for view in views)
        return unpolled or any(c.last_error and c.last_success is None for v in views for c in v.collectors)

    def _sources(self) -> Sources:
        return Sources(
            exposition=self._expose,
            health=self._health,
            ready=self._ready,
            listable=self._listable,
            reload=self.reload,
            targets=lambda: target_views(self.engine.poller, self.store, self._clock),
            target=lambda node_id: target_view(node_id, self.engine.poller, self.store, self._clock),
            inventory=lambda: inventory_views(self.engine.poller, self.store),
            clients=lambda: client_views(self.engine.poller, self.engine.urls, self._clock),
            about=self._about,
            remediation=lambda: self.remediating.desk,
            probe=self._probe,
        )

    async def _expose(self, headers: Mapping[str, str], query: Mapping[str, list[str]]) -> Reply:
        """Answer a scrape: decided on the loop, joined and compressed in a thread."""
        self.instruments.sample(self.engine.clients, self.scheduler.heartbeat_age())
        plan = self.exposition.plan(headers, query)
        return await asyncio.get_running_loop().run_in_executor(self._scrapes, plan.build)

    async def _probe(self, node_id: str, seconds: float, headers: Mapping[str, str]) -> Reply | None:
        target = self.engine.poller.target(node_id)
        if target is None:
            return None
        found = await probe(self.engine.poller, target, self._clock, seconds)
        target = self.engine.poller.target(node_id)  # of another engine after a reload
        if target is None:
            return None
        self.engine.poller.tell(target)
        return self.exposition.page(headers, probe_lines(found, target, self.store))

    def _health(self) -> Health:
        age = self.scheduler.heartbeat_age()
        return Health(self.scheduler.healthy(), f"last tick {age:.1f} s ago")

    def _ready(self) -> Health:
        tried = all(client.reachable is not None for client in self.engine.clients)
        return Health(tried, "every DBC client was asked" if tried else "waiting for the first answers")

    def _listable(self) -> Health:
        """Tell whether the inventory may be listed: whoever follows a list drops all that is missing in it."""
        ready = self._ready()
        if ready.ok and not self.watching.looked:
            return Health(False, "waiting for the first list of a DBC client")
        return ready

    def _about(self) -> About:
        settings = self.engine.settings
        path = str(settings.config_file) if settings.config_file else None
        return About(__version__, self._started, path, settings.total_shards)


async def serve(settings: Settings, reload: Reload) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP reloads."""
    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number, event in (
        (signal.SIGTERM, stop),
        (signal.SIGINT, stop),
        (signal.SIGHUP, hangup),
    ):
        loop.add_signal_handler(signal_number, event.set)
    await App(settings, reload=reload).run(stop, hangup=hangup)


async def once(settings: Settings) -> int:
    """Poll once, print the exposition, and return the exit code: 0 when every poll brought facts, else 1."""
    app = App(settings, reload=partial(_never, settings))
    complete = await app.once()
    app.instruments.sample(app.engine.clients, 0.0)
    sys.stdout.write(app.exposition.reply({}, {}).body.decode())
    return 0 if complete else 1


def _never(settings: Settings) -> Settings:
    return settings
