"""How many requests of one kind may be in flight at one DBC client.

The server keeps one time-out handler per *kind* of request: when any request of a kind finishes, the others of that
kind lose their time-out, and one of them that is never answered keeps a session of the client for good. With one
request in flight nothing can be lost, so that is what a lane allows wherever it suffices; more only as far as the
asked-for pace needs, and back to one as soon as several requests stay silent.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

UTILISATION = 0.9  # plan lanes this full; the rest absorbs silent nodes
SILENCES = 2  # this many silent requests close together are an incident
CLOSE_TOGETHER_SECONDS = 60.0
PAUSE_FIRST_SECONDS = 15.0
PAUSE_LONGEST_SECONDS = 120.0
SLOWER, FASTER = 1.03, 0.99  # steps of the latency estimate: it settles at the third quartile


def width_for(requests_per_second: float, latency_seconds: float, cap: int) -> int:
    """Return how many requests must be in flight to keep a pace: Little's law, between 1 and `cap`."""
    return max(1, min(cap, math.ceil(requests_per_second * latency_seconds / UTILISATION - 1e-9)))


@dataclass(slots=True)
class Lane:
    """One kind of request at one client: its pace, its latency, and whether it is in trouble.

    `demand` maps a collector's name to the requests per second it asks of this lane.
    """

    kind: str
    cap: int
    latency_seconds: float
    authenticated: bool = False
    demand: dict[str, float] = field(default_factory=dict)
    in_flight: int = 0
    paused_until: float = 0.0
    _silences: deque[float] = field(default_factory=deque)
    _pause_seconds: float = 0.0

    def load(self) -> float:
        """Return how much of the lane's cap the demand fills; over 1 the intervals cannot be kept."""
        return sum(self.demand.values()) * self.latency_seconds / UTILISATION / self.cap

    def wanted(self) -> int:
        """Return the width the demand needs in good times."""
        return width_for(sum(self.demand.values()), self.latency_seconds, self.cap)

    def limit(self, now: float) -> int:
        """Return how many requests may be in flight now."""
        return 1 if self.incident(now) else self.wanted()

    def incident(self, now: float) -> bool:
        """Tell whether several requests were silent lately."""
        while self._silences and self._silences[0] < now - CLOSE_TOGETHER_SECONDS:
            self._silences.popleft()
        return len(self._silences) >= SILENCES

    def may_start(self, now: float) -> bool:
        """Tell whether one more request may be sent now."""
        return now >= self.paused_until and self.in_flight < self.limit(now)

    def answered(self, seconds: float) -> None:
        """Take note of an answer and how long it took.

        The estimate follows the third quartile and not the mean: one answer that waited for a thawing node must not
        widen the lane for hundreds of others.
        """
        self.latency_seconds *= SLOWER if seconds > self.latency_seconds else FASTER
        self._pause_seconds = 0.0
        self.paused_until = 0.0

    def silent(self, now: float) -> None:
        """Take note of a request that got no answer in time, or is overdue."""
        self._silences.append(now)

    def slow_down(self, now: float) -> None:
        """Pause the lane, longer each time in a row: authenticated calls fail when the chain does."""
        self._pause_seconds = min(PAUSE_LONGEST_SECONDS, max(PAUSE_FIRST_SECONDS, self._pause_seconds * 2))
        self.paused_until = now + self._pause_seconds
