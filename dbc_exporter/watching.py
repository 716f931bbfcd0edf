"""Keeps the inventory current: configured targets, target files, and what clients and managers list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dbc_exporter.config.load import static_targets, target_files
from dbc_exporter.config.settings import Settings
from dbc_exporter.facts import BareMetalList, NodeList
from dbc_exporter.inventory import Seen, merge
from dbc_exporter.metrics.store import Store
from dbc_exporter.poller import Poller
from dbc_exporter.sweep import owner_of
from dbc_exporter.targets import Kind, Target

REFRESH_FILES_SECONDS = 5.0


class Watching:
    """Recomputes the targets when a list or a file changed, and tells the poller."""

    def __init__(self, settings: Settings, poller: Poller, store: Store) -> None:
        self._settings = settings
        self._poller = poller
        self._store = store
        self._static = static_targets(settings)
        self._files = target_files(settings)
        self._files.refresh()
        self._nodes: dict[str, NodeList] = {}
        self._servers: dict[str, NodeList] = {}
        self._current: tuple[Target, ...] | None = None
        self._reading: asyncio.Task[None] | None = None
        poller.on_refreshed = self.update

    def update(self) -> None:
        """Look at the lists once more and hand over a changed inventory."""
        for client in self._poller.pool.clients:
            # a client that just started has heard of few nodes yet: those missing have not left
            if client.settled() or (client.usable() and client.name not in self._nodes):
                self._nodes[client.name] = client.nodes or NodeList()
                self._servers[client.name] = client.servers or NodeList()
        configured = (*self._static, *self._files.targets)
        targets = merge(
            (*configured, *self._remembered(configured)),
            Seen(self._nodes, self._servers, self._managed(configured)),
            self._settings.targets.discover,
            enabled=self._settings.targets.discovering,
        )
        if targets != self._current:
            self._current = targets
            self._poller.set_targets(targets)

    def refresh_files(self) -> None:
        """Start reading changed target files, in a thread: thousands of YAML records take seconds."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(self._read_files())

    async def _read_files(self) -> None:
        if await asyncio.to_thread(self._files.refresh):
            self.update()

    def ticks(self) -> tuple[str, float, Callable[[], None]]:
        """Return the job that watches the files."""
        return ("target_files", REFRESH_FILES_SECONDS, self.refresh_files)

    def _remembered(self, configured: tuple[Target, ...]) -> list[Target]:
        """Return what an earlier run had discovered, until a client's list says who is there."""
        if self._nodes or not self._settings.targets.discovering:
            return []
        known = {target.id for target in configured}
        return [target for target in self._store.targets() if target.id not in known]

    def _managed(self, configured: tuple[Target, ...]) -> dict[str, BareMetalList]:
        lists = {
            target.id: self._store.facts(owner_of(target), "bare_metal").get("")
            for target in configured
            if target.kind is Kind.MANAGER
        }
        return {manager: facts for manager, facts in lists.items() if isinstance(facts, BareMetalList)}
