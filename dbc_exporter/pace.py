"""The arithmetic of gentle polling: for a fleet, its clients and credentials, how old each collector's data will be.

Pure: no clock, no network. `check-config` prints it, the scheduler's lanes follow the same formula.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dbc_exporter.dbc.lanes import UTILISATION, width_for


@dataclass(frozen=True, slots=True)
class Load:
    """What one collector asks: targets polled per interval, calls of its lane's kind per target, seconds per call."""

    collector: str
    lane: str
    targets: int
    calls_per_target: float
    interval_seconds: float
    latency_seconds: float

    @property
    def work(self) -> float:
        """Return the seconds of answering that one round of all targets takes."""
        return self.targets * self.calls_per_target * self.latency_seconds


@dataclass(frozen=True, slots=True)
class Prediction:
    """What to expect of one collector at one client.

    `in_flight` is what its lane needs (shared by the collectors of the lane), `round_seconds` the time between two
    polls of one target, `age_seconds` the oldest a healthy target's data gets.
    """

    load: Load
    in_flight: int
    round_seconds: float
    age_seconds: float

    @property
    def stretched(self) -> bool:
        """Tell whether the clients cannot keep the configured interval."""
        return self.round_seconds > self.load.interval_seconds


def predict(
    loads: Sequence[Load], clients: int, *, per_kind: int = 16, in_total: int = 48
) -> list[Prediction]:
    """Predict rounds and ages when `clients` share the loads evenly, within their caps.

    A lane that needs more than its cap stretches the intervals of its collectors alike. One in flight per lane is
    always granted; lanes that together need more than a client's total are cut in proportion.
    """
    demand: dict[str, float] = defaultdict(float)
    latency: dict[str, float] = {}
    for load in loads:
        demand[load.lane] += load.work / load.interval_seconds / clients
        latency[load.lane] = max(latency.get(load.lane, 0.0), load.latency_seconds)
    widths = {lane: width_for(busy, 1.0, per_kind) for lane, busy in demand.items()}
    squeeze = min(1.0, in_total / sum(widths.values())) if widths else 1.0
    predictions = []
    for load in loads:
        granted = max(1, math.floor(widths[load.lane] * squeeze))
        stretch = max(1.0, demand[load.lane] / (granted * UTILISATION))
        every = load.interval_seconds * stretch
        visit = load.calls_per_target * load.latency_seconds
        predictions.append(Prediction(load, granted, every, every + visit + latency[load.lane]))
    return predictions


def table(predictions: Sequence[Prediction], unavailable: Mapping[str, str] | None = None) -> str:
    """Write predictions as a table for people; `unavailable` adds collectors that poll nothing, with the reason."""
    head = ("collector", "targets", "calls", "interval", "in flight", "every", "oldest data")
    rows = [
        (
            p.load.collector,
            str(p.load.targets),
            f"{p.load.calls_per_target:g}",
            _time(p.load.interval_seconds),
            str(p.in_flight),
            _time(p.round_seconds) + (" (stretched)" if p.stretched else ""),
            _time(p.age_seconds),
        )
        for p in predictions
    ]
    rows += [(name, "0", "", "", "", reason, "") for name, reason in (unavailable or {}).items()]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    return "\n".join(lines)


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 -- where minutes read better
