"""When remediation stops itself: its actions do not help, or nobody knows what became of them. Pure."""

from __future__ import annotations

from dbc_exporter.remediation.model import IntentState, Result, View
from dbc_exporter.remediation.policy import Policy

_JUDGED = frozenset({Result.RECOVERED, Result.INEFFECTIVE})


def trips(view: View, policy: Policy, now: float, cleared: float) -> str:
    """Return why the breaker must open now, "" when it must not.

    Only what ended after `cleared`, the last time a person closed it, is held against it.
    """
    limits = policy.limits.breaker
    begin = max(cleared, now - limits.window)
    ended = [one for one in view.intents if one.ended is not None and one.ended >= begin]
    judged = [one for one in ended if one.result in _JUDGED]
    failed = sum(1 for one in judged if one.result is Result.INEFFECTIVE)
    if len(judged) >= limits.least and failed * 100 >= limits.ineffective_percent * len(judged):
        return f"{failed} of the last {len(judged)} actions had no effect"
    unclear = sum(1 for one in ended if one.result is Result.UNRESOLVED)
    unclear += sum(1 for one in view.intents if one.state is IntentState.AMBIGUOUS)
    if unclear >= limits.ambiguous:
        return f"of {unclear} actions nobody knows the outcome"
    return ""
