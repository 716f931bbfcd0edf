"""Remediation: may it act, what did it do, what waits for a person."""

from __future__ import annotations

from monitoring.dashboards.frame import Page, Row
from monitoring.dashboards.panels import (
    ANY_IS_BAD,
    ANY_IS_ODD,
    NO_IS_GOOD,
    YES_NO,
    Column,
    Query,
    alarm,
    lines,
    number,
    rows,
    states,
)
from monitoring.dashboards.selectors import events, increase, m, quantile, rate

P = "dbc_remediation"
NOT_CONFIGURED = "not configured"
SLOW_COMMIT_SECONDS = 1.0

NOW = Row(
    "Now",
    [
        number(
            "Mode",
            "How far the policy lets remediation go.",
            f"max by (mode) ({m(f'{P}_mode')} == 1)",
            words={"1": ("", "blue")},
            legend="{{mode}}",
            none=NOT_CONFIGURED,
        ),
        number(
            "Armed",
            "Whether nothing stands in the way of acting at all.",
            f"min({m(f'{P}_armed')})",
            words=YES_NO,
            none=NOT_CONFIGURED,
        ),
        number(
            "Breaker open",
            "Whether remediation stopped itself until a person has looked.",
            f"max({m(f'{P}_breaker_open')})",
            words=NO_IS_GOOD,
            none=NOT_CONFIGURED,
        ),
        number(
            "Storm",
            "Whether too many subjects are bad for anything to be done.",
            f"max({m(f'{P}_storm')})",
            words=NO_IS_GOOD,
            none=NOT_CONFIGURED,
        ),
        number(
            "Blind",
            "Whether too little of the fleet is seen for anything to be done.",
            f"max({m(f'{P}_blind')})",
            words=NO_IS_GOOD,
            none=NOT_CONFIGURED,
        ),
        number(
            "Journal usable",
            "Whether the journal can be used; without it nothing is done.",
            f"min({m(f'{P}_journal_ok')})",
            words=YES_NO,
            none=NOT_CONFIGURED,
        ),
        number(
            "Proposals",
            "Proposals that wait for a person's answer.",
            f"sum({m(f'{P}_proposals_open')})",
            steps=ANY_IS_ODD,
            none=NOT_CONFIGURED,
        ),
        number(
            "Quarantined",
            "Subjects that a person must look at; nothing is done about them before.",
            f"sum({m(f'{P}_quarantined')})",
            steps=ANY_IS_ODD,
            none=NOT_CONFIGURED,
        ),
        number(
            "Ambiguous",
            "Actions under way of which nobody knows yet whether they arrived.",
            f"sum({m(f'{P}_ambiguous_open')})",
            steps=ANY_IS_BAD,
            none=NOT_CONFIGURED,
        ),
        number(
            "Oldest action under way",
            "Time since the oldest action under way was written down.",
            f"time() - min({m(f'{P}_oldest_open_intent_timestamp_seconds')})",
            unit="dtdurations",
            steps=alarm("remediation_action_seconds"),
            none="none under way",
        ),
        number(
            "Last round",
            "Time since everything was last looked at and decided; a round takes place every few seconds.",
            f"time() - max({m(f'{P}_last_round_timestamp_seconds')})",
            unit="s",
            steps=alarm("remediation_round_seconds"),
            none=NOT_CONFIGURED,
        ),
        number(
            "Mistakes caught",
            "Mistakes of ours that were caught before they did harm, in the time shown.",
            f"sum({increase(f'{P}_invariant_violations_total')})",
            steps=ANY_IS_BAD,
            none=NOT_CONFIGURED,
        ),
        states(
            "What keeps it from acting",
            "Reasons that keep remediation from acting on anything, while they hold.",
            Query(f"max by (reason) ({m(f'{P}_disarmed')} == 1)", "{{reason}}"),
            words={"1": ("holds", "orange")},
            width=16,
        ),
        rows(
            "Policy",
            "The policy in force by the hash of its text, and whether its file could last be read.",
            Column(f"max by (job, instance, hash) ({m(f'{P}_policy_info')})"),
            labels={"hash": "Policy", "job": "Job", "instance": "Instance"},
            width=8,
            height=6,
        ),
    ],
)

