"""Puts the polling engine together from its parts; the same for `serve`, `once` and the proofs in virtual time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from dbc_exporter.clock import Clock
from dbc_exporter.collectors import per_vm
from dbc_exporter.collectors.bare_metal import BareMetalCollector, PowerCollector
from dbc_exporter.collectors.base import Collector
from dbc_exporter.collectors.clients import CentreImagesCollector, ClientCollector, LanCollector
from dbc_exporter.collectors.images import ImagesCollector
from dbc_exporter.collectors.node import NodeCollector
from dbc_exporter.collectors.orders import KnownTasks, OrderBook, OrdersCollector, RenterGuard
from dbc_exporter.collectors.tasks import TasksCollector
from dbc_exporter.collectors.transfers import TransfersCollector
from dbc_exporter.dbc.authority import Credential
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import TaskList
from dbc_exporter.metrics.store import Store
from dbc_exporter.poller import ClientSource, Poller
from dbc_exporter.sweep import RunCounters, Sweep, owner_of
from dbc_exporter.targets import Kind, Target


def all_collectors(book: OrderBook, known_tasks: KnownTasks) -> list[Collector]:
    """Return one of every collector of targets, in the order in which their facts build on each other."""
    guard = RenterGuard(book)
    return [
        NodeCollector(),
        OrdersCollector(book),
        TasksCollector(guard, known_tasks),
        per_vm.vms(guard, known_tasks),
        per_vm.disks(guard, known_tasks),
        per_vm.snapshots(guard, known_tasks),
        ImagesCollector(),
        TransfersCollector(guard),
        BareMetalCollector(),
        PowerCollector(guard),
    ]


class Counters(RunCounters, Protocol):
    """What the engine counts."""


def build_poller(
    clients: Sequence[DbcClient],
    credentials: Mapping[str, Credential],
    intervals: Mapping[str, float],
    *,
    store: Store,
    clock: Clock,
    counters: Counters,
) -> Poller:
    """Build the engine. `intervals` has the seconds of every collector that is switched on, by name."""
    book = OrderBook(clock, {name: credential.addresses() for name, credential in credentials.items()})

    def known_tasks(target: Target) -> tuple[str, ...] | None:
        facts = store.facts(owner_of(target), "tasks").get("")
        return tuple(task.task_id for task in facts.tasks) if isinstance(facts, TaskList) else None

    collectors = [one for one in all_collectors(book, known_tasks) if one.name in intervals]
    asked_every = _asked_every(collectors, intervals)
    pool = Pool(clients, clock, credentials, orders=book, asked_every=asked_every)
    sources: list[ClientSource] = [ClientCollector(), LanCollector(), CentreImagesCollector()]
    sweeps = [
        Sweep(c, intervals[c.name], pool=pool, store=store, clock=clock, counters=counters)
        for c in collectors
    ]
    reads = [(source, intervals[source.name]) for source in sources if source.name in intervals]
    return Poller(pool, store, clock, sweeps, reads)


def _asked_every(collectors: Sequence[Collector], intervals: Mapping[str, float]) -> dict[Kind, float]:
    """Return how often machines of a kind are asked by a source that needs no order of ours, in seconds."""
    shortest: dict[Kind, float] = {}
    for collector in collectors:
        every = intervals[collector.name]
        for kind in frozenset() if collector.authenticated else collector.kinds:
            shortest[kind] = min(every, shortest.get(kind, every))
    return shortest
