"""Where remediation stands as a whole: what keeps it from acting on anything, and how much of its budgets is used. Pure.

The same gates that the planner asks about every subject are asked here about nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from dbc_exporter.remediation.case import Case, Surroundings
from dbc_exporter.remediation.gates import GATES
from dbc_exporter.remediation.gates_history import allowance
from dbc_exporter.remediation.model import Check, Intent, Mode, Problem, Sight, Snapshot, Subject, View
from dbc_exporter.remediation.past import Past
from dbc_exporter.remediation.policy import Budget, Policy, Scope
from dbc_exporter.remediation.problems import NEVER, trouble
from dbc_exporter.remediation.reasons import Gate, Reason

OF_THE_FLEET = frozenset(
    {
        Gate.JOURNAL,
        Gate.KILL_SWITCH,
        Gate.PAUSE,
        Gate.BREAKER,
        Gate.HOLD_OFF,
        Gate.SIGHT,
        Gate.STORM,
        Gate.CHAIN,
    }
)
_NOBODY = Case(
    sight=Sight(subject=Subject(""), machine=""),
    problem=Problem.OFF,
    rules=(),
    rung=None,
    since=NEVER,
    tried=(),
    counted=(),
    tries=0,
    used_up=False,
    evidence="",
)


class Use(Struct, frozen=True):
    """How much of a budget is used: of those for each client, node or domain, by the one (`of`) that used most."""

    budget: Budget
    most: int
    used: int
    of: str = ""

    @property
    def ratio(self) -> float:
        """The used share; a budget that allows nothing is used up."""
        return self.used / self.most if self.most else 1.0


def obstacles(snapshot: Snapshot, view: View, policy: Policy, now: float) -> tuple[Check, ...]:
    """Return everything that keeps remediation from acting on any subject; nothing: it is armed."""
    around = Surroundings(
        snapshot=snapshot,
        view=view,
        policy=policy,
        now=now,
        trouble=trouble(snapshot, policy, now),
        past=Past(view.intents, policy.limits.budgets, now),
        mine=None,
    )
    asked = (Check(gate.gate, *gate.ask(_NOBODY, around)) for gate in GATES if gate.gate in OF_THE_FLEET)
    found = [check for check in asked if check.reason is not None]
    return (*found, *_of_the_policy(snapshot, policy, now))


def _of_the_policy(snapshot: Snapshot, policy: Policy, now: float) -> Iterator[Check]:
    if not policy.rules:
        yield Check(Gate.RULE, Reason.NO_RULE, "the policy has no rules")
    needs_alerts = any(rung.evidence or rung.witness for rule in policy.rules for rung in rule.ladder)
    heard, alerts = snapshot.fleet.watchdog, policy.alerts
    if needs_alerts and (heard is None or now - heard > alerts.max_silence):
        yield Check(Gate.EVIDENCE, Reason.WATCHDOG_SILENT, f"no word of {alerts.watchdog}")
    if policy.mode is Mode.OFF:
        yield Check(Gate.MODE, Reason.MODE_OFF, "by the policy")
    elif snapshot.fleet.shards > 1:
        yield Check(Gate.MODE, Reason.SHARDED, f"{snapshot.fleet.shards} shards")
    elif policy.mode is Mode.DRY_RUN:
        yield Check(Gate.MODE, Reason.MODE_DRY_RUN, "by the policy")


def uses(view: View, policy: Policy, fleet: int, now: float) -> tuple[Use, ...]:
    """Return the use of every budget of the policy, for a fleet of so many subjects."""
    budgets = policy.limits.budgets
    past = Past(view.intents, budgets, now)
    fullest = [(0, "")] * len(budgets)
    for intent in view.intents:
        spent = past.spent(intent.client, intent.machine, intent.domains)
        for number, (budget, used) in enumerate(zip(budgets, spent, strict=True)):
            if used > fullest[number][0]:
                fullest[number] = used, _counts_for(budget, intent)
    return tuple(
        Use(budget, allowance(budget, fleet), used, of)
        for budget, (used, of) in zip(budgets, fullest, strict=True)
    )


def _counts_for(budget: Budget, intent: Intent) -> str:
    if budget.scope is Scope.CLIENT:
        return intent.client
    if budget.scope is Scope.NODE:
        return intent.machine
    if budget.scope is Scope.DOMAIN:
        return dict(intent.domains).get(budget.label or "", "")
    return ""
