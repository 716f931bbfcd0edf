"""One stage alone, for who writes a case: `python -m tests.monitoring.behaviour.one "too large a fleet"`.

Prints its rows of the table and what else fired; the healthy week and other stages are left to the tests.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.monitoring.behaviour.outcomes import outcomes
from tests.monitoring.behaviour.scenes import STAGES
from tests.monitoring.behaviour.table import as_promised, row, written


def main() -> int:
    """Play it; 1 when something is not as promised."""
    stages = {stage.name: stage for stage in STAGES}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=stages)
    stage = stages[parser.parse_args().stage]
    with tempfile.TemporaryDirectory() as directory:
        outcome, blinded = outcomes(stage, Path(directory))
    rows = [row(case, outcome, blinded, week=()) for case in stage.cases]
    surplus = [f"{one.stage.name}: {firing}" for one in (outcome, *blinded) for firing in one.surplus()]
    sys.stdout.write("\n".join([written(rows), *surplus, ""]))
    return 0 if as_promised(rows) and not surplus else 1


if __name__ == "__main__":
    sys.exit(main())
