"""Local area networks (VXLAN) between VMs, as nodes create them and clients hear of them."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_IN_CLIENT = 51
MAX_IN_NODE = 31


@dataclass(slots=True)
class Network:
    """One network; `last_use` is a local time as text."""

    name: str
    ip_cidr: str
    machine_id: str
    rent_wallet: str
    last_use: str
    vni: int = 1
    members: list[str] = field(default_factory=list)
    native_flags: int = 0


def network_json(network: Network) -> str:
    """Return the element as both clients and nodes print it."""
    base = network.ip_cidr.rpartition(".")[0]
    members = ",".join(f'"{member}"' for member in network.members)
    fields = {
        "network_name": network.name,
        "bridge_name": f"br{network.name}",
        "vxlan_name": f"vx{network.name}",
        "vxlan_vni": str(network.vni),
        "ip_cidr": network.ip_cidr,
        "ip_start": f"{base}.2",
        "ip_end": f"{base}.254",
        "dhcp_interface": f"tap{network.name}",
        "machine_id": network.machine_id,
        "rent_wallet": network.rent_wallet,
    }
    texts = ",".join(f'"{key}":"{value}"' for key, value in fields.items())
    return (
        f'{{{texts},"members":[{members}],"lastUseTime":"{network.last_use}",'
        f'"native_flags":"{network.native_flags}"}}'
    )
