"""What only time tells: since when a state holds, when a machine went and came back, how many were watched."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dbc_exporter.remediation.problems import UNKNOWN, WELL_STATES

_DAY = 86_400.0
_SAME_SECONDS = 0.01  # ages are differences of floating numbers


@dataclass(slots=True)
class Run:
    """Readings of one state in a row, without a gap or an unknown between."""

    state: str = UNKNOWN
    since: float | None = None
    seen: float | None = None
    samples: int = 0
    was_well: float | None = None

    def read(self, state: str, at: float, longest_gap: float) -> None:
        """Take a reading; the same reading again changes nothing."""
        if self.seen is not None and at - self.seen < _SAME_SECONDS and state == self.state:
            return
        gap = self.seen is not None and at - self.seen > longest_gap
        if state != self.state or gap or self.since is None:
            self.since, self.samples = at, 0
        self.state, self.seen = state, at
        self.samples += 1
        if state in WELL_STATES:
            self.was_well = at

    def unknown(self, at: float) -> None:
        """Know the state no more: a run ends, what was known of the past stays."""
        if self.state != UNKNOWN:
            self.state, self.since, self.samples = UNKNOWN, at, 0


@dataclass(slots=True)
class Presence:
    """A machine's comings and goings. One that is heard of for the first time counts as just back."""

    up: bool | None = None
    away: float | None = None
    back: float | None = None

    def note(self, up: bool | None, at: float) -> None:
        """Take what is known now; unknown moves nothing, but who knows what happened meanwhile."""
        if up is False:
            self.away = at
        elif up and self.up is not True:
            self.back = at
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
        while at - self._seen[0][0] > _DAY:
            self._seen.popleft()
        return self._seen[0][1]
