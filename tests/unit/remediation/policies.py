"""Policies without a finding, and targets they suit, for tests to change one thing of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dbc_exporter.remediation.policy import Policy
from dbc_exporter.targets import DesiredState, Kind, Target

PROBE, PING = "VmUnresponsive", "ServerNoPing"
RESTART = {"action": "restart", "evidence": [PROBE], "witness": PROBE}
FORCE = {"action": "force_restart", "evidence": [PROBE], "witness": PROBE, "mode": "approve"}
START = {"action": "start", "witness": PROBE}
POWER_ON = {"action": "power_on"}
RESET = {"action": "power_reset", "evidence": [PROBE, PING], "witness": PING, "mode": "approve"}
BUDGET = {"scope": "fleet", "window": 600, "most": 4}
VMS = {
    "name": "vms",
    "kind": "vm",
    "match": {"labels": {"site": "*"}},
    "only_dbc_vms": True,
    "ladder": [RESTART, FORCE, START],
}
SERVERS = {
    "name": "servers",
    "kind": "server",
    "match": {"labels": {"site": "*"}},
    "ladder": [POWER_ON, RESET],
}
NODE = Target(
    "a" * 64,
    credential="w",
    desired_state=DesiredState.RUNNING,
    expected_gpus=4,
    labels=(("site", "north"),),
)
SERVER = Target(
    "b" * 64,
    Kind.SERVER,
    manager="c" * 64,
    credential="w",
    desired_state=DesiredState.ON,
    labels=(("site", "north"),),
)
MANAGER = Target("c" * 64, Kind.MANAGER, credential="k")
FORMS = {"w": "wallet", "s": "session", "m": "multisig", "k": "manager"}


def made(*rules: dict[str, Any], **top: Any) -> Policy:
    """A policy in mode act with one budget, and with these rules or with both."""
    limits = {"budgets": [BUDGET]}
    return Policy.model_validate(
        {"version": "1", "mode": "act", "limits": limits, "rules": list(rules or (VMS, SERVERS)), **top}
    )


def many(target: Target, count: int) -> list[Target]:
    """Targets that are alike but for their ids."""
    return [replace(target, id=f"{number:064x}") for number in range(count)]
