"""The exporter itself: whether what it says can be relied on."""

from __future__ import annotations

from monitoring import links
from monitoring.alert import ITSELF, Alert, Group, Known, Record, Severity, events
from monitoring.alerts_shards import SHARDS

JOB = "job"
_ALIVE = (Known(JOB, "dbc_exporter_build_info"),)
_POLLED = "job, node_id, collector"

INTERVAL = "job_collector:dbc_collector_interval_seconds:min"
_STALE = "job_collector:dbc_collector_targets:stale"
_WATCHED = "job_collector:dbc_collector_targets:watched"
_FRESH = "job:dbc_collector_targets:fresh_ratio"

# Only machines that answer count: of others nothing fresh can be had, and other alerts tell of them.
_COUNTED = f"""\
unless on ({_POLLED}) dbc_collector_unavailable
  and on (job, node_id) dbc_node_up == 1
  unless on (job, node_id) dbc_target_present == 0"""

RECORDS = (
    Record(INTERVAL, "min by (job, collector) (dbc_collector_interval_seconds)"),
    Record(
        _STALE,
        f"""\
count by (job, collector) (
  (
    time() - max by ({_POLLED}) (dbc_collector_last_success_timestamp_seconds{{node_id!=""}})
      > ${{stale_intervals}} * max by ({_POLLED}) (dbc_collector_interval_seconds{{node_id!=""}})
    or
    max by ({_POLLED}) (dbc_collector_last_attempt_timestamp_seconds{{node_id!=""}})
      unless on ({_POLLED}) dbc_collector_last_success_timestamp_seconds
  )
  {_COUNTED}
)""",
    ),
    Record(
        _WATCHED,
        f"""\
count by (job, collector) (
  max by ({_POLLED}) (dbc_collector_last_attempt_timestamp_seconds{{node_id!=""}})
  {_COUNTED}
)""",
    ),
    Record(
        _FRESH, f"1 - (sum by (job) ({_STALE}) or 0 * sum by (job) ({_WATCHED})) / sum by (job) ({_WATCHED})"
    ),
)

_ABSENT = 'ALERTS{alertname="DbcExporterAbsent", alertstate="firing"}'
_SLO = "1 - ${freshness_burn_rate} * (1 - ${freshness_objective_ratio})"

LIFE = (
    Alert(
        "DbcExporterAbsent",
        Severity.PAGE,
        ids=JOB,
        record="job:dbc_exporter_build_info:absent",
        when=f"""\
group by (job) (
  last_over_time(dbc_exporter_build_info[1d])
  or
  {_ABSENT} unless on () dbc_exporter_build_info
)
unless on (job) dbc_exporter_build_info
or
label_replace(absent(last_over_time(dbc_exporter_build_info[1d])) unless on () {_ABSENT}, "job", "any", "", "")""",
        known=(Known(JOB, "${since}"),),  # it is about what is not there, so it can always be judged
        page=links.EXPORTER,
        summary="Nothing is known of the fleet: the exporter is not scraped.",
        description="Prometheus gets no metrics of job {{ $labels.job }}. Alerts that fired before go on; no other can begin.",
    ),
    Alert(
        "DbcExporterSchedulerStuck",
        Severity.PAGE,
        ids="job, instance",
        record="instance:dbc_exporter_scheduler:silent",
        when="time() - max by (job, instance) (dbc_exporter_scheduler_heartbeat_timestamp_seconds)"
        " > ${scheduler_silence_seconds}",
        known=_ALIVE,
        page=links.EXPORTER,
        summary="The exporter has stopped polling.",
        description="The scheduler of {{ $labels.instance }} ran {{ $value | humanizeDuration }} ago for the last time: values grow "
        "old and go.",
    ),
    Alert(
        "DbcExporterConfigReloadFailed",
        Severity.TICKET,
        ids="job, instance",
        record="instance:dbc_exporter_config_last_reload_successful:failed",
        when="max by (job, instance) (dbc_exporter_config_last_reload_successful) == 0",
        known=_ALIVE,
        page=links.EXPORTER,
        summary="The exporter's configuration could not be loaded.",
        description="{{ $labels.instance }} goes on with the configuration before, and would not start with the new one.",
    ),
)

QUALITY = (
    Alert(
        "DbcExporterTargetsStale",
        Severity.TICKET,
        ids="job, collector",
        record=_STALE.replace(":stale", ":any_stale"),
        when=f"{_STALE} > 0",
        known=(Known("job, collector", _WATCHED),),
        page=links.EXPORTER,
        summary="Data of machines that answer are old.",
        description="The collector {{ $labels.collector }} has had no success for {{ $value }} machine(s) that answer, for longer "
        "than its intervals allow.",
        paced=ITSELF,
    ),
    Alert(
        "DbcExporterFreshnessSlo",
        Severity.TICKET,
        ids=JOB,
        record="job:dbc_collector_targets:slo_missed",
        when=f"""\
avg_over_time({_FRESH}[6h]) < {_SLO}
and on (job) avg_over_time({_FRESH}[30m]) < {_SLO}""",
        known=(Known(JOB, _FRESH),),
        page=links.EXPORTER,
        summary="Data are not as fresh as promised.",
        description="Of what is polled, {{ $value | humanizePercentage }} was fresh in the last six hours.",
    ),
    Alert(
        "DbcExporterParseFailures",
        Severity.TICKET,
        ids="job, field",
        record="field:dbc_parse_failures:increase1h",
        when=f"{events('job, field', 'dbc_parse_failures_total', '1h')} > ${{parse_failures}}",
        known=_ALIVE,
        page=links.EXPORTER,
        summary="Answers of DBC hold values that cannot be read.",
        description="The field {{ $labels.field }} could not be read {{ $value | humanize }} times in the last hour; it is absent.",
    ),
    Alert(
        "DbcExporterSeriesBudgetExceeded",
        Severity.TICKET,
        ids="job, family",
        record="family:dbc_exporter_series:over_budget",
        when="""\
max by (job, family) (dbc_exporter_series_budget_exceeded) == 1
or
label_replace(max by (job) (dbc_exporter_targets_over_series_budget) > 0, "family", "all of one target", "", "")""",
        known=_ALIVE,
        page=links.EXPORTER,
        summary="The exporter shows more series than its budget.",
        description="There are more series than budgeted: {{ $labels.family }}. Nothing is dropped.",
    ),
    Alert(
        "DbcExporterFleetTooLarge",
        Severity.TICKET,
        ids="job, client, kind",
        record="client_kind:dbc_client_pace_load_ratio:too_large",
        when="""\
max by (job, client, kind) (dbc_client_pace_load_ratio) > 1
unless on (job) dbc_client_state{state="ok"} == 0""",
        known=(
            Known(
                "job, client, kind",
                'dbc_client_pace_load_ratio unless on (job) dbc_client_state{state="ok"} == 0',
            ),
        ),
        page=links.EXPORTER,
        summary="The fleet is too large for its DBC clients.",
        description="Requests {{ $labels.kind }} through {{ $labels.client }} need {{ $value | humanizePercentage }} of what may be "
        "in flight: intervals stretch.",
    ),
)

GROUP = Group("dbc-exporter", "for whoever runs the exporter", (*LIFE, *SHARDS, *QUALITY), RECORDS)
