"""Time that only goes on: over restarts of the process and of the machine, whatever is done to the wall clock."""

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
    wall clock, but never backwards. The first ever is the wall clock's.
    """

    def __init__(self, clock: Clock, boot_id: str, saved: Moment | None = None) -> None:
        self._clock = clock
        self._boot_id = boot_id
        monotonic = clock.monotonic()
        if saved is None:
            begin = clock.wall()
        elif saved.boot_id == boot_id and boot_id and monotonic >= saved.monotonic:
            begin = saved.steady + (monotonic - saved.monotonic)
        else:
            begin = max(saved.steady, clock.wall())
        self._offset = begin - monotonic

    def now(self) -> float:
        """Return steady seconds."""
        return self._clock.monotonic() + self._offset

    def moment(self) -> Moment:
        """Return now in a form that a later process can go on from."""
        monotonic = self._clock.monotonic()
        return Moment(monotonic + self._offset, monotonic, self._boot_id)


def boot_id() -> str:
    """Return what names this boot of the machine, "" where the system does not tell."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
