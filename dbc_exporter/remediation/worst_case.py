"""At most how many actions a policy allows in a span of time, whatever happens. Pure.

A budget of `most` actions in any `window` seconds means that an action and the `most`-th one after it lie at least
`window` apart. Whoever sends each action as early as all budgets allow sends the most; so the bound for the budgets of
the whole fleet together is exact. Modes, evidence and storms only make it fewer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

from dbc_exporter.remediation.gates_history import allowance
from dbc_exporter.remediation.ladder import DAY
from dbc_exporter.remediation.policy import Policy, Rule, Scope

SPANS = {600.0: "10 min", 3_600.0: "an hour", DAY: "a day"}
_COUNTED_OUT = 2_000  # from here on the bound is estimated from above
Limit = tuple[int, float]


def worst_case(policy: Policy, fleet: int | None, span: float) -> int | None:
    """Return the most actions in any span of so many seconds, `None` where nothing bounds them.

    `fleet` is the most subjects there may be (VMs and servers), `None` when that is not known: then neither
    percentages nor the limits of each subject are reckoned with.
    """
    if not policy.rules:
        return 0
    limits = [
        (budget.most if fleet is None else allowance(budget, fleet), budget.window)
        for budget in policy.limits.budgets
        if budget.scope is Scope.FLEET
    ]
    bounds = [most_in_span(tuple(limits), span)] if limits else []
    if fleet is not None:
        bounds.append(fleet * max(most_in_span(_of_subject(rule), span) for rule in policy.rules))
    return min(bounds, default=None)


@lru_cache(maxsize=256)
def most_in_span(limits: Sequence[Limit], span: float) -> int:
    """Return the most events in a span when any `window` seconds hold `most` of them, by several limits at once."""
    if any(most <= 0 for most, _ in limits):
        return 0
    times: list[float] = []
    while len(times) < _COUNTED_OUT:
        earliest = (times[-most] + window for most, window in limits if len(times) >= most)
        at = max([*times[-1:], *earliest], default=0.0)
        if at >= span:
            return len(times)
        times.append(at)
    return min(most * math.ceil(span / window) for most, window in limits)


def _of_subject(rule: Rule) -> tuple[Limit, Limit]:
    """Return the limits of one subject: attempts in a day, and one action per cool-down."""
    return (rule.attempts_per_day, DAY), (1, min(rule.cooldown.base, rule.cooldown.longest))


def lines(policy: Policy, fleet: int | None) -> Iterator[str]:
    """Say it for people."""
    said = (f"{_number(worst_case(policy, fleet, span))} in {name}" for span, name in SPANS.items())
    whom = "" if fleet is None else f" for {fleet} subjects"
    yield f"worst case{whom}, were the mode act: at most {', '.join(said)}"


def _number(most: int | None) -> str:
    return "any number" if most is None else str(most)
