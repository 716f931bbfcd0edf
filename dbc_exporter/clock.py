"""Clocks are injected, so that tests and the simulator can run in virtual time."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The two times a part may ask for."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never steps. For durations, deadlines and due times."""

    def wall(self) -> float:
        """Unix time in seconds; may step. For timestamps shown to people only."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Return `time.monotonic()`, the clock asyncio's own loop uses."""
        return time.monotonic()

    def wall(self) -> float:
        """Return `time.time()`."""
        return time.time()
