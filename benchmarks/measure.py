"""What every benchmark shares: CPU time, rounds in turns, results with their goals, and the table of them."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK = 1.0 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Result:
    """One line of the table. `met` is None where nothing is asked for."""

    what: str
    measured: str
    goal: str = ""
    met: bool | None = None


def table(results: Iterable[Result]) -> str:
    """Write the results in columns."""
    rows = [("what", "measured", "goal", "")]
    rows += [(r.what, r.measured, r.goal, _verdict(r.met)) for r in results]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _verdict(met: bool | None) -> str:
    return "" if met is None else "met" if met else "MISSED"


def exit_code(results: Iterable[Result]) -> int:
    """Return 1 when a goal was missed."""
    return int(any(result.met is False for result in results))


def ratio(ours: Sequence[float], peer: Sequence[float]) -> float:
    """Return the median of the ratios of rounds that ran side by side: what slows a round slows both."""
    return statistics.median(mine / theirs for mine, theirs in zip(ours, peer, strict=True))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time another process has used so far, from Linux' /proc; the resolution is 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def resident_bytes(pid: int) -> int:
    """Return the memory another process holds now."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
