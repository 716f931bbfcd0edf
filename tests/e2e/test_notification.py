"""From a fault to a person: the shipped rules and inhibitions on a real Prometheus and Alertmanager.

Polls are as often as they may be. Of the rules only the least seconds of the three alerts are cut, by the command that
docs/alerts.md gives an operator for it; so a condition lasts for its polls. Prometheus and Alertmanager work every second.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from dbc_exporter.config.floors import FLOORS
from dbc_exporter.dbc.suspects import FIRST_SECONDS
from dbc_exporter.poller import REACHABILITY_SECONDS
from monitoring.__main__ import ROOT
from monitoring.rules import SWITCH
from monitoring.thresholds import HOLDS
from tests.e2e.alerting import Webhook, needs_alerting
from tests.e2e.processes import Served, free_port
from tests.e2e.simulated import Simulator

pytestmark = [pytest.mark.real, needs_alerting]

NODE, CLIENT, VERSION = "DbcNodeUnreachable", "DbcClientDown", "DbcClientVersionDiffers"
INTERVAL = {name: FLOORS[name][0] for name in ("client", "node")}
NODE_TIMEOUT = 2
"""Seconds after which the simulated client gives up a request to a node."""
STEP = 1
"""Seconds between two scrapes, and between two evaluations; Alertmanager's `group_wait`."""
PATIENCE_SECONDS = 300.0  # generous: the machine may be busy
GRAFANA, RUNBOOKS = "https://grafana.example.org", "https://wiki.example.org/runbooks"
SCENARIO = f"""
version: 1
request_timeout: {NODE_TIMEOUT}s
clients: [{{name: one, version: 0.4.1.7}}]
compute: [{{count: 3, version: 0.4.1.8}}]
"""


@dataclass(frozen=True)
class Parts:
    """Everything that runs, and the ids of the nodes."""

    simulator: Simulator
    exporter: Served
    prometheus: Served
    alertmanager: Served
    webhook: Webhook
    nodes: list[str]

    def notified(self, alert: str) -> tuple[float, dict[str, Any]]:
        """Wait for the notification of a firing alert; return when it arrived (Unix time) and the alert."""

        def arrived() -> tuple[float, dict[str, Any]] | None:
            found = [
                (each.arrived, one)
                for each in list(self.webhook.deliveries)
                for one in each.body["alerts"]
                if (one["labels"]["alertname"], one["status"]) == (alert, "firing")
            ]
            assert len(found) <= 1, "told once"
            return found[0] if found else None

        return self.prometheus.wait(arrived, alert, PATIENCE_SECONDS)

    def alert(self, name: str) -> dict[str, Any]:
        """Return what Alertmanager says of the one alert of a name."""
        path = f"/api/v2/alerts?filter={quote(f'alertname={name}')}"
        (found,) = json.loads(self.alertmanager.get(path).body)
        return dict(found)

    def polled(self) -> bool:
        """Tell whether Prometheus knows that every node is up."""
        body = self.prometheus.get(f"/api/v1/query?query={quote('dbc_node_up == 1')}").body
        return all(node in body for node in self.nodes)


