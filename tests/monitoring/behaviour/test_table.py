"""The table says no where something is not as promised."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.monitoring.behaviour.rules import Firing
from tests.monitoring.behaviour.stage import Case, Stage
from tests.monitoring.behaviour.table import Outcome, Vanished, row

CASE = Case("DbcX", labels=({"node_id": "gpu-1"},), within=300, ends_within=60)
STAGE = Stage("one", fleet={}, cases=(CASE,), begins=600, ends=1200)
FIRING = Firing("DbcX", {"job": "dbc", "node_id": "id"}, first=900, last=1200, times=11)
LASTING = replace(FIRING, last=4800, times=131)
GOOD = Outcome(STAGE, {"gpu-1": "id"}, 30, [FIRING], [Vanished([LASTING], 4800)])
ELSEWHERE = replace(FIRING, labels={"job": "dbc", "node_id": "other"})
TROUBLE = replace(GOOD, stage=replace(STAGE, cases=()), fired=[])
FIRES, STAYS, RESOLVES, WEEK, ONCE = range(5)


def noes(outcome: Outcome = GOOD, trouble: Outcome = TROUBLE, week: tuple[Firing, ...] = ()) -> set[int]:
    cells = row(CASE, outcome, [trouble], week)[1:]
    return {number for number, cell in enumerate(cells) if not cell.startswith("yes")}


def test_all_is_as_promised() -> None:
    assert noes() == set()


@pytest.mark.parametrize(
    ("fired", "expected"),
    [
        ([], {FIRES, RESOLVES}),
        ([replace(FIRING, first=930, times=10)], {FIRES}),
        ([replace(FIRING, first=570, times=22)], {FIRES}),
        ([replace(FIRING, times=9)], {FIRES, RESOLVES}),
        ([replace(FIRING, last=1260, times=13)], {RESOLVES}),
        ([replace(FIRING, last=1140, times=9)], {RESOLVES}),
        ([ELSEWHERE], {FIRES, RESOLVES}),
        ([FIRING, ELSEWHERE], {FIRES, RESOLVES}),
    ],
    ids=["never", "late", "early", "with a break", "for too long", "not to the end", "elsewhere", "twice"],
)
def test_it_fires_from_soon_after_the_beginning_until_soon_after_the_end(
    fired: list[Firing], expected: set[int]
) -> None:
    assert noes(replace(GOOD, fired=fired)) == expected


@pytest.mark.parametrize(
    "lasting",
    [[], [replace(LASTING, last=4770, times=130)], [replace(LASTING, times=130)], [LASTING, ELSEWHERE]],
    ids=["not at all", "not to the end", "with a break", "another begins"],
)
def test_it_goes_on_for_an_hour_without_data(lasting: list[Firing]) -> None:
    assert noes(replace(GOOD, vanished=[Vanished(lasting, 4800)])) == {STAYS}


def test_it_is_silent_in_the_week_and_in_clients_troubles() -> None:
    assert noes(week=(FIRING,)) == {WEEK}
    assert noes(trouble=replace(TROUBLE, fired=[FIRING])) == {ONCE}


def test_what_no_case_speaks_of_is_surplus() -> None:
    assert replace(GOOD, fired=[FIRING, ELSEWHERE]).surplus() == [ELSEWHERE]
