"""Remediation: what it says of itself. For people; none of these may be evidence for it."""

from __future__ import annotations

from monitoring import links
from monitoring.alert import Alert, Group, Known, Severity, events

JOB = "job"
_CLIENT_TROUBLE = 'on (job) dbc_client_state{state="ok"} == 0'
_NO_POLICY = Known(JOB, "dbc_exporter_build_info unless on (job) dbc_remediation_policy_info")
"""Where remediation is not configured any more, nothing of it is left to tell."""

_ROUNDS = (Known(JOB, "dbc_remediation_last_round_timestamp_seconds"), _NO_POLICY)
_SWITCHED_OFF = 'dbc_remediation_mode{mode="off"} == 1'


def _alert(
    name: str,
    operation: str,
    when: str,
    family: str,
    *,
    summary: str,
    description: str,
    ids: str = JOB,
    severity: Severity = Severity.TICKET,
) -> Alert:
    """Declare an alert on a family of remediation, all of which are known from its first round on."""
    level = ids.removeprefix("job, ") if ids != JOB else "job"
    record = f"{level}:dbc_remediation_{family.removesuffix('_total')}:{operation}"
    return Alert(
        name,
        severity,
        ids=ids,
        record=record,
        when=when,
        known=_ROUNDS,
        page=links.REMEDIATION,
        summary=summary,
        description=description,
    )


DISARMED = Alert(
    "DbcRemediationDisarmed",
    Severity.TICKET,
    ids="job, reason",
    record="reason:dbc_remediation_disarmed:standing",
    when=f"""\
(
  max by (job, reason) (dbc_remediation_disarmed{{reason=~"journal_unusable|killed|paused|watchdog_silent|alerts_truncated"}}) == 1
  or
  max by (job, reason) (dbc_remediation_disarmed{{reason=~"blind|fleet_shrank|storm|chain_silent"}}) == 1
  unless {_CLIENT_TROUBLE}
)
unless on (job) {_SWITCHED_OFF}""",
    known=(Known("job, reason", "dbc_remediation_disarmed == 0"), Known(JOB, _SWITCHED_OFF), _NO_POLICY),
    page=links.REMEDIATION,
    summary="Remediation may not act.",
    description="Remediation does nothing at all for a long time now. What stands in its way: {{ $labels.reason }}.",
)

GROUP = Group(
    "dbc-remediation",
    "for whoever answers for remediation",
    (
        DISARMED,
        _alert(
            "DbcRemediationBreakerOpen",
            "open",
            when="max by (job) (dbc_remediation_breaker_open) == 1",
            family="breaker_open",
            summary="Remediation has stopped itself until a person has looked.",
            description="Actions of {{ $labels.job }} did not help, or nobody knows what became of them.",
        ),
        _alert(
            "DbcRemediationAmbiguousOpen",
            "open",
            when="max by (job) (dbc_remediation_ambiguous_open) > 0",
            family="ambiguous_open",
            summary="Nobody knows whether an action arrived.",
            description="{{ $value }} action(s) got no answer, and the node could not be asked what became of them.",
        ),
        _alert(
            "DbcRemediationIneffective",
            "ineffective",
            when=events("job, action", 'dbc_remediation_actions_total{result="ineffective"}', "6h")
            + " > ${remediation_ineffective}",
            family="actions_total",
            summary="Remediation's actions do not help.",
            description="{{ $value | humanize }} actions of the kind {{ $labels.action }} had no effect in the last six hours.",
            ids="job, action",
        ),
        _alert(
            "DbcRemediationStuck",
            "stuck",
            when="time() - max by (job) (dbc_remediation_last_round_timestamp_seconds) > ${remediation_round_seconds}",
            family="last_round_timestamp_seconds",
            summary="Remediation has stopped deciding.",
            description="The last round of decisions was {{ $value | humanizeDuration }} ago.",
        ),
        _alert(
            "DbcRemediationActionStuck",
            "stuck",
            when="time() - min by (job) (dbc_remediation_oldest_open_intent_timestamp_seconds)"
            " > ${remediation_action_seconds}",
            family="oldest_open_intent_timestamp_seconds",
            summary="An action of remediation does not come to an end.",
            description="The oldest action under way began {{ $value | humanizeDuration }} ago.",
        ),
        _alert(
            "DbcRemediationQuarantineGrowing",
            "growing",
            when="max by (job) (dbc_remediation_quarantined - min_over_time(dbc_remediation_quarantined[6h])) > 0",
            family="quarantined",
            summary="Remediation gives up on more machines.",
            description="{{ $value }} more machine(s) than six hours ago wait in quarantine for a person.",
        ),
        _alert(
            "DbcRemediationApprovalWaiting",
            "waiting",
            when="max by (job) (dbc_remediation_proposals_open) > 0",
            family="proposals_open",
            summary="Remediation waits for an approval.",
            description="{{ $value }} proposal(s) wait for a person's answer, and expire without one.",
            severity=Severity.PAGE,
        ),
        _alert(
            "DbcRemediationInvariantViolated",
            "violated",
            when="sum by (job, what) (increase(dbc_remediation_invariant_violations_total[1h])) > 0",
            family="invariant_violations_total",
            summary="Remediation has caught a mistake of its own.",
            description="Caught in the last hour, before it did harm: {{ $labels.what }}. Report it with the log.",
            ids="job, what",
        ),
    ),
)
