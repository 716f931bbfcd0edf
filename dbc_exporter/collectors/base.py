"""What a collector is: one source, fetched for one target, as facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from dbc_exporter.dbc.pool import Reader
from dbc_exporter.facts import Fact
from dbc_exporter.targets import Kind, Target


class Unavailable(Exception):  # noqa: N818  -- a state of the target, not an error
    """The target lacks what the collector needs; `reason` is one of the closed set of the catalogue."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished poll: whole objects by key, keys to keep though unread, and when to come back.

    `patience` stretches the interval until the next poll, for things known to be dead.
    """

    objects: Mapping[str, Fact]
    keep: frozenset[str] = frozenset()
    patience: float = 1.0


class Collector(Protocol):
    """One source of facts about targets.

    `kinds` are the kinds of target it is for, `lane` the server's kind of its main request, `calls_per_target` how
    many of those one poll makes on average (for pacing), `authenticated` whether they are signed.
    """

    name: str
    kinds: frozenset[Kind]
    lane: str
    authenticated: bool
    calls_per_target: float

    def unavailable(self, target: Target) -> str | None:
        """Return why a target can never be polled as it is configured, or None."""

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """Poll one target once. Raises `DbcError` or `Unavailable`."""


@runtime_checkable
class Learner(Protocol):
    """A collector that keeps something from poll to poll, by target id.

    Its sweep hands it to the next one on a reload, and forgets what is of targets that are watched no more.
    """

    learnt: dict[str, Any]
