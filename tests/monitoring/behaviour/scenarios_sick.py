"""Machines that answer and are not well, VMs, transfers and servers that need somebody: each has a node of its own."""

from __future__ import annotations

import asyncio
from typing import Any

from dbc_exporter.simulator.host import NodeHost
from tests.monitoring.behaviour.player import Live
from tests.monitoring.behaviour.scenarios_machines import MACHINES
from tests.monitoring.behaviour.stage import MINUTE, Action, Case, Stage

RENTED, FREE = MACHINES.fleet["compute"]


def host_of(live: Live, name: str) -> NodeHost:
    """Return the process of a node of this name."""
    node = live.fleet.find_compute(name)
    assert node is not None
    return live.fleet.world.hosts[node.id]


def chokes(live: Live) -> None:
    """Let the node stand still for some seconds now and then, longer than a DBC client waits."""
    host, loop = host_of(live, "rented-1"), asyncio.get_running_loop()
    for number in range(10):
        loop.call_later(number * 4 * MINUTE, host.freeze)
        loop.call_later(number * 4 * MINUTE + 100, host.thaw)


def loses_its_peers(live: Live) -> None:
    """Let nobody hear of the node any more, though its process runs."""
    host = host_of(live, "free-7")
    host.announcer.fall_silent(live.fleet.world.now())


def restarts(name: str) -> Action:
    """Restart a node's daemon, which finds its peers then."""
    return lambda live: host_of(live, name).restart()


def starts_with(name: str, gpus: int) -> Action:
    """Restart a node's daemon, which finds so many GPUs then."""

    def start(live: Live) -> None:
        host = host_of(live, name)
        host.node.hardware.gpus = gpus  # type: ignore[attr-defined]  # compute nodes have it
        host.restart()

    return start


def _on(fault: str, name: str, **parameters: Any) -> tuple[dict[str, Any], ...]:
    return ({"fault": fault, "names": [name], **parameters},)


SICK = Stage(
    "sick machines",
    fleet={
        "clients": MACHINES.fleet["clients"],
        "image_servers": [{"name": "local01", "images": [{"name": "large.qcow2", "size": "900G"}]}],
        "compute": [{**RENTED, "count": 4}, {**FREE, "count": 8}],
        "managers": [{"count": 2, "servers": [{"count": 2, "rented_by": {"wallet": "renter"}}]}],
        "transfers": [{"node": "rented-4", "image": "large.qcow2"}],
    },
    cases=(
        Case(
            "DbcNodeNotVisible",
            begin=loses_its_peers,
            end=restarts("free-7"),
            labels=({"node_id": "free-7"},),
            within=9 * MINUTE,
            ends_within=3 * MINUTE,
        ),
        Case(
            "DbcNodeSlow",
            begin=chokes,
            labels=({"node_id": "rented-1"},),
            within=51 * MINUTE,
            ends_within=37 * MINUTE,
        ),
        Case(
            "DbcNodeMemoryShort",
            faults=_on("odd_usages", "rented-1", cpu=10, memory=98),
            labels=({"node_id": "rented-1"},),
            within=45 * MINUTE,
            ends_within=3 * MINUTE,
        ),
        Case(
            "DbcNodeCpuShort",
            faults=_on("odd_usages", "free-8", cpu=97, memory=10),
            labels=({"node_id": "free-8"},),
            within=33 * MINUTE,
            ends_within=3 * MINUTE,
        ),
        Case(
            "DbcNodeDiskShort",
            faults=_on("disk_full", "free-9"),
            labels=({"node_id": "free-9", "disk": "/data"},),
            within=8 * MINUTE,
            ends_within=3 * MINUTE,
        ),
        Case(
            "DbcNodeGpusMissing",
            begin=starts_with("free-10", 7),
            end=starts_with("free-10", 8),
            labels=({"node_id": "free-10"},),
            within=8 * MINUTE,
            ends_within=3 * MINUTE,
        ),
        Case(
            "DbcVmStuckCreating",
            faults=_on("stuck_creating", "rented-2/1"),
            labels=({"node_id": "rented-2", "task_id": "rented-2/1"},),
            within=36 * MINUTE,
            ends_within=6 * MINUTE,
        ),
        Case(
            "DbcVmError",
            faults=_on("vm_error", "rented-2/2", status="shutdown error"),
            labels=({"node_id": "rented-2", "task_id": "rented-2/2"},),
            within=16 * MINUTE,
            ends_within=6 * MINUTE,
        ),
        Case(
            "DbcVmListUnparsable",
            faults=_on("quote_in_description", "rented-3/1"),
            labels=({"node_id": "rented-3"},),
            within=16 * MINUTE,
            ends_within=6 * MINUTE,
        ),
        Case(
            "DbcTransferStalled",
            faults=_on("stall_transfer", "rented-4/large.qcow2"),
            labels=({"node_id": "rented-4", "image": "large.qcow2", "direction": "download"},),
            within=33 * MINUTE,
            ends_within=4 * MINUTE,
        ),
        Case(
            "DbcServerBmcUnreachable",
            faults=_on("dead_bmc", "bm-1-1"),
            labels=({"node_id": "bm-1-1"},),
            within=22 * MINUTE,
            ends_within=14 * MINUTE,
        ),
        Case(
            "DbcManagerDeaf",
            faults=_on("kill_managers", "manager-2"),
            labels=({"node_id": "manager-2"},),
            within=16 * MINUTE,
            ends_within=3 * MINUTE,
        ),
    ),
    ends=80 * MINUTE,
    length=150 * MINUTE,
)
