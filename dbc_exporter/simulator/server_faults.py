"""Trouble with bare-metal servers, their controllers and their managers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbc_exporter.simulator.bare_metal import ManagerNode
from dbc_exporter.simulator.bare_metal_server import BareMetalServer
from dbc_exporter.simulator.bmc import Bmc
from dbc_exporter.simulator.fault_registry import Undo, fault
from dbc_exporter.simulator.scenario import Section
from dbc_exporter.simulator.scenario_values import Duration

if TYPE_CHECKING:
    from dbc_exporter.simulator.fleet import Fleet

Target = tuple[ManagerNode, BareMetalServer]


@fault("dead_bmc", "servers", recovers=True)
def _dead_bmc(_fleet: Fleet, target: Target, _parameters: Any) -> Undo:
    """Let the BMC answer nothing: each command takes 10 s of its manager's only thread."""
    bmc = _bmc(target)
    bmc.reachable = False

    def undo() -> None:
        bmc.reachable = True

    return undo


@fault("bad_bmc_password", "servers", recovers=True)
def _bad_bmc_password(_fleet: Fleet, target: Target, _parameters: Any) -> Undo:
    """Let the BMC refuse the manager's password, after 8 s."""
    bmc = _bmc(target)
    bmc.rejects_password = True

    def undo() -> None:
        bmc.rejects_password = False

    return undo


class IpmiFailure(Section):
    """What ipmitool prints."""

    text: str = "Unable to get Chassis Power Status"


@fault("ipmi_failure", "servers", recovers=True, parameters=IpmiFailure)
def _ipmi_failure(_fleet: Fleet, target: Target, parameters: IpmiFailure) -> Undo:
    """Let ipmitool fail with a text that the manager takes for a success (errcode 0)."""
    bmc = _bmc(target)
    bmc.silent_failure = parameters.text

    def undo() -> None:
        bmc.silent_failure = None

    return undo


@fault("power_loss", "servers", recovers=True)
def _power_loss(_fleet: Fleet, target: Target, _parameters: Any) -> Undo:
    """Switch the server off without anybody's command."""
    bmc = _bmc(target)
    bmc.cut_power()

    def undo() -> None:
        bmc.powered = True

    return undo


@fault("quote_in_server_description", "servers", recovers=True)
def _quote(_fleet: Fleet, target: Target, _parameters: Any) -> Undo:
    """Put an unescaped quote into the server's description: the manager's whole list becomes invalid JSON."""
    server, before = target[1], target[1].description
    server.description = f'{before} "prod"'

    def undo() -> None:
        server.description = before

    return undo


class Deafness(Section):
    """How long."""

    seconds: Duration = 60.0


@fault("deaf_managers", "managers", parameters=Deafness)
def _deaf(_fleet: Fleet, manager: ManagerNode, parameters: Deafness) -> None:
    """Occupy the manager's only thread: requests wait, nothing is gossiped."""

    async def occupy() -> None:
        async with manager.host.occupied():
            await manager.host.work(parameters.seconds)

    manager.host.spawn(occupy())


def _bmc(target: Target) -> Bmc:
    manager, server = target
    return manager.bmc(server)
