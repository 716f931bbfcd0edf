"""Which targets are watched, which left lately, which others watch, and the series that say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from dbc_exporter.clock import Clock
from dbc_exporter.metrics.blocks import Blocks, Keys
from dbc_exporter.metrics.lines import Entry, info, label, labels, sample
from dbc_exporter.metrics.saved import SavedTarget
from dbc_exporter.targets import Kind, Target


@dataclass(slots=True)
class _Known:
    target: Target
    keys: Keys = ()
    left: float | None = None  # monotonic
    left_at: float | None = None  # Unix time, to be saved


class Inventory:
    """The targets by node id. One that left stays as a tombstone for a while, then it is forgotten."""

    def __init__(self, clock: Clock, blocks: Blocks, tombstone_seconds: float) -> None:
        """`tombstone_seconds`: how long `dbc_target_present` says 0 before the target is forgotten."""
        self._clock = clock
        self._blocks = blocks
        self._tombstone = tombstone_seconds
        self._known: dict[str, _Known] = {}
        self._vouched: Keys = ()

    def set(self, targets: Iterable[Target]) -> list[str]:
        """Make these the inventory; return the ids that left it now."""
        wanted = {target.id: target for target in targets}
        left = [
            node_id for node_id, known in self._known.items() if known.left is None and node_id not in wanted
        ]
        for node_id in left:
            self._leave(self._known[node_id])
        for target in wanted.values():
            self._enter(target)
        self._count()
        return left

    def hand_over(self, elsewhere: Collection[str]) -> list[str]:
        """Forget what other shards watch: it has not left, so it becomes no tombstone. Return the ids known till now."""
        known = [node_id for node_id in elsewhere if node_id in self._known]
        for node_id in known:
            self._blocks.remove(self._known.pop(node_id).keys)
        return known

    def vouch(self, vouched: Mapping[str, int]) -> None:
        """Tell of targets of other shards, by node id and shard."""
        lines = [
            info("dbc_target_elsewhere", labels(node_id=node_id, shard=str(shard)))
            for node_id, shard in vouched.items()
        ]
        self._vouched = self._blocks.replace(self._vouched, lines)

    def present(self, node_id: str) -> bool:
        """Tell whether a node is a target now."""
        known = self._known.get(node_id)
        return known is not None and known.left is None

    def forget_due(self) -> list[str]:
        """Forget the targets whose time as a tombstone is over; return their ids."""
        now = self._clock.monotonic()
        due = [
            node_id
            for node_id, known in self._known.items()
            if known.left is not None and now - known.left >= self._tombstone
        ]
        for node_id in due:
            self._blocks.remove(self._known.pop(node_id).keys)
        return due

    def keys(self, node_id: str) -> Keys:
        """Name the series that describe a target."""
        return self._known[node_id].keys if node_id in self._known else ()

    def targets(self) -> list[Target]:
        """List the targets of the inventory, without those that left."""
        return [known.target for known in self._known.values() if known.left is None]

    def saved(self) -> list[SavedTarget]:
        """List everything known, for the next process."""
        return [SavedTarget(known.target, known.left_at) for known in list(self._known.values())]

    def restore(self, rows: Iterable[SavedTarget]) -> None:
        """Take back the inventory of an earlier process; the next `set` tells which targets left meanwhile."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        for row in rows:
            known = _Known(row.target, left_at=row.left_at)
            if row.left_at is not None:
                known.left = now - max(0.0, wall - row.left_at)
            self._known[row.target.id] = known
            self._write(known)
        self._count()

    def _enter(self, target: Target) -> None:
        known = self._known.get(target.id)
        if known is None:
            known = self._known[target.id] = _Known(target)
        elif known.left is None and known.target == target:
            return
        known.target = target
        known.left = known.left_at = None
        self._write(known)

    def _leave(self, known: _Known) -> None:
        known.left = self._clock.monotonic()
        known.left_at = self._clock.wall()
        self._write(known)

    def _write(self, known: _Known) -> None:
        known.keys = self._blocks.replace(known.keys, _lines(known.target, known.left is None))

    def _count(self) -> None:
        counts = Counter(known.target.kind for known in self._known.values() if known.left is None)
        for kind in Kind:
            self._blocks.put(sample("dbc_exporter_targets", f'kind="{kind}"', counts[kind]))


def _lines(target: Target, present: bool) -> list[Entry]:
    me = label("node_id", target.id)
    described = labels(kind=target.kind, manager_id=target.manager, desired_state=target.desired_state)
    mine = "".join(f",{label(f'label_{name}', value)}" for name, value in target.labels)
    entries = [sample("dbc_target_present", me, present), info("dbc_target_info", f"{me},{described}{mine}")]
    if present and target.expected_gpus is not None:
        entries.append(sample("dbc_target_expected_gpus", me, target.expected_gpus))
    return entries
