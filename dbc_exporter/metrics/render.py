"""Pure: a fact and its owner in, sample lines out. An unknown value has no line.

Facts that no family is made of (peers, image servers, the orders themselves) render nothing; they are kept for pages
and decisions. Keys of objects: `DiskList` and `SnapshotList` lie under their task's id, a centre's `ImageList`
(owner: a client) under the centre's id; other facts name themselves.
"""

from __future__ import annotations

from dbc_exporter.facts import BareMetalList, Fact, SnapshotList
from dbc_exporter.metrics import render_fleet, render_rented
from dbc_exporter.metrics.lines import Entry
from dbc_exporter.metrics.options import RenderOptions
from dbc_exporter.metrics.owner import Owner

_RENDERERS = {**render_fleet.RENDERERS, **render_rented.RENDERERS}


def render(owner: Owner, key: str, fact: Fact, options: RenderOptions) -> list[Entry]:
    """Write the lines of one object: (family, identity, bytes) for each identity."""
    renderer = _RENDERERS.get(type(fact))
    return renderer(owner, key, fact, options) if renderer is not None else []


def unreadable(fact: Fact) -> tuple[str, ...]:
    """Name every field of a fact, and of the facts in it, that was there and could not be read."""
    if isinstance(fact, BareMetalList):
        return fact.unreadable + tuple(name for server in fact.servers for name in server.unreadable)
    if isinstance(fact, SnapshotList):
        return fact.unreadable + tuple(name for snapshot in fact.snapshots for name in snapshot.unreadable)
    return fact.unreadable
