"""The exporter and its remediation."""

from __future__ import annotations

from tests.monitoring.behaviour.player import Live
from tests.monitoring.behaviour.scenarios_clients import POLICY
from tests.monitoring.behaviour.scenarios_machines import MACHINES
from tests.monitoring.behaviour.stage import HOUR, MINUTE, Case, Stage


def alertmanager_dies(live: Live) -> None:
    live.watchdog = False


def alertmanager_is_back(live: Live) -> None:
    live.watchdog = True


REMEDIATION = Stage(
    "remediation",
    fleet=MACHINES.fleet,
    policy=POLICY,
    cases=(
        Case(
            "DbcRemediationDisarmed",
            begin=alertmanager_dies,
            end=alertmanager_is_back,
            labels=({"reason": "watchdog_silent"},),
            within=42 * MINUTE,
            ends_within=2 * MINUTE,
        ),
    ),
    ends=70 * MINUTE,
)

CHAIN = Stage(
    "chain",
    fleet=MACHINES.fleet,
    cases=(
        Case(
            "DbcExporterTargetsStale",
            faults=({"fault": "chain_outage"},),
            labels=({"collector": "tasks"}, {"collector": "transfers"}),
            within=30 * MINUTE,
            ends_within=10 * MINUTE,
        ),
        Case(
            "DbcExporterFreshnessSlo",
            labels=({},),
            within=45 * MINUTE,
            ends_within=35 * MINUTE,
        ),
    ),
    ends=70 * MINUTE,
    length=2 * HOUR,
)
