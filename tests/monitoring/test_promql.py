"""What the checks of queries find, and which labels a result carries."""

from __future__ import annotations

import pytest

from monitoring.promql import examine


def labels(expr: str) -> set[str]:
    found = examine(expr)
    assert found.problems == []
    assert found.labels is not None
    return set(found.labels.names)


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("dbc_node_up", {"job", "instance", "node_id"}),
        ("rate(dbc_client_request_duration_seconds_bucket[5m])", {"job", "instance", "client", "kind", "le"}),
        ("sum(dbc_node_up)", set()),
        ("sum by (node_id) (dbc_node_up)", {"node_id"}),
        ("max without (job) (dbc_node_up)", {"instance", "node_id"}),
        ("topk(3, dbc_node_up)", {"job", "instance", "node_id"}),
        ("dbc_node_up > 0", {"job", "instance", "node_id"}),
        ("1 - dbc_node_up", {"job", "instance", "node_id"}),
        ("dbc_node_gpus / on (node_id) dbc_node_cpu_cores", {"node_id"}),
        ("dbc_node_gpus - ignoring (job) dbc_node_cpu_cores", {"instance", "node_id"}),
        (
            "dbc_vm_gpus * on (node_id) group_left (name) dbc_node_listed_info",
            {"job", "instance", "node_id", "task_id", "name"},
        ),
        (
            "dbc_node_listed_info * on (node_id) group_right (name) dbc_vm_gpus",
            {"job", "instance", "node_id", "task_id", "name"},
        ),
        ("dbc_vm_gpus and on (node_id) dbc_node_up", {"job", "instance", "node_id", "task_id"}),
        ("dbc_vm_gpus unless on (node_id) dbc_node_up", {"job", "instance", "node_id", "task_id"}),
        ("sum by (node_id) (dbc_vm_gpus) or vector(0)", set()),
        ("dbc_vm_gpus or dbc_node_up", {"job", "instance", "node_id"}),
        (
            "histogram_quantile(0.9, sum by (le, kind) (rate(dbc_client_request_duration_seconds_bucket[5m])))",
            {"kind"},
        ),
        (
            'label_replace(dbc_node_up, "name", "$1", "node_id", "(.*)")',
            {"job", "instance", "node_id", "name"},
        ),
        ("max_over_time(dbc_node_up[1h:1m])", {"job", "instance", "node_id"}),
        ("-(dbc_node_up)", {"job", "instance", "node_id"}),
    ],
)
def test_the_labels_of_a_result_are_those_that_prometheus_would_keep(expr: str, expected: set[str]) -> None:
    assert labels(expr) == expected


def test_a_number_has_no_labels_at_all() -> None:
    assert examine("time() - 3").labels is None


def test_labels_of_the_operator_are_possible_on_the_one_family_that_has_them() -> None:
    assert examine('sum by (label_site) (dbc_target_info{label_rack="a"})').problems == []
    assert examine("sum by (label_site) (dbc_node_up)").problems == ["sum by label_site, which is not there"]


@pytest.mark.parametrize(
    ("expr", "problem"),
    [
        ("sum(dbc_node_up", "does not parse: "),
        ("rate(dbc_parse_failures_total)", "does not parse: expected type matrix"),
        ("dbc_nodes_up", "dbc_nodes_up is no metric of ours"),
        (
            "rate(dbc_client_request_duration_seconds[5m])",
            "dbc_client_request_duration_seconds is no metric of ours",
        ),
        ('{node_id="a"}', "a selector without a name is no metric of ours"),
        ('dbc_node_up{node="a"}', "dbc_node_up has no label node"),
        ('dbc_vm_state{state="paused"}', "state of dbc_vm_state is never paused"),
        ('dbc_vm_state{state=~"running|paused"}', "state of dbc_vm_state is never paused"),
        ('dbc_vm_state{state!="paused"}', "state of dbc_vm_state is never paused"),
        ('dbc_vm_state{state=~"err.*"} + dbc_vm_state{state=~"err"}', "state of dbc_vm_state is never err"),
        ("rate(dbc_node_gpus[5m])", "rate() of dbc_node_gpus, which is no counter"),
        ("increase(dbc_node_gpus[5m])", "increase() of dbc_node_gpus, which is no counter"),
        ("dbc_parse_failures_total > 3", "dbc_parse_failures_total is a counter and means something under"),
        (
            "sum(dbc_client_request_duration_seconds_count)",
            "dbc_client_request_duration_seconds_count is a counter and means something under",
        ),
        ("sum by (name) (dbc_node_up)", "sum by name, which is not there"),
        ("dbc_node_up and on (task_id) dbc_vm_gpus", "and by task_id, which is not there"),
        (
            "dbc_vm_gpus * on (node_id) group_left (os) dbc_node_listed_info",
            "group by os, which is not there",
        ),
        (
            "histogram_quantile(0.9, sum by (kind) (dbc_client_in_flight))",
            "histogram_quantile by le, which is not there",
        ),
    ],
)
def test_mistakes_are_found(expr: str, problem: str) -> None:
    (found,) = examine(expr).problems
    assert found.startswith(problem)


def test_what_a_variable_will_hold_is_not_judged() -> None:
    assert examine('dbc_vm_state{state=~"$state", node_id="$node_id"}').problems == []


def test_grafanas_durations_are_durations() -> None:
    assert (
        examine(
            "increase(dbc_parse_failures_total[$__rate_interval]) + increase(dbc_parse_failures_total[$__range])"
        ).problems
        == []
    )


def test_the_value_of_a_counter_that_was_not_there_before_is_growth() -> None:
    assert examine("dbc_parse_failures_total unless dbc_parse_failures_total offset 5m").problems == []
    assert examine("dbc_parse_failures_total unless dbc_parse_failures_total").problems != []
    assert examine("dbc_parse_failures_total and dbc_parse_failures_total offset 5m").problems != []


def test_series_of_alerts_may_have_any_label() -> None:
    assert examine('count by (whatever) (ALERTS{alertstate="firing"})').problems == []


def test_the_metrics_that_a_query_selects_are_named() -> None:
    assert examine("dbc_node_up + on (node_id) dbc_node_gpus").metrics() == {"dbc_node_up", "dbc_node_gpus"}
