"""The exporter itself: requests, pace, scheduler, freshness, series, process."""

from __future__ import annotations

from monitoring.dashboards.frame import Page, Row
from monitoring.dashboards.panels import (
    ANY_IS_BAD,
    ANY_IS_ODD,
    PRESENT,
    STALE_INTERVALS,
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
from monitoring.thresholds import VALUES

OWNER = "job, instance, client, node_id, collector"
POSSIBLE = f"unless on ({OWNER}) {m('dbc_collector_unavailable')}"
AGE = f"time() - {m('dbc_collector_last_success_timestamp_seconds')}"
INTERVAL = m("dbc_collector_interval_seconds")
OVERLOAD: tuple[tuple[float | None, str], ...] = ((None, "green"), (0.7, "orange"), (1, "red"))

HEALTH = Row(
    "Health",
    [
        number(
            "Polls in time",
            "Share of collectors whose last success is at most three of their intervals ago, of those that can work.",
            f"avg(({AGE} <= bool {STALE_INTERVALS} * {INTERVAL}) {POSSIBLE})",
            unit="percentunit",
            steps=((None, "red"), (VALUES["freshness_objective_ratio"].value, "green")),
        ),
        number(
            "Last heartbeat",
            "Time since the scheduler's last heartbeat, of the exporter that is furthest behind.",
            f"time() - min({m('dbc_exporter_scheduler_heartbeat_timestamp_seconds')})",
            unit="s",
            steps=alarm("scheduler_silence_seconds"),
        ),
        number(
            "Reload worked",
            "Whether the last reload of the configuration succeeded.",
            f"min({m('dbc_exporter_config_last_reload_successful')})",
            words=YES_NO,
        ),
        number(
            "Configuration since",
            "Time since the configuration was last loaded with success.",
            f"time() - max({m('dbc_exporter_config_last_reload_success_timestamp_seconds')})",
            unit="dtdurations",
        ),
        number(
            "State on disk",
            "Whether freshness and unanswered requests survive a restart; without a storage path they do not.",
            f"min({m('dbc_exporter_state_persistent')})",
            words={"1": ("yes", "green"), "0": ("no", "orange")},
        ),
        number(
            "Clock steps",
            "Steps of the wall clock that were noticed in the time shown.",
            f"sum({increase('dbc_exporter_clock_steps_total')})",
            steps=ANY_IS_ODD,
        ),
        rows(
            "Exporters",
            "Every exporter with its version, its shard and its age.",
            Column(
                f"max by (job, instance, version, python) ({m('dbc_exporter_build_info')})"
                f" * on (job, instance) group_left (shard, total_shards) ({m('dbc_exporter_shard')} == 1)"
            ),
            Column(
                f"time() - max by (job, instance) ({m('process_start_time_seconds')})",
                "Running for",
                "dtdurations",
            ),
            Column(f"sum by (job, instance) ({m('dbc_exporter_targets')})", "Targets", "short"),
            labels={
                "job": "Job",
                "instance": "Instance",
                "version": "Version",
                "python": "Python",
                "shard": "Shard",
                "total_shards": "Shards",
            },
            height=5,
        ),
    ],
)

FRESHNESS = Row(
    "Freshness",
    [
        lines(
            "Age in intervals",
            "How many of its own intervals each collector's oldest values are old. At three they are withdrawn.",
            Query(f"max by (collector) (({AGE}) / {INTERVAL} {POSSIBLE})", "{{collector}}"),
            unit="none",
            steps=((None, "green"), (2, "orange"), (VALUES["stale_intervals"].value, "red")),
        ),
        lines(
            "Failed polls",
            "Polls that failed, by collector and reason, in each five minutes.",
            Query(
                events("dbc_collector_failures_total", "collector, reason"),
                "{{collector}}: {{reason}}",
            ),
            stacked=True,
        ),
        rows(
            "Furthest behind",
            "The thirty collectors that are the most intervals behind, of those that can work.",
            Column(
                f"topk(30, max by (client, node_id, collector) (({AGE}) / {INTERVAL} {POSSIBLE}))",
                "Intervals",
                "none",
            ),
            labels={"collector": "Collector", "client": "Client", "node_id": "Node id"},
            width=12,
        ),
        lines(
            "Not possible",
            "Collectors that cannot work for an owner, by reason; that is no failure.",
            Query(
                f"count by (collector, reason) ({m('dbc_collector_unavailable')} == 1)",
                "{{collector}}: {{reason}}",
            ),
            stacked=True,
            width=12,
            height=10,
        ),
        lines(
            "Unreadable fields",
            "Fields of answers that were there and could not be read, in each five minutes.",
            Query(events("dbc_parse_failures_total", "field"), "{{field}}"),
            stacked=True,
        ),
        lines(
            "Collectors that attempt",
            "Collectors that started a poll within three of their intervals.",
            Query(
                f"count by (collector) (time() - {m('dbc_collector_last_attempt_timestamp_seconds')} <= {STALE_INTERVALS} * {INTERVAL})",
                "{{collector}}",
            ),
            stacked=True,
        ),
    ],
)

CLIENTS = Row(
    "Requests to DBC clients",
    [
        states(
            "Clients' states",
            "What each client was good for.",
            Query(f"max by (client, state) ({m('dbc_client_state')} == 1)", "{{client}}: {{state}}"),
            words=PRESENT,
        ),
        lines(
            "Requests",
            "Requests to each client by kind.",
            Query(f"sum by (client, kind) ({rate('dbc_client_requests_total')})", "{{client}}: {{kind}}"),
            unit="reqps",
            stacked=True,
            width=8,
        ),
        lines(
            "Requests without facts",
            "Requests that brought nothing, by reason, in each five minutes.",
            Query(
                events("dbc_client_request_failures_total", "client, reason"),
                "{{client}}: {{reason}}",
            ),
            stacked=True,
            width=8,
        ),
        lines(
            "Time to the answer",
            "Nine of ten requests of a kind were answered within this time.",
            Query(quantile(0.9, "dbc_client_request_duration_seconds", "kind"), "{{kind}}"),
            unit="s",
            width=8,
        ),
        lines(
            "Load",
            "Share of what may be in flight that the configured intervals need. Over 1 the fleet is too large for its "
            "clients, and intervals stretch.",
            Query(f"max by (client, kind) ({m('dbc_client_pace_load_ratio')})", "{{client}}: {{kind}}"),
            unit="percentunit",
            steps=OVERLOAD,
            width=8,
        ),
        lines(
            "In flight",
            "Requests that wait for an answer, and how many may.",
            Query(f"sum by (client) ({m('dbc_client_in_flight')})", "{{client}}"),
            Query(f"sum by (client) ({m('dbc_client_in_flight_limit')})", "{{client}}: limit"),
            width=8,
        ),
        lines(
            "Unanswered",
            "Requests never answered since the client last started; each holds one of its 1,024 sessions. At the "
            "ceiling nothing more is forwarded.",
            Query(f"max by (client) ({m('dbc_client_unanswered')})", "{{client}}"),
            Query(f"max by (client) ({m('dbc_client_unanswered_ceiling')})", "{{client}}: ceiling"),
            width=8,
        ),
        lines(
            "Restarts of clients",
            "Restarts of a client that were noticed, in each five minutes.",
            Query(events("dbc_client_restarts_total", "client"), "{{client}}"),
            width=24,
            height=6,
        ),
    ],
)

SCHEDULER = Row(
    "Scheduler",
    [
        lines(
            "Runs",
            "Runs of each job that started.",
            Query(f"sum by (collector) ({rate('dbc_exporter_scheduler_runs_total')})", "{{collector}}"),
            unit="ops",
            stacked=True,
            width=8,
        ),
        lines(
            "Runs that went wrong",
            "Runs that were due and did not start, were skipped because the one before was not done, were ended by "
            "their deadline, or ended with an unexpected error, in each five minutes.",
            Query(
                events("dbc_exporter_scheduler_missed_total", "collector"),
                "{{collector}}: missed",
            ),
            Query(
                events("dbc_exporter_scheduler_overlapped_total", "collector"),
                "{{collector}}: overlapped",
            ),
            Query(
                events("dbc_exporter_scheduler_deadline_exceeded_total", "collector"),
                "{{collector}}: deadline",
            ),
            Query(
                events("dbc_exporter_scheduler_errors_total", "collector"),
                "{{collector}}: error",
            ),
            stacked=True,
            width=8,
        ),
        lines(
            "Armed again",
            "Times the watchdog armed the scheduler's jobs again, in each hour.",
            Query(
                f"sum by (instance) ({increase('dbc_exporter_scheduler_rearms_total', '1h')})", "{{instance}}"
            ),
            steps=ANY_IS_ODD,
            width=8,
        ),
    ],
)

SERIES = Row(
    "Series",
    [
        lines(
            "Largest families",
            "Series of the ten families with the most of them.",
            Query(f"topk(10, sum by (family) ({m('dbc_exporter_series')}))", "{{family}}"),
            stacked=True,
            width=8,
        ),
        number(
            "Families over budget",
            "Families with more series than their budget. Nothing is dropped for it.",
            f"sum({m('dbc_exporter_series_budget_exceeded')})",
            steps=ANY_IS_ODD,
            height=8,
        ),
        number(
            "Targets over budget",
            "Targets with more series than the budget of one target. Nothing is dropped for it.",
            f"sum({m('dbc_exporter_targets_over_series_budget')})",
            steps=ANY_IS_ODD,
            height=8,
        ),
        number(
            "Duplicates refused",
            "Series refused in the time shown because another object already gave the same one.",
            f"sum({increase('dbc_exporter_duplicate_series_total')})",
            steps=ANY_IS_BAD,
            height=8,
        ),
        lines(
            "Scrapes",
            "Scrapes answered, by format.",
            Query(f"sum by (format) ({rate('dbc_exporter_scrapes_total')})", "{{format}}"),
            unit="reqps",
            width=4,
        ),
    ],
)

PROCESS = Row(
    "Process",
    [
        lines(
            "CPU",
            "CPU seconds that the process uses in a second.",
            Query(f"sum by (instance) ({rate('process_cpu_seconds_total')})", "{{instance}}"),
            unit="none",
            width=6,
        ),
        lines(
            "Memory",
            "Memory of the process.",
            Query(f"max by (instance) ({m('process_resident_memory_bytes')})", "{{instance}}: resident"),
            Query(f"max by (instance) ({m('process_virtual_memory_bytes')})", "{{instance}}: virtual"),
            unit="bytes",
            width=6,
        ),
        lines(
            "File descriptors",
            "Open file descriptors as a share of what the process may have.",
            Query(f"max by (instance) ({m('process_open_fds')} / {m('process_max_fds')})", "{{instance}}"),
            unit="percentunit",
            steps=((None, "green"), (0.8, "orange"), (0.95, "red")),
            width=6,
        ),
        lines(
            "Garbage collection",
            "Runs of Python's garbage collection by generation.",
            Query(f"sum by (generation) ({rate('python_gc_collections_total')})", "{{generation}}"),
            unit="ops",
            width=6,
        ),
    ],
)

PAGE = Page(
    "dbc-exporter",
    "DBC / Exporter internals",
    "The exporter itself: how fresh its values are, its requests and their pace, scheduler, series and process.",
    (HEALTH, FRESHNESS, CLIENTS, SCHEDULER, SERIES, PROCESS),
)
