"""The world and its ledger as plain values, for the control port. Secrets are counted, never shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dbc_exporter.simulator.bare_metal import ManagerNode
from dbc_exporter.simulator.bare_metal_server import BareMetalServer
from dbc_exporter.simulator.chain import LIVE_ORDER, Chain
from dbc_exporter.simulator.fleet import Fleet
from dbc_exporter.simulator.ledger import Ledger
from dbc_exporter.simulator.protocol import SimNode
from dbc_exporter.simulator.selection import Member

LAST_EVENTS = 50
LAST_EXECUTED = 1_000


def state(fleet: Fleet, ports: Mapping[str, Any]) -> dict[str, Any]:
    """Return the truth about everything in the fleet."""
    world = fleet.world
    return {
        "now": world.now(),
        "seed": world.seed,
        "time_factor": world.time_factor,
        "chain_outage": world.chain.outage,
        "wallets": {name: key.wallet for name, key in fleet.wallets.items()},
        "clients": [
            {
                "name": client.name,
                "node_id": client.node_id,
                "url": ports.get("clients", {}).get(client.name),
                "alive": client.alive,
                "isolated": client.isolated,
                "wedged": client.sessions.wedged,
                "sessions": len(client.sessions),
                "wire_fault": fault.kind if (fault := fleet.wires[client.name].fault) else None,
            }
            for client in world.clients.values()
        ],
        "compute": [_compute(member, world.chain, ports) for member in fleet.compute],
        "managers": [_process(member) for member in fleet.managers],
        "servers": [_server(member, world.chain) for member in fleet.candidates("servers")],
        "transfers": [
            {"name": member.name, "direction": member.subject[1][1]}
            for member in fleet.candidates("transfers")
        ],
    }


def ledger_summary(ledger: Ledger) -> dict[str, Any]:
    """Return counts of everything the ledger holds, and its last events and writes."""
    outcomes: dict[str, Counter[str]] = {}
    for (client, kind, outcome), count in ledger.outcomes.items():
        outcomes.setdefault(f"{client}: {kind}", Counter())[outcome] += count
    received: Counter[str] = Counter()
    for (kind, _node), count in ledger.received.items():
        received[kind] += count
    return {
        "executed": dict(Counter(entry.action for entry in ledger.executed)),
        "received": dict(received),
        "outcomes": {key: dict(counts) for key, counts in sorted(outcomes.items())},
        "lost_sessions": len(ledger.lost),
        "authenticated": len(ledger.authenticated),
        "authenticated_without_live_order": sum(not entry.live_order for entry in ledger.authenticated),
        "secrets_handed_out": len(ledger.secrets),
        "peak_in_flight": {
            f"{client}: {kind or 'all'}": n for (client, kind), n in ledger.peak_in_flight.items()
        },
        "events": [
            {"time": event.time, "subject": event.subject, "what": event.what}
            for event in ledger.events[-LAST_EVENTS:]
        ],
        "writes": [asdict(entry) for entry in ledger.executed[-LAST_EXECUTED:]],
    }


def _process(member: Member) -> dict[str, Any]:
    node: SimNode = member.subject
    return {
        "node_id": member.id,
        "name": member.name,
        "labels": dict(member.labels),
        "version": node.version,
        "alive": node.alive,
        "frozen": node.frozen,
    }


def _compute(member: Member, chain: Chain, ports: Mapping[str, Any]) -> dict[str, Any]:
    node = member.subject
    vms = [
        {
            "task_id": vm.task_id,
            "name": f"{member.name}/{place}",
            "status": vm.status,
            "domain": vm.domain,
            "hung": vm.hung,
            "reachable": vm.reachable,
            "tcp_port": ports.get("vms", {}).get(vm.task_id),
        }
        for place, vm in enumerate(node.vms.values(), start=1)
    ]
    return _process(member) | _chain(member.id, chain) | {"libvirt_alive": node.libvirt_alive, "vms": vms}


def _server(member: Member, chain: Chain) -> dict[str, Any]:
    manager: ManagerNode = member.subject[0]
    server: BareMetalServer = member.subject[1]
    bmc = manager.bmc(server)
    return {
        "node_id": member.id,
        "uuid": member.name,
        "labels": dict(member.labels),
        "manager": manager.node_id,
        "power": "on" if bmc.is_on() else "off",
        "bmc_reachable": bmc.reachable,
        "bmc_rejects_password": bmc.rejects_password,
    } | _chain(member.id, chain)


def _chain(machine_id: str, chain: Chain) -> dict[str, Any]:
    live = [order.id for order in chain.orders(machine_id) if order.rent_status in LIVE_ORDER]
    return {"machine_status": chain.status(machine_id), "live_orders": live}
