"""When each discovered compute node was last on a DBC client's list.

A dead node leaves the lists about 307 s after its death. It stays a target for some time, so that it is shown as
missing and its alerts can fire and last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from dbc_exporter.clock import Clock
from dbc_exporter.config.settings import DiscoverSettings
from dbc_exporter.facts import ListedNode, NodeList
from dbc_exporter.inventory import discoverable

MOST_UNLISTED = 10_000
"""Strangers can announce any number of nodes; of those that are gone, so many at most are remembered."""

Saved = dict[str, tuple[str | None, float]]
"""By node id: the name on the list, and the Unix time when it was last there."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A node's name on the list, when it was last there (monotonic), and whether an earlier run knew that."""

    name: str | None
    at: float
    inherited: bool = False


class LastListed:
    """The discovered compute nodes that are listed, or were not long ago."""

    def __init__(self, clock: Clock, discover: DiscoverSettings) -> None:
        self._clock = clock
        self._discover = discover
        self._known: Mapping[str, _Listed] = {}
        self._inherited: frozenset[str] = frozenset()
        self.unlisted = NodeList()
        """Those that left all the lists and are not forgotten yet."""

    def note(self, lists: Iterable[NodeList], configured: Collection[str], *, heard: bool) -> None:
        """Take the clients' lists. What is `configured`, or no pattern lets in any more, is none of ours.

        While not every client was `heard` since the start, what an earlier run had seen is not forgotten: the client
        that is missing might list it.
        """
        now = self._clock.monotonic()
        listed = {
            node.node_id: _Listed(node.name, now)
            for one in lists
            for node in one.nodes
            if node.node_id not in configured and discoverable(node, self._discover)
        }
        unlisted = [
            (node_id, last)
            for node_id, last in self._known.items()
            if node_id not in listed
            and node_id not in configured
            and discoverable(ListedNode(node_id, last.name), self._discover)
            and (now - last.at < self._discover.forget_after_seconds or (last.inherited and not heard))
        ]
        unlisted = sorted(unlisted, key=lambda one: -one[1].at)[:MOST_UNLISTED]
        self._known = {**listed, **dict(unlisted)}
        self.unlisted = NodeList(nodes=tuple(ListedNode(node_id, last.name) for node_id, last in unlisted))

    def forget(self) -> None:
        """Know nobody: the clients' lists make no targets."""
        self._known, self.unlisted = {}, NodeList()

    def inherited(self, node_id: str) -> bool:
        """Tell whether an earlier run had listed a node: then this one knows whether it is still a target."""
        return node_id in self._inherited

    def take_over(self, old: LastListed) -> None:
        """Go on from before a reload."""
        self._inherit((node_id, last.name, last.at) for node_id, last in old._known.items())

    def saved(self) -> Saved:
        """Hand over to the next process; other threads may call it."""
        offset = self._clock.wall() - self._clock.monotonic()
        return {node_id: (last.name, last.at + offset) for node_id, last in self._known.items()}

    def restore(self, saved: Saved) -> None:
        """Take over from an earlier process. A time in the future is a clock that was set back: it counts as now."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        self._inherit((node_id, name, now - max(0.0, wall - at)) for node_id, (name, at) in saved.items())

    def _inherit(self, rows: Iterable[tuple[str, str | None, float]]) -> None:
        self._known = {node_id: _Listed(name, at, inherited=True) for node_id, name, at in rows}
        self._inherited = frozenset(self._known)
