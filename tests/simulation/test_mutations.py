"""Guards are needed: without one, or with a limit weaker by one step, a run breaks a promise."""

from __future__ import annotations

import dataclasses

import pytest

from tests.simulation.killers import KILLERS, PLANS, REDUNDANT
from tests.simulation.mutations import MUTANTS
from tests.simulation.once import once
from tests.simulation.search import run_mutant

MOST_REDUNDANT = 2


@pytest.mark.parametrize("name", KILLERS)
def test_a_run_notices_that_a_guard_is_gone_or_weaker(name: str) -> None:
    plan, seed = KILLERS[name]
    assert run_mutant(name, plan, seed).violations


@pytest.mark.parametrize(("plan", "seed"), sorted(set(KILLERS.values())))
def test_with_all_guards_that_run_breaks_no_promise(plan: str, seed: int) -> None:
    assert once(dataclasses.replace(PLANS[plan], seed=seed)).violations == []


def test_every_guard_has_such_a_run_but_for_the_few_that_another_one_backs() -> None:
    known = [*KILLERS, *REDUNDANT]
    assert sorted(known) == sorted(MUTANTS)
    assert len(REDUNDANT) <= MOST_REDUNDANT
