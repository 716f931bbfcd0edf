"""Evidence on its way: a simulated VM hangs, blackbox sees it, Prometheus judges, Alertmanager delivers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.alerting import (
    EXAMPLES,
    USER,
    Probed,
    Webhook,
    alertmanager,
    blackbox,
    needs_alerting,
    prometheus,
)
from tests.e2e.processes import Served
from tests.e2e.simulated import SimulatedVm, Simulator

pytestmark = [pytest.mark.real, needs_alerting]

PASSWORD = "between Alertmanager and the webhook"
SCENARIO = """
version: 1
vm_ports: true
compute: [{count: 2, vms: {count: 2}, rented_by: {wallet: renter}}]
"""
VM, WATCHDOG = "DbcVmUnresponsive", "DbcRemediationWatchdog"


# -- the shipped files, before anybody runs them


def complaints(*command: str) -> str:
    """Run a tool in the folder of examples; returns what it says when it is not content, else nothing."""
    done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, check=False, timeout=60, text=True)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize(
    "command",
    [
        "promtool check config prometheus.yml",
        "promtool check rules rules.yml",
        "promtool test rules rules_test.yml",
        "amtool check-config alertmanager.yml",
        "prometheus-blackbox-exporter --config.file=blackbox.yml --config.check",
    ],
)
def test_the_tools_accept_the_examples(command: str) -> None:
    assert complaints(*command.split()) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("for: 2m", "for: 1m"),
        ("for: 3m", "for: 2m"),
        ('node_id!="", task_id!=""', 'node_id!=""'),
        ('job="dbc-server", node_id!=""', 'job="dbc-server"'),
        ('job="dbc-vm", ', ""),
        ("max by (node_id, task_id)", "min by (node_id, task_id)"),
        ("[1h]", "[10m]"),
        (' and on (node_id, task_id) ALERTS{alertname="DbcVmUnresponsive", alertstate="firing"}', ""),
        (' and on (node_id) ALERTS{alertname="DbcServerUnreachable", alertstate="firing"}', ""),
        ("vector(1)", "vector(1) > 1"),
    ],
)
def test_the_rules_tests_notice_a_changed_rule(old: str, new: str, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "rules_test.yml", tmp_path)
    rules = (EXAMPLES / "rules.yml").read_text()
    assert old in rules
    (tmp_path / "rules.yml").write_text(rules.replace(old, new))
    assert "FAILED" in complaints("promtool", "test", "rules", str(tmp_path / "rules_test.yml"))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (f"alertname={VM} dbc_remediation=evidence node_id=n task_id=t", "dbc-exporter"),
        ("alertname=DbcServerUnreachable dbc_remediation=evidence node_id=n", "dbc-exporter"),
        (f"alertname={WATCHDOG} dbc_remediation=watchdog", "dbc-exporter"),
        ("alertname=DbcRemediationDisarmed", "on-call"),
        ("alertname=DbcRemediationDisarmed dbc_remediation=evidence", "on-call"),
        ("alertname=DbcNodeDown node_id=n", "on-call"),
    ],
)
def test_only_evidence_and_the_watchdog_go_to_the_webhook(labels: str, receiver: str) -> None:
    command = ["amtool", "config", "routes", "test", f"--config.file={EXAMPLES / 'alertmanager.yml'}"]
    done = subprocess.run([*command, *labels.split()], capture_output=True, check=True, timeout=60, text=True)
    assert done.stdout.strip() == receiver


# -- running


@dataclass
class Parts:
    """Everything that runs, and the VMs."""

    simulator: Simulator
    prober: Served
    prometheus: Served
    webhook: Webhook
    vms: list[SimulatedVm]

    def wait(self, name: str, status: str, more_than: int = 0) -> list[dict[str, object]]:
        """Wait until more alerts than so many have arrived, and return them all."""

        def arrived() -> list[dict[str, object]] | None:
            found = self.webhook.alerts(name, status)
            return found if len(found) > more_than else None

        return self.prometheus.wait(arrived, f"{name} {status}")

    def ids(self, vm: SimulatedVm) -> dict[str, str]:
        """Return the labels of the alert about a VM."""
        return {
            "alertname": VM,
            "node_id": vm.node_id,
            "task_id": vm.task_id,
            "dbc_remediation": "evidence",
        }


@contextmanager
def running(tmp_path: Path, resend: str = "3s") -> Iterator[Parts]:
    """Run everything."""
    with ExitStack() as stack:
        webhook = stack.enter_context(Webhook())
        simulator = stack.enter_context(Simulator(tmp_path / "simulator", SCENARIO))
        prober = stack.enter_context(blackbox(tmp_path))
        manager = stack.enter_context(alertmanager(tmp_path, webhook.url, PASSWORD))
        vms = simulator.wait(simulator.vms, "VMs")
        probed = [Probed(vm.address, vm.node_id, vm.task_id) for vm in vms]
        watching = prometheus(tmp_path, manager, prober, probed, resend=resend)
        yield Parts(simulator, prober, stack.enter_context(watching), webhook, vms)


def all_probed(parts: Parts) -> bool:
    """Tell whether Prometheus has an answer of every VM."""
    body = parts.prometheus.get("/api/v1/query?query=probe_success").body
    return all(vm.task_id in body for vm in parts.vms)


def test_a_hung_vm_is_told_with_its_ids_and_its_recovery_too(tmp_path: Path) -> None:
    """One story, as starting the parts takes most of the time."""
    with running(tmp_path) as parts:
        webhook, sick = parts.webhook, parts.vms[2]

        # all are well: the watchdog arrives, again and again, and nothing else
        parts.prometheus.wait(lambda: all_probed(parts), "probe of every VM")
        parts.wait(WATCHDOG, "firing", more_than=len(webhook.alerts(WATCHDOG, "firing")) + 1)
        assert webhook.names() == {WATCHDOG}

        # one hangs: it is told, and no other
        parts.simulator.hang(sick)
        (firing,) = parts.wait(VM, "firing")
        assert firing["labels"] == parts.ids(sick)
        assert webhook.alerts(VM, "resolved") == []

        # it recovers: that is told, of the same episode
        parts.simulator.recover(sick)
        (resolved,) = parts.wait(VM, "resolved")
        assert (resolved["labels"], resolved["startsAt"]) == (firing["labels"], firing["startsAt"])
        assert webhook.alerts(VM, "firing") == [firing]

    # each VM is told in a notification of its own, with the credentials
    told = [each.body for each in webhook.deliveries if each.body["commonLabels"]["alertname"] == VM]
    assert [each["groupLabels"] for each in told] == [{"node_id": sick.node_id, "task_id": sick.task_id}] * 2
    assert {(each.path, each.user, each.password) for each in webhook.deliveries} == {
        ("/api/v1/alertmanager", USER, PASSWORD)
    }


def test_a_dead_prober_ends_no_alert_a_dead_prometheus_ends_all_though_the_vm_still_hangs(
    tmp_path: Path,
) -> None:
    with running(tmp_path, resend="2s") as parts:
        webhook, simulator = parts.webhook, parts.simulator
        simulator.hang(parts.vms[0])
        parts.wait(VM, "firing")

        # nobody probes any more: the alert stays, and so does the watchdog
        parts.prober.interrupt()
        parts.prometheus.wait(lambda: not all_probed(parts), "blindness")
        parts.wait(WATCHDOG, "firing", more_than=len(webhook.alerts(WATCHDOG, "firing")) + 1)
        assert webhook.alerts(VM, "resolved") == []

        # nobody judges any more: Alertmanager ends both
        parts.prometheus.interrupt()
        simulator.wait(lambda: webhook.alerts(VM, "resolved"), "end of the VM's alert")
        simulator.wait(lambda: webhook.alerts(WATCHDOG, "resolved"), "end of the watchdog")
        vms = [vm for node in simulator.state()["compute"] for vm in node["vms"]]
        assert [vm["hung"] for vm in vms] == [True, False, False, False]
