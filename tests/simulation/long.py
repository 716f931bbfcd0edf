"""The long form: a town of 10,000 subjects, 100,000 troubles for each of ten seeds. `python -m tests.simulation.long`.

Each finished seed is a line in the results file; what is there already is not run again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.simulation.run import Plan, simulate
from tests.simulation.town import Size

SIZE = Size(nodes=2400, vms=4, managers=20, servers=20)
# what makes guests bad is rarer by guest than in small towns, or all of it would be one storm
NARROW = (
    "owner_stops",
    "lease_ends",
    "gpu_lost",
    "changes_hands",
    "daemon_restarts",
    "node_freezes",
    "recovers",
)
WIDE = ("process_dies", "stands_still", "killed_by_switch", "policy_off", "clock_steps", "quarantined")
MIX = {
    "hang": 0.18,
    "flap": 0.15,
    "owner_stops": 0.3,
    "owner_stops_what_hangs": 0.5,
    "host_reboots": 0.1,
    "node_freezes": 0.1,
    "node_freezes_under_an_action": 0.5,
    "server_dies": 0.2,
    "power_fails": 0.2,
    "lease_ends": 0.7,
    "ambush": 0,
    **dict.fromkeys((f"ambush_{name}" for name in NARROW), 0.3),
    **dict.fromkeys((f"ambush_{name}" for name in WIDE), 0.01),
    "pause_of_a_node": 0.01,  # its end holds everybody off
    "old_delivery": 4,
    "daemon_restarts": 2,
    "daemon_restarts_under_an_action": 0.1,
    "node_left_out": 1.5,
    "transfer": 1.5,
    "gpu_lost": 1.5,
}
FAULTS = 100_100  # of each seed; a few come too late to happen
LEAST_ACTIONS = 200  # of each seed, or the run proves nothing


def plan_of(seed: int) -> Plan:
    """Return the plan of a seed."""
    return Plan(
        seed=seed, size=SIZE, hours=10, calm=2.5, faults=FAULTS, every=60.0, mix=MIX, wide_an_hour=2.0
    )


def run_one(seed: int) -> dict[str, Any]:
    """Make one run and return its line."""
    logging.disable(logging.CRITICAL)
    shared = Path("/dev/shm")  # noqa: S108 - a file system in memory, where there is one
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as directory:
        report = simulate(plan_of(seed), Path(directory) / "journal")
    return {
        "seed": seed,
        "faults": report.faults.total(),
        "kills": report.kills.total(),
        "actions": dict(sorted(report.acts.items())),
        "results": dict(sorted(report.results.items())),
        "rounds": report.rounds,
        "violations": report.violations,
        "digest": report.digest,
        "seconds": round(time.monotonic() - began),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "kinds": dict(sorted(report.faults.items())),
    }


def commit() -> str:
    """Return the commit that is checked out, with a `+` where files differ from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run(
        [*git, "status", "--porcelain", "-uno", "--", "../../dbc_exporter", "."],
        capture_output=True,
        text=True,
        check=False,
    )
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def table(lines: list[dict[str, Any]]) -> str:
    """Return results as a Markdown table."""
    rows = [
        "| seed | faults | kills | rounds | actions | results | violations | digest | seconds | date | commit |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in sorted(lines, key=lambda line: line["seed"]):
        actions = sum(one["actions"].values())
        by_kind = ", ".join(f"{name} {count}" for name, count in one["actions"].items())
        results = ", ".join(f"{name} {count}" for name, count in one["results"].items())
        rows.append(
            f"| {one['seed']} | {one['faults']:,} | {one['kills']} | {one['rounds']} | {actions} ({by_kind})"
            f" | {results} | {len(one['violations'])} | `{one['digest']}` | {one['seconds']} | {one['date']}"
            f" | {one['commit']} |"
        )
    faults = sum(one["faults"] for one in lines)
    actions = sum(sum(one["actions"].values()) for one in lines)
    wrong = sum(len(one["violations"]) for one in lines)
    rows.append(f"\nIn all {faults:,} faults, {actions:,} actions, {wrong} violations.")
    return "\n".join(rows)


def main() -> int:
    """Run what is not yet in the results, print the table; 1 when a promise was broken or too little happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="seeds 1 to this")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--results", type=Path, default=Path("build/simulation-long.jsonl"))
    given = parser.parse_args()
    given.results.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        [json.loads(line) for line in given.results.read_text().splitlines()]
        if given.results.exists()
        else []
    )
    done = {line["seed"] for line in lines}
    wanted = [seed for seed in range(1, given.seeds + 1) if seed not in done]
    with ProcessPoolExecutor(given.processes) as pool, given.results.open("a") as file:
        for finished in as_completed([pool.submit(run_one, seed) for seed in wanted]):
            line = finished.result()
            lines.append(line)
            file.write(json.dumps(line) + "\n")
            file.flush()
            sys.stdout.write(
                f"seed {line['seed']}: {line['seconds']} s, {len(line['violations'])} violations\n"
            )
            sys.stdout.flush()
    sys.stdout.write(table(lines) + "\n")
    dull = [line["seed"] for line in lines if sum(line["actions"].values()) < LEAST_ACTIONS]
    if dull:
        sys.stdout.write(f"too few actions: seeds {dull}\n")
    return 1 if dull or any(line["violations"] for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
