"""The whole way on real parts: a VM hangs, Prometheus and Alertmanager say so, one restart follows and is verified.

And the other way: with its DBC client dead the same alert leads to nothing, and the reason is told.
"""

from __future__ import annotations

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
import pytest

from tests.e2e.alerting import USER, Probed, alertmanager, blackbox, needs_alerting, prometheus
from tests.e2e.processes import Served, free_port
from tests.e2e.simulated import SimulatedVm, Simulator

pytestmark = [pytest.mark.real, needs_alerting]

PASSWORD = "between Alertmanager and the exporter"
GPUS = 8
SCENARIO = f"""
version: 1
vm_ports: true
time_factor: 0.1
compute: [{{count: 3, gpus: {GPUS}, vms: {{count: 1}}, rented_by: {{wallet: renter}}}}]
"""
POLICY = """
version: 1
mode: act
limits:
  hold_off: 1s
  budgets: [{scope: fleet, window: 10m, most: 5}]
rules:
  - name: vms
    kind: vm
    match: {labels: {site: "*"}}
    only_dbc_vms: true
    hold: 10ms
    samples: 1
    node_settle: 10ms
    cooldown: {base: 1m}
    ladder:
      - {action: restart, evidence: [DbcVmUnresponsive], witness: DbcVmUnresponsive, settle: 50s, stable: 4s}
"""


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
    import base64  # noqa: PLC0415 - one line needs it

    return "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def exporter(directory: Path, simulator: Simulator, nodes: list[str]) -> Served:
    """Return an exporter with remediation, to be entered."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (directory / "web.yml").write_text(f"basic_auth_users: {{{USER}: '{hashed}'}}\n")
    (directory / "policy.yml").write_text(POLICY)
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
def running(tmp_path: Path) -> Iterator[Parts]:
    """Run simulator, exporter, blackbox, Prometheus and Alertmanager."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator(tmp_path / "simulator", SCENARIO))
        vms = simulator.wait(simulator.vms, "VMs")
        served = exporter(tmp_path, simulator, [vm.node_id for vm in vms])
        parts = Parts(simulator, stack.enter_context(served), vms, tmp_path)
        webhook = f"http://{served.address}/api/v1/alertmanager"
        prober = stack.enter_context(blackbox(tmp_path))
        manager = stack.enter_context(alertmanager(tmp_path, webhook, PASSWORD))
        probed = [Probed(vm.address, vm.node_id, vm.task_id) for vm in vms]
        stack.enter_context(prometheus(tmp_path, manager, prober, probed))
        yield parts


def test_a_hung_vm_is_restarted_once_and_a_dead_client_keeps_the_next_one_from_it(tmp_path: Path) -> None:
    """One story, as starting the parts takes most of the time."""
    with running(tmp_path) as parts:
        served, sick, other = parts.exporter, parts.vms[0], parts.vms[1]
        served.wait(lambda: parts.metric("dbc_remediation_armed"), "remediation armed")
        served.wait(
            lambda: parts.metric("dbc_remediation_targets", 'kind="vm",health="healthy"') == len(parts.vms),
            "every VM known",
        )
        assert parts.intents() == []

        # it hangs: one restart, soon, seen to have helped
        parts.simulator.hang(sick, cured_by="restart")
        served.wait(parts.intents, "an intent")
        served.wait(lambda: parts.intents()[0]["state"] == "ended", "end of the intent")
        [intent] = parts.intents()
        assert (intent["action"], intent["result"]) == ("restart", "recovered")
        assert intent["subject"] == f"{sick.node_id}/{sick.task_id}"
        executed = [row for row in parts.ledger() if row["target"] == sick.task_id]
        assert [row["action"] for row in executed] == ["restart"]
        latency = intent["sent"] - parts.heard(sick)
        print(f"\nalert stored -> restart sent: {latency * 1000:.0f} ms")  # noqa: T201 - a figure of the test run
        served.wait(
            lambda: parts.metric("dbc_remediation_actions_total", 'action="restart",result="recovered"') == 1,
            "counted action",
        )

        # its client is dead while another one hangs: nothing is done, and it is said why
        parts.simulator.fault(fault="kill_clients", all=True)
        served.wait(
            lambda: parts.metric("dbc_client_state", 'client="one",state="unreachable"'), "dead client"
        )
        parts.simulator.hang(other)
        served.wait(
            lambda: parts.metric("dbc_remediation_incidents_open", 'problem="hung"') == 1, "an open incident"
        )
        told = served.wait(lambda: parts.explain(other), "explanation")
        assert len(parts.intents()) == 1
        assert "blind" in told
        assert "client_unusable" in told
        assert "Traceback" not in served.stderr
        assert PASSWORD not in served.stderr
