"""Trouble with node processes, the chain they ask, and their orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dbc_exporter.simulator.chain import LIVE_ORDER
from dbc_exporter.simulator.fault_registry import Apply, Hits, Undo, fault
from dbc_exporter.simulator.scenario import Section

if TYPE_CHECKING:
    from dbc_exporter.simulator.fleet import Fleet
    from dbc_exporter.simulator.protocol import SimNode


def _on_both(verb: str, *, recovers: bool = False) -> Callable[[Apply], Apply]:
    """Register a fault of processes for compute nodes (`<verb>_nodes`) and for managers (`<verb>_managers`)."""

    def register(apply: Apply) -> Apply:
        kinds: tuple[Hits, ...] = ("nodes", "managers")
        for hits in kinds:
            fault(f"{verb}_{hits}", hits, recovers=recovers)(apply)
        return apply

    return register


@_on_both("kill", recovers=True)
def _kill(fleet: Fleet, node: SimNode, _parameters: Any) -> Undo:
    """End the process: listed for about 307 s more, answers nothing."""
    host = fleet.world.hosts[node.node_id]
    host.kill()
    return host.restart


@_on_both("restart")
def _restart(fleet: Fleet, node: SimNode, _parameters: Any) -> None:
    """Start the process anew: nonces forgotten, requests time out until its new key is announced, after about 11 s."""
    fleet.world.hosts[node.node_id].restart()


@_on_both("freeze", recovers=True)
def _freeze(fleet: Fleet, node: SimNode, _parameters: Any) -> Undo:
    """Stop the process as SIGSTOP does: requests queue up and are answered when it goes on."""
    host = fleet.world.hosts[node.node_id]
    host.freeze()
    return host.thaw


@_on_both("thaw")
def _thaw(fleet: Fleet, node: SimNode, _parameters: Any) -> None:
    """Let a frozen process go on."""
    fleet.world.hosts[node.node_id].thaw()


@fault("leave_nodes", "nodes")
def _leave(fleet: Fleet, node: SimNode, _parameters: Any) -> None:
    """Take the node away for good."""
    fleet.remove_compute(node.node_id)


class Joining(Section):
    """How many join, built like which group's nodes."""

    group: int = 0
    """The number of the group under `compute`, from 0."""
    nodes: int = 1


@fault("join_nodes", "chain", parameters=Joining)
def _join(fleet: Fleet, _network: None, parameters: Joining) -> None:
    """Add freshly started compute nodes, listed after about 11 s."""
    for _ in range(parameters.nodes):
        fleet.add_compute(parameters.group, fresh=True)


@fault("chain_outage", "chain", recovers=True)
def _chain_outage(fleet: Fleet, _network: None, _parameters: Any) -> Undo:
    """Let the chain answer no node: every request with credentials holds its node for more than 30 s."""
    fleet.world.chain.outage = True

    def undo() -> None:
        fleet.world.chain.outage = False

    return undo


class OrderEnd(Section):
    """What the chain says afterwards."""

    machine_status: str = "online"


@fault("end_orders", "nodes", recovers=True, parameters=OrderEnd)
def _end_orders(fleet: Fleet, node: SimNode, parameters: OrderEnd) -> Undo:
    """End every live rent order of the compute node."""
    return _end(fleet, node.node_id, parameters)


@fault("end_server_orders", "servers", recovers=True, parameters=OrderEnd)
def _end_server_orders(fleet: Fleet, target: Any, parameters: OrderEnd) -> Undo:
    """End every live rent order of the bare-metal server; its manager's next prune round switches it off."""
    return _end(fleet, target[1].node_id, parameters)


@fault("garble_orders", "nodes", recovers=True)
def _garble_orders(fleet: Fleet, node: SimNode, _parameters: Any) -> Undo:
    """Let the renters be missing from the orders that the node shows."""
    renters = [(order, order.renter) for order in fleet.world.chain.orders(node.node_id)]
    for order, _renter in renters:
        order.renter = ""

    def undo() -> None:
        for order, renter in renters:
            order.renter = renter

    return undo


def _end(fleet: Fleet, machine_id: str, parameters: OrderEnd) -> Undo:
    machine = fleet.world.chain.machine(machine_id)
    before = machine.status
    ended = [(order, order.rent_status) for order in machine.orders if order.rent_status in LIVE_ORDER]
    machine.status = parameters.machine_status
    for order, _status in ended:
        order.rent_status = "rentExpired"

    def undo() -> None:
        machine.status = before
        for order, status in ended:
            order.rent_status = status

    return undo
