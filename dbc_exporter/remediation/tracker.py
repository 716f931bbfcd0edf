"""What only time tells: since when a state holds, when a machine went and came back, how many were watched. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dbc_exporter.remediation.problems import UNKNOWN, WELL_STATES

DAY = 86_400.0


@dataclass(slots=True)
class Run:
    """Readings of one state in a row, without a gap or an unknown between. `seen` is of the latest known state."""

    state: str = UNKNOWN
    since: float | None = None
    seen: float | None = None
    samples: int = 0
    was_well: float | None = None

    def read(self, state: str, at: float, longest_gap: float) -> None:
        """Take a reading; the same reading again changes nothing."""
        if state == self.state and at == self.seen:
            return
        gap = self.seen is not None and at - self.seen > longest_gap
        if state != self.state or gap:
            self.since, self.samples = at, 0
        self.state, self.seen = state, at
        self.samples += 1
        if state in WELL_STATES:
            self.was_well = at

    def unknown(self, at: float) -> None:
        """Know the state no more: a run ends, what was known of the past stays."""
        if self.state != UNKNOWN or self.since is None:
            self.state, self.since, self.samples = UNKNOWN, at, 0


@dataclass(slots=True)
class Presence:
    """A machine's comings and goings. `away` is when its latest absence began, `back` when its presence did.

    An absence ends with the first sign of life and not before. One that is heard of for the first time, or again after
    nobody knew, counts as just back: who knows what happened meanwhile.
    """

    up: bool | None = None
    away: float | None = None
    back: float | None = None
    _absent: bool = False

    def note(self, up: bool | None, at: float) -> None:
        """Take what is known since a time."""
        if up is False and not self._absent:
            self.away, self._absent = at, True
        elif up and self.up is not True:
            self.back, self._absent = at, False
        self.up = up


@dataclass(slots=True)
class Most:
    """The most of something within a day."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self, number: int, at: float) -> int:
        """Take a number and return the most of the last day."""
        while self._seen and self._seen[-1][1] <= number:
            self._seen.pop()
        self._seen.append((at, number))
        while at - self._seen[0][0] > DAY:
            self._seen.popleft()
        return self._seen[0][1]
