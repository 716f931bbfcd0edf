"""Building managers and their servers from a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbc_exporter.simulator import prune
from dbc_exporter.simulator.bare_metal import ManagerNode
from dbc_exporter.simulator.bare_metal_server import BareMetalServer
from dbc_exporter.simulator.bmc import DEFAULT_PORT, Bmc
from dbc_exporter.simulator.keys import derive_id, derive_key
from dbc_exporter.simulator.randomness import stable_fraction
from dbc_exporter.simulator.scenario import ManagerGroup, ServerGroup
from dbc_exporter.simulator.selection import Member

if TYPE_CHECKING:
    from dbc_exporter.simulator.fleet import Fleet


def add_manager(fleet: Fleet, group: ManagerGroup) -> Member:
    """Add one manager of a group with all its servers, long running: its prune rounds are at some point of theirs."""
    seed, number = fleet.scenario.seed, str(len(fleet.managers) + 1)
    key = derive_key(seed, "manager", number, real=fleet.scenario.verify_signatures)
    name = group.name.replace("{n}", number)
    records = [
        (_record(fleet, servers, number, place), servers)
        for place, servers in enumerate((one for one in group.servers for _ in range(one.count)), start=1)
    ]
    manager = ManagerNode(
        key.public,
        name,
        fleet.bmcs,
        [record for record, _ in records],
        version=group.version,
        first_prune_after=prune.EVERY * stable_fraction(seed, "prune", number),
    )
    fleet.manager_keys[key.public] = key
    for place, (record, servers) in enumerate(records, start=1):
        fleet.rent(record.node_id, servers.rented_by, place)
        labels = {**group.labels, **servers.labels, "manager": name}
        fleet.servers.append(Member(record.node_id, record.uuid, labels, (manager, record)))
    fleet.world.add_node(manager)
    member = Member(key.public, name, dict(group.labels), manager)
    fleet.managers.append(member)
    return member


def _record(fleet: Fleet, group: ServerGroup, manager: str, place: int) -> BareMetalServer:
    seed, number = fleet.scenario.seed, str(place)
    names = (manager, number)
    host = f"10.{manager}.{place // 250}.{place % 250 + 1}"
    password = derive_id(seed, "ipmi password", *names)[:16]
    fleet.bmcs.plug_in(host, DEFAULT_PORT, _bmc(fleet, group, password))
    return BareMetalServer(
        node_id=derive_id(seed, "server", *names),
        uuid=group.name.replace("{manager}", manager).replace("{n}", number),
        private_key=derive_id(seed, "server key", *names),
        ip=f"203.0.{int(manager) % 256}.{place % 250 + 1}",
        os=group.os,
        description=group.description.replace("{n}", number),
        ipmi_hostname=host,
        ipmi_username="admin",
        ipmi_password=password,
        ipmi_port=DEFAULT_PORT,
        deeplink_device=str(300_000_000 + int(manager) * 1000 + place) if group.deeplink else "",
        deeplink_password=derive_id(seed, "deeplink", *names)[:8] if group.deeplink else "",
        owes_power_off=group.rented_by is not None,
    )


def _bmc(fleet: Fleet, group: ServerGroup, password: str) -> Bmc:
    latency, factor = fleet.scenario.latency, fleet.scenario.time_factor
    return Bmc(
        password=password,
        powered=group.power == "on",
        reachable=group.bmc != "dead",
        rejects_password=group.bmc == "bad_password",
        latency_seconds=latency.bmc,
        power_on_seconds=latency.power_on * factor,
        power_off_seconds=latency.power_off * factor,
    )
