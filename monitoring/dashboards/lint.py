"""Holds every dashboard to the rules, as the JSON that Grafana gets.

They are those of Grafana's dashboard-linter (data source, job and instance variables, titles, descriptions, units,
rates, matchers), and what only we can know: see `monitoring.promql`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from dbc_exporter.metrics.catalogue import ALL, family_of
from dbc_exporter.metrics.family import Stability
from monitoring.dashboards.rules_page import Document, layout, marks, panels, provisionable, variables
from monitoring.dashboards.rules_panel import Panel, columns, described, legends, queries, urls
from monitoring.dashboards.waived import WAIVED
from monitoring.promql import examine

Rule = Callable[[Document], Iterator[str]]

_DASHBOARD = re.compile(r"/d/([\w-]+)\?")
_VARIABLE = re.compile(r"[?&]var-(\w+)=")


def _each(rule: Callable[[Panel], Iterator[str]]) -> Rule:
    def check(document: Document) -> Iterator[str]:
        for panel in panels(document):
            yield from (
                f"panel {panel.get('title') or panel.get('id')}: {problem}" for problem in rule(panel)
            )

    check.__doc__ = rule.__doc__
    return check


RULES: tuple[Rule, ...] = (
    provisionable,
    variables,
    marks,
    layout,
    _each(described),
    _each(queries),
    _each(legends),
    _each(columns),
)


def lint(documents: Mapping[str, str], waived: Mapping[str, str] = WAIVED) -> list[str]:
    """Return everything that is wrong with the dashboards (file name -> JSON), one line each.

    Every stable family must stand on a panel or be `waived` for a reason.
    """
    parsed = {name: json.loads(text) for name, text in documents.items()}
    found = [
        f"{name}: {problem}"
        for name, document in parsed.items()
        for rule in RULES
        for problem in rule(document)
    ]
    found += [
        f"{name}: the uid is not the file's name"
        for name, one in parsed.items()
        if name != f"{one['uid']}.json"
    ]
    found += _links(parsed)
    return found + _coverage(parsed.values(), waived)


def _links(documents: Mapping[str, Document]) -> list[str]:
    known = {one["uid"]: {v["name"] for v in one["templating"]["list"]} for one in documents.values()}
    found = []
    for name, document in documents.items():
        for panel in panels(document):
            for url in urls(panel):
                uid = "".join(_DASHBOARD.findall(url))
                if uid not in known:
                    found.append(
                        f"{name}: panel {panel['title']}: a link leads to {uid or url}, which is not there"
                    )
                    continue
                strange = set(_VARIABLE.findall(url)) - known[uid]
                found += [
                    f"{name}: panel {panel['title']}: {uid} has no variable {one}" for one in sorted(strange)
                ]
    return found


def _coverage(documents: Iterable[Document], waived: Mapping[str, str]) -> list[str]:
    shown = set()
    for document in documents:
        for panel in panels(document):
            for target in panel.get("targets", ()):
                shown |= {
                    family.name for name in examine(target["expr"]).metrics() if (family := family_of(name))
                }
    stable = {family.name for family in ALL if family.stability is Stability.STABLE}
    return [
        *(f"{name} stands on no panel and is not waived" for name in sorted(stable - shown - waived.keys())),
        *(f"{name} is waived and stands on a panel" for name in sorted(shown & waived.keys())),
        *(f"{name} is waived and is no stable family" for name in sorted(waived.keys() - stable)),
        *(f"{name} is waived without a reason" for name, reason in waived.items() if not reason),
    ]
