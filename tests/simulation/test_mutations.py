"""Every guard is needed: without it, or with a limit weaker by one step, a run breaks a promise."""

from __future__ import annotations

import pytest

from tests.simulation.killers import KILLERS, REDUNDANT
from tests.simulation.mutations import MUTANTS
from tests.simulation.search import run_mutant

MOST_REDUNDANT = 2


@pytest.mark.parametrize("name", KILLERS)
def test_a_run_notices_that_a_guard_is_gone_or_weaker(name: str) -> None:
    plan, seed = KILLERS[name]
    assert run_mutant(name, plan, seed).violations


def test_for_every_guard_there_is_such_a_run_but_for_the_few_that_another_one_backs() -> None:
    assert set(KILLERS) | set(REDUNDANT) == set(MUTANTS)
    assert len(REDUNDANT) <= MOST_REDUNDANT
