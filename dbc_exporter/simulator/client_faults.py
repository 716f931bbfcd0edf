"""Trouble with the client nodes and with what arrives from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from dbc_exporter.simulator.client import ClientNode
from dbc_exporter.simulator.fault_registry import Undo, fault
from dbc_exporter.simulator.randomness import stable_random
from dbc_exporter.simulator.scenario import Section
from dbc_exporter.simulator.scenario_values import Duration, Share
from dbc_exporter.simulator.wire_faults import DELAY, KINDS, WireFault

if TYPE_CHECKING:
    from dbc_exporter.simulator.fleet import Fleet


@fault("kill_clients", "clients", recovers=True)
def _kill(_fleet: Fleet, client: ClientNode, _parameters: Any) -> Undo:
    """End the client process: its port refuses connections until it is started again."""
    client.kill()
    return client.restart


@fault("restart_clients", "clients")
def _restart(_fleet: Fleet, client: ClientNode, _parameters: Any) -> None:
    """End the client process and start it again: it knows no nodes for the first seconds."""
    client.restart()


@fault("isolate_clients", "clients", recovers=True)
def _isolate(_fleet: Fleet, client: ClientNode, _parameters: Any) -> Undo:
    """Cut the client off from all peers: lists go on for 300 s, a forwarded request kills it 30 s later."""
    client.isolate()
    return client.rejoin


@fault("wedge_clients", "clients", recovers=True)
def _wedge(_fleet: Fleet, client: ClientNode, _parameters: Any) -> Undo:
    """Fill the client's session table: every forwarded request is refused until the process is restarted."""
    client.wedge()
    return client.restart


class SlowParameters(Section):
    """How slow."""

    delay: Duration = 5.0


@fault("slow_clients", "clients", recovers=True, parameters=SlowParameters)
def _slow(fleet: Fleet, client: ClientNode, parameters: SlowParameters) -> Undo:
    """Delay every HTTP answer of the client."""
    return _set_wire(fleet, client, WireFault(DELAY, _rng(fleet, client), delay_seconds=parameters.delay))


class WireParameters(Section):
    """Which way answers arrive broken, and how many of them."""

    kind: Literal[KINDS]  # type: ignore[valid-type]  # the registry's own names
    share: Share = 1.0
    delay: Duration = 5.0
    bytes_per_second: float = Field(10.0, gt=0)


@fault("wire_fault", "clients", recovers=True, parameters=WireParameters)
def _wire(fleet: Fleet, client: ClientNode, parameters: WireParameters) -> Undo:
    """Let answers over the client's HTTP port arrive broken."""
    wire = WireFault(
        parameters.kind,
        _rng(fleet, client),
        share=parameters.share,
        delay_seconds=parameters.delay,
        bytes_per_second=parameters.bytes_per_second,
    )
    return _set_wire(fleet, client, wire)


def _set_wire(fleet: Fleet, client: ClientNode, wire_fault: WireFault) -> Undo:
    wire = fleet.wires[client.name]
    wire.fault = wire_fault

    def undo() -> None:
        if wire.fault is wire_fault:
            wire.fault = None

    return undo


def _rng(fleet: Fleet, client: ClientNode) -> Any:
    return stable_random(fleet.world.seed, "wire", client.name)
