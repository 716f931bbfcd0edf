"""DBC clients in trouble: the only client of a whole fleet, upon which remediation looks too."""

from __future__ import annotations

from typing import Any

from tests.monitoring.behaviour.scenarios_machines import MACHINES
from tests.monitoring.behaviour.stage import HOUR, MINUTE, Case, Stage

POLICY = """
version: 1
mode: act
rules:
  - name: vms
    kind: vm
    match: {labels: {site: "*"}}
    ladder: [{action: restart, evidence: [DbcVmUnresponsive], witness: DbcVmUnresponsive}]
"""


def _trouble(alert: str, fault: dict[str, Any], *, within: float, ends_within: float = 2 * MINUTE) -> Stage:
    """Let it last so long that every other alert would have begun, and look for as long afterwards."""
    return Stage(
        f"client: {fault['fault']}",
        fleet={**MACHINES.fleet, "clients": [{"name": "only"}]},
        cases=(
            Case(
                alert,
                faults=({**fault, "all": True},),
                labels=({"client": "only"},),
                within=within,
                ends_within=ends_within,
            ),
        ),
        ends=2 * HOUR,
        length=2.5 * HOUR,
        policy=POLICY,
        client_trouble=True,
    )


CLIENT_TROUBLES = (
    _trouble("DbcClientDown", {"fault": "kill_clients"}, within=4 * MINUTE),
    _trouble("DbcClientIsolated", {"fault": "isolate_clients"}, within=7 * MINUTE),
    _trouble("DbcClientWedged", {"fault": "wedge_clients"}, within=5 * MINUTE),
)
