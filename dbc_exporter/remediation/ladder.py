"""Which step of a ladder comes next, by what the journal knows was tried. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dbc_exporter.remediation.model import Intent, Problem, Result
from dbc_exporter.remediation.policy import Cooldown, Rule, Rung
from dbc_exporter.remediation.problems import rungs_for

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Position:
    """Where a subject stands on a ladder: `rung` is the step at hand; used up, a person must look."""

    rung: Rung | None
    used_up: bool
    tries: int  # actions of this episode, of any step


def episode(tried: Sequence[Intent], rule: Rule, since: float) -> list[Intent]:
    """Return the actions of the episode at hand, newest first: the chain without a long healthy time between.

    `tried` are the subject's intents that were sent, oldest first; `since` is when the problem was there again.
    """
    mine: list[Intent] = []
    later = since
    for intent in reversed(tried):
        ended = intent.sent if intent.ended is None else intent.ended
        if ended is None or later - ended >= rule.healthy_period:
            break
        mine.append(intent)
        later = intent.created
    return mine


def position(mine: Sequence[Intent], rule: Rule, problem: Problem) -> Position:
    """Return the step at hand. The next one is reached only by a step that was seen to have failed.

    `mine` is the episode, newest first. A step whose tries are used up without that proof ends the ladder: nobody
    knows what a stronger action would do to a subject whose last one may have worked.
    """
    rungs = rungs_for(rule, problem)
    for rung in rungs:
        at = [intent for intent in mine if intent.action is rung.action]
        if len(at) < rung.attempts:
            return Position(rung, used_up=False, tries=len(mine))
        if at[0].result is not Result.INEFFECTIVE:
            return Position(rung, used_up=True, tries=len(mine))
    return Position(rungs[-1] if rungs else None, used_up=bool(rungs), tries=len(mine))


def rest(cooldown: Cooldown, tries: int) -> float:
    """Return the seconds between an action, the `tries`-th of its episode, and the next one."""
    growth = math.log(cooldown.factor) * max(0, tries - 1)
    if growth >= math.log(cooldown.longest) - math.log(cooldown.base):  # logarithms, as powers would overflow
        return cooldown.longest
    return cooldown.base * math.exp(growth)
