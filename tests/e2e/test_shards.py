"""Three exporters share 1,000 simulated machines under a real Prometheus: one restarts, one goes, their number changes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from monitoring.__main__ import ROOT
from tests.e2e.processes import Served, free_port

PROMETHEUS = shutil.which("prometheus")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(PROMETHEUS is None, reason="Prometheus is not installed (Debian package prometheus)"),
]

SCENARIO = """
version: 1
clients: [{name: client-1}, {name: client-2}, {name: client-3}]
compute: [{count: 1000}]
managers: [{count: 3, servers: [{count: 3}]}]
"""
KNOWN_TO_ALL = 1000 + 3
EVERYTHING = KNOWN_TO_ALL + 9  # the servers of a manager are known to its shard alone
SHARDS = 3
INTERVAL = 15  # seconds between two polls of a node, the shortest that is allowed
UNPOLLED = 'ALERTS{alertname="DbcExporterTargetUnpolled", alertstate="firing"}'

Ids = frozenset[str]


class Simulator(Served):
    """The simulated network; `port` is its control port."""

    def __init__(self, directory: Path) -> None:
        scenario, control = directory / "scenario.yml", free_port()
        scenario.write_text(SCENARIO, encoding="utf-8")
        command = [sys.executable, "-m", "dbc_exporter", "simulator", "--scenario", str(scenario)]
        command += ["--listen", "127.0.0.1:0", "--control-listen", f"127.0.0.1:{control}"]
        super().__init__(command, control, directory)

    def clients(self) -> list[str] | None:
        """Return the addresses of its DBC clients, once it listens."""
        found = re.findall(r"^DBC client \S+: (http://[^/]+)", self.stdout, re.MULTILINE)
        return found if len(found) == SHARDS else None

    def managers(self) -> list[str]:
        return [one["node_id"] for one in json.loads(self.get("/state").body)["managers"]]


class Shard(Served):
    """An exporter that is one shard, with the settings file that all share."""

    def __init__(self, number: int, settings: Path) -> None:
        directory = settings.parent / f"shard-{number}"
        directory.mkdir()
        port = free_port()
        command = [sys.executable, "-m", "dbc_exporter", f"--config.file={settings}", f"--shard={number}"]
        command += [f"--storage.path={directory / 'state'}", f"--web.listen-address=127.0.0.1:{port}"]
        super().__init__(command, port, directory)

    def reload(self) -> None:
        self._process.send_signal(signal.SIGHUP)


class Prometheus(Served):
    """Scrapes the shards as one job, with the rules as they are shipped."""

    def __init__(self, directory: Path, shards: list[Shard]) -> None:
        port = free_port()
        config = {
            "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"},
            "rule_files": [str(ROOT / "alerts" / "dbc-exporter.rules.yml")],
            "scrape_configs": [
                {"job_name": "dbc", "static_configs": [{"targets": [shard.address for shard in shards]}]}
            ],
        }
        (directory / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [PROMETHEUS or "", f"--config.file={directory / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={directory / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
        super().__init__(command, port, directory)

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = json.loads(self.get(f"/api/v1/query?query={quote(expression)}").body)
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def nodes(self, expression: str) -> Ids:
        """Return the machines that an expression has a series for."""
        return frozenset(row["metric"]["node_id"] for row in self.query(expression))


@dataclass
class Fleet:
    """Everything that runs."""

    settings: Path
    clients: list[str]
    managers: list[str]
    shards: list[Shard]
    prometheus: Prometheus

    def share_among(self, total: int) -> None:
        """Write the settings file that all shards share; clients of shards that are no more go to the last."""
        clients = [{"url": url, "shard": min(n, total - 1)} for n, url in enumerate(self.clients)]
        off = ("orders", "tasks", "vms", "disks", "snapshots", "images", "transfers", "lan", "power")
        content = {
            "total_shards": total,
            "clients": clients,
            "targets": {
                "static": [{"id": manager, "kind": "bare_metal_manager"} for manager in self.managers],
                "discover": {"enabled": True},
            },
            "collectors": {
                "client": {"interval_seconds": 5},
                "node": {"interval_seconds": INTERVAL},
                **{name: {"enabled": False} for name in off},
            },
        }
        self.settings.write_text(yaml.safe_dump(content), encoding="utf-8")

    def mine(self, shard: Shard) -> Ids:
        """Return the machines that a shard watches, as Prometheus has it."""
        return self.prometheus.nodes(f'dbc_target_present{{instance="{shard.address}"}} == 1')

    def shared_out(self, total: int) -> bool:
        """Tell whether so many shards watch every machine once, one tells of it, and each client is asked by one."""
        ask = self.prometheus.query
        one_each = "count by (node_id) (dbc_target_present == 1) == 1"
        return (
            len(ask(f'dbc_exporter_shard{{total_shards="{total}"}} == 1')) == total
            and len(ask(f'dbc_exporter_shard{{total_shards!="{total}"}}')) == 0
            and len(self.prometheus.nodes(one_each)) == EVERYTHING
            and len(ask("dbc_target_present")) == EVERYTHING
            and len(ask("dbc_target_elsewhere")) == KNOWN_TO_ALL
            and len(ask("count by (client) (dbc_client_up) == 1")) == len(self.clients)
        )

    def seconds_until(self, look: Callable[[], bool], what: str) -> float:
        start = time.monotonic()
        self.prometheus.wait(lambda: look() or None, what)
        return time.monotonic() - start

    def polled_since(self, shard: Shard, moment: float) -> bool:
        """Tell whether a shard has polled each of its compute nodes with success after a moment."""
        here = f'instance="{shard.address}"'
        success = f'dbc_collector_last_success_timestamp_seconds{{{here}, collector="node"}} > {moment}'
        compute = self.prometheus.nodes(f'dbc_target_info{{{here}, kind="compute"}}')
        return bool(compute) and self.prometheus.nodes(success) == compute


def tell(figures: str) -> None:
    print(figures)  # noqa: T201 - the figures are to be read


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Run everything."""
    directory = tmp_path_factory.mktemp("shards")
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator(_folder(directory, "simulator")))
        clients = simulator.wait(simulator.clients, "DBC clients")
        settings = directory / "settings.yml"
        shards = [Shard(number, settings) for number in range(SHARDS)]
        prometheus = Prometheus(_folder(directory, "prometheus"), shards)
        running = Fleet(settings, clients, simulator.managers(), shards, prometheus)
        running.share_among(SHARDS)
        for process in (*shards, prometheus):
            stack.enter_context(process)
        prometheus.wait(lambda: prometheus.get("/-/ready").status == 200, "ready Prometheus")
        yield running