SUBJECTS = Row(
    "Subjects and decisions",
    [
        lines(
            "Subjects",
            "Virtual machines and servers by what is known of their health.",
            Query(f"sum by (kind, health) ({m(f'{P}_targets')})", "{{kind}} {{health}}"),
            stacked=True,
            width=8,
        ),
        lines(
            "Open incidents",
            "Subjects with a problem that an action might cure.",
            Query(f"sum by (problem) ({m(f'{P}_incidents_open')})", "{{problem}}"),
            stacked=True,
            width=8,
        ),
        lines(
            "Decisions",
            "Decisions that differ from the one before, by verdict and first reason, in each five minutes.",
            Query(
                events(f"{P}_decisions_total", "verdict, reason"),
                "{{verdict}}: {{reason}}",
            ),
            stacked=True,
            width=8,
        ),
        lines(
            "Withheld by dry_run",
            "Actions that would have been taken if the mode were not dry_run, in each five minutes.",
            Query(f"sum by (action) ({increase(f'{P}_would_act_total', '5m')})", "{{action}}"),
            stacked=True,
            width=8,
        ),
        lines(
            "Waiting for a person",
            "Proposals and quarantined subjects.",
            Query(f"sum({m(f'{P}_proposals_open')})", "proposals"),
            Query(f"sum({m(f'{P}_quarantined')})", "quarantined"),
            width=8,
        ),
        lines(
            "Time to recover",
            "Nine of ten problems were gone after at most this time: by an action of ours, or by themselves.",
            Query(quantile(0.9, f"{P}_time_to_recover_seconds", "by"), "{{by}}"),
            unit="s",
            width=8,
        ),
    ],
)

DEEDS = Row(
    "Actions",
    [
        lines(
            "Actions ended",
            "Actions that ended, by result, in each five minutes.",
            Query(
                events(f"{P}_actions_total", "action, result"),
                "{{action}}: {{result}}",
            ),
            stacked=True,
            width=8,
        ),
        lines(
            "Duration",
            "Nine of ten actions had a certain result after at most this time.",
            Query(quantile(0.9, f"{P}_action_duration_seconds", "action"), "{{action}}"),
            unit="s",
            width=8,
        ),
        lines(
            "Budgets",
            "Used share of each budget; of budgets for each client, node or domain the fullest one.",
            Query(f"max by (scope, window) ({m(f'{P}_budget_used_ratio')})", "{{scope}} in {{window}}"),
            unit="percentunit",
            steps=((None, "green"), (1, "orange")),
            full=1,
            width=8,
        ),
        rows(
            "Actions in the time shown",
            "How often each action came to which result.",
            Column(f"sum by (action, result) ({increase(f'{P}_actions_total')}) > 0", "Times", "short"),
            labels={"action": "Action", "result": "Result"},
            height=7,
        ),
    ],
)

EARS = Row(
    "Evidence and journal",
    [
        lines(
            "Webhook answers",
            "Requests to Alertmanager's webhook by HTTP status, in each five minutes.",
            Query(events(f"{P}_webhook_requests_total", "code"), "{{code}}"),
            stacked=True,
            width=8,
        ),
        lines(
            "Alerts delivered",
            "Alerts by what they are to us, in each five minutes; unmapped ones name no target of ours.",
            Query(f"sum by (disposition) ({increase(f'{P}_webhook_alerts_total', '5m')})", "{{disposition}}"),
            stacked=True,
            width=8,
        ),
        number(
            "Last delivery",
            "Time since the last delivery that was stored.",
            f"time() - max({m(f'{P}_webhook_last_received_timestamp_seconds')})",
            unit="dtdurations",
            none="never",
        ),
        number(
            "Watchdog heard",
            "Time since the alert that always fires was last heard. Silence of Alertmanager is not health.",
            f"time() - max({m(f'{P}_watchdog_last_heard_timestamp_seconds')})",
            unit="dtdurations",
            none="never",
        ),
        lines(
            "Journal",
            "Time that work on the journal takes, commits to disk included.",
            Query(
                f"histogram_quantile(0.99, sum by (le) ({rate(f'{P}_journal_work_duration_seconds_bucket')}))",
                "99 of 100",
            ),
            unit="s",
            steps=((None, "green"), (SLOW_COMMIT_SECONDS, "orange")),
            width=24,
            height=6,
        ),
    ],
)

PAGE = Page(
    "dbc-remediation",
    "DBC / Remediation",
    "Whether remediation may act and why not, what it decided and did, and what waits for a person.",
    (NOW, SUBJECTS, DEEDS, EARS),
    since="now-24h",
)
