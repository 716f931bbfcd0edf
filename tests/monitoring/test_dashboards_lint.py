"""Mistakes planted into good dashboards, one at a time: each of them is found and said in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from monitoring.dashboards import documents
from monitoring.dashboards.lint import lint
from monitoring.dashboards.waived import WAIVED

Document = dict[str, Any]
GOOD = documents()
FLEET, NODE = "dbc-fleet.json", "dbc-node.json"


def panel(document: Document, title: str) -> Document:
    found: Document = next(one for one in document["panels"] if one["title"] == title)
    return found


def planted(change: Callable[[Document], object], name: str = FLEET) -> list[str]:
    """Return what is found wrong after a change of one dashboard."""
    document = json.loads(GOOD[name])
    change(document)
    return lint(GOOD | {name: json.dumps(document)})


def rewritten(title: str, old: str, new: str) -> Callable[[Document], None]:
    """Replace something in the queries of a panel."""

    def change(document: Document) -> None:
        targets = panel(document, title)["targets"]
        assert any(old in target["expr"] for target in targets)
        for target in targets:
            target["expr"] = target["expr"].replace(old, new)

    return change


def put(title: str, key: str, value: object) -> Callable[[Document], None]:
    """Set a field of a panel; a dot leads into a field's own fields."""

    def change(document: Document) -> None:
        at = panel(document, title)
        *path, last = key.split(".")
        for step in path:
            at = at[step]
        at[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            rewritten("GPUs", "dbc_node_gpus_used", "dbc_node_gpu_used"),
            "dbc_node_gpu_used is no metric of ours",
        ),
        (
            rewritten("Clients in trouble", 'state="ok"', 'state="fine"'),
            "state of dbc_client_state is never fine",
        ),
        (rewritten("VMs in error", "state=~", "status=~"), "dbc_vm_state has no label status"),
        (rewritten("Nodes silent", "sum(", "sum(("), "does not parse"),
        (rewritten("Nodes silent", "1 - ", "rate("), "does not parse"),
        (
            rewritten("Targets", 'dbc_exporter_targets{job=~"$job"', 'dbc_exporter_targets{job="mine"'),
            "dbc_exporter_targets is not within the chosen job and instance",
        ),
        (
            lambda d: (
                rewritten("GPUs", "sum(dbc_node_gpus_used", "sum(rate(dbc_node_gpus_used")(d)
                or rewritten("GPUs", '"$instance"})', '"$instance"}[5m]))')(d)
            ),
            "rate() of dbc_node_gpus_used, which is no counter",
        ),
        (rewritten("Virtual machines", "by (state)", "by (node_id)"), "names the label state"),
        (put("Targets", "description", ""), "has no description"),
        (put("Targets", "fieldConfig.defaults.unit", ""), "has no unit"),
        (put("Targets", "fieldConfig.defaults.thresholds", {}), "has no thresholds of its own"),
        (put("Targets", "title", ""), "has no title"),
        (put("Targets", "targets", []), "asks for nothing"),
        (put("Targets", "datasource", {"type": "prometheus", "uid": "abc"}), "has a data source of its own"),
        (put("Targets", "gridPos", {"x": 0, "y": 0, "w": 24, "h": 8}), "overlaps another"),
        (put("Targets", "gridPos", {"x": 12, "y": 900, "w": 24, "h": 8}), "is wider than the dashboard"),
        (put("Targets", "id", 1), "two panels have the id 1"),
        (put("Targets", "title", "GPUs"), "two panels have the title GPUs"),
        (
            lambda d: panel(d, "Targets")["targets"][0].pop("legendFormat"),
            "a query has no legend",
        ),
        (
            rewritten("Nodes", "by (node_id, name, version)", "by (node_id, version)"),
            "column name is in no query",
        ),
    ],
)
def test_a_mistake_in_a_panel_is_found(change: Callable[[Document], object], problem: str) -> None:
    found = planted(change)
    assert [line for line in found if line.startswith(f"{FLEET}: ") and problem in line] != []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d.update(editable=True), "is editable"),
        (lambda d: d.update(id=7), "has the id of an installation"),
        (lambda d: d.update(__inputs=[]), "has inputs"),
        (lambda d: d.update(schemaVersion=36), "is not of schema 41"),
        (lambda d: d.update(links=[]), "has no links to the others"),
        (lambda d: d.update(uid="dbc-nodes"), "the uid is not the file's name"),
        (lambda d: d["templating"]["list"].pop(0), "has no variable datasource"),
        (lambda d: d["templating"]["list"][1].update(multi=False), "variable job cannot select all"),
        (
            lambda d: d["templating"]["list"][3].update(refresh=1),
            "variable node does not follow the time range",
        ),
        (
            lambda d: d["templating"]["list"][1]["query"].update(
                query="label_values(dbc_exporter_info, job)"
            ),
            "dbc_exporter_info is no metric of ours",
        ),
        (
            lambda d: d["templating"]["list"][1]["query"].update(query="label_values(dbc_node_up, client)"),
            "values of client, which is not there",
        ),
        (lambda d: d["annotations"]["list"][1].update(titleFormat="{{verb}}"), "names the label verb"),
    ],
)
def test_a_mistake_in_a_dashboards_frame_is_found(change: Callable[[Document], object], problem: str) -> None:
    assert [line for line in planted(change, NODE) if problem in line] != []


def test_a_link_to_no_dashboard_or_to_a_variable_it_lacks_is_found() -> None:
    def turned(old: str, new: str) -> dict[str, str]:
        return GOOD | {NODE: GOOD[NODE].replace(old, new)}

    assert "a link leads to dbc-vms, which is not there" in "".join(lint(turned("/d/dbc-vm?", "/d/dbc-vms?")))
    assert "dbc-vm has no variable task" in "".join(lint(turned("&var-vm=", "&var-task=")))
    assert "a link uses the column Task, which" in "".join(
        lint(turned('fields[\\"Task id\\"]', 'fields[\\"Task\\"]'))
    )


def test_a_rate_over_a_fixed_time_is_found() -> None:
    change = rewritten("Scrapes", "$__rate_interval", "5m")
    assert "a rate is not over $__rate_interval" in "".join(planted(change, "dbc-exporter.json"))


def test_a_counter_that_is_shown_as_it_stands_is_found() -> None:
    change = rewritten("Scrapes", "rate(", "(")
    found = "".join(
        planted(lambda d: change(d) or rewritten("Scrapes", "[$__rate_interval]", "")(d), "dbc-exporter.json")
    )
    assert (
        "dbc_exporter_scrapes_total is a counter and means something under rate() or increase() only" in found
    )


def test_a_family_that_is_on_no_panel_is_found_and_so_is_a_waiver_without_use_or_reason() -> None:
    name = next(iter(WAIVED))
    assert lint(GOOD, {key: why for key, why in WAIVED.items() if key != name}) == [
        f"{name} stands on no panel and is not waived"
    ]
    assert lint(GOOD, WAIVED | {"dbc_node_up": "why not"}) == ["dbc_node_up is waived and stands on a panel"]
    assert lint(GOOD, WAIVED | {"dbc_gone": "it is gone"}) == ["dbc_gone is waived and is no stable family"]
    assert lint(GOOD, WAIVED | {name: ""}) == [f"{name} is waived without a reason"]
