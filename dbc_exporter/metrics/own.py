"""Metrics of this process: prometheus_client's counters, gauges and histograms, built from the catalogue.

They stay out of prometheus_client's global registry. A gauge without labels is absent until it is set.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, ProcessCollector
from prometheus_client.metrics_core import Metric

from dbc_exporter.metrics.catalogue import FAMILIES
from dbc_exporter.metrics.family import Family
from dbc_exporter.metrics.lines import label

_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
_log = logging.getLogger(__name__)

Collect = Callable[[], Iterable[Metric]]


class OwnMetrics:
    """Every family of ours that is counted in this process, as attributes to be incremented or set."""

    def __init__(self, *, version: str, python: str) -> None:
        """`version` and `python` fill the build info."""
        self._sources: list[tuple[frozenset[str], Collect]] = []
        self.requests = self.counter("dbc_client_requests_total")
        self.request_failures = self.counter("dbc_client_request_failures_total")
        self.request_duration = self.histogram("dbc_client_request_duration_seconds")
        self.in_flight = self.gauge("dbc_client_in_flight")
        self.in_flight_limit = self.gauge("dbc_client_in_flight_limit")
        self.pace_load = self.gauge("dbc_client_pace_load_ratio")
        self.unanswered = self.gauge("dbc_client_unanswered")
        self.unanswered_ceiling = self.gauge("dbc_client_unanswered_ceiling")
        self.client_restarts = self.counter("dbc_client_restarts_total")
        self.scheduler_runs = self.counter("dbc_exporter_scheduler_runs_total")
        self.scheduler_missed = self.counter("dbc_exporter_scheduler_missed_total")
        self.scheduler_overlapped = self.counter("dbc_exporter_scheduler_overlapped_total")
        self.scheduler_deadline_exceeded = self.counter("dbc_exporter_scheduler_deadline_exceeded_total")
        self.scheduler_errors = self.counter("dbc_exporter_scheduler_errors_total")
        self.scheduler_heartbeat = self.gauge("dbc_exporter_scheduler_heartbeat_timestamp_seconds")
        self.scheduler_rearms = self.counter("dbc_exporter_scheduler_rearms_total")
        self.clock_steps = self.counter("dbc_exporter_clock_steps_total")
        self.reload_successful = self.gauge("dbc_exporter_config_last_reload_successful")
        self.reload_success_time = self.gauge("dbc_exporter_config_last_reload_success_timestamp_seconds")
        self.state_persistent = self.gauge("dbc_exporter_state_persistent")
        self.scrapes = self.counter("dbc_exporter_scrapes_total")
        self._shard = self.gauge("dbc_exporter_shard")
        build = self.gauge("dbc_exporter_build_info")
        build.labels(version, python).set(1)
        process = {name for name, family in FAMILIES.items() if family.collector == "process"}
        python_gc = {name for name in process if name.startswith("python_gc")}
        self._source(python_gc, GCCollector(CollectorRegistry()).collect)
        self._source(process - python_gc, ProcessCollector(registry=None).collect)

    def set_shard(self, shard: int, total: int) -> None:
        """Say which of how many shards this exporter is."""
        self._shard.clear()
        for number in range(total):
            self._shard.labels(str(number), str(total)).set(number == shard)

    def forget_client(self, client: str) -> None:
        """Drop the series of a DBC client that left the configuration."""
        for metric in (
            self.requests,
            self.request_failures,
            self.request_duration,
            self.in_flight,
            self.in_flight_limit,
            self.pace_load,
            self.unanswered,
            self.unanswered_ceiling,
            self.client_restarts,
        ):
            metric.remove_by_labels({"client": client})

    def lines(self, wanted: Callable[[Family], bool]) -> dict[str, list[bytes]]:
        """Write the samples of the wanted families. A collector that fails costs its own families only."""
        written: dict[str, list[bytes]] = {}
        for names, collect in self._sources:
            if not any(wanted(FAMILIES[name]) for name in names):
                continue
            try:
                metrics = list(collect())
            except Exception:  # noqa: BLE001 - a scrape never fails because of one collector
                _log.exception("a collector of this process failed: families=%s", sorted(names))
                continue
            for metric in metrics:
                family = FAMILIES.get(f"{metric.name}_total" if metric.type == "counter" else metric.name)
                if family is not None and wanted(family):
                    written[family.name] = _lines(metric)
        return written

    def counter(self, name: str) -> Counter:
        """Make the counter of a declared family and show it."""
        family = FAMILIES[name]
        counter = Counter(name, family.help, family.labels, registry=None)
        self._source({name}, counter.collect)
        return counter

    def gauge(self, name: str) -> Gauge:
        """Make the gauge of a declared family and show it; one without labels is absent until it is set."""
        family = FAMILIES[name]
        gauge = Gauge(name, family.help, family.labels, registry=None)
        if not family.labels:
            gauge.set(math.nan)
        self._source({name}, gauge.collect)
        return gauge

    def histogram(self, name: str, buckets: tuple[float, ...] = _BUCKETS) -> Histogram:
        """Make the histogram of a declared family and show it."""
        family = FAMILIES[name]
        histogram = Histogram(name, family.help, family.labels, buckets=buckets, registry=None)
        self._source({name}, histogram.collect)
        return histogram

    def _source(self, names: Iterable[str], collect: Collect) -> None:
        self._sources.append((frozenset(names), collect))


def _lines(metric: Metric) -> list[bytes]:
    """Write a family's samples, without creation times and values not set yet."""
    lines = []
    for sample in metric.samples:
        if sample.name.endswith("_created") or math.isnan(sample.value):
            continue
        inner = ",".join(label(name, value) for name, value in sample.labels.items())
        braced = f"{{{inner}}}" if inner else ""
        lines.append(f"{sample.name}{braced} {sample.value!r}\n".encode())
    return lines
