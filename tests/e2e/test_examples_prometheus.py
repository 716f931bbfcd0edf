"""examples/prometheus on the real Prometheus: the shipped files as they are but for addresses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from tests.e2e.processes import Served, free_port
from tests.e2e.simulated import Simulator

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "prometheus"
MISSING = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(MISSING), reason="Prometheus is not installed (Debian package prometheus)"),
]

SCENARIO = """
version: 1
compute: [{count: 3, gpus: 8}]
"""
Sample = dict[str, str]


@dataclass
class Parts:
    """A simulated fleet, its exporter, and how to start a Prometheus on it."""

    simulator: Simulator
    exporter: Served
    nodes: list[str]
    start: Callable[[str], Served]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    directory = tmp_path_factory.mktemp("examples")
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator(directory / "simulator", SCENARIO))
        state = simulator.wait(simulator.state, "simulated fleet")
        nodes = [node["node_id"] for node in state["compute"]]
        exporter = stack.enter_context(_exporter(directory, simulator.client, nodes[0]))
        exporter.wait(lambda: exporter.get("/-/ready").status == 200, "ready exporter")
        exporter.wait(lambda: exporter.get("/targets?format=json").body.count('"id"') == 3, "targets")

        def start(example: str) -> Served:
            return stack.enter_context(_prometheus(directory, example, exporter.address))

        yield Parts(simulator, exporter, nodes, start)


@pytest.fixture(scope="module")
def probing(parts: Parts) -> Served:
    return parts.start("probe.yml")


def _exporter(directory: Path, client: str, first: str) -> Served:
    """Serve a fleet of which one machine has an address: that of the exporter, for want of a node_exporter."""
    port = free_port()
    labels = {"address": "127.0.0.1", "site": "oslo"}
    settings = {
        "clients": [{"url": client}],
        "targets": {"static": [{"id": first, "labels": labels}], "discover": {"enabled": True}},
        "web": {"listen_address": f"127.0.0.1:{port}"},
    }
    file = directory / "dbc.yml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    own = directory / "exporter"
    own.mkdir()
    return Served([sys.executable, "-m", "dbc_exporter", "--config.file", str(file)], port, own)


def _prometheus(directory: Path, example: str, exporter: str) -> Served:
    own, port = directory / example, free_port()
    own.mkdir()
    text = (EXAMPLES / example).read_text(encoding="utf-8").replace("localhost:10177", exporter)
    text = text.replace("dbc-0:10177", exporter)
    # shard 0 of one: at 127.0.0.1
    text = text.replace("dbc-{shard}:10177", exporter.replace("127.0.", "127.{shard}."))
    text = text.replace("job=node_exporter", f"job=node_exporter&port={exporter.rpartition(':')[2]}")
    (own / "prometheus.yml").write_text(text, encoding="utf-8")
    command = ["prometheus", f"--config.file={own / 'prometheus.yml'}", f"--storage.tsdb.path={own / 'data'}"]
    return Served([*command, f"--web.listen-address=127.0.0.1:{port}"], port, own)


def query(prometheus: Served, expression: str) -> list[Sample]:
    """Return the labels of what an expression gives now, each with its value."""
    answer = json.loads(prometheus.get(f"/api/v1/query?query={quote(expression)}").body)
    return [{**row["metric"], "value": row["value"][1]} for row in answer["data"]["result"]]


def targets(prometheus: Served, job: str) -> list[dict[str, Any]]:
    active = json.loads(prometheus.get("/api/v1/targets").body)["data"]["activeTargets"]
    return [target for target in active if target["scrapePool"] == job]


@pytest.mark.parametrize("example", sorted(file.name for file in EXAMPLES.glob("*.yml")))
def test_promtool_has_no_complaint(example: str) -> None:
    done = subprocess.run(
        ["promtool", "check", "config", str(EXAMPLES / example)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def probed(prometheus: Served) -> list[Sample]:
    """Wait until every machine was probed, and return how that went."""

    def look() -> list[Sample] | None:
        rows = query(prometheus, "dbc_probe_success")
        return rows if len(rows) == 3 else None

    return prometheus.wait(look, "probe of every machine")


def test_each_machine_is_found_and_probed_with_its_labels(parts: Parts, probing: Served) -> None:
    found = probed(probing)
    expected = [
        {
            "__name__": "dbc_probe_success",
            "job": "dbc-exporter",
            "instance": node,
            "node_id": node,
            "value": "1",
        }
        | ({"site": "oslo"} if node == parts.nodes[0] else {})
        for node in parts.nodes
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)
    health = [(target["health"], target["lastError"]) for target in targets(probing, "dbc-probe")]
    assert health == [("up", "")] * 3
    for family in ("dbc_node_up", "dbc_node_gpus", "dbc_collector_last_success_timestamp_seconds"):
        rows = query(probing, f'group by (node_id, instance) ({family}{{node_id!=""}})')
        assert sorted(row["node_id"] for row in rows) == sorted(parts.nodes), family
        assert all(row["instance"] == row["node_id"] for row in rows)


def test_probed_machines_are_in_one_job_with_their_clients_as_alerts_need_it(
    parts: Parts, probing: Served
) -> None:
    probed(probing)
    joined = 'dbc_target_present and on (job) dbc_client_state{state="ok"} == 1'
    rows = probing.wait(lambda: query(probing, joined), "scrape of the exporter")
    assert sorted(row["node_id"] for row in rows) == sorted(parts.nodes)


def test_with_probes_nothing_is_there_twice(probing: Served) -> None:
    probed(probing)
    probing.wait(lambda: query(probing, "dbc_client_up"), "scrape of the exporter")
    of_the_job = {"job", "instance", "site", "value"}
    series = [
        frozenset((name, value) for name, value in row.items() if name not in of_the_job)
        for row in query(probing, '{__name__=~"dbc_.+"}')
    ]
    assert len(series) == len(set(series))
    assert query(probing, '{__name__=~"dbc_.+",exported_instance!=""}') == []


def test_the_machines_own_exporters_are_found_by_their_addresses(parts: Parts) -> None:
    prometheus = parts.start("prometheus.yml")
    (up,) = prometheus.wait(lambda: query(prometheus, 'up{job="node"}'), "scrape of a machine")
    assert up == {
        "__name__": "up",
        "job": "node",
        "instance": parts.exporter.address,
        "node_id": parts.nodes[0],
        "site": "oslo",
        "value": "1",
    }
    (target,) = targets(prometheus, "node")
    assert target["discoveredLabels"]["__meta_dbc_kind"] == "compute"
    assert prometheus.wait(lambda: query(prometheus, 'up{job="dbc-exporter"}'), "scrape")[0]["value"] == "1"


def test_the_shards_are_found_by_one_of_them(parts: Parts) -> None:
    prometheus = parts.start("shards.yml")
    (up,) = prometheus.wait(lambda: query(prometheus, 'up{job="dbc-exporter"}'), "scrape of a shard")
    assert (up["instance"], up["value"]) == (parts.exporter.address, "1")
    (target,) = targets(prometheus, "dbc-exporter")
    assert target["discoveredLabels"]["__meta_dbc_shard"] == "0"
    assert target["discoveredLabels"]["__meta_dbc_total_shards"] == "1"


def test_a_machine_that_falls_silent_fails_its_probe_in_time_for_the_scrape(
    parts: Parts, probing: Served
) -> None:
    probed(probing)
    name = parts.simulator.state()["compute"][2]["name"]
    parts.simulator.fault(fault="kill_nodes", names=[name])
    own = f'{{instance="{parts.nodes[2]}"}}'
    probing.wait(lambda: query(probing, f"dbc_probe_success{own} == 0"), "failed probe")
    assert {row["reason"] for row in query(probing, f"dbc_probe_failed{own}")} <= {
        *("busy", "node_timeout", "own_deadline", "suspect")
    }
    (up,) = query(probing, f"up{own}")
    assert up["value"] == "1"  # Prometheus would have given up after its timeout
    others = query(probing, f'dbc_probe_success{{instance!="{parts.nodes[2]}"}}')
    assert [row["value"] for row in others] == ["1", "1"]
