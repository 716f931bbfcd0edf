"""What is wrong with a subject, since when, and how much of the fleet is wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dbc_exporter.facts import PowerState, TaskState
from dbc_exporter.remediation.model import CURES, Alert, Fleet, Problem, Sight, Snapshot
from dbc_exporter.remediation.policy import Policy, Rule, Rung
from dbc_exporter.targets import DesiredState

RUNNING, CLOSED = TaskState.RUNNING.value, TaskState.CLOSED.value
ON, OFF = PowerState.ON.value, PowerState.OFF.value
UNKNOWN = "unknown"
WELL_STATES = frozenset({RUNNING, ON})
NEVER = float("-inf")


def fires(alert: Alert, now: float, expire: float) -> bool:
    """Tell whether an alert is in force: firing, and heard of lately."""
    return alert.ended is None and now - alert.heard <= expire


def firing(sight: Sight, names: Iterable[str], now: float, expire: float) -> list[Alert] | None:
    """Return the alerts of these names, or `None` unless every one of them fires."""
    mine = {alert.name: alert for alert in sight.alerts if fires(alert, now, expire) and not alert.of_node}
    found = [mine.get(name) for name in names]
    return None if any(alert is None for alert in found) else [alert for alert in found if alert is not None]


def rungs_for(rule: Rule, problem: Problem) -> tuple[Rung, ...]:
    """Return a ladder's steps against a problem, mildest first."""
    return tuple(rung for rung in rule.ladder if CURES[rung.action] is problem)


def problem_of(sight: Sight, rule: Rule, now: float, expire: float) -> Problem | None:
    """Return what is wrong by a rule's own evidence. An unknown state is no problem and no health either."""
    if sight.subject.is_vm:
        if sight.state == CLOSED:
            return Problem.STOPPED if sight.desired is DesiredState.RUNNING else None
        return _shown_by_alerts(sight, rule, Problem.HUNG, now, expire)
    if sight.state == OFF:
        return Problem.OFF if sight.desired is DesiredState.ON else None
    return _shown_by_alerts(sight, rule, Problem.DEAD, now, expire)


def _shown_by_alerts(sight: Sight, rule: Rule, problem: Problem, now: float, expire: float) -> Problem | None:
    if not sight.alerts:
        return None
    for rung in rungs_for(rule, problem):
        if rung.evidence and firing(sight, rung.evidence, now, expire) is not None:
            return problem
    return None


def since_when(sight: Sight, problem: Problem, rung: Rung | None, now: float, expire: float) -> float:
    """Return since when the problem is certain: its state without a gap, and the youngest alert of its evidence."""
    alerts = firing(sight, rung.evidence, now, expire) if rung else None
    newest = max((alert.since for alert in alerts or ()), default=NEVER)
    if problem in (Problem.STOPPED, Problem.OFF):
        return max(newest, now if sight.since is None else sight.since)
    return newest if alerts else now


@dataclass(frozen=True, slots=True)
class Trouble:
    """How much of the fleet is bad: in all, newly, of how many."""

    bad: int = 0
    new: int = 0
    of: int = 0


def trouble(snapshot: Snapshot, policy: Policy, now: float) -> Trouble:
    """Count the subjects that are bad by any rule's evidence, or whose machine is away; a rule need not mean them.

    They are a share of those of which something is known: unknown ones do not dilute a storm.
    """
    names = frozenset(name for rule in policy.rules for rung in rule.ladder for name in rung.evidence)
    young = now - policy.limits.storm.new_window
    expire = policy.alerts.expire
    bad = new = well = 0
    for sight in snapshot.sights:
        begun = _bad_since(sight, names, now, expire)
        if begun is not None:
            bad += 1
            new += begun > young
        elif sight.state != UNKNOWN:
            well += 1
    return Trouble(bad, new, bad + well)


def _bad_since(sight: Sight, names: frozenset[str], now: float, expire: float) -> float | None:
    if sight.node_up is False or sight.node_listed is False:
        return NEVER if sight.node_away is None else sight.node_away
    if sight.state == CLOSED and sight.desired is DesiredState.RUNNING:
        return sight.since or NEVER
    if sight.state == OFF and sight.desired is DesiredState.ON:
        return sight.since or NEVER
    if sight.alerts:
        begun = [
            alert.since
            for alert in sight.alerts
            if alert.name in names and not alert.of_node and fires(alert, now, expire)
        ]
        return max(begun) if begun else None
    return None


def blind(fleet: Fleet, policy: Policy) -> bool:
    """Tell whether too little of the fleet is seen to act on it."""
    sight = policy.limits.sight
    seeing = any(state == "ok" for _, state in fleet.clients)
    return not seeing or not fleet.watched or fleet.known * 100 < sight.known_percent * fleet.watched


def shrank(fleet: Fleet, policy: Policy) -> bool:
    """Tell whether too many targets left the inventory within a day."""
    gone = fleet.watched - fleet.present
    return gone * 100 > policy.limits.sight.shrink_percent * fleet.watched


def stormy(found: Trouble, policy: Policy) -> bool:
    """Tell whether so many are bad that one cause must be behind them."""
    storm = policy.limits.storm
    share = found.bad >= storm.bad_least and found.bad * 100 > storm.bad_percent * found.of
    return share or found.new >= storm.new_count
