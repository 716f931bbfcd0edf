"""The planner: what to do about every subject, and why not. Pure and deterministic: no clock, no I/O, no memory.

The same function decides again right before an action is sent, about one subject with a fresh sight of it.
"""

from __future__ import annotations

from dbc_exporter.remediation import gates, gates_mode
from dbc_exporter.remediation.case import Case, Surroundings
from dbc_exporter.remediation.ladder import episode, position
from dbc_exporter.remediation.model import (
    Check,
    Decision,
    Intent,
    Mode,
    Problem,
    Sight,
    Snapshot,
    Subject,
    Verdict,
    View,
)
from dbc_exporter.remediation.past import Past
from dbc_exporter.remediation.policy import Policy, Rule, Rung
from dbc_exporter.remediation.problems import (
    NEVER,
    UNKNOWN,
    WELL_STATES,
    Trouble,
    fires,
    problem_of,
    rungs_for,
    since_when,
    trouble,
)
from dbc_exporter.remediation.reasons import Reason


def decide(
    snapshot: Snapshot,
    view: View,
    policy: Policy,
    now: float,
    *,
    policy_id: str = "",
    mine: Intent | None = None,
    only: Subject | None = None,
    found: Trouble | None = None,
) -> tuple[Decision, ...]:
    """Decide about every subject (or about `only` one), in subject order.

    `mine` is an intent about to be sent: it does not stand in its own way, and its approval counts as used by it.
    `found` is how much of the fleet is bad, for a snapshot that does not hold every subject. Where limits allow fewer
    actions than there are sick subjects, those sick for longest come first.
    """
    others = [intent for intent in view.intents if mine is None or intent.id != mine.id]
    around = Surroundings(
        snapshot=snapshot,
        view=view,
        policy=policy,
        now=now,
        trouble=found or trouble(snapshot, policy, now),
        past=Past(others, policy.limits.budgets, now),
        mine=mine,
    )
    decided: list[Decision] = []
    cases: list[Case] = []
    for sight in snapshot.sights:
        if only is not None and sight.subject != only:
            continue
        made = _case(sight, around, policy_id)
        if isinstance(made, Case):
            cases.append(made)
        else:
            decided.append(made)
    for case in sorted(cases, key=lambda case: (case.since, case.sight.subject)):
        decision = _judge(case, around)
        if decision.verdict is Verdict.ACT:
            around.take(case)
        decided.append(decision)
    return tuple(sorted(decided, key=lambda decision: decision.subject))


def _case(sight: Sight, around: Surroundings, policy_id: str) -> Case | Decision:
    """Return what must be judged, or the decision where nothing is wrong or nothing is known."""
    problem, rules = _wrong(sight, around)
    if problem is None:
        unknown = sight.state == UNKNOWN or sight.seen is None
        return Decision(subject=sight.subject, verdict=Verdict.UNKNOWN if unknown else Verdict.HEALTHY)
    rule = rules[0] if rules else None
    tried = tuple(intent for intent in around.past.of[sight.subject] if intent.sent is not None)
    cleared = around.view.cleared.get(sight.subject, NEVER)
    counted = tuple(intent for intent in tried if intent.created >= cleared)
    now, expire = around.now, around.policy.alerts.expire
    first = rungs_for(rule, problem)[:1] if rule else ()
    begun = since_when(sight, problem, first[0] if first else None, now, expire)
    mine = episode(counted, rule, begun) if rule else []
    at = position(mine, rule, problem) if rule else None
    rung = at.rung if at else None
    since = max(
        since_when(sight, problem, rung, now, expire),
        around.snapshot.fleet.disturbed,
        around.snapshot.fleet.started,
    )
    return Case(
        sight=sight,
        problem=problem,
        rules=rules,
        rung=rung,
        since=since,
        tried=tried,
        counted=counted,
        tries=at.tries if at else 0,
        used_up=at.used_up if at else False,
        evidence=_evidence(sight, problem, rung, around, policy_id),
    )


def _wrong(sight: Sight, around: Surroundings) -> tuple[Problem | None, tuple[Rule, ...]]:
    """Return the problem by the rules that mean the subject; without rules, what any rule would call one."""
    if _plainly_well(sight):
        return None, ()
    now, expire = around.now, around.policy.alerts.expire
    rules = around.policy.rules_for(sight)
    for rule in rules or around.rules_of_kind(sight):
        problem = problem_of(sight, rule, now, expire)
        if problem is not None:
            return problem, rules
    return None, rules


def _plainly_well(sight: Sight) -> bool:
    """Tell at once of most subjects that nothing is wrong with them."""
    return not sight.alerts and sight.state in WELL_STATES


def _evidence(sight: Sight, problem: Problem, rung: Rung | None, around: Surroundings, policy_id: str) -> str:
    """Name what a decision rests on. Word for word the same as long as it is the same trouble."""
    names = {*rung.evidence, rung.witness} if rung else set()
    alerts = sorted(
        f"{alert.name}@{alert.since:.3f}"
        for alert in sight.alerts
        if alert.name in names and fires(alert, around.now, around.policy.alerts.expire)
    )
    action = rung.action.value if rung else ""
    began = "" if problem in (Problem.HUNG, Problem.DEAD) else f"{sight.state}@{sight.since or 0:.3f}"
    return " ".join(part for part in (problem.value, action, began, *alerts, f"policy={policy_id}") if part)


def _judge(case: Case, around: Surroundings) -> Decision:
    checks = tuple(_check(gate, case, around) for gate in gates.GATES)
    first = next((check.reason for check in checks if check.reason is not None), None)
    mode = gates_mode.effective_mode(case, around)
    approval = gates_mode.approval_for(case, around)
    return Decision(
        subject=case.sight.subject,
        verdict=_verdict(first, mode),
        reason=first,
        problem=case.problem,
        action=case.rung.action if case.rung else None,
        rule=case.rules[0].name if case.rules else "",
        evidence=case.evidence,
        approval=approval.id if approval else "",
        checks=checks,
    )


def _check(gate: gates.GateCheck, case: Case, around: Surroundings) -> Check:
    reason, detail = gate.ask(case, around)
    return Check(gate.gate, reason, detail)


def _verdict(first: Reason | None, mode: Mode) -> Verdict:
    if first is None:
        return Verdict.ACT
    if first is Reason.OPEN_INTENT:
        return Verdict.OPEN
    if first in gates.USED_UP:
        return Verdict.QUARANTINE
    if first is Reason.APPROVAL_NEEDED or (first in gates.CAPS and mode is Mode.APPROVE):
        return Verdict.PROPOSE
    if first in (Reason.MODE_DRY_RUN, Reason.SHARDED):
        return Verdict.DRY_RUN
    return Verdict.WAIT if first in gates.PASSES_BY_ITSELF else Verdict.REFUSE
