"""An exporter with remediation, and the real parts that bring it evidence of a simulated fleet."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt

from tests.e2e.alerting import USER, Probed, alertmanager, blackbox, prometheus
from tests.e2e.processes import Served, free_port
from tests.e2e.simulated import SimulatedVm, Simulator

PASSWORD = "between Alertmanager and the exporter"
GPUS = 8
"""Of each node."""


@dataclass
class Parts:
    """Everything that runs."""

    simulator: Simulator
    exporter: Served
    vms: list[SimulatedVm]
    directory: Path

    def metric(self, name: str, labels: str = "") -> float:
        """Return one sample, 0 while it is absent."""
        lines = self.exporter.get(f"/metrics?name[]={name}", Authorization=basic()).body.splitlines()
        wanted = f"{name}{{{labels}}} " if labels else f"{name} "
        return next((float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted)), 0.0)

    def wait_until_ready(self) -> None:
        """Wait until remediation may act and knows every VM."""
        self.exporter.wait(lambda: self.metric("dbc_remediation_armed"), "remediation armed")
        healthy = 'kind="vm",health="healthy"'
        self.exporter.wait(
            lambda: self.metric("dbc_remediation_targets", healthy) == len(self.vms), "every VM known"
        )

    def intents(self) -> list[dict[str, Any]]:
        """Return the journal's intents."""
        with sqlite3.connect(f"file:{self.directory}/state/journal.db?mode=ro", uri=True) as journal:
            journal.row_factory = sqlite3.Row
            return [dict(row) for row in journal.execute("SELECT * FROM intent ORDER BY created")]

    def ledger(self) -> list[dict[str, Any]]:
        """Return what nodes carried out, as the simulator knows it."""
        found: list[dict[str, Any]] = json.loads(self.simulator.get("/ledger").body)["writes"]
        return found

    def heard(self, vm: SimulatedVm) -> float:
        """Return when the alert about a VM was stored (steady seconds)."""
        with sqlite3.connect(f"file:{self.directory}/state/journal.db?mode=ro", uri=True) as journal:
            query = "SELECT min(since) FROM alert WHERE subject = ?"
            found: float = journal.execute(query, (f"{vm.node_id}/{vm.task_id}",)).fetchone()[0]
            return found

    def explain(self, vm: SimulatedVm) -> str:
        """Ask the command line why."""
        command = [
            sys.executable,
            "-m",
            "dbc_exporter",
            "remediation",
            "explain",
            f"{vm.node_id}/{vm.task_id}",
        ]
        access = ["--url", f"http://{self.exporter.address}", "--user", USER]
        password = self.directory / "password"
        password.write_text(PASSWORD)
        done = subprocess.run(
            [*command, *access, "--password-file", str(password)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def basic() -> str:
    return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def exporter(directory: Path, simulator: Simulator, policy: str, nodes: list[str]) -> Served:
    """Return an exporter with remediation, to be entered."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (directory / "web.yml").write_text(f"basic_auth_users: {{{USER}: '{hashed}'}}\n")
    (directory / "policy.yml").write_text(policy)
    records = "".join(
        f"    - {{id: {node}, credential: renter, desired_state: running, expected_gpus: {GPUS},"
        " labels: {site: north}}\n"
        for node in nodes
    )
    (directory / "dbc.yml").write_text(
        f"clients: [{{name: one, url: '{simulator.client}'}}]\n"
        f"credentials: {{renter: {{type: wallet, seed_file: '{simulator.credentials / 'renter.seed'}'}}}}\n"
        f"targets:\n  static:\n{records}"
        "collectors:\n"
        "  client: {interval_seconds: 5}\n  node: {interval_seconds: 15}\n  orders: {interval_seconds: 60}\n"
        "  tasks: {interval_seconds: 60}\n  vms: {interval_seconds: 60}\n"
        f"storage: {{path: '{directory / 'state'}'}}\n"
        "web: {config_file: web.yml}\n"
        "remediation: {policy_file: policy.yml}\n"
    )
    port = free_port()
    command = [sys.executable, "-m", "dbc_exporter", "serve", f"--config.file={directory / 'dbc.yml'}"]
    return Served([*command, f"--web.listen-address=127.0.0.1:{port}"], port, directory)


@contextmanager
def running(directory: Path, scenario: str, policy: str) -> Iterator[Parts]:
    """Run simulator, exporter, blackbox, Prometheus and Alertmanager."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator(directory / "simulator", scenario))
        vms = simulator.wait(simulator.vms, "VMs")
        served = exporter(directory, simulator, policy, [vm.node_id for vm in vms])
        parts = Parts(simulator, stack.enter_context(served), vms, directory)
        webhook = f"http://{served.address}/api/v1/alertmanager"
        prober = stack.enter_context(blackbox(directory))
        manager = stack.enter_context(alertmanager(directory, webhook, PASSWORD))
        probed = [Probed(vm.address, vm.node_id, vm.task_id) for vm in vms]
        stack.enter_context(prometheus(directory, manager, prober, probed))
        yield parts
