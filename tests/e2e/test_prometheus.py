"""Who reads the demonstration's exposition: promtool, prometheus_client's parsers, and a real Prometheus."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from dbc_exporter.metrics.catalogue import ALL, FAMILIES
from dbc_exporter.metrics.family import COLLECTORS
from tests.e2e.processes import LIMIT_SECONDS, Served, demo, free_port
from tests.e2e.series import (
    Identity,
    Series,
    filled_by_collectors,
    identity,
    labels,
    read_openmetrics,
    read_text,
)

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None, reason="Prometheus is not installed (Debian package prometheus)"
)
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed (Debian package prometheus)"
)

AS_PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept_Encoding": "gzip",
}
TO_AND_FRO = {"dbc_client_in_flight", "process_open_fds", "process_resident_memory_bytes"}
"""Gauges that may move and come back between two looks: their values are not compared."""
OF_THE_SCRAPE = {"up", "scrape_duration_seconds", "scrape_samples_scraped",
                 "scrape_samples_post_metric_relabeling", "scrape_series_added"}  # fmt: skip
WHOLE = {family.name for family in ALL if family.collector in COLLECTORS}
OF_THE_DEMO = quote('{job="demo"}')
LEAST_SERIES = 2000  # the demonstration has about 2,300

CONFIG = """
global: {{scrape_interval: 2s, scrape_timeout: 2s}}
scrape_configs:
  - job_name: demo
    static_configs: [{{targets: ["{address}"]}}]
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run the demonstration."""
    with demo(tmp_path_factory.mktemp("demo")) as process:
        process.wait(lambda: process.get("/-/ready").status == 200, "ready demonstration")
        yield process


@pytest.fixture(scope="module")
def whole(shown: Served) -> Served:
    """Wait until every collector has filled all its families."""
    shown.wait(lambda: filled_by_collectors(scraped(shown)) == WHOLE, "page of all collectors")
    return shown


@pytest.fixture(scope="module")
def prometheus(shown: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run a Prometheus of our own that scrapes the demonstration."""
    directory = tmp_path_factory.mktemp("prometheus")
    config, port = directory / "prometheus.yml", free_port()
    config.write_text(CONFIG.format(address=shown.address))
    with Served(_command(config, port), port, directory) as process:
        yield process


def _command(config: Path, port: int) -> list[str]:
    return [
        PROMETHEUS or "",
        f"--config.file={config}",
        f"--storage.tsdb.path={config.parent / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=debug",  # scrapes that fail are told at this level only
    ]


def scraped(process: Served) -> Series:
    return read_text(process.get("/metrics").body)


def common(before: Series, after: Series) -> Series:
    """Return the series that two expositions share, with the values of the later one."""
    return {key: after[key] for key in before.keys() & after.keys()}


def constant(before: Series, after: Series) -> Series:
    """Return the series whose value cannot have changed in between."""
    return {
        key: value
        for key, value in common(before, after).items()
        if before[key] == value and dict(key)["__name__"] not in TO_AND_FRO
    }


def api(process: Served, path: str) -> Any:
    """Ask Prometheus' API."""
    answer = json.loads(process.get(f"/api/v1/{path}").body)
    assert answer["status"] == "success", answer
    return answer["data"]


def query(process: Served, expression: str) -> list[Any]:
    found: list[Any] = api(process, f"query?query={quote(expression)}")["result"]
    return found


def ingested_after(process: Served, moment: float) -> float | None:
    """Return the time of the latest scrape that Prometheus stored, if it is later than a moment."""
    # of a plain selector only: of any other expression `timestamp` gives the time of the question
    times = [float(row["value"][1]) for row in query(process, 'timestamp(up{job="demo"})')]
    return next((at for at in times if at > moment), None)


