"""The worst case is one: an adversary who may try at any moment never gets further, and gets as far."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbc_exporter.remediation.gates_history import allowance
from dbc_exporter.remediation.model import Action, Intent, IntentState, Problem, Subject
from dbc_exporter.remediation.past import Past
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.worst_case import lines, most_in_span, worst_case

DAY = 86_400.0
FLEET = 7  # subjects in the brute force
RULE = {
    "name": "vms",
    "kind": "vm",
    "match": {"labels": {"site": "*"}},
    "attempts_per_day": 1_000,
    "cooldown": {"base": 0.001},
    "ladder": [{"action": "restart"}],
}


def made(*budgets: dict[str, Any], **rule: Any) -> Policy:
    fleet = [{"scope": "fleet", **budget} for budget in budgets]
    return Policy.model_validate(
        {"version": "1", "rules": [{**RULE, **rule}], "limits": {"budgets": fleet} if fleet else {}}
    )


def sent(at: int) -> Intent:
    return Intent(
        id="",
        subject=Subject("a" * 64, "vm"),
        machine="a" * 64,
        client="one",
        action=Action.RESTART,
        problem=Problem.HUNG,
        state=IntentState.SETTLING,
        created=float(at),
        sent=float(at),
    )


def allowed(policy: Policy, times: tuple[int, ...], now: int) -> bool:
    """Ask the planner's own count whether one more may be sent now."""
    budgets = policy.limits.budgets
    spent = Past([sent(at) for at in times], budgets, float(now)).spent("one", "a" * 64, ())
    return all(used < allowance(one, FLEET) for one, used in zip(budgets, spent, strict=True))


def most_by_brute_force(policy: Policy, span: int) -> int:
    """Try every pattern of sending and of waiting in that many ticks."""
    best = 0
    todo: list[tuple[tuple[int, ...], int]] = [((), 0)]
    seen: set[tuple[tuple[int, ...], int]] = set()
    while todo:
        times, now = todo.pop()
        if (times, now) in seen or now >= span:
            continue
        seen.add((times, now))
        best = max(best, len(times))
        todo.append((times, now + 1))
        if allowed(policy, times, now):
            todo.append(((*times, now), now))
            best = max(best, len(times) + 1)
    return best


BUDGETS = st.fixed_dictionaries(
    {"window": st.integers(1, 5), "most": st.integers(1, 3)},
    optional={"percent": st.sampled_from([10, 15, 30, 45])},
)


@settings(max_examples=60, deadline=None)
@given(st.lists(BUDGETS, min_size=1, max_size=3), st.integers(1, 6))
def test_no_pattern_of_sending_exceeds_it_and_one_reaches_it(
    budgets: list[dict[str, Any]], span: int
) -> None:
    policy = made(*budgets)
    assert worst_case(policy, FLEET, span) == most_by_brute_force(policy, span)


@pytest.mark.parametrize(
    ("limits", "span", "most"),
    [
        (((2, 600.0),), 600.0, 2),
        (((2, 600.0),), 601.0, 4),
        (((2, 600.0),), 3_600.0, 12),
        (((2, 600.0), (5, 3_600.0)), 3_600.0, 5),
        (((2, 600.0), (5, 3_600.0)), 4_200.0, 7),  # five, and an hour later the first two again
        (((3, 600.0), (1, 250.0)), 600.0, 3),
        (((0, 600.0),), DAY, 0),
    ],
)
def test_budgets_hold_in_every_sliding_window_and_all_at_once(
    limits: tuple[tuple[int, float], ...], span: float, most: int
) -> None:
    assert most_in_span(limits, span) == most


def test_numbers_too_large_to_count_out_are_estimated_from_above() -> None:
    assert most_in_span(((10_000, 1.0),), DAY) == 864_000_000


def test_a_percentage_counts_as_what_it_is_rounded_down_to() -> None:
    policy = made({"window": 600, "most": 50, "percent": 10})
    assert worst_case(policy, 19, 600.0) == 1
    assert worst_case(policy, 9, 600.0) == 0


def test_of_an_unknown_number_of_subjects_a_percentage_bounds_nothing() -> None:
    assert worst_case(made({"window": 600, "most": 50, "percent": 10}), None, 600.0) == 50


def test_attempts_and_cooldown_of_each_subject_bound_a_small_fleet() -> None:
    policy = made({"window": 1, "most": 9_000}, attempts_per_day=3, cooldown={"base": 900})
    assert worst_case(policy, 2, DAY) == 6
    assert worst_case(policy, 2, 600.0) == 2


def test_budgets_of_nodes_or_clients_alone_bound_no_fleet() -> None:
    node = Policy.model_validate(
        {
            "version": "1",
            "rules": [RULE],
            "limits": {"budgets": [{"scope": "node", "window": 60, "most": 1}]},
        }
    )
    assert worst_case(node, None, 600.0) is None
    assert next(lines(node, None)).endswith(
        "any number in 10 min, any number in an hour, any number in a day"
    )


def test_a_policy_without_rules_does_nothing() -> None:
    assert worst_case(Policy(version="1"), None, DAY) == 0


def test_it_is_told_for_ten_minutes_an_hour_and_a_day() -> None:
    assert list(lines(Policy.model_validate({"version": "1", "rules": [RULE]}), None)) == [
        "worst case, were the mode act: at most 2 in 10 min, 5 in an hour, 20 in a day"
    ]
