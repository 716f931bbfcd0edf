"""What the pages show, read off the engine and the store at the moment of asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dbc_exporter.clock import Clock
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.facts import ListedAs
from dbc_exporter.metrics.freshness import Freshness as Record
from dbc_exporter.metrics.store import Store
from dbc_exporter.poller import Poller
from dbc_exporter.sweep import owner_of
from dbc_exporter.targets import Target
from dbc_exporter.web.types import ClientView, CollectorView, Freshness, Lane, TargetView


def client_views(poller: Poller, urls: Mapping[str, str], clock: Clock) -> list[ClientView]:
    """Return every DBC client as the pages show it; `urls` has their addresses by name."""
    now = clock.monotonic()
    return [_client_view(client, urls.get(client.name, ""), now) for client in poller.pool.clients]


def _client_view(client: DbcClient, url: str, now: float) -> ClientView:
    status = client.status()
    return ClientView(
        name=client.name,
        url=url,
        state=status.state.value,
        version=status.version,
        visible=status.visible_nodes,
        peers=status.peers_active,
        lanes=[Lane(lane.kind, lane.in_flight, lane.limit(now)) for lane in client.gate.lanes.values()],
        unanswered=client.unanswered,
        ceiling=client.unanswered_ceiling,
    )


def target_views(poller: Poller, store: Store, clock: Clock) -> list[TargetView]:
    """Return every target as the pages show it."""
    return [_target_view(target, poller, store, clock) for target in poller.targets]


def target_view(node_id: str, poller: Poller, store: Store, clock: Clock) -> TargetView | None:
    """Return one target as the pages show it, `None` where it is not watched."""
    target = poller.target(node_id)
    return None if target is None else _target_view(target, poller, store, clock)


def inventory_views(poller: Poller, store: Store) -> list[TargetView]:
    """Return who every target is, without how it is."""
    return [_who(target, store) for target in poller.targets]


def _who(target: Target, store: Store) -> TargetView:
    return TargetView(
        target.id,
        target.kind.value,
        name=_name(target, store),
        labels=dict(target.labels),
        manager=target.manager,
    )


def _target_view(target: Target, poller: Poller, store: Store, clock: Clock) -> TargetView:
    there = poller.pool.reachability(target)
    client = poller.pool.client_for(target)
    dues = {sweep.collector.name: sweep.next_due(target.id) for sweep in poller.sweeps}
    offset = clock.wall() - clock.monotonic()
    return replace(
        _who(target, store),
        client=client.name if client else None,
        visible=there.visible,
        up=there.up,
        suspect=there.suspect,
        collectors=[
            _collector_view(record, dues.get(record.collector), offset)
            for record in store.freshness(owner_of(target))
        ],
    )


def _collector_view(record: Record, due: float | None, offset: float) -> CollectorView:
    return CollectorView(
        name=record.collector,
        interval_seconds=record.interval_seconds,
        state=Freshness(record.state.value),
        last_attempt=record.last_attempt,
        last_success=record.last_success,
        age_seconds=record.age_seconds,
        last_error=record.unavailable or (record.last_reason.value if record.last_reason else None),
        next_poll=None if due is None else due + offset,
    )


def _name(target: Target, store: Store) -> str | None:
    """Return the name under which a client lists a target."""
    listed = store.facts(owner_of(target), "listed").get("")
    return listed.name if isinstance(listed, ListedAs) else None
