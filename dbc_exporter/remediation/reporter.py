"""Tells what happens: metrics, and one log event for each change. Decides nothing and never holds the loop up.

What ended before this process began was told by the one before, and is not counted again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeVar

from dbc_exporter.clock import Clock
from dbc_exporter.logs import get_logger
from dbc_exporter.metrics import families_remediation as declared
from dbc_exporter.metrics.own_remediation import RemediationMetrics
from dbc_exporter.remediation.alerts import Delivery
from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.journal_thread import JournalRunner
from dbc_exporter.remediation.model import (
    Approval,
    Decision,
    Intent,
    IntentState,
    Mode,
    Problem,
    Result,
    Snapshot,
    Subject,
    Verdict,
    View,
)
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.problems import blind
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.standing import obstacles, uses

log = get_logger(__name__)
T = TypeVar("T")

_WORRYING = frozenset({Result.UNRESOLVED, Result.INEFFECTIVE, Result.REFUSED, Result.UNVERIFIED})


@dataclass(slots=True)
class RemediationReporter:
    """The loop's reporter. `now` gives steady seconds; the wall clock makes Unix times of them for people."""

    metrics: RemediationMetrics
    now: Callable[[], float]
    clock: Clock
    _started: float = field(init=False)
    _sick_since: dict[Subject, float] = field(default_factory=dict)
    _recovering: dict[Subject, float] = field(default_factory=dict)
    _standing: frozenset[Reason] | None = None
    _proposed: frozenset[str] = frozenset()
    _quarantined: frozenset[Subject] = frozenset()
    _breaker: str = ""

    def __post_init__(self) -> None:
        """Begin to tell now."""
        self._started = self.now()

    # -- changes -------------------------------------------------------------------------------------------

    def decision(self, decision: Decision) -> None:
        """Hear a decision that differs from the one before."""
        reason = decision.reason.value if decision.reason else declared.NO_REASON
        self.metrics.decisions.labels(decision.verdict.value, reason).inc()
        if decision.verdict is Verdict.DRY_RUN and decision.action:
            self.metrics.would_act.labels(decision.action.value).inc()
        if decision.problem is not None:
            self._sick_since.setdefault(decision.subject, self.now())
            self._log_decision(decision)
        elif decision.verdict is Verdict.HEALTHY and decision.subject in self._sick_since:
            self._recovering[decision.subject] = self._sick_since.pop(decision.subject)
            self._log_decision(decision)

    def _log_decision(self, decision: Decision) -> None:
        stands = next((check.detail for check in decision.checks if check.reason is decision.reason), "")
        log.info(
            "remediation_decision",
            target=decision.subject,
            verdict=decision.verdict.value,
            reason=decision.reason.value if decision.reason else None,
            detail=stands or None,
            problem=decision.problem.value if decision.problem else None,
            action=decision.action.value if decision.action else None,
            rule=decision.rule or None,
        )

    def intent(self, intent: Intent) -> None:
        """Hear an intent in a new state."""
        if intent.ended is not None and intent.ended < self._started:
            return
        if intent.result is not None and intent.ended is not None:
            self.metrics.actions.labels(intent.action.value, intent.result.value).inc()
            if intent.sent is not None:
                self.metrics.action_duration.labels(intent.action.value).observe(intent.ended - intent.sent)
        say = log.warning if intent.result in _WORRYING else log.info
        say(
            "remediation_action",
            id=intent.id,
            target=intent.subject,
            action=intent.action.value,
            problem=intent.problem.value,
            state=intent.state.value,
            result=intent.result.value if intent.result else None,
            reason=intent.reason or None,
            approved_by=intent.approved_by or None,
        )

    def violation(self, what: str) -> None:
        """Hear that a promise was about to be broken and was not."""
        self.metrics.violations.labels(what).inc()
        log.error("remediation_invariant_violation", what=what)

    def delivered(self, delivery: Delivery) -> None:
        """Hear of a delivery of alerts that is stored."""
        self.metrics.webhook_received.set(self.clock.wall())
        fired = sum(one.firing for one in delivery.heard)
        counts = {
            "firing": fired,
            "resolved": len(delivery.heard) - fired,
            "watchdog": int(delivery.watchdog),
            "unmapped": delivery.unmapped,
        }
        for disposition, count in counts.items():
            self.metrics.webhook_alerts.labels(disposition).inc(count)

    def answered(self, code: int) -> None:
        """Hear how a request to the webhook was answered."""
        self.metrics.webhook_requests.labels(str(code)).inc()

    # -- rounds --------------------------------------------------------------------------------------------

    def round(self, snapshot: Snapshot, view: View, policy: Policy, decisions: Iterable[Decision]) -> None:
        """Hear the end of a round."""
        now = self.now()
        standing = frozenset(
            check.reason for check in obstacles(snapshot, view, policy, now) if check.reason is not None
        )
        self._set_standing(standing, snapshot, view, policy)
        self._set_subjects(decisions, view, now)
        self._set_deeds(view, policy, len(snapshot.sights), now)
        self._count_recoveries(view, now)
        self._tell_changes(standing, view)
        self.metrics.last_round.set(self.clock.wall())

    def _set_standing(
        self, standing: frozenset[Reason], snapshot: Snapshot, view: View, policy: Policy
    ) -> None:
        metrics = self.metrics
        for mode in Mode:
            metrics.mode.labels(mode.value).set(mode is policy.mode)
        metrics.armed.set(not standing)
        for reason in declared.DISARMING:
            metrics.disarmed.labels(reason).set(Reason(reason) in standing)
        metrics.storm.set(Reason.STORM in standing)
        metrics.blind.set(blind(snapshot.fleet, policy))
        metrics.breaker_open.set(bool(view.breaker))
        metrics.journal_ok.set(not snapshot.fleet.faults)
        if snapshot.fleet.watchdog is not None:
            metrics.watchdog_heard.set(self._wall(snapshot.fleet.watchdog))

    def _set_subjects(self, decisions: Iterable[Decision], view: View, now: float) -> None:
        health: Counter[tuple[str, str]] = Counter()
        problems: Counter[Problem] = Counter()
        for decision in decisions:
            kind = "vm" if decision.subject.is_vm else "server"
            if decision.problem is not None:
                problems[decision.problem] += 1
                health[kind, "sick"] += 1
            else:
                health[kind, "unknown" if decision.verdict is Verdict.UNKNOWN else "healthy"] += 1
        for kind in declared.KINDS:
            for word in declared.HEALTH:
                self.metrics.targets.labels(kind, word).set(health[kind, word])
        for problem in Problem:
            self.metrics.incidents_open.labels(problem.value).set(problems[problem])
        self.metrics.proposals_open.set(len(_waiting(view, now)))
        self.metrics.quarantined.set(len(view.quarantined))

    def _set_deeds(self, view: View, policy: Policy, fleet: int, now: float) -> None:
        under_way = [intent for intent in view.intents if intent.open]
        ambiguous = sum(intent.state is IntentState.AMBIGUOUS for intent in under_way)
        self.metrics.ambiguous_open.set(ambiguous)
        oldest = min((intent.created for intent in under_way), default=None)
        self.metrics.set_oldest_open_intent(None if oldest is None else self._wall(oldest))
        used: dict[tuple[str, str], float] = {}
        for use in uses(view, policy, fleet, now):
            key = use.budget.scope.value, _span(use.budget.window)
            used[key] = max(use.ratio, used.get(key, 0.0))
        self.metrics.budget_used.clear()  # a new policy may have other budgets
        for (scope, window), ratio in used.items():
            self.metrics.budget_used.labels(scope, window).set(ratio)

    def _count_recoveries(self, view: View, now: float) -> None:
        for subject, since in self._recovering.items():
            ours = any(one.subject == subject and (one.sent or 0.0) >= since for one in view.intents)
            self.metrics.time_to_recover.labels("auto" if ours else "spontaneous").observe(now - since)
        self._recovering.clear()

    def _tell_changes(self, standing: frozenset[Reason], view: View) -> None:
        if standing != self._standing:
            reasons = ",".join(sorted(standing))
            log.info("remediation_disarmed" if standing else "remediation_armed", reasons=reasons or None)
        waiting = _waiting(view, self.now())
        for approval in waiting:
            if approval.id not in self._proposed:
                log.warning(
                    "remediation_proposal",
                    id=approval.id,
                    target=approval.subject,
                    action=approval.action.value,
                    expires_in=round(approval.expires - self.now()),
                )
        for subject in view.quarantined.keys() - self._quarantined:
            log.warning("remediation_quarantine", target=subject, reason=view.quarantined[subject])
        if view.breaker and view.breaker != self._breaker:
            log.error("remediation_breaker_open", reason=view.breaker)
        self._standing, self._breaker = standing, view.breaker
        self._proposed = frozenset(approval.id for approval in waiting)
        self._quarantined = frozenset(view.quarantined)

    def _wall(self, steady: float) -> float:
        return self.clock.wall() - (self.now() - steady)


def _waiting(view: View, now: float) -> list[Approval]:
    """Return the proposals that nobody has answered."""
    return [one for one in view.approvals if not (one.approved_by or one.rejected_by) and now < one.expires]


def _span(seconds: float) -> str:
    """Return a window as a label value, such as `10m`."""
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


@dataclass(frozen=True, slots=True)
class TimedJournal:
    """A journal whose every piece of work is timed."""

    journal: JournalRunner
    metrics: RemediationMetrics

    async def __call__(self, work: Callable[[Journal], T]) -> T:
        """Do it, and observe how long it took."""
        begin = perf_counter()
        try:
            return await self.journal(work)
        finally:
            self.metrics.journal_work.observe(perf_counter() - begin)
