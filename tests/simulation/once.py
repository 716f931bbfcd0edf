"""One run, for looking into a seed: `python -m tests.simulation.once SEED [PLAN]`. The same seed gives the same line."""

from __future__ import annotations

import dataclasses
import logging
import sys
import tempfile
from pathlib import Path

from tests.simulation.killers import PLANS
from tests.simulation.run import Plan, Report, simulate


def once(plan: Plan) -> Report:
    """Make a run in a directory of its own."""
    shared = Path("/dev/shm")  # noqa: S108 - a file system in memory, where there is one
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as directory:
        return simulate(plan, Path(directory) / "journal")


def main() -> int:
    """Print what came of it; 1 when a promise was broken."""
    logging.disable(logging.CRITICAL)
    seed, name = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    plan = dataclasses.replace(PLANS[name], seed=seed) if name else Plan(seed=seed)
    report = once(plan)
    sys.stdout.write(report.line() + "\n" + "".join(f"  {one}\n" for one in report.violations))
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
