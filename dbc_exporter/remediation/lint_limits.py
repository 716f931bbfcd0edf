"""Contradictions in the limits for the whole fleet, and in how alerts are taken. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dbc_exporter.remediation.findings import Finding, error, warning
from dbc_exporter.remediation.policy import Budget, Policy, Scope
from dbc_exporter.remediation.worst_case import worst_case


def of_limits(policy: Policy) -> Iterator[Finding]:
    """Find limits that bind nothing, or never."""
    yield from _budgets(policy.limits.budgets)
    concurrency, breaker = policy.limits.concurrency, policy.limits.breaker
    if concurrency.client > concurrency.fleet:
        yield warning(("limits", "concurrency", "client"), "is more than fleet, so it never binds; lower it")
    if policy.rules:
        most = worst_case(policy, None, breaker.window)
        if most is not None and most < breaker.least:
            text = f"is never reached: the budgets allow {most} in limits.breaker.window; lower it"
            yield warning(("limits", "breaker", "least"), text)


def of_alerts(policy: Policy) -> Iterator[Finding]:
    """Find alerts that would be forgotten while they fire."""
    if policy.alerts.expire <= policy.alerts.max_silence:
        text = "must be more than max_silence, or alerts are forgotten while they fire; raise it"
        yield error(("alerts", "expire"), text)


def _budgets(budgets: tuple[Budget, ...]) -> Iterator[Finding]:
    if not any(budget.scope is Scope.FLEET for budget in budgets):
        yield error(("limits", "budgets"), "none is for the whole fleet; add one with scope: fleet")
    for index, budget in enumerate(budgets):
        at = ("limits", "budgets", index)
        if (budget.scope is Scope.DOMAIN) is (budget.label is None):
            text = "a label belongs to scope: domain, and to nothing else; add or remove it"
            yield error(at, text)
        other = _stricter(budgets, index)
        if other is not None:
            yield warning(at, f"never binds beside limits.budgets[{other}]; remove it or make it stricter")


def _stricter(budgets: tuple[Budget, ...], index: int) -> int | None:
    """Return another budget that already implies this one; of two alike the later one is superfluous."""
    for number, other in enumerate(budgets):
        if number == index or not _implies(other, budgets[index]):
            continue
        if number < index or not _implies(budgets[index], other):
            return number
    return None


def _implies(one: Budget, other: Budget) -> bool:
    """Tell whether nothing that keeps to one budget can break the other, whatever the size of the fleet."""
    alike = (one.scope, one.label) == (other.scope, other.label)
    if not alike and one.scope is not Scope.FLEET:
        return False
    times = math.ceil(other.window / one.window)
    if times * one.most > other.most:
        return False
    return other.percent is None or (one.percent is not None and times * one.percent <= other.percent)
