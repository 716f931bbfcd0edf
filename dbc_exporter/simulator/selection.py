"""Choosing what a fault hits: by id, name pattern and labels, then all of those, a number or a share of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dbc_exporter.simulator.scenario import FaultEntry


@dataclass(frozen=True, slots=True)
class Member:
    """Something a fault can hit, as a scenario may name it."""

    id: str
    name: str
    labels: Mapping[str, str]
    subject: Any


def choose(entry: FaultEntry, candidates: Iterable[Member], rng: random.Random) -> list[Member]:
    """Return the members a line of the timeline hits; the same for the same generator state."""
    pool = [member for member in candidates if _matches(entry, member)]
    if entry.count is not None:
        return _sample(pool, entry.count, rng)
    if entry.percent is not None:
        return _sample(pool, round(len(pool) * entry.percent), rng)
    return pool


def _matches(entry: FaultEntry, member: Member) -> bool:
    if entry.ids and member.id not in entry.ids:
        return False
    if entry.names and not any(fnmatchcase(member.name, pattern) for pattern in entry.names):
        return False
    return all(member.labels.get(key) == value for key, value in entry.labels.items())


def _sample(pool: list[Member], count: int, rng: random.Random) -> list[Member]:
    return rng.sample(sorted(pool, key=lambda member: member.id), min(count, len(pool)))
