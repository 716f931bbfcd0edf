"""Who was announced when: a node's own entry every ten seconds while it runs, forgotten 300 s after the last."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple


class Announcement(NamedTuple):
    """One gossiped entry: when it was sent and by which run of the process (the run's key is in it)."""

    time: float
    incarnation: int


@dataclass(slots=True)
class _Span:
    start: float
    end: float
    phase: float
    incarnation: int


KEPT_SPANS = 8


class Announcer:
    """Computes announcements from the spans in which a process spoke, so that no timer per node is needed."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._spans: list[_Span] = []
        self.steady_since = math.inf
        """When the present span's first announcement was (or will be) made; infinite while silent."""

    def speak(self, now: float, *, phase: float, incarnation: int) -> None:
        """Begin to announce: at `phase` plus multiples of the period, from `now` on."""
        self._spans.append(_Span(now, math.inf, phase, incarnation))
        del self._spans[:-KEPT_SPANS]
        self.steady_since = now + self._every

    def fall_silent(self, now: float) -> None:
        """Stop announcing (killed, frozen, busy)."""
        self.steady_since = math.inf
        if self._spans and self._spans[-1].end == math.inf:
            self._spans[-1].end = now

    def last(self, until: float) -> Announcement | None:
        """Return the newest announcement sent at or before `until`."""
        for span in reversed(self._spans):
            latest = min(until, span.end)
            if latest < span.start:
                continue
            time = span.phase + math.floor((latest - span.phase) / self._every) * self._every
            if time >= span.start:
                return Announcement(time, span.incarnation)
        return None


class Listener:
    """The spans in which a client process could hear announcements."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []
        self.hearing_since = math.inf
        """The present span's start; infinite while deaf."""

    def hear(self, since: float) -> None:
        """Begin to hear."""
        self.hearing_since = since
        self._spans.append((since, math.inf))
        del self._spans[:-KEPT_SPANS]

    def deaf(self, now: float) -> None:
        """Stop hearing (no peers)."""
        self.hearing_since = math.inf
        if self._spans and self._spans[-1][1] == math.inf:
            self._spans[-1] = (self._spans[-1][0], now)

    def forget(self) -> None:
        """Lose everything heard (the process ended)."""
        self.hearing_since = math.inf
        self._spans.clear()

    def heard(self, announcer: Announcer, now: float) -> Announcement | None:
        """Return the newest announcement this client has received from an announcer."""
        for start, end in reversed(self._spans):
            found = announcer.last(min(now, end))
            if found and found.time >= start:
                return found
        return None
