"""What a round of remediation costs when nothing is wrong: 10,000 VMs on 2,500 nodes. CPU time of this process.

python -m benchmarks.decide [--rounds 15]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Result, exit_code, table
from benchmarks.remediation_fleet import INTERVAL, NODES, VMS_A_NODE, Fleet, policy
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.own_remediation import RemediationMetrics
from dbc_exporter.remediation.build import Ground, Running, assemble
from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.loop import ROUND_SECONDS
from dbc_exporter.remediation.model import Snapshot, Verdict, View

GOAL_SECONDS = 0.250


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds that something takes."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


async def measure(rounds: int, directory: Path) -> dict[str, list[float]]:
    """Measure in turns."""
    fleet = Fleet()
    running = _assembled(fleet, directory)
    decided = running.loop.loaded.policy
    news = round(NODES * ROUND_SECONDS / INTERVAL)
    took: dict[str, list[float]] = {"decide": [], "nothing new": [], "one round's polls": [], "whole": []}
    await running.loop.round()  # the first one looks at everything
    for turn in range(rounds):
        snapshot = running.evidence.snapshot()
        took["decide"].append(cpu(lambda: decide(snapshot, View(), decided, running.loop.now())))  # noqa: B023 (at once)
        took["nothing new"].append(cpu(lambda: _look_and_decide(running)))
        for place in range(news):
            fleet.read(fleet.targets[(turn * news + place) % NODES])
        took["one round's polls"].append(cpu(lambda: _look_and_decide(running)))
        begin = time.process_time()
        await running.loop.round()
        took["whole"].append(time.process_time() - begin)
    _check(running.loop.snapshot, running)
    await running.stop()
    return took


def _assembled(fleet: Fleet, directory: Path) -> Running:
    metrics = RemediationMetrics(OwnMetrics(version="", python=""))
    return assemble(
        directory,
        policy(),
        Ground(fleet.pool, lambda: fleet.targets),
        store=fleet.store,
        clock=fleet.clock,
        intervals={"tasks": INTERVAL},
        metrics=metrics,
    )


def _look_and_decide(running: Running) -> None:
    decide(running.evidence.snapshot(), View(), running.loop.loaded.policy, running.loop.now())


def _check(snapshot: Snapshot | None, running: Running) -> None:
    """Make sure that everything was looked at and all is well."""
    assert snapshot is not None
    assert len(snapshot.sights) == NODES * VMS_A_NODE
    assert {one.verdict for one in running.loop.decisions.values()} == {Verdict.HEALTHY}


def run(rounds: int = 15) -> list[Result]:
    """Measure, print the details and return the lines of the table."""
    with tempfile.TemporaryDirectory() as directory:
        took = asyncio.run(measure(rounds, Path(directory)))
    print(f"CPU of a round over {NODES * VMS_A_NODE:,} VMs on {NODES:,} nodes, median of {rounds}")
    said = {
        "decide": "decide alone",
        "nothing new": "snapshot and decide, nothing new",
        "one round's polls": "snapshot and decide, 1 of 20 nodes polled anew",
        "whole": "a whole round: journal, history and metrics too",
    }
    for name, what in said.items():
        print(
            f"  {what:48} {1000 * statistics.median(took[name]):5.0f} ms, most {1000 * max(took[name]):5.0f} ms"
        )
    results = []
    for name in ("decide", "nothing new"):
        median = statistics.median(took[name])
        goal = f"at most {1000 * GOAL_SECONDS:.0f} ms"
        results.append(Result(f"CPU: {said[name]}", f"{1000 * median:.0f} ms", goal, median <= GOAL_SECONDS))
    whole = f"{1000 * statistics.median(took['whole']):.0f} ms"
    return [*results, Result("CPU: a whole round of remediation", whole)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    results = run(parser.parse_args().rounds)
    print(table(results))
    return exit_code(results)


if __name__ == "__main__":
    sys.exit(main())
