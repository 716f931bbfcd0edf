"""Selectors of our metrics, as every query of every dashboard writes them."""

from __future__ import annotations

SCOPE = 'job=~"$job", instance=~"$instance"'
"""What the variables `job` and `instance`, which every dashboard has, select."""

NAMES = "dbc_node_listed_info"


def m(name: str, over: str = "", **labels: str) -> str:
    """Select a metric within the dashboard's job and instance, optionally over a range (`5m`, `$__range`).

    `state="on"` becomes the matcher `state="on"`, `state="~on|off"` becomes `state=~"on|off"`.
    """
    matchers = (
        f'{label}={"~" * wanted.startswith("~")}"{wanted.removeprefix("~")}"'
        for label, wanted in labels.items()
    )
    selector = f"{name}{{{', '.join((SCOPE, *matchers))}}}"
    return f"{selector}[{over}]" if over else selector


def rate(name: str, **labels: str) -> str:
    """Per-second rate of a counter."""
    return f"rate({m(name, '$__rate_interval', **labels)})"


def increase(name: str, over: str = "$__range", **labels: str) -> str:
    """Count by which a counter grew, by default over the time shown."""
    return f"increase({m(name, over, **labels)})"


def events(name: str, by: str, over: str = "5m", **labels: str) -> str:
    """Events of a counter within a time, where there were any, for each combination of the labels in `by`.

    A counter that appears with its first event has no growth for `increase()` to see: where the exporter was scraped
    before and the series was not there yet, its whole value is new.
    """
    now, before = m(name, **labels), f"{m(name, **labels)} offset {over}"
    seen = f"{m('dbc_exporter_build_info')} offset {over}"
    new = f"({now} unless {before}) and on (job, instance) {seen}"
    return f"sum by ({by}) ({new} or {increase(name, over, **labels)}) > 0"


def quantile(share: float, name: str, by: str) -> str:
    """Quantile of a histogram, for each combination of the labels in `by`."""
    buckets = rate(f"{name}_bucket")
    return f"histogram_quantile({share:g}, sum by (le, {by}) ({buckets}))"


def named(expr: str) -> str:
    """Put the name under which a client lists the node beside `node_id`; a node without one is named by its id.

    `expr` must have at most one series for each combination of its labels.
    """
    names = f"max by (node_id, name) ({m(NAMES)})"
    nameless = f'label_replace({expr}, "name", "$1", "node_id", "(.{{8}}).*")'
    return f"({expr}) * on (node_id) group_left (name) {names} or ({nameless} unless on (node_id) {names})"
