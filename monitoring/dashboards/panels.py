"""The kinds of panels: every one has a unit, thresholds, a description and the dashboard's data source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitoring.thresholds import VALUES

DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
NEUTRAL, GOOD, WARN, BAD, UNKNOWN = "text", "green", "orange", "red", "#808080"

Steps = Sequence[tuple[float | None, str]]
"""Thresholds: from this value on (`None`: from the beginning) this colour."""

Words = Mapping[str, tuple[str, str]]
"""Texts for values: value -> (text, colour)."""

PLAIN: Steps = ((None, NEUTRAL),)
ANY_IS_BAD: Steps = ((None, GOOD), (1, BAD))
ANY_IS_ODD: Steps = ((None, GOOD), (1, WARN))
STALE_INTERVALS = f"{VALUES['stale_intervals'].value:g}"
YES_NO: Words = {"1": ("yes", GOOD), "0": ("no", BAD)}
NO_IS_GOOD: Words = {"1": ("yes", BAD), "0": ("no", GOOD)}
EITHER: Words = {"1": ("yes", NEUTRAL), "0": ("no", NEUTRAL)}
PRESENT: Words = {"1": ("now", "blue")}


def alarm(threshold: str) -> Steps:
    """Colour values from the threshold of an alert on."""
    return ((None, GOOD), (VALUES[threshold].value, BAD))


@dataclass(frozen=True, slots=True)
class Query:
    """A range query; `legend` names the lines by their labels (`{{state}}`) or says what they are."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Column:
    """A query for a table: its value's column; `""` as title keeps the labels and hides the value."""

    expr: str
    title: str = ""
    unit: str = "none"
    steps: Steps = PLAIN
    words: Words = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """A link from a cell of a table's column to another dashboard; `variables` are filled from other columns."""

    column: str
    to: str
    title: str
    variables: tuple[tuple[str, str], ...]


class _Panel(Protocol):
    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: dashboard.DataSourceRef) -> Self: ...
    def span(self, w: int) -> Self: ...
    def height(self, h: int) -> Self: ...
    def unit(self, unit: str) -> Self: ...
    def thresholds(self, thresholds: Builder[dashboard.ThresholdsConfig]) -> Self: ...
    def mappings(self, mappings: list[dashboard.ValueMapping]) -> Self: ...
    def no_value(self, no_value: str) -> Self: ...


P = TypeVar("P", bound=_Panel)
NO_VALUE = "unknown"


def number(
    title: str,
    about: str,
    expr: str,
    *,
    unit: str = "short",
    steps: Steps = PLAIN,
    words: Words | None = None,
    legend: str = "",
    width: int = 4,
    height: int = 4,
    none: str = NO_VALUE,
) -> stat.Panel:
    """Show the present value, or with a `legend` that instead; `none` is shown where there is no value."""
    panel = _framed(
        stat.Panel(), title, about, unit=unit, steps=steps, words=words or {}, size=(width, height)
    )
    target = _query(expr, legend).instant()
    return (
        panel.with_target(target)
        .no_value(none)
        .color_mode(
            common.BigValueColorMode.BACKGROUND if len(steps) > 1 or words else common.BigValueColorMode.VALUE
        )
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(common.BigValueTextMode.NAME if legend else common.BigValueTextMode.AUTO)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )


def lines(
    title: str,
    about: str,
    *queries: Query,
    unit: str = "short",
    steps: Steps = PLAIN,
    stacked: bool = False,
    full: float | None = None,
    width: int = 12,
    height: int = 8,
) -> timeseries.Panel:
    """Show values over time from 0 on; `full` is the axis' fixed end, thresholds are drawn as lines."""
    panel = _framed(
        timeseries.Panel(), title, about, unit=unit, steps=steps, words={}, size=(width, height)
    ).min(0)
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(_query(query.expr, query.legend, letter).range())
    if full is not None:
        panel = panel.max(full)
    if stacked:
        panel = panel.fill_opacity(30).stacking(
            common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
        )
    style = common.GraphThresholdsStyleMode.DASHED if len(steps) > 1 else common.GraphThresholdsStyleMode.OFF
    return (
        panel.thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(style))
        .show_points(common.VisibilityMode.AUTO)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
    )


