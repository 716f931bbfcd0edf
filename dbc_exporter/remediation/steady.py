"""Time that only goes on: over restarts of the process, whatever is done to the wall clock, and over boots.

What was between two boots only the wall clock knows, as it stands when we begin. One that is ahead then makes steady
time jump ahead for good, however soon it is set right: budgets, cool-downs and attempts of the time before seem over.
One that is behind counts the time we were down in part or not at all: those last longer, and what was remembered
(alerts, the watchdog's word, approvals) seems fresher by as much. So begin after the machine's clock is synchronised.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from dbc_exporter.clock import Clock

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Moment(Struct, frozen=True):
    """One moment by three clocks: steady and monotonic seconds, and the boot that the monotonic clock counts from."""

    steady: float
    monotonic: float
    boot_id: str


class Steady:
    """Steady seconds, going on from a saved moment.

    In the same boot exactly as the monotonic clock goes, which runs on while we are down. After another boot from the
    wall clock, right or wrong, but never backwards. The first ever is the wall clock's.
    """

    def __init__(self, clock: Clock, boot_id: str, saved: Moment | None = None) -> None:
        """Begin now. `boot_id` is "" where the system does not tell; then no boot is the same."""
        self._clock = clock
        self._boot_id = boot_id
        self._begin = clock.monotonic()
        if saved is None:
            self._base = clock.wall()
        elif saved.boot_id == boot_id and boot_id and self._begin >= saved.monotonic:
            self._base = saved.steady + (self._begin - saved.monotonic)
        else:
            self._base = max(saved.steady, clock.wall())

    def now(self) -> float:
        """Return steady seconds."""
        return self._at(self._clock.monotonic())

    def moment(self) -> Moment:
        """Return now in a form that a later process can go on from."""
        monotonic = self._clock.monotonic()
        return Moment(self._at(monotonic), monotonic, self._boot_id)

    def _at(self, monotonic: float) -> float:
        # a sum of a base and what has gone by since never falls by rounding, as a fixed offset would
        return self._base + (monotonic - self._begin)


def boot_id() -> str:
    """Return what names this boot of the machine, "" where the system does not tell."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
