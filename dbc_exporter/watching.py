"""Keeps the inventory current: configured targets, target files, and what clients and managers list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from dbc_exporter.config.load import static_targets, target_files
from dbc_exporter.config.settings import Settings
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.facts import BareMetalList, NodeList
from dbc_exporter.inventory import Seen, merge
from dbc_exporter.last_listed import LastListed, Saved
from dbc_exporter.metrics.store import Store
from dbc_exporter.poller import Poller
from dbc_exporter.sharding import Share, share
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
        self._managers: dict[str, BareMetalList] = {}
        self._believed: set[str] = set()
        self._last = LastListed(poller.clock, settings.targets.discover)
        self._current: Share | None = None
        self._reading: asyncio.Task[None] | None = None
        poller.on_refreshed = self.update

    def take_over(self, old: Watching) -> None:
        """Know after a reload whom the clients listed before it."""
        self._last.take_over(old._last)

    def saved(self) -> Saved:
        """Hand over whom the clients list, or did not long ago, for the next process; other threads may call it."""
        return self._last.saved()

    def restore(self, saved: Saved) -> None:
        """Know whom the clients listed when an earlier process ended; call before the first `update`."""
        self._last.restore(saved)

    @property
    def looked(self) -> bool:
        """Whether whom to watch was ever looked up: by a client's list, or by an earlier run that found somebody."""
        if self._nodes or not self._settings.targets.discovering or not self._poller.pool.clients:
            return True
        configured = {target.id for target in (*self._static, *self._files.targets)}
        return any(target.id not in configured for target in self._poller.targets)

    def update(self) -> None:
        """Look at the lists once more and hand over a changed inventory."""
        for client in self._poller.pool.clients:
            self._hear(client)
        configured = (*self._static, *self._files.targets)
        self._hear_managers(configured)
        discovering = self._settings.targets.discovering
        if discovering:
            ids = {target.id for target in configured}
            self._last.note(self._nodes.values(), ids, heard=self._all_heard())
        else:
            self._last.forget()
        targets = merge(
            configured,
            Seen(self._nodes, self._servers, self._managers, self._last.unlisted),
            self._settings.targets.discover,
            enabled=discovering,
        )
        targets = (*targets, *self._remembered(targets))
        part = share(targets, configured, self._settings.shard, self._settings.total_shards)
        if part != self._current:
            self._current = part
            self._store.set_elsewhere(part.elsewhere, part.vouched)
            self._poller.set_targets(part.mine)

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

    def _hear(self, client: DbcClient) -> None:
        """Take a client's lists. One that just started has heard of few nodes yet: those missing have not left."""
        nodes, servers = client.nodes, client.servers or NodeList()
        if nodes is None or not client.usable():
            return
        if client.settled():
            self._believed.add(client.name)
        else:
            nodes, servers = (
                _joined(now, before.get(client.name))
                for now, before in ((nodes, self._nodes), (servers, self._servers))
            )
        self._nodes[client.name], self._servers[client.name] = nodes, servers

    def _hear_managers(self, configured: tuple[Target, ...]) -> None:
        """Take the managers' lists; one that cannot be asked any more has still the servers it had."""
        managers = [target for target in configured if target.kind is Kind.MANAGER]
        for manager in managers:
            facts = self._store.facts(owner_of(manager), "bare_metal").get("")
            if isinstance(facts, BareMetalList):
                self._managers[manager.id] = facts
        for gone in self._managers.keys() - {manager.id for manager in managers}:
            del self._managers[gone]

    def _remembered(self, targets: tuple[Target, ...]) -> list[Target]:
        """Return what an earlier run had discovered, as long as those it was discovered from were not heard."""
        known = {target.id: target for target in targets}
        return [
            target
            for target in self._store.targets()
            if target.id not in known and self._unheard(target, known)
        ]

    def _unheard(self, target: Target, known: Mapping[str, Target]) -> bool:
        if target.kind is Kind.MANAGER:
            return False  # managers are configured, never discovered
        manager = known.get(target.manager or "")
        if manager is not None and manager.kind is Kind.MANAGER:
            return self._settings.targets.discover.bare_metal and manager.id not in self._managers
        if self._last.inherited(target.id):
            return False  # it would be among the targets if it still were one
        return self._settings.targets.discovering and not self._all_heard()

    def _all_heard(self) -> bool:
        """Tell whether every client was believed at least once since the start."""
        return {client.name for client in self._poller.pool.clients} <= self._believed


def _joined(now: NodeList, before: NodeList | None) -> NodeList:
    """Return a list with those of an earlier one that are missing in it."""
    if before is None:
        return now
    listed = {node.node_id for node in now.nodes}
    return NodeList(nodes=(*now.nodes, *(node for node in before.nodes if node.node_id not in listed)))
