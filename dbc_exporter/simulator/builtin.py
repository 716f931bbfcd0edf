"""Scenarios that need no file."""

from __future__ import annotations

from importlib import resources

from dbc_exporter.simulator.scenario import (
    Client,
    ComputeGroup,
    Latency,
    ManagerGroup,
    Rental,
    Scenario,
    ServerGroup,
    Vms,
)
from dbc_exporter.simulator.scenario_file import parse_scenario

RENTER = "renter"


def demo_scenario() -> Scenario:
    """Return the demonstration: 12 compute nodes, 8 servers, every kind of data, faults in the first ten minutes."""
    text = resources.files("dbc_exporter.simulator").joinpath("demo.yml").read_text(encoding="utf-8")
    return parse_scenario(text, "demo.yml")


def flat_scenario(
    nodes: int,
    *,
    vms: int = 2,
    managers: int = 0,
    servers: int = 51,
    clients: int = 1,
    seed: int = 0,
    verify_signatures: bool = True,
    latency: Latency | None = None,
) -> Scenario:
    """Return a uniform fleet without faults, every machine rented by one wallet.

    `servers` is per manager. Without `latency` a public answer takes 30 ms and one with credentials 2 to 8 s, as
    real ones do. Clients are named `client-1`, `client-2` and so on. Turn `verify_signatures` off for large fleets
    in virtual time: any signature passes then, and 2,000 nodes are built in half a second.
    """
    rental = Rental(wallet=RENTER)
    return Scenario(
        version=1,
        seed=seed,
        verify_signatures=verify_signatures,
        latency=latency or Latency(authenticated=(2.0, 8.0)),
        clients=[Client(name=f"client-{number}") for number in range(1, clients + 1)],
        compute=[ComputeGroup(count=nodes, vms=Vms(count=vms), rented_by=rental)],
        managers=[
            ManagerGroup(count=managers, servers=[ServerGroup(count=servers, rented_by=rental)]),
        ],
    )
