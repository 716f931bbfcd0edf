"""The pace of the operator's own fleet, for `check-config`: what each collector asks and how old its data will be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dbc_exporter.assemble import all_collectors
from dbc_exporter.clock import SystemClock
from dbc_exporter.collectors.base import Collector
from dbc_exporter.collectors.orders import OrderBook
from dbc_exporter.config.settings import Settings
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.envelope import request_body, understand
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.engine import transport_for
from dbc_exporter.inventory import Seen, merge
from dbc_exporter.pace import Load, predict, table
from dbc_exporter.sharding import share
from dbc_exporter.targets import Kind, Target

# seconds per answer to reckon with before anything was measured: across the internet, and with two chain calls
PUBLIC_SECONDS = 0.2
AUTHENTICATED_SECONDS = 5.0
MEMORY_SECONDS = 0.001
ASK_SECONDS = 5.0
SERVERS_PER_MANAGER = 51  # as many as a manager lists
FROM_MEMORY = ("client", "lan")


def pace_report(settings: Settings, targets: Sequence[Target]) -> str:
    """Return the table; with discovery, the clients are asked for their node lists (answered from memory)."""
    notes = [
        f"pace, reckoning {PUBLIC_SECONDS:g} s for a public answer and {AUTHENTICATED_SECONDS:g} s for a signed one:"
    ]
    if settings.targets.discovering:
        targets, note = asyncio.run(_with_discovered(settings, targets))
        notes.append(note)
    if settings.total_shards > 1:
        everybody = len(targets)
        targets = share(targets, targets, settings.shard, settings.total_shards).mine
        notes.append(f"of {everybody} targets {len(targets)} belong to shard {settings.shard}")
    loads: list[Load] = []
    idle: dict[str, str] = {}
    targets, note = _with_servers(settings, targets)
    notes += [note] if note else []
    every = settings.collectors.by_name()
    loads += [
        Load(name, "local", len(settings.own_clients), 1, every[name].interval_seconds, MEMORY_SECONDS)
        for name in FROM_MEMORY
        if every[name].enabled
    ]
    for collector in all_collectors(OrderBook(SystemClock(), {}), lambda _target: None):
        polled = [t for t in targets if t.kind in collector.kinds and collector.unavailable(t) is None]
        if not every[collector.name].enabled:
            idle[collector.name] = "switched off"
        elif not polled:
            idle[collector.name] = _why_idle(collector, targets)
        else:
            loads.append(_load(collector, len(polled), every[collector.name].interval_seconds))
    caps = [(c.max_in_flight_per_kind, c.max_in_flight) for c in settings.own_clients]
    per_kind, in_total = min(caps, default=(16, 48))
    predictions = predict(loads, max(1, len(settings.own_clients)), per_kind=per_kind, in_total=in_total)
    stretched = [p.load.collector for p in predictions if p.stretched]
    if stretched:
        notes.append(
            f"too much for {len(settings.own_clients)} client(s) at these intervals: {', '.join(stretched)}; "
            "add DBC clients or lengthen the intervals"
        )
    return "\n".join([*notes, table(predictions, idle)])


def _with_servers(settings: Settings, targets: Sequence[Target]) -> tuple[Sequence[Target], str]:
    """Add the servers that configured managers will list, reckoning with as many as a list can hold."""
    managers = [t for t in targets if t.kind is Kind.MANAGER]
    known = {t.manager for t in targets if t.kind is Kind.SERVER}
    unseen = [m for m in managers if m.id not in known]
    if not unseen or not settings.targets.discover.bare_metal:
        return targets, ""
    servers = [
        Target(f"{number:064x}", Kind.SERVER, manager=manager.id)
        for manager in unseen
        for number in range(SERVERS_PER_MANAGER)
    ]
    return (*targets, *servers), f"reckoning {SERVERS_PER_MANAGER} servers for each of {len(unseen)} managers"


def _load(collector: Collector, targets: int, interval: float) -> Load:
    seconds = AUTHENTICATED_SECONDS if collector.authenticated else PUBLIC_SECONDS
    return Load(collector.name, collector.lane, targets, collector.calls_per_target, interval, seconds)


def _why_idle(collector: Collector, targets: Sequence[Target]) -> str:
    reasons = {collector.unavailable(t) for t in targets if t.kind in collector.kinds}
    return ", ".join(sorted(reason for reason in reasons if reason)) or "no targets"


async def _with_discovered(settings: Settings, targets: Sequence[Target]) -> tuple[Sequence[Target], str]:
    nodes = {}
    silent = []
    for client in settings.own_clients:
        transport = transport_for(client)
        call = reads.node_list()
        try:
            body = request_body(call, None, None)
            raw = await transport.send(call.method, call.path, body, deadline_seconds=ASK_SECONDS, retry=True)
            nodes[client.name] = understand(call, raw)
        except DbcError as error:
            silent.append(f"{client.name} ({error.reason.value})")
        finally:
            await transport.aclose()
    merged = merge(targets, Seen(nodes), settings.targets.discover, enabled=True)
    found = sum(1 for target in merged if target.kind is Kind.COMPUTE)
    note = f"{found} compute nodes with those the clients list now"
    return merged, note + (f"; could not ask {', '.join(silent)}" if silent else "")
