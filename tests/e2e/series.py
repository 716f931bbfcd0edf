"""Expositions as plain data: what is compared when two readers should have read the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

from dbc_exporter.metrics.catalogue import family_of
from dbc_exporter.metrics.family import COLLECTORS

Identity = frozenset[tuple[str, str]]
Series = dict[Identity, float]


def identity(labels: Mapping[str, str], name: str = "") -> Identity:
    """Name a series as Prometheus does: the name is a label, and empty labels are none."""
    return frozenset((key, value) for key, value in {"__name__": name, **labels}.items() if value)


def _series(families: Iterable[Metric]) -> Series:
    return {identity(s.labels, s.name): float(s.value) for family in families for s in family.samples}


def read_text(body: str) -> Series:
    """Read a text exposition with prometheus_client's parser."""
    return _series(text(body))


def read_openmetrics(body: str) -> Series:
    """Read an OpenMetrics exposition with prometheus_client's strict parser."""
    return _series(openmetrics(body))  # type: ignore[no-untyped-call]  # prometheus_client left it untyped


def labels(series: Iterable[Identity], name: str) -> list[dict[str, str]]:
    """Return the label sets under one sample name."""
    return [found for found in map(dict, series) if found.pop("__name__") == name]


def filled_by_collectors(series: Iterable[Identity]) -> set[str]:
    """Return the names of the families with a series among those that collectors fill."""
    found = map(family_of, {dict(one)["__name__"] for one in series})
    return {family.name for family in found if family is not None and family.collector in COLLECTORS}
