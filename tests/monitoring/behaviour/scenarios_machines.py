"""Machines, their VMs, transfers and servers: two DBC clients see them, and each trouble is one machine's own."""

from __future__ import annotations

from dbc_exporter.simulator import compute_fleet
from dbc_exporter.simulator.scenario import Transfer
from tests.monitoring.behaviour.player import Live
from tests.monitoring.behaviour.stage import MINUTE, Case, Stage


def download_again(live: Live) -> None:
    compute_fleet.start_transfer(live.fleet, Transfer(node="rented-3", image="lost.qcow2"))


MACHINES = Stage(
    "machines",
    fleet={
        "clients": [{"name": "left"}, {"name": "right"}],
        "image_servers": [{"name": "local01", "images": [{"name": "lost.qcow2", "size": "900G"}]}],
        "compute": [
            {
                "name": "rented-{n}",
                "count": 3,
                "vms": {"count": 2},
                "images": [{"name": "own.qcow2", "size": "100G"}],
                "rented_by": {"wallet": "renter", "order_id": "order{n}"},
            },
            {"name": "free-{n}"},
        ],
        "managers": [{"servers": [{"count": 2, "rented_by": {"wallet": "renter"}}]}],
        "transfers": [
            {"node": "rented-3", "image": "lost.qcow2"},
            {
                "node": "rented-2",
                "image": "own.qcow2",
                "direction": "upload",
            },  # ends well, of which nobody is told
        ],
    },
    cases=(
        Case(
            "DbcNodeUnreachable",
            faults=({"fault": "kill_nodes", "names": ["rented-1"]},),
            labels=({"node_id": "rented-1"},),
            within=7 * MINUTE,
            ends_within=3 * MINUTE,
        ),
        Case(
            "DbcVmStopped",
            faults=({"fault": "stop_vms", "names": ["rented-2/1"]},),
            labels=({"node_id": "rented-2", "task_id": "rented-2/1"},),
            within=16 * MINUTE,
            ends_within=6 * MINUTE,
        ),
        Case(
            "DbcTransferVanished",
            faults=({"fault": "vanish_transfer", "names": ["rented-3/lost.qcow2"]},),
            end=download_again,
            labels=({"node_id": "rented-3", "image": "lost.qcow2", "direction": "download"},),
            within=4 * MINUTE,
            ends_within=2 * MINUTE,
        ),
        Case(
            "DbcServerOff",
            faults=({"fault": "power_loss", "names": ["bm-1-2"]},),
            labels=({"node_id": "bm-1-2"},),
            within=16 * MINUTE,
            ends_within=6 * MINUTE,
        ),
    ),
)
