"""Rules for a dashboard as a whole. A rule takes the document that Grafana gets and yields what is wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from monitoring.dashboards.rules_panel import DATASOURCE, LABEL, absent
from monitoring.promql import examine

Document = dict[str, Any]

SCHEMA = 41  # of Grafana 11.6
GRID_WIDTH = 24
_ON_TIME_RANGE_CHANGE = 2  # Grafana's number
_QUERY_VARIABLE = re.compile(r"^(?:label_values|query_result)\((.*)\)$", re.DOTALL)


def panels(document: Document) -> list[dict[str, Any]]:
    """Return the panels that show something: all but the rows."""
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def provisionable(document: Document) -> Iterator[str]:
    """Demand what file provisioning needs: no inputs to be asked for, no id of an installation, not editable."""
    if "__inputs" in document or "__requires" in document or "${DS_" in json.dumps(document):
        yield "has inputs, which file provisioning does not fill"
    if document.get("id") is not None:
        yield "has the id of an installation"
    if document.get("editable") is not False:
        yield "is editable"
    if document.get("schemaVersion") != SCHEMA:
        yield f"is not of schema {SCHEMA}"
    if not document.get("description"):
        yield "has no description"
    if not document.get("links"):
        yield "has no links to the others"


def variables(document: Document) -> Iterator[str]:
    """Demand variables for data source, job and instance; all follow the time range and ask for what exists."""
    found = {one["name"]: one for one in document["templating"]["list"]}
    if (
        found.get("datasource", {}).get("type") != "datasource"
        or found["datasource"].get("query") != "prometheus"
    ):
        yield "has no variable datasource for Prometheus"
    for name in ("job", "instance"):
        one = found.get(name, {})
        if not (one.get("multi") and one.get("includeAll") and one.get("allValue") == ".+"):
            yield f"variable {name} cannot select all"
    for name, one in found.items():
        if one["type"] != "query":
            continue
        if one["datasource"] != DATASOURCE:
            yield f"variable {name} has a data source of its own"
        if one["refresh"] != _ON_TIME_RANGE_CHANGE:
            yield f"variable {name} does not follow the time range"
        query = one["query"]["query"]
        inner = _QUERY_VARIABLE.match(query)
        if inner is None:
            yield f"variable {name} is no query"
            continue
        yield from (f"variable {name}: {problem}" for problem in _variable_problems(query, inner.group(1)))


def _variable_problems(query: str, inner: str) -> Iterator[str]:
    if query.startswith("label_values"):
        inner, _, label = inner.rpartition(",")
        examined = examine(inner)
        if examined.labels is not None and not examined.labels.has(label.strip()):
            yield f"values of {label.strip()}, which is not there"
    else:
        examined = examine(inner)
    yield from examined.problems


def marks(document: Document) -> Iterator[str]:
    """Demand that annotations ask for what exists and name labels that are there."""
    for one in document["annotations"]["list"]:
        if one["datasource"] != DATASOURCE:
            yield f"annotation {one['name']} has a data source of its own"
        examined = examine(one["expr"])
        named = LABEL.findall(one.get("titleFormat", "")) + [
            tag for tag in one.get("tagKeys", "").split(",") if tag
        ]
        yield from (f"annotation {one['name']}: {problem}" for problem in examined.problems)
        yield from (f"annotation {one['name']}: {problem}" for problem in absent(named, examined.labels))


def layout(document: Document) -> Iterator[str]:
    """Demand ids and titles for each panel alone, and places that do not overlap."""
    for what, values in (
        ("id", [panel.get("id") for panel in document["panels"]]),
        ("title", [panel.get("title") for panel in document["panels"]]),
    ):
        yield from (
            f"two panels have the {what} {value}" for value, count in Counter(values).items() if count > 1
        )
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        if cells & taken:
            yield f"panel {panel['title']} overlaps another"
        if at["x"] + at["w"] > GRID_WIDTH:
            yield f"panel {panel['title']} is wider than the dashboard"
        taken |= cells
