"""The whole way on real parts: a VM hangs, Prometheus and Alertmanager say so, one restart follows and is verified.

And the other way: with its DBC client dead the same alert leads to nothing, and the reason is told.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.alerting import needs_alerting
from tests.e2e.remediation_parts import GPUS, PASSWORD, running

pytestmark = [pytest.mark.real, needs_alerting]

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


def test_a_hung_vm_is_restarted_once_and_a_dead_client_keeps_the_next_one_from_it(tmp_path: Path) -> None:
    """One story, as starting the parts takes most of the time."""
    with running(tmp_path, SCENARIO, POLICY) as parts:
        served, sick, other = parts.exporter, parts.vms[0], parts.vms[1]
        parts.wait_until_ready()
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
