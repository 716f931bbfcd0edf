"""An upgrade that reached one node and one DBC client, and was given up hours later. Polls are as rare as in the week."""

from __future__ import annotations

from tests.monitoring.behaviour.player import Live
from tests.monitoring.behaviour.scenarios_machines import MACHINES
from tests.monitoring.behaviour.stage import HOUR, MINUTE, Action, Case, Stage
from tests.monitoring.behaviour.week import INTERVALS

OLD, NEW = "0.4.1.8", "0.4.1.9"


def node_runs(version: str) -> Action:
    def install(live: Live) -> None:
        node = live.fleet.find_compute("rented-1")
        assert node is not None
        node.subject.version = version
        live.fleet.world.hosts[node.id].restart()

    return install


def client_runs(version: str) -> Action:
    def install(live: Live) -> None:
        client = live.fleet.world.clients["right"]
        client.version = version
        client.restart()

    return install


VERSIONS = Stage(
    "versions",
    fleet=MACHINES.fleet,
    cases=(
        Case(
            "DbcNodeVersionDiffers",
            begin=node_runs(NEW),
            end=node_runs(OLD),
            labels=({"node_id": "rented-1", "version": NEW},),
            within=6 * HOUR + 8 * MINUTE,
            ends_within=8 * MINUTE,
        ),
        Case(
            "DbcClientVersionDiffers",
            begin=client_runs(NEW),
            end=client_runs(OLD),
            labels=({"client": "right", "version": NEW},),
            within=6 * HOUR + 8 * MINUTE,
            ends_within=8 * MINUTE,
        ),
    ),
    ends=7 * HOUR,
    length=7.5 * HOUR,
    settings={"collectors": {name: {"interval_seconds": seconds} for name, seconds in INTERVALS.items()}},
)
