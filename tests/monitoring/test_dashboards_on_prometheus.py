"""Every panel on a real Prometheus that holds what a simulated fleet exposed: there is data, under the legend's labels."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from monitoring.dashboards import PAGES, document
from monitoring.dashboards.rules_page import panels
from tests.e2e.processes import Served, free_port
from tests.monitoring.grafana import ALL, Prometheus, options, targets
from tests.monitoring.story import NODE, Story, play, stored

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        PROMETHEUS is None or PROMTOOL is None,
        reason="Prometheus is not installed (Debian package prometheus)",
    ),
]

JOB, INSTANCE = "dbc", "exporter:9377"
UNEVENTFUL = {
    "dbc_exporter_scheduler_missed_total": "APScheduler drops no run: its jobs never wait",
    "dbc_exporter_scheduler_deadline_exceeded_total": "no run took that long",
    "dbc_exporter_scheduler_errors_total": "counts mistakes of ours",
}
"""Metrics that nothing in a sound run gives a sample to: a query of one of them alone may find nothing."""

DASHBOARDS = {page.uid: json.loads(document(page)) for page in PAGES}
every_dashboard = pytest.mark.parametrize("uid", DASHBOARDS)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Play it once."""
    return play(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def prometheus(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Put the story into the storage of a Prometheus and run it."""
    directory = tmp_path_factory.mktemp("prometheus")
    samples = directory / "samples.txt"
    with samples.open("w", encoding="utf-8") as file:
        file.writelines(stored(story, JOB, INSTANCE))
        file.writelines(alerts(story))
        file.write("# EOF\n")
    data = directory / "data"
    subprocess.run(
        [PROMTOOL or "", "tsdb", "create-blocks-from", "openmetrics", str(samples), str(data)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (directory / "prometheus.yml").write_text("{}\n")
    port = free_port()
    command = [
        PROMETHEUS or "",
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    moments = [at for at, _ in story.scrapes]
    with Served(command, port, directory) as process:
        process.wait(lambda: process.get("/-/ready").status == 200, "ready Prometheus")
        yield Prometheus(process, moments[0], moments[-1])


def alerts(story: Story) -> Iterator[str]:
    """Write the series that Prometheus itself makes of alerts: this one has no rules."""
    for at, _ in story.scrapes:
        yield f'ALERTS{{alertname="DbcDeadMansSwitch",alertstate="firing",severity="none"}} 1 {at:.3f}\n'
        for severity in ("page", "ticket"):
            labels = (
                f'alertname="DbcVmError",alertstate="firing",severity="{severity}",node_id="{story.node_id}"'
            )
            yield f'ALERTS{{{labels},task_id="{story.task_id}",collector="tasks",client="left"}} 1 {at:.3f}\n'


def chosen(uid: str, story: Story) -> dict[str, str]:
    """Choose a value for every variable: all where that can be chosen."""
    found = {"node": story.node_id, "vm": story.task_id}
    several = [one["name"] for one in DASHBOARDS[uid]["templating"]["list"] if one.get("multi")]
    return found | dict.fromkeys(several, ALL)


def named(legend: str, series: dict[str, str]) -> str:
    """Return a line's name as Grafana makes it of a legend."""
    return re.sub(r"\{\{(\w+)\}\}", lambda label: series.get(label[1], ""), legend)


def may_be_empty(expr: str) -> bool:
    metrics = set(re.findall(r"\b(?:dbc|process|python)_\w+", expr)) - {"dbc_exporter_build_info"}
    return bool(metrics) and metrics <= UNEVENTFUL.keys()


@every_dashboard
def test_every_query_of_every_panel_finds_data(uid: str, story: Story, prometheus: Prometheus) -> None:
    seconds = prometheus.end - prometheus.start
    shown = panels(DASHBOARDS[uid])
    asked = [
        (panel["title"], expr) for panel in shown for expr, _ in targets(panel, chosen(uid, story), seconds)
    ]
    found = {(title, expr): prometheus.range(expr) for title, expr in asked}
    print(f"{uid}: {len(shown)} panels, {len(asked)} queries, {sum(map(len, found.values()))} series")  # noqa: T201 - the proof is to be read
    assert [key for key, series in found.items() if not series and not may_be_empty(key[1])] == []


@every_dashboard
def test_every_line_has_the_labels_that_its_legend_names(
    uid: str, story: Story, prometheus: Prometheus
) -> None:
    seconds = prometheus.end - prometheus.start
    nameless = [
        (panel["title"], label, series)
        for panel in panels(DASHBOARDS[uid])
        for expr, legend in targets(panel, chosen(uid, story), seconds)
        for label in re.findall(r"\{\{(\w+)\}\}", legend)
        for series in prometheus.range(expr)
        if not series.get(label)
    ]
    assert nameless == []


@every_dashboard
def test_no_two_lines_of_a_panel_have_the_same_name(uid: str, story: Story, prometheus: Prometheus) -> None:
    seconds = prometheus.end - prometheus.start
    for panel in panels(DASHBOARDS[uid]):
        if panel["type"] not in {"timeseries", "state-timeline"}:
            continue
        names = [
            named(legend, series)
            for expr, legend in targets(panel, chosen(uid, story), seconds)
            for series in prometheus.range(expr)
        ]
        assert len(set(names)) == len(names), (panel["title"], names)


@every_dashboard
def test_every_labelled_column_of_a_table_is_filled(uid: str, story: Story, prometheus: Prometheus) -> None:
    seconds = prometheus.end - prometheus.start
    for panel in panels(DASHBOARDS[uid]):
        if panel["type"] != "table":
            continue
        organize = next(one["options"] for one in panel["transformations"] if one["id"] == "organize")
        wanted = {label for label in organize["renameByName"] if not label.startswith("Value")}
        filled = {
            label
            for expr, _ in targets(panel, chosen(uid, story), seconds)
            for series in prometheus.range(expr)
            for label, value in series.items()
            if value
        }
        assert wanted <= filled, panel["title"]


@every_dashboard
def test_a_panel_that_shows_one_number_gets_one(uid: str, story: Story, prometheus: Prometheus) -> None:
    seconds = prometheus.end - prometheus.start
    numbers = [panel for panel in panels(DASHBOARDS[uid]) if panel["type"] == "stat"]
    counts = {
        panel["title"]: [
            len(prometheus.range(expr)) for expr, _ in targets(panel, chosen(uid, story), seconds)
        ]
        for panel in numbers
    }
    assert {title: count for title, count in counts.items() if count != [1]} == {}


@every_dashboard
def test_variables_offer_what_there_is(uid: str, story: Story, prometheus: Prometheus) -> None:
    offered: dict[str, dict[str, str]] = {
        one["name"]: options(one, prometheus, chosen(uid, story))
        for one in DASHBOARDS[uid]["templating"]["list"]
        if one["type"] == "query"
    }
    assert set(offered["job"]) == {JOB}
    assert set(offered["instance"]) == {INSTANCE}
    if "node" in offered:
        assert offered["node"][story.node_id] == NODE
        assert len(offered["node"]) == 10
    if "vm" in offered:
        assert story.task_id in offered["vm"]
        assert len(offered["vm"]) == 2
    if "manager" in offered:
        assert set(offered["manager"]) == {story.manager_id}


@every_dashboard
def test_annotations_mark_alerts_and_actions(uid: str, story: Story, prometheus: Prometheus) -> None:
    marks: list[dict[str, Any]] = DASHBOARDS[uid]["annotations"]["list"]
    for mark in marks:
        panel = {"targets": [{"expr": mark["expr"], "legendFormat": ""}]}
        ((expr, _),) = targets(panel, chosen(uid, story), prometheus.end - prometheus.start)
        assert prometheus.range(expr) != [], mark["name"]