def stored(process: Served, at: float) -> Series:
    """Return what Prometheus stored of the scrape at a moment, without what it adds itself."""
    found: Series = {}
    for row in api(process, f"query?query={OF_THE_DEMO}&time={at:.3f}")["result"]:
        own = {name: value for name, value in row["metric"].items() if name not in {"job", "instance"}}
        if own["__name__"] not in OF_THE_SCRAPE:
            found[identity(own)] = float(row["value"][1])
    return found


@pytest.mark.real
@needs_promtool
def test_promtool_has_no_complaint(whole: Served) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=whole.get("/metrics").body,
        capture_output=True,
        check=False,
        timeout=60,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_both_formats_say_the_same(whole: Served) -> None:
    before = scraped(whole)
    answer = whole.get("/metrics", **AS_PROMETHEUS)
    after = scraped(whole)
    assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.headers["Content-Encoding"] == "gzip"
    found = read_openmetrics(answer.body)
    unchanged = constant(before, after)
    assert len(unchanged) > LEAST_SERIES
    assert {key: found.get(key) for key in unchanged} == unchanged
    assert common(before, after).keys() <= found.keys() <= before.keys() | after.keys()


@pytest.mark.real
@needs_prometheus
def test_prometheus_stores_every_series_under_its_names_with_its_value(
    whole: Served, prometheus: Served
) -> None:
    prometheus.wait(lambda: ingested_after(prometheus, 0), "first sample")
    before, looked = scraped(whole), time.time()
    at = prometheus.wait(lambda: ingested_after(prometheus, looked), "next sample")
    found = stored(prometheus, at)
    after = scraped(whole)
    unchanged = constant(before, after)
    assert len(unchanged) > LEAST_SERIES
    assert {key: found.get(key) for key in unchanged} == unchanged
    assert missing(common(before, after), found) == []
    assert missing(found, before | after) == []


def missing(wanted: Series, found: Series) -> list[Identity]:
    return sorted(wanted.keys() - found.keys(), key=sorted)


@pytest.mark.real
@needs_prometheus
def test_prometheus_asks_for_openmetrics_and_knows_types_helps_and_units(
    whole: Served, prometheus: Served
) -> None:
    prometheus.wait(lambda: ingested_after(prometheus, time.time() - 60), "sample")
    formats = {row["format"] for row in labels(stored_now(prometheus), "dbc_exporter_scrapes_total")}
    assert "openmetrics" in formats
    known = {
        row["metric"]: (row["type"], row["help"], row["unit"])
        for row in api(prometheus, f"targets/metadata?match_target={OF_THE_DEMO}")
    }
    declared = {family.stem: (family.type.value, family.help, family.unit) for family in FAMILIES.values()}
    assert {name: declared[name] for name in known} == known
    assert {FAMILIES[name].stem for name in filled_by_collectors(scraped(whole))} <= known.keys()


def stored_now(process: Served) -> Series:
    return stored(process, time.time())


@pytest.mark.real
@needs_prometheus
def test_prometheus_sees_the_target_up_and_has_no_complaint(whole: Served, prometheus: Served) -> None:
    def scraped_thrice() -> bool:
        rows = query(prometheus, 'count_over_time(up{job="demo"}[1h])')
        return bool(rows) and float(rows[0]["value"][1]) >= 3

    prometheus.wait(scraped_thrice, "three scrapes", LIMIT_SECONDS)
    (target,) = api(prometheus, "targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert [row["value"][1] for row in query(prometheus, 'min_over_time(up{job="demo"}[1h])')] == ["1"]
    counted = read_text(prometheus.get("/metrics").body)
    refused = {
        dict(key)["__name__"]: value
        for key, value in counted.items()
        if re.match(r"prometheus_target_scrapes_(sample|exceeded)_", dict(key)["__name__"])
    }
    assert len(refused) >= 3
    assert set(refused.values()) == {0.0}
    complaints = re.compile(r"level=(warn|error)|Scrape failed|Append failed|(?i:out.of.order|duplicate)")
    assert [line for line in prometheus.stderr.splitlines() if complaints.search(line)] == []
    assert whole.get("/-/healthy").status == 200
