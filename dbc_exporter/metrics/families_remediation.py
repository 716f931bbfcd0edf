"""Families about remediation; none of them is there unless remediation is configured.

The closed value sets stand here and not with remediation itself, which is not even imported where it is off; a test
holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Mapping

from dbc_exporter.metrics.family import Family, MetricType, ours

MODES = ("off", "dry_run", "approve", "act")
ACTIONS = ("restart", "force_restart", "start", "power_on", "power_reset")
PROBLEMS = ("hung", "stopped", "off", "dead")
KINDS = ("vm", "server")
HEALTH = ("healthy", "unknown", "sick")
VERDICTS = (
    "healthy",
    "unknown",
    "open",
    "wait",
    "refuse",
    "quarantine",
    "dry_run",
    "propose",
    "act",
)
RESULTS = (
    "recovered",
    "ineffective",
    "unverified",
    "refused",
    "not_executed",
    "cancelled",
    "unresolved",
)
DISARMING = (
    "journal_unusable",
    "killed",
    "paused",
    "holding_off",
    "breaker_open",
    "blind",
    "fleet_shrank",
    "watchdog_silent",
    "storm",
    "alerts_truncated",
    "chain_silent",
    "no_rule",
    "mode_off",
    "mode_dry_run",
    "sharded",
)
"""Reasons that keep everything from being acted on, not only one subject."""

REASONS = (
    *DISARMING,
    "two_rules",
    "no_rung",
    "ladder_exhausted",
    "out_of_window",
    "no_fence",
    "no_witness",
    "approval_needed",
    "approval_rejected",
    "no_credential",
    "quarantined",
    "not_desired",
    "client_unusable",
    "node_away",
    "node_unknown",
    "node_just_back",
    "state_stale",
    "state_unknown",
    "state_contradicts",
    "evidence_missing",
    "held_too_short",
    "too_few_samples",
    "order_unknown",
    "no_live_order",
    "no_host_cause",
    "gpus_unknown",
    "gpus_missing",
    "neighbours_unclaimed",
    "node_busy",
    "blocked_by_alert",
    "open_intent",
    "machine_in_use",
    "cooling_down",
    "attempts_used_up",
    "too_many_at_once",
    "budget_spent",
    "not_ours",
    "canary_failed",
    "fresh_read_failed",
    "already_well",
    "superseded",
    "not_sent",
    "libvirt_dead",
    "refused_by_node",
    "bmc_refused",
    "never_arrived",
    "process_restarted",
    "ambiguous_for_good",
    "still_bad",
    "well_again",
    "no_word",
)
NO_REASON = "none"
RECOVERED_BY = ("auto", "spontaneous")
SCOPES = ("fleet", "client", "node", "domain")
CODES = ("202", "400", "401", "403", "404", "405", "413", "429", "500", "503")
DISPOSITIONS = ("firing", "resolved", "watchdog", "unmapped")
VIOLATIONS = ("round_failed", "planner_against_journal", "action_failed")

_COUNTER = MetricType.COUNTER
_HISTOGRAM = MetricType.HISTOGRAM
_BY_ACTION = {"action": ACTIONS}


def _family(
    name: str,
    text: str,
    labels: str = "",
    *,
    type_: MetricType = MetricType.GAUGE,
    enums: Mapping[str, tuple[str, ...]] | None = None,
    unit: str = "",
) -> Family:
    name = f"dbc_remediation_{name}"
    return ours(name, text, "remediation", labels, type_=type_, enums=enums, unit=unit)


WHETHER: tuple[Family, ...] = (
    _family("mode", "How far the policy lets remediation go: 1 for its mode.", "mode", enums={"mode": MODES}),
    _family(
        "armed",
        "Whether nothing stands in the way of acting at all (1), or something does (0), see disarmed.",
    ),
    _family(
        "disarmed",
        "Whether this reason keeps remediation from acting on anything (1) or not (0).",
        "reason",
        enums={"reason": DISARMING},
    ),
    _family("storm", "Whether too many subjects are bad for anything to be done (1) or not (0)."),
    _family("blind", "Whether too little of the fleet is seen for anything to be done (1) or not (0)."),
    _family("breaker_open", "Whether remediation has stopped itself until a person looked (1) or not (0)."),
    _family("policy_info", "The policy in force by the hash of its text, value 1.", "hash"),
    _family(
        "last_round_timestamp_seconds",
        "Unix time at which everything was last looked at and decided.",
        unit="seconds",
    ),
    _family(
        "invariant_violations_total",
        "Mistakes of ours that were caught before they did harm.",
        "what",
        type_=_COUNTER,
        enums={"what": VIOLATIONS},
    ),
)
SUBJECTS: tuple[Family, ...] = (
    _family(
        "targets",
        "Subjects (VMs and servers) by kind and by what is known of their health.",
        "kind health",
        enums={"kind": KINDS, "health": HEALTH},
    ),
    _family(
        "incidents_open",
        "Subjects with a problem that an action might cure.",
        "problem",
        enums={"problem": PROBLEMS},
    ),
    _family(
        "decisions_total",
        "Decisions about a subject that differ from the one before, by verdict and first reason (none: nothing "
        "stands in the way).",
        "verdict reason",
        type_=_COUNTER,
        enums={"verdict": VERDICTS, "reason": (NO_REASON, *REASONS)},
    ),
    _family(
        "would_act_total",
        "Decisions to act that the mode dry_run withheld.",
        "action",
        type_=_COUNTER,
        enums=_BY_ACTION,
    ),
    _family("proposals_open", "Proposals that wait for a person's answer."),
    _family("quarantined", "Subjects that a person must look at."),
    _family(
        "time_to_recover_seconds",
        "Time from the first sight of a problem until it was gone: after an action of ours (auto) or without one "
        "(spontaneous).",
        "by",
        type_=_HISTOGRAM,
        enums={"by": RECOVERED_BY},
        unit="seconds",
    ),
)
DEEDS: tuple[Family, ...] = (
    _family(
        "actions_total",
        "Actions that ended, by result.",
        "action result",
        type_=_COUNTER,
        enums={"action": ACTIONS, "result": RESULTS},
    ),
    _family(
        "action_duration_seconds",
        "Time from the sending of an action until its result was certain.",
        "action",
        type_=_HISTOGRAM,
        enums=_BY_ACTION,
        unit="seconds",
    ),
    _family("ambiguous_open", "Actions under way of which nobody knows yet whether they arrived."),
    _family(
        "oldest_open_intent_timestamp_seconds",
        "Unix time at which the oldest action under way was written down. Absent while none is.",
        unit="seconds",
    ),
    _family(
        "budget_used_ratio",
        "Used share of a budget; of budgets for each client, node or domain the fullest one.",
        "scope window",
        enums={"scope": SCOPES},
        unit="ratio",
    ),
)
EARS: tuple[Family, ...] = (
    _family(
        "webhook_requests_total",
        "Requests to Alertmanager's webhook by HTTP status.",
        "code",
        type_=_COUNTER,
        enums={"code": CODES},
    ),
    _family(
        "webhook_alerts_total",
        "Alerts delivered by what they are to us; unmapped ones name no target of ours.",
        "disposition",
        type_=_COUNTER,
        enums={"disposition": DISPOSITIONS},
    ),
    _family(
        "webhook_last_received_timestamp_seconds",
        "Unix time of the last delivery that was stored. Absent until there was one.",
        unit="seconds",
    ),
    _family(
        "watchdog_last_heard_timestamp_seconds",
        "Unix time at which the alert that always fires was last heard. Absent until it was.",
        unit="seconds",
    ),
    _family("journal_ok", "Whether the journal can be used (1); without it nothing is done (0)."),
    _family(
        "journal_work_duration_seconds",
        "Time that a piece of work on the journal took, commits to disk included.",
        type_=_HISTOGRAM,
        unit="seconds",
    ),
)

FAMILIES: tuple[Family, ...] = WHETHER + SUBJECTS + DEEDS + EARS
