"""What all dashboards share: variables, links to each other, annotations, and how rows of panels become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from monitoring.dashboards.panels import DATASOURCE
from monitoring.dashboards.selectors import increase, m

TAG = "dbc"
ALL = "$__all"
ANY = ".+"
_LABEL_VALUES, _QUERY_RESULT = 1, 3  # Grafana's numbers for kinds of variable queries


@dataclass(frozen=True, slots=True)
class Row:
    """A row of panels under a title."""

    title: str
    panels: Sequence[Builder[dashboard.Panel]]


@dataclass(frozen=True, slots=True)
class Page:
    """One dashboard. Its file is `<uid>.json`; `variables` come after data source, job and instance."""

    uid: str
    title: str
    about: str
    rows: Sequence[Row]
    variables: Sequence[Builder[dashboard.VariableModel]] = ()
    since: str = "now-6h"

    def build(self) -> dashboard.Dashboard:
        """Return Grafana's model of it."""
        page = (
            builders.Dashboard(self.title)
            .uid(self.uid)
            .description(self.about)
            .tags([TAG])
            .readonly()
            .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
            .time(self.since, "now")
            .timezone("browser")
            .refresh("1m")
            .link(_other_dashboards())
        )
        for variable in (*_common_variables(), *self.variables):
            page = page.with_variable(variable)
        for annotation in (_alerts(), _remediation()):
            page = page.annotation(annotation)
        for row in self.rows:
            page = page.with_row(builders.Row(row.title))
            for panel in row.panels:
                page = page.with_panel(panel)
        return _numbered(page.build())


def query_variable(
    name: str, label: str, query: str, *, about: str, regex: str = "", multi: bool = False
) -> builders.QueryVariable:
    """Make a variable that Prometheus fills, anew whenever the time range changes; `multi` allows any number."""
    variable = (
        builders.QueryVariable(name)
        .label(label)
        .description(about)
        .datasource(DATASOURCE)
        .query(
            {
                "qryType": _QUERY_RESULT if query.startswith("query_result") else _LABEL_VALUES,
                "query": query,
                "refId": name,
            }
        )
        .regex(regex)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.NATURAL_ASC)
        .multi(multi)
        .include_all(multi)
    )
    if multi:
        variable = variable.all_value(ANY).current(
            dashboard.VariableOption(selected=True, text="All", value=ALL)
        )
    return variable


def node_variable(
    kind: str, label: str, *, multi: bool = False, name: str = "node"
) -> builders.QueryVariable:
    """Make a variable of the targets of a kind by name; one without a name is shown by its id."""
    of_kind = m("dbc_target_info", kind=kind)
    wanted = f"max by (node_id) ({of_kind})"
    names = f"max by (node_id, name) ({m('dbc_node_listed_info')})"
    known = f"{wanted} * on (node_id) group_left (name) {names}"
    unknown = f'label_replace({wanted} unless on (node_id) {names}, "name", "$1", "node_id", "(.*)")'
    return query_variable(
        name,
        label,
        f"query_result({known} or {unknown})",
        about="By the name under which a DBC client lists it.",
        regex='/name="(?<text>[^"]*)",\\s*node_id="(?<value>[^"]+)"/',
        multi=multi,
    )


def _common_variables() -> Sequence[Builder[dashboard.VariableModel]]:
    return (
        builders.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        query_variable(
            "job",
            "Job",
            "label_values(dbc_exporter_build_info, job)",
            about="Prometheus' scrape job.",
            multi=True,
        ),
        query_variable(
            "instance",
            "Instance",
            'label_values(dbc_exporter_build_info{job=~"$job"}, instance)',
            about="The exporter, where there are several.",
            multi=True,
        ),
    )


def _other_dashboards() -> builders.DashboardLink:
    return (
        builders.DashboardLink("DBC dashboards")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
        .tooltip("The other dashboards, with the same time, data source and machine")
    )


class _Annotation(dashboard.AnnotationQuery):
    """An annotation from Prometheus: what it says is set by fields that the common model leaves to data sources."""

    def __init__(self, name: str, expr: str, colour: str, title: str, tags: str) -> None:
        super().__init__(name=name, datasource=DATASOURCE, enable=True, icon_color=colour, expr=expr)
        self._title, self._tags = title, tags

    def to_json(self) -> dict[str, object]:
        return super().to_json() | {"titleFormat": self._title, "tagKeys": self._tags, "step": "60s"}


class _Ready(Builder[dashboard.AnnotationQuery]):
    def __init__(self, made: dashboard.AnnotationQuery) -> None:
        self._made = made

    def build(self) -> dashboard.AnnotationQuery:
        return self._made


def _alerts() -> _Ready:
    expr = 'ALERTS{alertname=~"Dbc.+", alertstate="firing", severity=~"page|ticket|info"}'
    return _Ready(_Annotation("Alerts", expr, "red", "{{alertname}}", "severity,client,node_id,task_id"))


def _remediation() -> _Ready:
    expr = f"sum by (action, result) ({increase('dbc_remediation_actions_total', over='1m')}) > 0"
    return _Ready(_Annotation("Remediation", expr, "blue", "{{action}}: {{result}}", "action,result"))


def _numbered(page: dashboard.Dashboard) -> dashboard.Dashboard:
    """Give every panel an id, so that links to a panel last as long as its place."""
    panels: list[Any] = page.panels or []
    for number, panel in enumerate(panels, 1):
        panel.id_val = number
    return page
