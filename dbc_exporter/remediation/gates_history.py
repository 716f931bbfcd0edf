"""Gates about what was done before and what is under way. Pure."""

from __future__ import annotations

from dbc_exporter.remediation.case import PASS, Answer, Case, Surroundings
from dbc_exporter.remediation.ladder import DAY, rest
from dbc_exporter.remediation.model import Intent, Sight
from dbc_exporter.remediation.policy import Budget, Scope
from dbc_exporter.remediation.reasons import Reason


def single_flight(case: Case, around: Surroundings) -> Answer:
    """One action at a time per subject and machine."""
    for intent in around.intents:
        if intent.open and intent.subject == case.sight.subject:
            return Reason.OPEN_INTENT, f"{intent.action} since {around.now - intent.created:.0f} s"
    for intent in around.intents:
        if intent.open and intent.machine == case.sight.machine:
            return Reason.MACHINE_IN_USE, f"{intent.action} of {intent.subject}"
    return PASS


def cooldown(case: Case, around: Surroundings) -> Answer:
    """Each further action on a subject waits longer."""
    if case.rule is None or not case.tried:
        return PASS
    gone = around.now - max(intent.sent or 0.0 for intent in case.tried)
    needed = rest(case.rule.cooldown, case.tries)
    return PASS if gone >= needed else (Reason.COOLING_DOWN, f"{gone:.0f} s of {needed:.0f} s")


def attempts(case: Case, around: Surroundings) -> Answer:
    """Count attempts: they are finite, and then a person must look."""
    if case.used_up:
        return Reason.LADDER_EXHAUSTED, f"{case.tries} tries in this episode"
    if case.rule is None:
        return PASS
    today = sum(1 for intent in case.tried if around.now - (intent.sent or 0.0) < DAY)
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
    under_way = [intent for intent in around.intents if intent.open]
    if len(under_way) >= limits.fleet:
        return Reason.TOO_MANY_AT_ONCE, f"{len(under_way)} of {limits.fleet} in all"
    through = sum(1 for intent in under_way if intent.client == case.sight.client)
    if through >= limits.client:
        return Reason.TOO_MANY_AT_ONCE, f"{through} of {limits.client} through {case.sight.client}"
    return PASS


def budget(case: Case, around: Surroundings) -> Answer:
    """No budget may be spent; what is written down counts, sent or not, until it is cancelled."""
    fleet = around.trouble.of
    for one in around.policy.limits.budgets:
        spent = sum(
            1
            for intent in around.intents
            if around.now - _counted(intent) < one.window and _same(one, intent, case.sight)
        )
        most = allowance(one, fleet)
        if spent >= most:
            return Reason.BUDGET_SPENT, f"{spent} of {most} per {one.scope} in {one.window:.0f} s"
    return PASS


def allowance(budget: Budget, fleet: int) -> int:
    """Return the most actions a budget allows for a fleet of this size; its percentage rounds down."""
    share = budget.most if budget.percent is None else int(budget.percent * fleet / 100)
    return min(budget.most, share)


def _counted(intent: Intent) -> float:
    if intent.sent is not None:
        return intent.sent
    return intent.created if intent.open else float("-inf")


def _same(budget: Budget, intent: Intent, sight: Sight) -> bool:
    if budget.scope is Scope.CLIENT:
        return intent.client == sight.client
    if budget.scope is Scope.NODE:
        return intent.machine == sight.machine
    if budget.scope is Scope.DOMAIN:
        return dict(intent.domains).get(budget.label or "") == dict(sight.labels).get(budget.label or "")
    return True
