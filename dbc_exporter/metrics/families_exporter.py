"""Families about targets, freshness and the exporter itself."""

from __future__ import annotations

from dbc_exporter.metrics.families_client import REASONS
from dbc_exporter.metrics.family import COLLECTORS, JOBS, Family, MetricType, ours
from dbc_exporter.targets import DesiredState, Kind

KINDS = tuple(kind.value for kind in Kind)
DESIRED_STATES = tuple(state.value for state in DesiredState)
UNAVAILABLE = ("no_credential", "no_live_order", "orders_unreadable", "no_manager", "not_configured")
FORMATS = ("text", "openmetrics")

_COUNTER = MetricType.COUNTER
_BY_COLLECTOR = {"collector": COLLECTORS}
_OWNER_LABELS = "client node_id collector"


def _scheduler(what: str, text: str) -> Family:
    name = f"dbc_exporter_scheduler_{what}_total"
    return ours(name, text, "exporter", "collector", type_=_COUNTER, enums={"collector": JOBS})


TARGETS: tuple[Family, ...] = (
    ours(
        "dbc_target_info",
        "A target and the operator's labels for it (prefix label_), value 1; join with it on node_id.",
        "targets",
        "node_id kind manager_id desired_state",
        enums={"kind": KINDS, "desired_state": DESIRED_STATES},
        own=False,
        user_labels=True,
    ),
    ours(
        "dbc_target_present",
        "Whether the target is in the inventory (1), or left it lately (0, until it is forgotten).",
        "targets",
        "node_id",
        own=False,
    ),
    ours(
        "dbc_target_expected_gpus",
        "GPUs the operator expects in the target.",
        "targets",
        "node_id",
        own=False,
    ),
    ours(
        "dbc_target_elsewhere",
        "A target that another shard should watch, value 1. One shard tells it of each target, so that what nobody "
        "watches has a name.",
        "targets",
        "node_id shard",
        own=False,
    ),
)

FRESHNESS: tuple[Family, ...] = (
    ours(
        "dbc_collector_last_attempt_timestamp_seconds",
        "Unix time at which the collector last started to poll. Absent until it did.",
        "freshness",
        _OWNER_LABELS,
        enums=_BY_COLLECTOR,
        unit="seconds",
        own=False,
    ),
    ours(
        "dbc_collector_last_success_timestamp_seconds",
        "Unix time of the collector's last success. Absent until there was one; values are withdrawn some intervals "
        "after it, this series stays.",
        "freshness",
        _OWNER_LABELS,
        enums=_BY_COLLECTOR,
        unit="seconds",
        own=False,
    ),
    ours(
        "dbc_collector_interval_seconds",
        "Interval at which the collector polls.",
        "freshness",
        _OWNER_LABELS,
        enums=_BY_COLLECTOR,
        unit="seconds",
        own=False,
    ),
    ours(
        "dbc_collector_failures_total",
        "Polls that failed, by reason; counted from the start of this process.",
        "freshness",
        "client node_id collector reason",
        type_=_COUNTER,
        enums=_BY_COLLECTOR | {"reason": REASONS},
        own=False,
    ),
    ours(
        "dbc_collector_unavailable",
        "1 while the collector cannot work for this owner, and why; it is no failure, and nothing is polled.",
        "freshness",
        "client node_id collector reason",
        enums=_BY_COLLECTOR | {"reason": UNAVAILABLE},
        own=False,
    ),
)

EXPORTER: tuple[Family, ...] = (
    ours(
        "dbc_exporter_build_info",
        "Version of the exporter and of Python, value 1.",
        "exporter",
        "version python",
    ),
    ours(
        "dbc_exporter_targets",
        "Targets in the inventory by kind.",
        "exporter",
        "kind",
        enums={"kind": KINDS},
        own=False,
    ),
    ours(
        "dbc_exporter_shard",
        "Which of the shards this exporter is (1), and which there are beside it (0).",
        "exporter",
        "shard total_shards",
    ),
    _scheduler("runs", "Runs of a job that started."),
    _scheduler("missed", "Runs of a job that were due and did not start."),
    _scheduler("overlapped", "Runs of a job that were skipped because the one before was not done."),
    _scheduler("deadline_exceeded", "Runs of a job that were ended by their deadline."),
    _scheduler("errors", "Runs of a job that ended with an unexpected error."),
    ours(
        "dbc_exporter_scheduler_heartbeat_timestamp_seconds",
        "Unix time of the scheduler's last heartbeat.",
        "exporter",
        unit="seconds",
    ),
    ours(
        "dbc_exporter_scheduler_rearms_total",
        "Times the watchdog armed the scheduler's jobs again.",
        "exporter",
        type_=_COUNTER,
    ),
    ours(
        "dbc_exporter_clock_steps_total",
        "Steps of the wall clock that were noticed.",
        "exporter",
        type_=_COUNTER,
    ),
    ours(
        "dbc_parse_failures_total",
        "Fields of polled answers that were there and could not be read; they are absent.",
        "exporter",
        "field",
        type_=_COUNTER,
        own=False,
    ),
    ours("dbc_exporter_series", "Series of a family in the store.", "exporter", "family", own=False),
    ours(
        "dbc_exporter_series_budget_exceeded",
        "Whether a family has more series than its budget (1) or not (0); nothing is dropped for it.",
        "exporter",
        "family",
        own=False,
    ),
    ours(
        "dbc_exporter_targets_over_series_budget",
        "Targets with more series than the budget of one target; nothing is dropped for it.",
        "exporter",
        own=False,
    ),
    ours(
        "dbc_exporter_duplicate_series_total",
        "Series refused because another object already gave the same one.",
        "exporter",
        type_=_COUNTER,
        own=False,
    ),
    ours(
        "dbc_exporter_config_last_reload_successful",
        "Whether the last reload of the configuration succeeded (1) or not (0).",
        "exporter",
    ),
    ours(
        "dbc_exporter_config_last_reload_success_timestamp_seconds",
        "Unix time of the last successful load of the configuration.",
        "exporter",
        unit="seconds",
    ),
    ours(
        "dbc_exporter_state_persistent",
        "Whether freshness is kept on disk and survives a restart (1) or not (0).",
        "exporter",
    ),
    ours(
        "dbc_exporter_scrapes_total",
        "Scrapes answered, by exposition format.",
        "exporter",
        "format",
        type_=_COUNTER,
        enums={"format": FORMATS},
    ),
)

FAMILIES: tuple[Family, ...] = TARGETS + FRESHNESS + EXPORTER
