"""A subject with a problem, and everything around it that gates look at. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from dbc_exporter.remediation.model import Intent, IntentState, Problem, Sight, Snapshot, View
from dbc_exporter.remediation.past import Past
from dbc_exporter.remediation.policy import Policy, Rule, Rung
from dbc_exporter.remediation.problems import Trouble
from dbc_exporter.remediation.reasons import Reason

Answer = tuple[Reason | None, str]
PASS: Answer = (None, "")


@dataclass(slots=True)
class Case:
    """A subject with a problem, and where it stands on its ladder. `since` is when its holding time began.

    `tried` has its actions that were sent; `counted` are those since a person last cleared it.
    """

    sight: Sight
    problem: Problem
    rules: tuple[Rule, ...]
    rung: Rung | None
    since: float
    tried: tuple[Intent, ...]
    counted: tuple[Intent, ...]
    tries: int
    used_up: bool
    evidence: str

    @property
    def rule(self) -> Rule | None:
        """The rule that means the subject, if one does."""
        return self.rules[0] if self.rules else None


@dataclass(slots=True)
class Surroundings:
    """Everything around a case. `mine` is an intent about to be sent; `past` has all others."""

    snapshot: Snapshot
    view: View
    policy: Policy
    now: float
    trouble: Trouble
    past: Past
    mine: Intent | None
    _by_kind: dict[bool, tuple[Rule, ...]] = field(default_factory=dict)

    def rules_of_kind(self, sight: Sight) -> tuple[Rule, ...]:
        """Return all rules for VMs, or for servers."""
        vm = sight.subject.is_vm
        if vm not in self._by_kind:
            kind = "vm" if vm else "server"
            self._by_kind[vm] = tuple(rule for rule in self.policy.rules if rule.kind == kind)
        return self._by_kind[vm]

    def take(self, case: Case) -> None:
        """Count an action decided just now like one that is written down."""
        if case.rung is None:
            return
        self.past.add(
            Intent(
                id="",
                subject=case.sight.subject,
                machine=case.sight.machine,
                client=case.sight.client or "",
                action=case.rung.action,
                problem=case.problem,
                state=IntentState.INTENDED,
                created=self.now,
                domains=case.sight.labels,
            )
        )
