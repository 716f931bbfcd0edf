"""The store: what is known now, with its freshness, rendered once per commit.

All methods but `saved` are called from the event loop's thread. Node owners are accepted only while the node is in the
inventory, so an answer that comes late for a target that left cannot bring it back.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from dbc_exporter.clock import Clock
from dbc_exporter.dbc.errors import Reason
from dbc_exporter.facts import Fact
from dbc_exporter.metrics.blocks import Blocks, Keys
from dbc_exporter.metrics.budget import Budgets, BudgetWatch
from dbc_exporter.metrics.family import Family
from dbc_exporter.metrics.freshness import Freshness, FreshnessBook, Record
from dbc_exporter.metrics.inventory import Inventory
from dbc_exporter.metrics.lines import Entry, sample
from dbc_exporter.metrics.options import RenderOptions
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.parse_failures import ParseFailures
from dbc_exporter.metrics.render import render
from dbc_exporter.metrics.saved import Saved
from dbc_exporter.targets import Target

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """One object of a collector at an owner. `record` is `None` for state that does not age."""

    fact: Fact
    read_at: float  # monotonic
    record: Record | None
    keys: Keys = ()
    look_at: float = 0.0  # monotonic time of the valid entry in the queue
    gone: bool = False


class Store:
    """Facts by owner, collector and object; their lines; their freshness; the inventory."""

    def __init__(
        self,
        clock: Clock,
        *,
        withdraw_after_intervals: float = 3.0,
        tombstone_seconds: float = 86_400.0,
        options: RenderOptions | None = None,
        budgets: Budgets | None = None,
    ) -> None:
        """Values are withdrawn `withdraw_after_intervals` after their last success."""
        self._clock = clock
        self._withdraw_after = withdraw_after_intervals
        self._options = options or RenderOptions()
        self._blocks = Blocks()
        self._book = FreshnessBook(clock, self._blocks, withdraw_after_intervals)
        self._inventory = Inventory(clock, self._blocks, tombstone_seconds)
        self._budget = BudgetWatch(budgets or Budgets())
        self._parse_failures = ParseFailures(self._blocks)
        self._held: dict[Owner, dict[str, dict[str, _Held]]] = {}
        self._queue: list[tuple[float, int, Owner, str, str, _Held]] = []
        self._sequence = itertools.count()
        self._versions: dict[Owner, int] = {}

    @property
    def generation(self) -> int:
        """A number that changes with every change of the exposition."""
        return self._blocks.generation

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Make these the inventory. Values of a target that left go at once, its freshness with its tombstone."""
        for node_id in self._inventory.set(targets):
            self._drop_values(Owner(node_id=node_id))

    def set_elsewhere(self, elsewhere: Collection[str], vouched: Mapping[str, int]) -> None:
        """Forget the targets that other shards watch, and tell of those this shard vouches for, with their shard."""
        for node_id in self._inventory.hand_over(elsewhere):
            self.drop_owner(Owner(node_id=node_id))
        self._inventory.vouch(vouched)

    def targets(self) -> list[Target]:
        """List the targets of the inventory."""
        return self._inventory.targets()

    def retain_collectors(self, enabled: Collection[str]) -> None:
        """Forget records and values of collectors that are switched off; call at start and on reload."""
        for collector in self._book.collectors().difference(enabled):
            for owner in list(self._held):
                self._drop_objects(owner, collector)
            self._book.forget_collector(collector)

    def retain_clients(self, names: Collection[str]) -> None:
        """Forget the clients of an earlier process that are configured no more; call at start."""
        known = {row.client for row in self._book.saved() if row.client}
        for gone in known.difference(names):
            self.drop_owner(Owner(client=gone))

    def attempt(self, owner: Owner, collector: str, interval_seconds: float) -> None:
        """Note that a poll starts, and the collector's interval."""
        if not self._accepts(owner):
            return
        record = self._book.get(owner, collector)
        shorter = record is not None and record.interval is not None and interval_seconds < record.interval
        self._book.attempt(owner, collector, interval_seconds)
        if shorter:
            for key, held in self._held.get(owner, {}).get(collector, {}).items():
                self._enqueue(owner, collector, key, held)

    def lengthen(self, owner: Owner, collector: str, interval_seconds: float) -> None:
        """Note that a collector is polled more seldom from now on, so that its values grow older before they are old."""
        self._book.lengthen(owner, collector, interval_seconds)

    def commit(
        self,
        owner: Owner,
        collector: str,
        objects: Mapping[str, Fact],
        *,
        keep: Collection[str] = (),
        complete: bool = True,
    ) -> bool:
        """Take the facts of a successful poll; each object is replaced whole.

        Objects neither in `objects` nor in `keep` leave, unless `complete` is false (the list was not read). Kept
        objects go on ageing from their own last success. Returns false, and does nothing, when the owner is not
        watched or no `attempt` was noted before.
        """
        record = self._book.get(owner, collector) if self._accepts(owner) else None
        if record is None or record.interval is None:
            _log.debug("not taken: owner=%s collector=%s", owner, collector)
            return False
        self._book.success(record)
        self._changed(owner)
        mine = self._held.setdefault(owner, {}).setdefault(collector, {})
        if complete:
            for key in [key for key in mine if key not in objects and key not in keep]:
                self._drop(owner, mine.pop(key))
        for key, fact in objects.items():
            self._hold(owner, collector, key, fact, record)
        return True

    def fail(self, owner: Owner, collector: str, reason: Reason, *, chain_silent: bool = False) -> None:
        """Count a failed poll; values go on ageing. A client must have been attempted before.

        `chain_silent` tells that the node could not judge it because DBC's chain did not answer.
        """
        if self._accepts(owner) and (owner.node_id or self._book.get(owner, collector) is not None):
            self._book.failure(owner, collector, reason, chain_silent=chain_silent)
            self._changed(owner)

    def put(self, owner: Owner, source: str, key: str, fact: Fact) -> None:
        """Set state that is no poll (reachability, client status): replaced at once, never withdrawn by age."""
        if self._accepts(owner):
            self._hold(owner, source, key, fact, None)

    def unavailable(self, owner: Owner, collector: str, reason: str | None) -> None:
        """Say why a collector cannot work for an owner; `None` says it can."""
        if self._accepts(owner) and (reason is not None or self._book.get(owner, collector) is not None):
            self._book.unavailable(owner, collector, reason)
            self._changed(owner)

    def drop_owner(self, owner: Owner) -> None:
        """Forget an owner: values, state and freshness. For who left the configuration, or went to another shard."""
        self._drop_values(owner)
        self._book.forget(owner)
        self._versions.pop(owner, None)

    def sweep(self) -> None:
        """Withdraw values that are too old and forget tombstones that are due. Costs only what is due."""
        now = self._clock.monotonic()
        while self._queue and self._queue[0][0] <= now:
            look_at, _, owner, collector, key, held = heapq.heappop(self._queue)
            if held.gone or held.look_at != look_at:
                continue
            if self._due(held) > now:
                self._enqueue(owner, collector, key, held)
            else:
                del self._held[owner][collector][key]
                self._drop(owner, held)
        for node_id in self._inventory.forget_due():
            self.drop_owner(Owner(node_id=node_id))

    def freshness(self, owner: Owner) -> list[Freshness]:
        """Return an owner's collectors with their times and last failure, for pages."""
        return self._book.view(owner)

    def facts(self, owner: Owner, collector: str) -> dict[str, Fact]:
        """Return the facts a collector (or a source of `put`) holds for an owner now, by object key."""
        now = self._clock.monotonic()
        held = self._held.get(owner, {}).get(collector, {})
        return {key: one.fact for key, one in held.items() if self._due(one) > now}

    def since_attempt(self, owner: Owner, collector: str) -> float | None:
        """Return the seconds since a collector's last poll of an owner began; `None` when none did."""
        record = self._book.get(owner, collector)
        if record is None or record.last_attempt is None:
            return None
        return max(0.0, self._clock.wall() - record.last_attempt)

    def age(self, owner: Owner, collector: str, key: str = "") -> float | None:
        """Return the seconds since an object was read; `None` when nothing current is held."""
        held = self._held.get(owner, {}).get(collector, {}).get(key)
        now = self._clock.monotonic()
        return None if held is None or self._due(held) <= now else now - held.read_at

    def readings(self, owner: Owner, collector: str) -> dict[str, tuple[Fact, float]]:
        """Return what `facts` returns, each fact with the monotonic time at which it was read."""
        now = self._clock.monotonic()
        held = self._held.get(owner, {}).get(collector, {})
        return {key: (one.fact, one.read_at) for key, one in held.items() if self._due(one) > now}

    def version(self, owner: Owner) -> int:
        """Return a number that differs once anything else is known of an owner; sweep first.

        Every poll counts as news, also one that found everything as it was: values are younger after it.
        """
        return self._versions.get(owner, 0)

    def lines(self, family: Family) -> list[bytes]:
        """Return a copy of a family's lines; sweep first."""
        return self._blocks.lines(family.name)

    def lines_of(self, owner: Owner) -> dict[str, list[bytes]]:
        """Return the lines about one target by family: what is held, its freshness, its record; sweep first."""
        held = (one.keys for objects in self._held.get(owner, {}).values() for one in objects.values())
        keys = chain(chain.from_iterable(held), self._book.keys(owner), self._inventory.keys(owner.node_id))
        return self._blocks.of(keys)

    def self_lines(self) -> dict[str, list[bytes]]:
        """Write the families that count the store itself; sweep first."""
        entries = list(self._budget.entries(self._blocks.series()))
        entries.append(sample("dbc_exporter_duplicate_series_total", "", self._blocks.duplicates))
        lines: dict[str, list[bytes]] = {}
        for family, _, data in entries:
            lines.setdefault(family, []).append(data)
        return lines

    def saved(self) -> Saved:
        """Hand over what survives a restart; the one method that other threads may call."""
        return Saved(tuple(self._book.saved()), tuple(self._inventory.saved()))

    def restore(self, saved: Saved) -> None:
        """Take over from an earlier process; call once, before anything else."""
        self._inventory.restore(saved.targets)
        known = {row.target.id for row in saved.targets}
        self._book.restore(row for row in saved.freshness if row.client or row.node_id in known)

    def _accepts(self, owner: Owner) -> bool:
        return not owner.node_id or self._inventory.present(owner.node_id)

    def _hold(self, owner: Owner, collector: str, key: str, fact: Fact, record: Record | None) -> None:
        mine = self._held.setdefault(owner, {}).setdefault(collector, {})
        held = mine.get(key)
        if held is None or held.fact != fact:
            self._changed(owner)
        if held is None:
            held = mine[key] = _Held(fact, self._clock.monotonic(), record)
            if record is not None:
                self._enqueue(owner, collector, key, held)
        else:
            held.fact = fact
            held.read_at = self._clock.monotonic()
        before = held.keys
        held.keys = self._blocks.replace(before, self._rendered(owner, key, fact))
        if held.keys is not before:
            self._budget.changed(owner, before, held.keys)

    def _rendered(self, owner: Owner, key: str, fact: Fact) -> list[Entry]:
        try:
            self._parse_failures.count(fact)
            entries = render(owner, key, fact, self._options)
            self._blocks.check(entries)
        except Exception:  # noqa: BLE001 - a fault in one object's rendering must not cost the others
            _log.exception("rendering failed: owner=%s fact=%s", owner, type(fact).__name__)
            return []
        return entries

    def _due(self, held: _Held) -> float:
        record = held.record
        if record is None or record.interval is None:
            return float("inf")
        return held.read_at + self._withdraw_after * record.interval

    def _enqueue(self, owner: Owner, collector: str, key: str, held: _Held) -> None:
        held.look_at = self._due(held)
        heapq.heappush(self._queue, (held.look_at, next(self._sequence), owner, collector, key, held))

    def _changed(self, owner: Owner) -> None:
        self._versions[owner] = next(self._sequence) + 1

    def _drop(self, owner: Owner, held: _Held) -> None:
        self._changed(owner)
        held.gone = True
        self._blocks.remove(held.keys)
        self._budget.changed(owner, held.keys, ())

    def _drop_objects(self, owner: Owner, collector: str) -> None:
        for held in self._held.get(owner, {}).pop(collector, {}).values():
            self._drop(owner, held)

    def _drop_values(self, owner: Owner) -> None:
        for collector in list(self._held.get(owner, {})):
            self._drop_objects(owner, collector)
        self._held.pop(owner, None)