def _folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


def test_every_machine_has_one_exporter_whatever_becomes_of_the_exporters(fleet: Fleet) -> None:
    """One story, as starting the parts takes most of the time."""
    prometheus, (first, _, last) = fleet.prometheus, fleet.shards

    # three shards: every machine once, a server where its manager is
    began = fleet.seconds_until(lambda: fleet.shared_out(SHARDS), "every machine at one of three shards")
    parts = [fleet.mine(shard) for shard in fleet.shards]
    assert min(map(len, parts)) > EVERYTHING / SHARDS / 2
    for shard in fleet.shards:
        servers = prometheus.query(f'dbc_target_info{{instance="{shard.address}", manager_id!=""}}')
        assert {row["metric"]["manager_id"] for row in servers} == fleet.mine(shard) & set(fleet.managers)
    tell(f"1,000 machines at three shards {began:.0f} s after the start: {[len(part) for part in parts]}")

    # one restarts: it watches the same machines again, and polls them
    first.__exit__()
    first.__enter__()
    moment = time.time()
    back = fleet.seconds_until(
        lambda: fleet.mine(first) == parts[0] and fleet.polled_since(first, moment),
        "poll of every machine after the restart",
    )
    assert fleet.shared_out(SHARDS)
    told = prometheus.nodes(f"max_over_time({UNPOLLED}[10m])")
    tell(
        f"a restarted shard has polled all of its machines after {back:.0f} s; alerts meanwhile: {len(told)}"
    )

    # one goes: the others name its machines, and no others
    lost = parts[2] & prometheus.nodes("dbc_target_elsewhere")
    last.__exit__()
    named = fleet.seconds_until(lambda: prometheus.nodes(UNPOLLED) == lost, "names of its machines")
    tell(
        f"{len(lost)} machines of a removed shard named after {named:.0f} s, two intervals are {2 * INTERVAL} s"
    )

    # two shards from now on: each machine is at one of them, and the alert is over
    fleet.share_among(2)
    for shard in fleet.shards[:2]:
        shard.reload()
    changed = fleet.seconds_until(lambda: fleet.shared_out(2), "every machine at one of two shards")
    stayed = [parts[number] <= fleet.mine(fleet.shards[number]) for number in range(2)]
    assert stayed == [True, True], "only the machines of the removed shard move"
    over = fleet.seconds_until(lambda: not prometheus.query(UNPOLLED), "end of the alert")
    tell(
        f"each machine at exactly one of two shards {changed:.0f} s after the change, the alert over {over:.0f} s later"
    )
