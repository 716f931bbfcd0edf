"""The policy of a run, as the product reads it and as the oracle's own plain numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.policy_file import LoadedPolicy
from tests.simulation.alerting import PING, PROBE, WATCHDOG
from tests.simulation.town import Town

Data = dict[str, Any]
MOST_AN_HOUR = 120


def policy_of(town: Town, mode: str = "act") -> Data:
    """Return a policy quick enough for things to happen, with limits that grow with the town."""
    share = max(1, town.size.subjects // 40)
    anywhere = {"labels": {"site": "*"}}
    rule = {
        "hold": 120,
        "samples": 2,
        "max_age": 650,
        "cooldown": {"base": 900, "factor": 2, "longest": 7200},
        "attempts_per_day": 4,
        "healthy_period": 3600,
        "node_settle": 600,
        "match": anywhere,
    }
    quick = {"settle": 120, "stable": 180}
    ladder = [
        {"action": "restart", "evidence": [PROBE], "witness": PROBE, "attempts": 2, **quick},
        {"action": "force_restart", "evidence": [PROBE], "witness": PROBE, "windows": ["work"], **quick},
        {"action": "start", "witness": PROBE, **quick},
    ]
    roles = town.roles
    vm = {**rule, "name": "vms", "kind": "vm", "only_dbc_vms": True, "ladder": ladder}
    vm["never"] = {"ids": [roles["never"], roles["unclaimed"]]}
    unclaimed = {**vm, "name": "unclaimed", "only_dbc_vms": False, "never": {}}
    unclaimed["ladder"] = ladder[:2]  # nothing against a stopped one
    unclaimed["match"] = {"ids": [roles["unclaimed"]]}
    doubled = {**vm, "name": "doubled", "never": {}, "match": {"ids": [roles["doubled"]]}}
    server = {
        **rule,
        "name": "servers",
        "kind": "server",
        "ladder": [
            {"action": "power_on", "settle": 400, "stable": 400},
            {"action": "power_reset", "evidence": [PROBE, PING], "witness": PING, **quick},
        ],
    }
    hourly = min(MOST_AN_HOUR, 8 * share)
    return {
        "version": "1",
        "mode": mode,
        "windows": [{"name": "work", "begin": "12:00", "end": "16:00"}],
        "alerts": {"watchdog": WATCHDOG, "max_silence": 400, "expire": 7200},
        "limits": {
            "hold_off": 300,
            "budgets": [
                {"scope": "fleet", "window": 600, "most": max(4, hourly // 3)},
                {"scope": "fleet", "window": 3600, "most": hourly},
                {"scope": "node", "window": 3600, "most": 2},
                {"scope": "domain", "label": "site", "window": 3600, "most": max(2, hourly // 2)},
                {"scope": "client", "window": 3600, "most": max(4, hourly // 2)},
            ],
            "concurrency": {"fleet": 2 + share, "client": 1 + share},
            "storm": {"bad_percent": 30, "bad_least": 4, "new_count": 4 + share, "new_window": 300},
            "breaker": {
                "window": 7200,
                "least": 6,
                "ineffective_percent": 90,
                "ambiguous": max(9, hourly // 4),
            },
            "sight": {"known_percent": 50, "shrink_percent": 30, "chain_silent": 3},
            "approval_ttl": 900,
            "ambiguous_hold": 3600,
        },
        "rules": [vm, unclaimed, doubled, server],
    }


def loaded_of(data: Data) -> LoadedPolicy:
    """Load it as the product does."""
    text = repr(data)
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return LoadedPolicy(Policy.model_validate(data), digest, text)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a ladder."""

    mode: str
    evidence: tuple[str, ...]
    witness: str | None
    attempts: int
    settle: float
    stable: float
    windows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy in force, as plain numbers the oracle was given when it was loaded."""

    mode: str
    steps: Mapping[str, Step]
    windows: Mapping[str, tuple[int, int]]
    rule: Mapping[str, Any]
    limits: Mapping[str, Any]
    alerts: Mapping[str, Any]

    def mode_of(self, action: str) -> str:
        """Return how far an action may go."""
        step = self.steps.get(action)
        return min(self.mode, step.mode if step else "off", key=("off", "dry_run", "approve", "act").index)

    @property
    def hold_off(self) -> float:
        """Seconds of quiet after a disturbance."""
        return float(self.limits["hold_off"])


def rules_of(data: Data) -> Rules:
    """Return the oracle's own copy."""
    steps = {
        rung["action"]: Step(
            mode=rung.get("mode", "act"),
            evidence=tuple(rung.get("evidence", ())),
            witness=rung.get("witness"),
            attempts=rung.get("attempts", 1),
            settle=rung["settle"],
            stable=rung["stable"],
            windows=tuple(rung.get("windows", ())),
        )
        for rule in data["rules"]
        for rung in rule["ladder"]
    }
    windows = {one["name"]: (_minutes(one["begin"]), _minutes(one["end"])) for one in data["windows"]}
    return Rules(data["mode"], steps, windows, data["rules"][0], data["limits"], data["alerts"])


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
