"""Gates about what was done before and what is under way. Pure."""

from __future__ import annotations

from itertools import takewhile

from dbc_exporter.remediation.case import PASS, Answer, Case, Surroundings
from dbc_exporter.remediation.ladder import DAY, rest
from dbc_exporter.remediation.model import Result
from dbc_exporter.remediation.policy import Budget
from dbc_exporter.remediation.problems import NEVER
from dbc_exporter.remediation.reasons import Reason

FIRST_PAUSE = 30.0  # after an action that was given up before it was sent; doubles with each
LONGEST_PAUSE = 900.0


def single_flight(case: Case, around: Surroundings) -> Answer:
    """One action at a time per subject and machine."""
    under_way = around.past.under_way
    for intent in under_way:
        if intent.subject == case.sight.subject:
            return Reason.OPEN_INTENT, f"{intent.action} since {around.now - intent.created:.0f} s"
    for intent in under_way:
        if intent.machine == case.sight.machine:
            return Reason.MACHINE_IN_USE, f"{intent.action} of {intent.subject}"
    return PASS


def cooldown(case: Case, around: Surroundings) -> Answer:
    """Wait longer with each further action on a subject, and with each one that was given up before it was sent."""
    if case.rule is None:
        return PASS
    needed = rest(case.rule.cooldown, case.tries)
    since = max((one.sent for one in case.tried if one.sent is not None), default=NEVER)
    if around.now - since < needed:
        return Reason.COOLING_DOWN, f"{around.now - since:.0f} s of {needed:.0f} s"
    mine = [one for one in around.past.of[case.sight.subject] if one.ended is not None]
    given_up = list(takewhile(lambda one: one.result is Result.CANCELLED, reversed(mine)))
    if given_up:
        needed = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(len(given_up) - 1, 10))
        gone = around.now - (given_up[0].ended or 0.0)
        if gone < needed:
            return Reason.COOLING_DOWN, f"given up {gone:.0f} s of {needed:.0f} s ago"
    return PASS


def attempts(case: Case, around: Surroundings) -> Answer:
    """Count attempts since a person last cleared the subject: they are finite, and then one must look."""
    if case.used_up:
        return Reason.LADDER_EXHAUSTED, f"{case.tries} tries in this episode"
    if case.rule is None:
        return PASS
    today = sum(1 for intent in case.counted if around.now - (intent.sent or 0.0) < DAY)
    if today >= case.rule.attempts_per_day:
        return Reason.ATTEMPTS_USED_UP, f"{today} in 24 h"
    return PASS


def window(case: Case, around: Surroundings) -> Answer:
    """Keep to the maintenance windows of a step that is confined to some."""
    names = case.rung.windows if case.rung else ()
    if not names:
        return PASS
    if any(one.name in names and one.holds(around.snapshot.wall) for one in around.policy.windows):
        return PASS
    return Reason.OUT_OF_WINDOW, ", ".join(names)


def concurrency(case: Case, around: Surroundings) -> Answer:
    """Few actions at once."""
    limits = around.policy.limits.concurrency
    under_way = around.past.under_way
    if len(under_way) >= limits.fleet:
        return Reason.TOO_MANY_AT_ONCE, f"{len(under_way)} of {limits.fleet} in all"
    through = sum(1 for intent in under_way if intent.client == case.sight.client)
    if through >= limits.client:
        return Reason.TOO_MANY_AT_ONCE, f"{through} of {limits.client} through {case.sight.client}"
    return PASS


def budget(case: Case, around: Surroundings) -> Answer:
    """No budget may be spent; what is written down counts, sent or not, until it is cancelled."""
    seen = case.sight
    spent = around.past.spent(seen.client or "", seen.machine, seen.labels)
    for one, used in zip(around.policy.limits.budgets, spent, strict=True):
        most = allowance(one, around.trouble.of)
        if used >= most:
            return Reason.BUDGET_SPENT, f"{used} of {most} per {one.scope} in {one.window:.0f} s"
    return PASS


def allowance(budget: Budget, fleet: int) -> int:
    """Return the most actions a budget allows for a fleet of this size; its percentage rounds down."""
    share = budget.most if budget.percent is None else int(budget.percent * fleet / 100)
    return min(budget.most, share)
