"""Which of several exporters watches a target: the same answer in each of them, without their talking. Pure.

Rendezvous hashing: every shard has a weight for a key, the lightest watches, the second vouches. When the number of
shards changes, only those targets move that must.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from dbc_exporter.targets import Kind, Target, spread

_RANKS_KEPT = 1 << 16


@dataclass(frozen=True, slots=True)
class Share:
    """One shard's part of a fleet.

    `elsewhere` has the shard of everything else this one knows, by node id; `vouched` the part of it that this shard
    tells of, so that Prometheus can name what its own shard does not watch. Each target is vouched for once.
    """

    mine: tuple[Target, ...]
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    vouched: Mapping[str, int] = field(default_factory=dict)


def share(targets: Iterable[Target], configured: Iterable[Target], shard: int, total: int) -> Share:
    """Return the part of shard `shard` of `total`, in the order of `targets`.

    A bare-metal server goes with the manager its record names or that lists it, since one exporter alone may ask a
    manager. `configured` are the records as written: where a record names no manager, the server has a shard of its
    own, because the other shards cannot know who lists it. For the same reason discovered servers that no manager of
    this shard lists are nobody's once any manager is configured.
    """
    if total == 1:
        return Share(tuple(targets))
    written = {target.id: target for target in configured}
    managed = any(target.kind is Kind.MANAGER for target in written.values())
    mine: list[Target] = []
    elsewhere: dict[str, int] = {}
    vouched: dict[str, int] = {}
    for target in targets:
        record = written.get(target.id, target)
        if managed and target.unmanaged and target.id not in written:
            continue
        watches, vouches = ranked(record.manager or record.id, total)
        if watches == shard:
            mine.append(target)
            continue
        elsewhere[target.id] = watches
        if vouches == shard:
            vouched[target.id] = watches
    return Share(tuple(mine), elsewhere, vouched)


@lru_cache(_RANKS_KEPT)
def ranked(key: str, total: int) -> tuple[int, int]:
    """Return the shard, of two or more, that watches what has this key, and the one that vouches for it."""
    first, second, *_ = sorted(range(total), key=lambda shard: spread(shard, key))
    return first, second