def states(
    title: str, about: str, *queries: Query, words: Words, width: int = 24, height: int = 6
) -> statetimeline.Panel:
    """Show one bar for each series, coloured by its value's meaning."""
    panel = _framed(
        statetimeline.Panel(), title, about, unit="none", steps=PLAIN, words=words, size=(width, height)
    )
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        panel = panel.with_target(_query(query.expr, query.legend, letter).range())
    return panel.show_value(common.VisibilityMode.NEVER).merge_values(True)


def rows(
    title: str,
    about: str,
    *columns: Column,
    labels: Mapping[str, str],
    hidden: Sequence[str] = (),
    link: Link | None = None,
    width: int = 24,
    height: int = 10,
) -> table.Panel:
    """Show a table: one row for each combination of the labels that all queries share.

    `labels` gives labels their column titles (in this order), `hidden` names labels that are left out.
    """
    panel = _framed(table.Panel(), title, about, unit="none", steps=PLAIN, words={}, size=(width, height))
    rename: dict[str, str] = dict(labels)
    order = {name: place for place, name in enumerate(labels)}
    exclude = {"Time": True, **dict.fromkeys(hidden, True)}
    for letter, column in zip("ABCDEFGHIJKLMNOP", columns, strict=False):
        panel = panel.with_target(_query(column.expr, "", letter).instant().format(PromQueryFormat.TABLE))
        value = f"Value #{letter}" if len(columns) > 1 else "Value"
        if not column.title:
            exclude[value] = True
            continue
        rename[value] = column.title
        order[value] = len(order)
        panel = panel.override_by_name(column.title, _column_properties(column))
    if link is not None:
        panel = panel.override_by_name(
            link.column, [dashboard.DynamicConfigValue("links", [_data_link(link)])]
        )
    merge = dashboard.DataTransformerConfig(id_val="merge", options={})
    organize = dashboard.DataTransformerConfig(
        id_val="organize", options={"excludeByName": exclude, "indexByName": order, "renameByName": rename}
    )
    return panel.with_transformation(merge).with_transformation(organize)


def _framed(
    panel: P, title: str, about: str, *, unit: str, steps: Steps, words: Words, size: tuple[int, int]
) -> P:
    width, height = size
    panel = panel.title(title).description(about).datasource(DATASOURCE).span(width).height(height).unit(unit)
    panel = panel.thresholds(
        builders.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value, colour) for value, colour in steps])
    )
    return panel.mappings([_mapping(words)]) if words else panel


def _query(expr: str, legend: str, letter: str = "A") -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(expr).ref_id(letter).datasource(DATASOURCE)
    return query.legend_format(legend) if legend else query


def _mapping(words: Words) -> dashboard.ValueMap:
    return dashboard.ValueMap(
        {
            value: dashboard.ValueMappingResult(text=text, color=colour, index=place)
            for place, (value, (text, colour)) in enumerate(words.items())
        }
    )


def _column_properties(column: Column) -> list[dashboard.DynamicConfigValue]:
    properties = [dashboard.DynamicConfigValue("unit", column.unit)]
    if column.words:
        properties.append(dashboard.DynamicConfigValue("mappings", [_mapping(column.words)]))
    elif len(column.steps) > 1:
        steps = [dashboard.Threshold(value, colour) for value, colour in column.steps]
        thresholds = dashboard.ThresholdsConfig(dashboard.ThresholdsMode.ABSOLUTE, steps)
        properties.append(dashboard.DynamicConfigValue("thresholds", thresholds))
    else:
        return properties
    properties.append(dashboard.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    return properties


def _data_link(link: Link) -> dict[str, object]:
    variables = "".join(f'&var-{name}=${{__data.fields["{column}"]}}' for name, column in link.variables)
    carried = "${__url_time_range}&${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
    return {"title": link.title, "url": f"/d/{link.to}?{carried}{variables}", "targetBlank": False}
