"""Contradictions in windows, rules and ladders. Pure.

The policy's own mode is not looked at: a policy that begins with `dry_run` is judged as if it were to act.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

from dbc_exporter.config.problems import Path
from dbc_exporter.remediation.findings import Finding, error, warning
from dbc_exporter.remediation.ladder import rest
from dbc_exporter.remediation.model import CURES, Action, Mode, Problem, lowest
from dbc_exporter.remediation.policy import Match, Policy, Rule, Rung
from dbc_exporter.remediation.verify import PATIENCE

_OF_VMS = frozenset({Action.RESTART, Action.FORCE_RESTART, Action.START})
_HARD = frozenset({Action.FORCE_RESTART, Action.POWER_RESET})
_BY_ALERT = frozenset({Problem.HUNG, Problem.DEAD})
_BY_STATE = frozenset({Action.START, Action.POWER_ON})
_POLLED = {"vm": ("tasks", "orders"), "server": ("power",)}
_WITNESSES = 2


def of_windows(policy: Policy) -> Iterator[Finding]:
    """Find windows that are named twice, never hold, or are used by nothing."""
    names = Counter(window.name for window in policy.windows)
    used = {name for rule in policy.rules for rung in rule.ladder for name in rung.windows}
    for index, window in enumerate(policy.windows):
        at: Path = ("windows", index)
        if names[window.name] > 1:
            yield error((*at, "name"), f"{window.name} is given twice; give each its own name")
        if window.begin == window.end:
            yield error(at, 'begins when it ends; write another time, or "00:00" to "24:00"')
        elif (window.begin, window.end) in (("24:00", "00:00"), ("24:00", "0:00")):
            yield error(at, 'never holds; a day begins with "00:00"')
        if window.name not in used:
            yield warning(at, "is named by no step, so nothing is confined to it; name it or remove it")


def of_rules(policy: Policy) -> Iterator[Finding]:
    """Find what contradicts itself in each rule."""
    names = Counter(rule.name for rule in policy.rules)
    for index, rule in enumerate(policy.rules):
        at: Path = ("rules", index)
        if names[rule.name] > 1:
            yield error((*at, "name"), f"{rule.name} is given twice; give each its own name")
        yield from _match(at, rule)
        yield from _ladder(at, rule)
        yield from _tries(at, rule)
        for step, rung in enumerate(rule.ladder):
            yield from _rung((*at, "ladder", step), rung, rule, policy)
        yield from _alerts(at, rule, policy)
        if rule.kind == "vm" and not rule.only_dbc_vms and any(acts(rule, rung) for rung in rule.ladder):
            text = (
                "is false, so a person must approve every step; vouch for the hosts, or write mode: approve"
            )
            yield warning((*at, "only_dbc_vms"), text)


def against_polling(policy: Policy, intervals: Mapping[str, float]) -> Iterator[Finding]:
    """Find times that do not fit how often is looked; `intervals` has seconds by collector."""
    for index, rule in enumerate(policy.rules):
        polled = {name: intervals[name] for name in _POLLED[rule.kind] if name in intervals}
        if not polled:
            continue
        seen_every = intervals.get(_POLLED[rule.kind][0], 0.0)
        by_state = any(rung.action in _BY_STATE for rung in rule.ladder)
        if by_state and rule.hold < 2 * seen_every:
            text = f"is under two readings, which are {seen_every:g} s apart; raise it or poll more often"
            yield warning(("rules", index, "hold"), text)
        name, slowest = max(polled.items(), key=lambda item: item[1])
        if rule.max_age <= slowest:
            text = f"is not over the {slowest:g} s between readings of {name}, most of which are too old; raise it"
            yield warning(("rules", index, "max_age"), text)


def acts(rule: Rule, rung: Rung) -> bool:
    """Tell whether a step may be taken without a person where the policy's mode is `act`."""
    return lowest(rule.mode, rung.mode) is Mode.ACT


def _match(at: Path, rule: Rule) -> Iterator[Finding]:
    if _empty(rule.match):
        yield error((*at, "match"), "means nobody; name ids, tasks or labels")
    elif rule.never == rule.match:
        yield error((*at, "never"), "takes back all of match, so the rule means nobody; make it narrower")
    for key, part in (("match", rule.match), ("never", rule.never)):
        if rule.kind == "server" and part.tasks:
            yield error((*at, key, "tasks"), "means VMs, and this is a rule for servers; remove it")


def _empty(match: Match) -> bool:
    return not (match.ids or match.tasks or match.labels)


