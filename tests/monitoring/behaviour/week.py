"""A week in which nothing goes wrong: 20 nodes, all of whose alerts must be silent.

Everything is polled, looked at and judged more rarely than by default, which makes a week affordable. The alerts'
waiting times follow the intervals, and rules must be evaluated at least every five minutes (docs/alerts.md).
"""

from __future__ import annotations

from tests.monitoring.behaviour.scenarios_clients import POLICY
from tests.monitoring.behaviour.scenarios_machines import MACHINES
from tests.monitoring.behaviour.stage import HOUR, Stage

STEP = 288.0
"""Seconds between two scrapes, and between two evaluations."""

TICK = 48.0
DAY = 24 * HOUR
INTERVALS = {
    "client": 240, "node": 144, "orders": 3600, "tasks": 3600, "vms": 14400, "disks": 86400, "snapshots": 86400,
    "images": 14400, "transfers": 1800, "lan": 14400, "bare_metal": 3600, "power": 3600,
}  # fmt: skip
RENTED, FREE = MACHINES.fleet["compute"]

WEEK = Stage(
    "healthy week",
    fleet={
        **MACHINES.fleet,
        "compute": [{**RENTED, "count": 12}, {**FREE, "count": 8}],
        "latency": {"authenticated": ["2s", "8s"]},
    },
    cases=(),
    length=7 * DAY,
    settings={"collectors": {name: {"interval_seconds": seconds} for name, seconds in INTERVALS.items()}},
    policy=POLICY,
)
