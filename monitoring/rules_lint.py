"""Holds files of rules to what promtool cannot know: the catalogue, the runbooks, the dashboards, and good manners.

These are also pint's offline checks that matter here: labels and values in templates, comparisons, matching, regular
expressions, ranges of rates, choices among series, owners' annotations, names and duplicates.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from monitoring.promql import FOREIGN, Labels, examine

Rule = Mapping[str, Any]

ANNOTATIONS = ("summary", "description", "runbook_url", "dashboard_url")
SEVERITIES = {"page", "ticket", "info", "none"}

_RECORD = re.compile(r"[a-z_]+:dbc_[a-z0-9_]+:[a-z0-9_]+")
_CONDITION = re.compile(r"==|!=|[<>]|\babsent\(|\bunless\b")
_TEMPLATE_LABEL = re.compile(r"\$labels\.(\w+)")
_RUNBOOK = re.compile(r"/(\w+)\.md$")
_PAGE = re.compile(r"/d/([\w-]+)(?:\?|$)")
_LIKENESS = re.compile(r'=~"([^"]*)"')
_GROWTH_OVER = re.compile(r"\b(?:rate|irate|increase)\([^\[\]]*\[(\d+)([smhd])\]")
_CHOICE = re.compile(r"\b(?:topk|bottomk|limitk|limit_ratio)\b")
_BROKEN = re.compile(r"\b(?:rate|increase|avg_over_time|avg)\b|/")
_PLAIN_VALUE = re.compile(r"\{\{\s*\$value\s*\}\}")

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LEAST_SECONDS = 4 * 30
"""Shortest range of a rate: four scrapes at the interval that the README names, so that two may be lost."""


Recorded = dict[str, Labels]
"""What rules record: the labels of each series, as far as known, by its name."""


def lint(groups: Sequence[Mapping[str, Any]], runbooks: Collection[str], pages: Collection[str]) -> list[str]:
    """Return everything that is wrong with groups of rules, one line each.

    `runbooks` are the names of runbooks there are, `pages` the uids of dashboards.
    """
    rules: list[Rule] = [rule for group in groups for rule in group["rules"]]
    names = [rule["record"] for rule in rules if "record" in rule]
    alerts = [rule["alert"] for rule in rules if "alert" in rule]
    found = [f"{name} stands there twice" for name in {*names, *alerts} if (names + alerts).count(name) > 1]
    recorded = dict.fromkeys(names, Labels(any=True))
    conditions = {rule["record"]: rule["expr"] for rule in rules if "record" in rule}
    for rule in rules:
        name = rule.get("record") or rule["alert"]
        others = _record(rule) if "record" in rule else _alert(rule, recorded, pages)
        found += [f"{name}: {problem}" for problem in (*_query(rule, recorded), *others)]
        found += [f"{name}: {problem}" for problem in _value(rule, conditions)]
    found += [f"{name} has no runbook" for name in alerts if name not in runbooks]
    found += [f"the runbook {name} has no alert" for name in sorted(runbooks) if name not in alerts]
    used = " ".join(rule["expr"] for rule in rules)
    found += [f"{name} is recorded and not used" for name in names if used.count(name) == 0]
    return found


def _query(rule: Rule, recorded: Recorded) -> Iterator[str]:
    query = examine(rule["expr"], foreign=FOREIGN | recorded.keys())
    yield from query.problems
    if "record" in rule and query.labels is not None:
        recorded[rule["record"]] = query.labels
    for pattern in _LIKENESS.findall(rule["expr"]):
        if pattern.startswith((".*", "^")) or not re.search(r"[|.\[(*+?]", pattern):
            yield f"the expression {pattern!r} matches too much, or needs no expression"
    for number, unit in _GROWTH_OVER.findall(rule["expr"]):
        if int(number) * _SECONDS[unit] < LEAST_SECONDS:
            yield f"a rate over {number}{unit} is lost with two scrapes"
    if _CHOICE.search(rule["expr"]):
        yield "chooses among series, so that what it says of each comes and goes"


def _value(rule: Rule, conditions: Mapping[str, str]) -> Iterator[str]:
    """Demand that a text rounds a value that may be no whole number."""
    used = [expr for name, expr in conditions.items() if name in rule["expr"]]
    texts = " ".join(rule.get("annotations", {}).values())
    if _PLAIN_VALUE.search(texts) and any(_BROKEN.search(expr) for expr in used):
        yield "shows a value with all its decimals"


def _record(rule: Rule) -> Iterator[str]:
    if not _RECORD.fullmatch(rule["record"]):
        yield "is not named level:metric:operation"


def _alert(rule: Rule, recorded: Recorded, pages: Collection[str]) -> Iterator[str]:
    severity = rule.get("labels", {}).get("severity")
    if severity not in SEVERITIES:
        yield f"has the severity {severity}"
    if severity != "none" and not _CONDITION.search(rule["expr"]):
        yield "compares nothing, so that it always fires"
    yield from _texts(rule, severity)
    yield from _links(rule, pages)
    labels = _labels(rule, recorded)
    texts = rule.get("annotations", {}).values()
    for label in sorted({one for text in texts for one in _TEMPLATE_LABEL.findall(text)}):
        if not labels.has(label):
            yield f"speaks of its label {label}, which it has not"


def _texts(rule: Rule, severity: str) -> Iterator[str]:
    annotations = rule.get("annotations", {})
    for name in ANNOTATIONS:
        if not annotations.get(name):
            yield f"has no {name}"
    if "{{" in annotations.get("summary", ""):
        yield "has a summary that changes with its labels or value"
    if severity != "none" and "{{" not in annotations.get("description", ""):
        yield "has a description without labels or value"


def _links(rule: Rule, pages: Collection[str]) -> Iterator[str]:
    annotations = rule.get("annotations", {})
    if _RUNBOOK.findall(annotations.get("runbook_url", "")) != [rule["alert"]]:
        yield "points to another alert's runbook"
    page = "".join(_PAGE.findall(annotations.get("dashboard_url", "")))
    if page not in pages:
        yield f"points to the dashboard {page}, which is not there"


def _labels(rule: Rule, recorded: Recorded) -> Labels:
    """Return the labels of an alert: those of the series that it begins with, if that is recorded."""
    query = examine(rule["expr"], foreign=FOREIGN | recorded.keys())
    first = query.selectors[0].name if query.selectors else None
    return recorded.get(first or "", query.labels or Labels())
