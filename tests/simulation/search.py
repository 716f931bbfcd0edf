"""Looks for runs that notice mutants: `python -m tests.simulation.search [--all] [name ...]`."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.simulation.killers import KILLERS, PLANS, REDUNDANT
from tests.simulation.mutations import MUTANTS
from tests.simulation.run import Report, simulate

SEEDS = 4


def run_mutant(name: str, plan: str, seed: int) -> Report:
    """Run a plan against a mutant, until a promise is broken."""
    shared = Path("/dev/shm")  # noqa: S108 - a file system in memory, where there is one
    with (
        tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as directory,
        MUTANTS[name].applied() as tell,
    ):
        return simulate(dataclasses.replace(PLANS[plan], seed=seed), Path(directory) / "journal", tell)


def hunt(name: str) -> str:
    """Return the first plan and seed that notice a mutant, as a line for `KILLERS`."""
    logging.disable(logging.CRITICAL)
    for seed in range(1, SEEDS + 1):
        for plan in PLANS:
            try:
                report = run_mutant(name, plan, seed)
            except Exception as error:  # noqa: BLE001 - a mutant may break anything
                return f"    {name!r}: ({plan!r}, {seed}),  # {type(error).__name__}: {error}"
            if report.violations:
                return f"    {name!r}: ({plan!r}, {seed}),  # {report.violations[0]}"
    return f"    # {name!r}: nobody notices"


def checked(name: str) -> tuple[str, str, int, str]:
    """Return a mutant with its run and the first promise that run says is broken, "" for none."""
    logging.disable(logging.CRITICAL)
    plan, seed = KILLERS[name]
    violations = run_mutant(name, plan, seed).violations
    return name, plan, seed, violations[0] if violations else ""


def check() -> int:
    """Run every mutant in the run that is to notice it, and print the table; 1 when one does not."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(checked, KILLERS))
    out = ["| guard taken out or weakened | plan | seed | promise broken |", "|---|---|---|---|"]
    out += [f"| {name} | {plan} | {seed} | {said or 'NONE'} |" for name, plan, seed, said in rows]
    out += [f"| {name} | - | - | none: {why} |" for name, why in REDUNDANT.items()]
    killed = sum(bool(said) for *_, said in rows)
    out.append(f"\n{len(MUTANTS)} mutants, {killed} noticed, {len(REDUNDANT)} redundant.")
    sys.stdout.write("\n".join(out) + "\n")
    return 0 if killed + len(REDUNDANT) == len(MUTANTS) else 1


def main() -> int:
    """Hunt, two at a time, or check what is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="run the known ones and print the table")
    parser.add_argument("names", nargs="*", choices=[[], *MUTANTS], default=[])
    parser.add_argument("--all", action="store_true", help="also those for which a run is known")
    given = parser.parse_args()
    if given.check:
        return check()
    wanted = given.names or [name for name in MUTANTS if given.all or name not in KILLERS]
    with ProcessPoolExecutor(2) as pool:
        for done in as_completed([pool.submit(hunt, name) for name in wanted]):
            sys.stdout.write(done.result() + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