def _ladder(at: Path, rule: Rule) -> Iterator[Finding]:
    at = (*at, "ladder")
    actions = [rung.action for rung in rule.ladder]
    for action, count in Counter(actions).items():
        if count > 1:
            yield error(at, f"{action} is given twice; raise its attempts instead")
        if (action in _OF_VMS) is not (rule.kind == "vm"):
            yield error(at, f"{action} is no action on a {rule.kind}; remove it")
    order = list(Action)
    for problem in Problem:
        against = [action for action in actions if CURES[action] is problem]
        for first, second in pairwise(against):
            if order.index(first) > order.index(second):
                yield error(at, f"{second} is milder than {first}; put it first")
    if Action.FORCE_RESTART in actions and Action.RESTART not in actions:
        yield error(at, "force_restart would cut power before anything milder was tried; add a restart first")


def _tries(at: Path, rule: Rule) -> Iterator[Finding]:
    """Find a ladder that a day is too short for, or whose tries are forgotten before the next one."""
    for problem in Problem:
        tries = sum(rung.attempts for rung in rule.ladder if CURES[rung.action] is problem)
        if tries > rule.attempts_per_day:
            text = f"ends a ladder of {tries} tries against {problem} early; raise it or shorten the ladder"
            yield warning((*at, "attempts_per_day"), text)
    cooldown = rule.cooldown
    if cooldown.longest < cooldown.base:
        yield error((*at, "cooldown", "longest"), "is under base; raise it")
    most = min(rule.attempts_per_day, sum(rung.attempts for rung in rule.ladder))
    between = rest(cooldown, most - 1)
    if most > 1 and between >= rule.healthy_period:
        text = f"is not over the {between:.0f} s between two tries, so the ladder would begin anew; raise it"
        yield error((*at, "healthy_period"), text)


def _rung(at: Path, rung: Rung, rule: Rule, policy: Policy) -> Iterator[Finding]:
    windows = {window.name for window in policy.windows}
    for name in rung.windows:
        if name not in windows:
            yield error((*at, "windows"), f"{name} is no window of this policy; add it to windows")
    takes = rung.settle + rung.stable
    if rule.cooldown.base < takes:
        text = f"settle and stable take {takes:.0f} s, longer than the cool-down; raise cooldown.base"
        yield error((*at, "settle"), text)
    if takes > policy.limits.ambiguous_hold:
        text = f"settle and stable take {takes:.0f} s, longer than limits.ambiguous_hold; raise that"
        yield error((*at, "settle"), text)
    if not acts(rule, rung):
        return
    if rung.action in _HARD:
        text = f"{rung.action} cuts power hard, and what was not yet written is lost; consider mode: approve"
        yield warning((*at, "mode"), text)
    if rung.witness is None and rung.action is not Action.POWER_ON:
        yield warning((*at, "witness"), "names no alert, so a person must approve each time; name one")


def _alerts(at: Path, rule: Rule, policy: Policy) -> Iterator[Finding]:
    """Find alerts that prove nothing, or that stand in a step's way whenever its evidence is there."""
    watchdog = policy.alerts.watchdog
    always = f"{watchdog} is the watchdog, which always fires; name an alert of a probe"
    if watchdog in rule.blocked_by:
        yield error((*at, "blocked_by"), always)
    for step, rung in enumerate(rule.ladder):
        here = (*at, "ladder", step)
        if watchdog in rung.evidence:
            yield error((*here, "evidence"), always)
        if watchdog == rung.witness:
            yield error((*here, "witness"), always)
        for name in sorted(set(rung.evidence) & set(rule.blocked_by)):
            yield error(
                (*at, "blocked_by"), f"{name} is also evidence of {rung.action}; remove one of the two"
            )
        if CURES[rung.action] in _BY_ALERT:
            yield from _evidence(here, rung, rule)
        if rung.witness is not None and policy.alerts.tombstone <= PATIENCE * (rung.settle + rung.stable):
            text = f"is forgotten after alerts.tombstone, before {rung.action} was verified; raise that"
            yield error((*here, "witness"), text)


def _evidence(at: Path, rung: Rung, rule: Rule) -> Iterator[Finding]:
    if not rung.evidence:
        text = f"is missing: DBC itself calls what needs a {rung.action} running; name an alert of a probe"
        yield error((*at, "evidence"), text)
        return
    several = len(set(rung.evidence)) >= _WITNESSES
    if rung.action is Action.POWER_RESET and acts(rule, rung) and not several:
        text = "a reset without a person needs two alerts that do not depend on each other; name both"
        yield error((*at, "evidence"), text)
    if rung.witness is not None and rung.witness not in rung.evidence:
        text = "is no evidence of the step: only an alert that fired before can show recovery by its end; add it there"
        yield warning((*at, "witness"), text)