def folder(path: Path, **files: Any) -> Path:
    """Make a folder with YAML files."""
    path.mkdir()
    for name, content in files.items():
        (path / f"{name}.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def exporter(directory: Path, url: str, nodes: list[str]) -> Served:
    """Return an exporter that watches the nodes, to be entered."""
    settings = {
        "clients": [{"name": "one", "url": url}],
        "targets": {"static": [{"id": node} for node in nodes]},
        "collectors": {name: {"interval_seconds": seconds} for name, seconds in INTERVAL.items()},
    }
    own, port = folder(directory / "exporter", dbc=settings), free_port()
    command = [sys.executable, "-m", "dbc_exporter", f"--config.file={own / 'dbc.yml'}"]
    return Served([*command, f"--web.listen-address=127.0.0.1:{port}"], port, own)


def rules(directory: Path) -> Path:
    """Write the shipped rules with numbers and addresses of an operator's own, as docs/alerts.md says."""
    quick = {"holds": {name: {"seconds": STEP} for name in (NODE, CLIENT, VERSION)}}
    own = folder(directory / "rules", mine=quick)
    command = [
        sys.executable,
        "-m",
        "monitoring",
        "--output",
        str(own),
        "--thresholds",
        str(own / "mine.yml"),
    ]
    subprocess.run([*command, "--grafana", GRAFANA, "--runbooks", RUNBOOKS], cwd=ROOT, check=True)
    return own


def prometheus(directory: Path, scraped: Served, manager: Served) -> Served:
    """Return a Prometheus with the rules, to be entered."""
    config = {
        "global": {"scrape_interval": f"{STEP}s", "evaluation_interval": f"{STEP}s"},
        "rule_files": [f"{rules(directory)}/*.rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [manager.address]}]}]},
        "scrape_configs": [{"job_name": "dbc", "static_configs": [{"targets": [scraped.address]}]}],
    }
    own, port = folder(directory / "prometheus", prometheus=config), free_port()
    command = ["prometheus", f"--config.file={own / 'prometheus.yml'}", f"--storage.tsdb.path={own / 'data'}"]
    return Served([*command, f"--web.listen-address=127.0.0.1:{port}"], port, own)


def alertmanager(directory: Path, webhook: Webhook) -> Served:
    """Return an Alertmanager with the shipped inhibitions, to be entered."""
    config = {
        "route": {
            "receiver": "people",
            "group_by": ["alertname", "job", "client", "node_id"],
            "group_wait": f"{STEP}s",
            "group_interval": f"{STEP}s",
        },
        "receivers": [{"name": "people", "webhook_configs": [{"url": webhook.url}]}],
        **yaml.safe_load((ROOT / "alerts" / "alertmanager-inhibit.yml").read_text(encoding="utf-8")),
    }
    own, port = folder(directory / "alertmanager", alertmanager=config), free_port()
    command = ["prometheus-alertmanager", f"--config.file={own / 'alertmanager.yml'}"]
    command += [f"--storage.path={own / 'data'}", "--cluster.listen-address="]
    return Served([*command, f"--web.listen-address=127.0.0.1:{port}"], port, own)


@contextmanager
def running(directory: Path) -> Iterator[Parts]:
    """Run everything, until all nodes are known to be up."""
    with ExitStack() as stack:
        webhook = stack.enter_context(Webhook())
        simulator = stack.enter_context(Simulator(directory / "simulator", SCENARIO))
        compute = simulator.wait(lambda: simulator.state()["compute"], "nodes")
        nodes = [node["node_id"] for node in compute]
        scraped = stack.enter_context(exporter(directory, simulator.client, nodes))
        manager = stack.enter_context(alertmanager(directory, webhook))
        watching = stack.enter_context(prometheus(directory, scraped, manager))
        parts = Parts(simulator, scraped, watching, manager, webhook, nodes)
        watching.wait(parts.polled, "answers of all nodes")
        yield parts


def tell(what: str, took: float, alert: str, polled: str, *, least: float, most: float) -> None:
    """Print how long a notification took, beside what it must take and what it may take on an idle machine.

    `least` and `most` are the seconds until the exporter says that it is so, by the settings. It cannot take less than
    the least: that would be an alert whose condition has not lasted.
    """
    hold = max(HOLDS[alert].polls * INTERVAL[polled], STEP)
    bound = least + hold + STEP
    print(  # noqa: T201 - a figure of the test run
        f"\n{what} -> notified of {alert}: {took:.1f} s. Theory: {bound:g} s ({least:g} detection, {hold:g} hold, {STEP} "
        f"group_wait) to {most + hold + 4 * STEP:g} s ({most:g} detection, and a scrape and two evaluations more)"
    )
    assert took >= bound


def test_a_fault_is_told_once_with_its_labels_and_links_and_what_follows_from_it_is_inhibited(
    tmp_path: Path,
) -> None:
    """One story, as starting the parts and the polls take most of the time."""
    with running(tmp_path) as parts:
        # a node dies: it is told, and where to look
        dead, began = parts.nodes[1], time.time()
        parts.simulator.fault(fault="kill_nodes", ids=[dead])
        at, told = parts.notified(NODE)
        # the silence of its next poll may be the client's; then a probe decides
        most = INTERVAL["node"] + NODE_TIMEOUT + FIRST_SECONDS + NODE_TIMEOUT + REACHABILITY_SECONDS
        tell("a node dies", at - began, NODE, "node", least=NODE_TIMEOUT, most=most)
        assert told["labels"] == {"alertname": NODE, "severity": "page", "job": "dbc", "node_id": dead}
        assert dead in told["annotations"]["description"]
        assert told["annotations"]["runbook_url"] == f"{RUNBOOKS}/{NODE}.md"
        assert told["annotations"]["dashboard_url"] == f"{GRAFANA}/d/dbc-node?var-job=dbc&var-node={dead}"

        # the client of another version dies too: that is told, and nothing else of it goes on being told
        parts.notified(VERSION)
        assert parts.alert(VERSION)["status"]["state"] == "active"
        began = time.time()
        parts.simulator.fault(fault="kill_clients", all=True)
        at, told = parts.notified(CLIENT)
        tell("a client dies", at - began, CLIENT, "client", least=0, most=INTERVAL["client"])
        assert told["labels"] == {"alertname": CLIENT, "severity": "page", "job": "dbc", "client": "one"}
        assert told["annotations"]["runbook_url"] == f"{RUNBOOKS}/{CLIENT}.md"
        assert told["annotations"]["dashboard_url"] == f"{GRAFANA}/d/dbc-fleet?var-job=dbc"
        version, client = parts.alert(VERSION), parts.alert(CLIENT)
        assert version["status"]["state"] == "suppressed"
        assert version["status"]["inhibitedBy"] == [client["fingerprint"]]

        # no other machine is blamed for it, and the dead node is not called well
        assert parts.webhook.names() == {SWITCH, NODE, VERSION, CLIENT}
        assert parts.webhook.alerts(NODE, "resolved") == []
        assert parts.alert(NODE)["status"]["state"] == "active"
