"""Rules for a panel. A rule takes the panel as Grafana gets it and yields what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from monitoring.promql import FOREIGN, Labels, examine

Panel = dict[str, Any]

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_RATE = re.compile(r"\b(?:rate|irate)\(")


def described(panel: Panel) -> Iterator[str]:
    """Demand title, description, data source, unit and thresholds."""
    if not panel.get("title"):
        yield "has no title"
    if not str(panel.get("description", "")).endswith("."):
        yield "has no description in whole sentences"
    if panel.get("datasource") != DATASOURCE:
        yield "has a data source of its own"
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    if not defaults.get("unit"):
        yield "has no unit"
    steps = defaults.get("thresholds", {}).get("steps") or [{"value": 0}]
    if steps[0].get("value") is not None:
        yield "has no thresholds of its own"
    if not panel.get("targets"):
        yield "asks for nothing"


def queries(panel: Panel) -> Iterator[str]:
    """Demand queries for what exists, within the chosen job and instance, with rates that follow the step."""
    for target in panel.get("targets", ()):
        expr = target["expr"]
        examined = examine(expr)
        yield from examined.problems
        if target.get("datasource") != DATASOURCE:
            yield "a query has a data source of its own"
        for selector in examined.selectors:
            matchers = {f"{one.name}{one.value}" for one in selector.matchers.matchers}
            if selector.name not in FOREIGN and not {"job$job", "instance$instance"} <= matchers:
                yield f"{selector.name} is not within the chosen job and instance"
        if expr.count("[$__rate_interval]") < len(_RATE.findall(expr)):
            yield "a rate is not over $__rate_interval"


def legends(panel: Panel) -> Iterator[str]:
    """Demand a legend for range queries, of labels that survive the query's aggregation."""
    for target in panel.get("targets", ()):
        legend = target.get("legendFormat", "")
        if target.get("range") and not legend:
            yield "a query has no legend"
        yield from absent(LABEL.findall(legend), examine(target["expr"]).labels)


def columns(panel: Panel) -> Iterator[str]:
    """Demand that the labels a table names are in one of its queries, and that links use columns it has."""
    if panel["type"] != "table":
        return
    found = [examine(target["expr"]).labels or Labels() for target in panel.get("targets", ())]
    organize = next(one["options"] for one in panel["transformations"] if one["id"] == "organize")
    titles = set(organize["renameByName"].values())
    for label in {*organize["renameByName"], *organize["excludeByName"]}:
        if (
            label != "Time"
            and not label.startswith("Value")
            and not any(labels.has(label) for labels in found)
        ):
            yield f"column {label} is in no query"
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] not in titles:
            yield f"an override is for the column {override['matcher']['options']}, which is not there"
    for url in urls(panel):
        for column in re.findall(r'__data\.fields\["([^"]+)"\]', url):
            if column not in titles:
                yield f"a link uses the column {column}, which is not there"


def absent(names: Sequence[str], labels: Labels | None) -> Iterator[str]:
    """Name the labels that a query's result (`None`: a number) does not have."""
    for name in names:
        if labels is None or not labels.has(name):
            yield f"names the label {name}, which the query's result does not have"


def urls(panel: Panel) -> list[str]:
    """Return the addresses that a panel's cells link to."""
    return [
        link["url"]
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "links"
        for link in one["value"]
    ]
