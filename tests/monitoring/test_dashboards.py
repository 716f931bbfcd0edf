"""The committed dashboards: up to date, clean, of Grafana's schema, linked with each other and with the alerts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring import links
from monitoring.dashboards import PAGES, document, documents
from monitoring.dashboards.lint import lint
from tests.monitoring.promtool import evaluate, needs_promtool

FOLDER = Path(__file__).resolve().parents[2] / "dashboards"
COMMITTED = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.json"))}
OF_ANNOTATIONS_FROM_PROMETHEUS = {"titleFormat", "tagKeys", "step"}
"""Fields that the schema leaves to the data source."""
every_file = pytest.mark.parametrize("name", COMMITTED)


def test_the_committed_files_are_what_the_code_writes() -> None:
    assert documents() == COMMITTED


def test_there_is_one_dashboard_for_each_of_seven_subjects() -> None:
    assert {page.uid for page in PAGES} == {
        "dbc-fleet",
        "dbc-node",
        "dbc-vm",
        "dbc-transfers",
        "dbc-bare-metal",
        "dbc-remediation",
        "dbc-exporter",
    }


def test_nothing_is_wrong_with_them() -> None:
    assert lint(COMMITTED) == []


@every_file
def test_grafanas_own_model_knows_every_field(name: str) -> None:
    written: dict[str, Any] = json.loads(COMMITTED[name])
    read = json.loads(json.dumps(Dashboard.from_json(written), cls=JSONEncoder))
    for annotation in written["annotations"]["list"]:
        for field in OF_ANNOTATIONS_FROM_PROMETHEUS:
            del annotation[field]
    assert read == written


@every_file
def test_file_provisioning_needs_no_answers(name: str) -> None:
    written = json.loads(COMMITTED[name])
    assert "__inputs" not in written
    assert "id" not in written
    assert set(re.findall(r'"uid": "([^"]*)"', COMMITTED[name])) == {"${datasource}", written["uid"]}


def test_alerts_lead_to_dashboards_that_are_there() -> None:
    assert set(links.VARIABLES) == {page.uid for page in PAGES}


def test_what_alerts_hand_over_are_variables_of_the_dashboard() -> None:
    for page in PAGES:
        variables = {one["name"] for one in json.loads(document(page))["templating"]["list"]}
        assert {"job", *links.VARIABLES[page.uid]} <= variables, page.uid


@every_file
def test_links_to_the_other_dashboards_carry_time_and_variables(name: str) -> None:
    (link,) = json.loads(COMMITTED[name])["links"]
    assert (link["type"], link["tags"], link["includeVars"], link["keepTime"]) == (
        "dashboards",
        ["dbc"],
        True,
        True,
    )
    assert json.loads(COMMITTED[name])["tags"] == ["dbc"]


def queries(dashboard: str, title: str) -> list[str]:
    """Return the queries of a panel, for every job and instance."""
    rows = json.loads(COMMITTED[dashboard])["panels"]
    panels = [*rows, *(panel for row in rows for panel in row.get("panels", ()))]
    (panel,) = (panel for panel in panels if panel.get("title") == title)
    return [re.sub(r"\$(job|instance)", ".*", target["expr"]) for target in panel["targets"]]


@pytest.mark.real
@needs_promtool
@pytest.mark.parametrize(
    ("title", "counts"), [("Nodes silent", [2]), ("Nodes not listed", [2]), ("Machines", [1, 2, 0, 1])]
)
def test_a_dead_manager_counts_once_and_not_as_each_of_its_servers(
    tmp_path: Path, title: str, counts: list[int]
) -> None:
    """Two nodes of which one is dead, and a dead manager with two servers."""
    kinds = {"n": "compute", "d": "compute", "m": "bare_metal_manager"} | dict.fromkeys(
        ("s1", "s2"), "bare_metal_server"
    )
    series = {}
    for node, kind in kinds.items():
        at, dead = f'job="dbc", instance="i", node_id="{node}"', node != "n"
        series[f'dbc_target_info{{{at}, kind="{kind}"}}'] = "1"
        series |= {f"dbc_node_{what}{{{at}}}": f"{int(not dead)}" for what in ("up", "visible")}
        series[f"dbc_node_suspect{{{at}}}"] = "0"
    asked = [
        {"expr": query, "eval_time": "0s", "exp_samples": [{"labels": "{}", "value": count}]}
        for query, count in zip(queries("dbc-fleet.json", title), counts, strict=True)
    ]
    done = evaluate(tmp_path, [], series, asked, step=30)
    assert done.returncode == 0, done.stdout + done.stderr
