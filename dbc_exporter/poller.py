"""The polling engine: clients, pool, sweeps and store under one cadence. Knows no settings and no web pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dbc_exporter.clock import Clock
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import ClientState, Fact
from dbc_exporter.logs import get_logger
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.scheduler import Ticker
from dbc_exporter.sweep import Sweep, owner_of, phase
from dbc_exporter.targets import Target

log = get_logger(__name__)

TICK_SECONDS = 1.0
REPLAN_SECONDS = 15.0
REACHABILITY_SECONDS = 5.0
TROUBLED_REFRESH_SECONDS = 5.0
REFUSED_SECONDS = 30.0  # a client that could not be reached has not been troubled by the attempt
VITAL = "client"  # the source that all other polling rests on; it costs a client next to nothing


class ClientSource(Protocol):
    """A collector whose target is a client itself."""

    name: str

    async def fetch(self, client: DbcClient) -> dict[str, Fact]:
        """Read, and return objects to commit. Raises `DbcError`."""


@dataclass(slots=True)
class _Due:
    """One periodic read of one client."""

    client: DbcClient
    source: ClientSource
    interval: float
    at: float
    started: float = float("-inf")
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Poller:
    """Everything that polls. `jobs` hands its ticks to a ticker; nothing runs before that."""

    pool: Pool
    store: Store
    clock: Clock
    sweeps: Sequence[Sweep]
    client_sources: Sequence[tuple[ClientSource, float]]
    on_refreshed: Callable[[], None] = lambda: None
    targets: tuple[Target, ...] = ()
    reachability_seconds: float = REACHABILITY_SECONDS
    _by_id: dict[str, Target] = field(default_factory=dict)
    _reads: list[_Due] = field(default_factory=list)
    _probes: dict[str, asyncio.Task[bool]] = field(default_factory=dict)
    _states: dict[str, ClientState] = field(default_factory=dict)
    _told: dict[tuple[str, str], Fact] = field(default_factory=dict)
    _assigned: dict[str, frozenset[str]] = field(default_factory=dict)
    _next_replan: float = float("-inf")
    _next_reachability: float = float("-inf")

    def __post_init__(self) -> None:
        """Plan the clients' reads: the first at once."""
        now = self.clock.monotonic()
        self.pool.on_recovered = self._recovered
        self._reads = [
            _Due(client, source, interval, now)
            for client in self.pool.clients
            for source, interval in self.client_sources
        ]

    def take_over(self, old: Poller) -> None:
        """Know what another poller knew of the nodes, and which states of clients it has told."""
        self.pool.take_over(old.pool)
        self._states = dict(old._states)
        before = {sweep.collector.name: sweep for sweep in old.sweeps}
        for sweep in self.sweeps:
            if sweep.collector.name in before:
                sweep.take_over(before[sweep.collector.name])

    def schedule(self, ticker: Ticker) -> None:
        """Give every job to the ticker: one per collector, one for the clients, one for housekeeping."""
        ticker.every("client", TICK_SECONDS, self.tick_clients)
        ticker.every("housekeeping", TICK_SECONDS, self.tick_housekeeping)
        for sweep in self.sweeps:
            ticker.every(sweep.collector.name, TICK_SECONDS, sweep.tick)

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Take a new inventory."""
        self.targets = tuple(targets)
        self.pool.watch(self.targets)
        self.store.set_targets(self.targets)
        for sweep in self.sweeps:
            sweep.set_targets(self.targets)
        self._by_id = {target.id: target for target in self.targets}
        self._told = {key: told for key, told in self._told.items() if key[0] in self._by_id}
        self._next_replan = float("-inf")

    def target(self, node_id: str) -> Target | None:
        """Return the target of the inventory that has this id."""
        return self._by_id.get(node_id)

    # -- ticks ---------------------------------------------------------------------------------------------

    def tick_clients(self) -> None:
        """Start the reads of clients that are due; sooner than planned while a client is in trouble."""
        now = self.clock.monotonic()
        for read in self._reads:
            if now >= _due(read) and (read.task is None or read.task.done()):
                read.task = asyncio.ensure_future(self._read_client(read))

    def tick_housekeeping(self) -> None:
        """Watch overdue requests, probe suspects, withdraw old values, keep plans and reachability current."""
        now = self.clock.monotonic()
        for client in self.pool.clients:
            client.gate.watch()
            self._note_state(client)
            self._probe(client)
        if now >= self._next_reachability:
            self._next_reachability = now + self.reachability_seconds
            self.store.sweep()
            self.tell_reachability()
        if now >= self._next_replan:
            self._next_replan = now + REPLAN_SECONDS
            self.replan()

    def replan(self) -> None:
        """Work out who serves whom, and tell every sweep."""
        assigned: dict[str, set[str]] = {client.name: set() for client in self.pool.clients}
        for target in self.targets:
            client = self.pool.client_for(target)
            if client is not None:
                assigned[client.name].add(target.id)
        self._assigned = {name: frozenset(ids) for name, ids in assigned.items()}
        for sweep in self.sweeps:
            sweep.replan(self._assigned)

    def tell_reachability(self) -> None:
        """Put what is known of every target's being there into the store."""
        for target in self.targets:
            self.tell(target)

    def tell(self, target: Target) -> None:
        """Do the same for one target."""
        there, listed = self.pool.reachability(target), self.pool.listed_as(target)
        self._tell(target, "reachability", there)
        if listed is not None:
            self._tell(target, "listed", listed)

    async def refresh_clients(self) -> None:
        """Read every client once, now, and wait for it (for `once` and the first moment of `serve`)."""
        self.tick_clients()
        await asyncio.gather(*(read.task for read in self._reads if read.task))
        self.tell_reachability()
        self.replan()

    async def stop(self) -> None:
        """Cancel everything that runs and wait for it."""
        tasks: list[asyncio.Task[Any]] = [*self._probes.values(), *(r.task for r in self._reads if r.task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *(sweep.stop() for sweep in self.sweeps), return_exceptions=True)

    # -- inside --------------------------------------------------------------------------------------------

    async def _read_client(self, read: _Due) -> None:
        owner = Owner(client=read.client.name)
        self.store.attempt(owner, read.source.name, read.interval)
        read.started = self.clock.monotonic()
        interval = read.interval
        try:
            self.store.commit(owner, read.source.name, await read.source.fetch(read.client))
        except DbcError as error:
            self.store.fail(owner, read.source.name, error.reason)
            interval = _interval_after(read, error)
        except Exception as error:  # a mistake of ours must not end the reading
            log.exception(
                "reading a client failed by a mistake of ours",
                source=read.source.name,
                error=type(error).__name__,
            )
        self._put_status(read.client)
        self._note_state(read.client)
        shift = phase(read.client.name, read.source.name) * min(1.0, interval / 2)
        read.at = self.clock.monotonic() + interval - shift
        self.on_refreshed()

    def _note_state(self, client: DbcClient) -> None:
        state = client.state()
        if self._states.get(client.name) is not state:
            self._states[client.name] = state
            log.info("client state changed", client=client.name, state=state.value)
            self._put_status(client)
            self._next_replan = self._next_reachability = float("-inf")
            if state is ClientState.OK:
                for sweep in self.sweeps:
                    sweep.resume()

    def _put_status(self, client: DbcClient) -> None:
        self.store.put(Owner(client=client.name), "status", "", client.status())

    def _probe(self, client: DbcClient) -> None:
        running = self._probes.get(client.name)
        if running is not None and not running.done():
            return
        node = self.pool.probe_due(client)
        if node is not None:
            self._probes[client.name] = _start(self.pool.probe(client, node))

    def _tell(self, target: Target, source: str, fact: Fact) -> None:
        if self._told.get((target.id, source)) != fact:
            self._told[target.id, source] = fact
            self.store.put(owner_of(target), source, "", fact)

    def _recovered(self, node: str) -> None:
        ids = [t.id for t in self.targets if node in (t.id, t.manager)]
        for sweep in self.sweeps:
            sweep.hasten(ids)


def _due(read: _Due) -> float:
    """Return when a read is due: what all else rests on, sooner while the client is in trouble or may be."""
    doubtful = not read.client.usable() or read.client.gate.overdue() > 0
    if read.source.name == VITAL and doubtful:
        return min(read.at, read.started + TROUBLED_REFRESH_SECONDS)
    return read.at


def _interval_after(read: _Due, error: DbcError) -> float:
    """Return the seconds to the next read after a failed one; dear ones are not repeated before their time."""
    if read.source.name == VITAL:
        return min(read.interval, TROUBLED_REFRESH_SECONDS)
    return min(read.interval, REFUSED_SECONDS) if error.reason is Reason.UNREACHABLE else read.interval


def _start(work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
    return asyncio.ensure_future(work)
