"""Remediation's metrics of this process. Made only where remediation is configured, so that they are absent elsewhere.

Counters begin at 0 for every label value of a small closed set: `increase()` then sees the first event too.
"""

from __future__ import annotations

import math
from itertools import product

from dbc_exporter.metrics import families_remediation as declared
from dbc_exporter.metrics.own import OwnMetrics

_ACTION_BUCKETS = (5.0, 15.0, 60.0, 180.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
_RECOVERY_BUCKETS = (60.0, 180.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 10_800.0, 43_200.0)
_COMMIT_BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


class RemediationMetrics:
    """Every family of remediation, as attributes to be incremented or set. Make one per process."""

    def __init__(self, own: OwnMetrics) -> None:
        self.mode = own.gauge("dbc_remediation_mode")
        self.armed = own.gauge("dbc_remediation_armed")
        self.disarmed = own.gauge("dbc_remediation_disarmed")
        self.storm = own.gauge("dbc_remediation_storm")
        self.blind = own.gauge("dbc_remediation_blind")
        self.breaker_open = own.gauge("dbc_remediation_breaker_open")
        self.policy_info = own.gauge("dbc_remediation_policy_info")
        self.last_round = own.gauge("dbc_remediation_last_round_timestamp_seconds")
        self.violations = own.counter("dbc_remediation_invariant_violations_total")
        self.targets = own.gauge("dbc_remediation_targets")
        self.incidents_open = own.gauge("dbc_remediation_incidents_open")
        self.decisions = own.counter("dbc_remediation_decisions_total")
        self.would_act = own.counter("dbc_remediation_would_act_total")
        self.proposals_open = own.gauge("dbc_remediation_proposals_open")
        self.quarantined = own.gauge("dbc_remediation_quarantined")
        self.time_to_recover = own.histogram("dbc_remediation_time_to_recover_seconds", _RECOVERY_BUCKETS)
        self.actions = own.counter("dbc_remediation_actions_total")
        self.action_duration = own.histogram("dbc_remediation_action_duration_seconds", _ACTION_BUCKETS)
        self.ambiguous_open = own.gauge("dbc_remediation_ambiguous_open")
        self.oldest_open_intent = own.gauge("dbc_remediation_oldest_open_intent_timestamp_seconds")
        self.budget_used = own.gauge("dbc_remediation_budget_used_ratio")
        self.webhook_requests = own.counter("dbc_remediation_webhook_requests_total")
        self.webhook_alerts = own.counter("dbc_remediation_webhook_alerts_total")
        self.webhook_received = own.gauge("dbc_remediation_webhook_last_received_timestamp_seconds")
        self.watchdog_heard = own.gauge("dbc_remediation_watchdog_last_heard_timestamp_seconds")
        self.journal_ok = own.gauge("dbc_remediation_journal_ok")
        self.journal_work = own.histogram("dbc_remediation_journal_work_duration_seconds", _COMMIT_BUCKETS)
        self._begin_at_zero()

    def set_policy(self, digest: str) -> None:
        """Show the policy in force by its hash; call it also after a reload."""
        self.policy_info.clear()
        self.policy_info.labels(digest).set(1)

    def set_oldest_open_intent(self, timestamp: float | None) -> None:
        """Show when the oldest action under way was written down (Unix time); `None` withdraws the sample."""
        self.oldest_open_intent.set(math.nan if timestamp is None else timestamp)

    def _begin_at_zero(self) -> None:
        for what in declared.VIOLATIONS:
            self.violations.labels(what)
        for action, result in product(declared.ACTIONS, declared.RESULTS):
            self.actions.labels(action, result)
        for action in declared.ACTIONS:
            self.would_act.labels(action)
            self.action_duration.labels(action)
        for by in declared.RECOVERED_BY:
            self.time_to_recover.labels(by)
        for code in declared.CODES:
            self.webhook_requests.labels(code)
        for disposition in declared.DISPOSITIONS:
            self.webhook_alerts.labels(disposition)
