"""A public source that is one call per target, committed as one object."""

from __future__ import annotations

from typing import Any

from dbc_exporter.collectors.base import Outcome
from dbc_exporter.dbc.calls import ReadCall
from dbc_exporter.dbc.pool import Reader
from dbc_exporter.targets import Kind, Target


class SingleCallCollector:
    """What such sources have in common; each names itself and its call."""

    name: str
    kinds: frozenset[Kind]
    lane: str
    authenticated = False
    calls_per_target = 1.0

    def call(self, target: Target) -> ReadCall[Any]:
        """Return the call to make about a target."""
        raise NotImplementedError

    def unavailable(self, target: Target) -> str | None:
        """Every target of the kind can be asked."""
        del target
        return None

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """Make the call."""
        return Outcome({"": await read(self.call(target), target)})
