"""What a renter sets on a node beside VMs: his monitor servers and his local area networks."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from dbc_exporter.simulator.authority import Access
from dbc_exporter.simulator.networks import MAX_IN_NODE, Network, network_json
from dbc_exporter.simulator.protocol import NodeRequest, node_answer
from dbc_exporter.simulator.vm import local_time
from dbc_exporter.simulator.vm_events import OK

if TYPE_CHECKING:
    from dbc_exporter.simulator.compute import ComputeNode

MAX_MONITOR_SERVERS = 2
NAME_LENGTHS = range(6, 11)
MAX_PORT = 65535


def list_monitor_servers(node: ComputeNode, access: Access) -> str:
    """List the caller's monitor servers."""
    entries = ",".join(f'"{server}"' for server in node.monitor_servers.get(access.wallet, ()))
    return f'{{"errcode":0, "message":{{"servers":[{entries}]}}}}'


def set_monitor_servers(node: ComputeNode, request: NodeRequest, access: Access) -> str:
    """Set up to two `host:port`; an absent or empty list clears them."""
    servers = request.additional.get("servers", [])
    if not isinstance(servers, list):
        return node_answer("servers must be an array", 1)
    if len(servers) > MAX_MONITOR_SERVERS:
        return node_answer("can not enter more than two servers", 1)
    for server in servers:
        host, _, port = server.partition(":") if isinstance(server, str) else ("", "", "")
        if not host or not port.isdigit() or not 0 < int(port) <= MAX_PORT:
            return node_answer("server not match format ip:port", 1)
    node.monitor_servers[access.wallet] = servers
    node.record(node.node_id, "set monitor servers", access)
    return OK


def list_networks(node: ComputeNode, request: NodeRequest) -> str:
    """List the networks (an array here) or describe one."""
    if len(request.segments) > 1:
        found = node.networks.get(request.segments[1])
        if found is None:
            return node_answer("network name not exist", -3)
        return f'{{"errcode":0, "message":{network_json(found)}}}'
    entries = ",".join(network_json(node.networks[name]) for name in sorted(node.networks)[:MAX_IN_NODE])
    return f'{{"errcode":0, "message":[{entries}]}}'


def create_network(node: ComputeNode, request: NodeRequest, access: Access) -> str:
    """Create a network; clients hear of it at once."""
    name, cidr = (request.additional.get(key) for key in ("network_name", "ip_cidr"))
    name, cidr = (value if isinstance(value, str) else "" for value in (name, cidr))
    complaint = _complaint(node, name, cidr)
    if complaint:
        return node_answer(complaint, -3)
    network = Network(
        name=name,
        ip_cidr=cidr,
        machine_id=node.node_id,
        rent_wallet=access.wallet,
        last_use=local_time(node.host.world.clock.wall()),
        vni=len(node.networks) + 1,
    )
    node.networks[name] = network
    for client in node.host.world.clients.values():
        client.networks[name] = network
    node.record(name, "create network", access)
    return OK


def _complaint(node: ComputeNode, name: str, cidr: str) -> str:
    if not name:
        return "network name can not be empty"
    if len(name) not in NAME_LENGTHS or not (name.isascii() and name.isalnum()):
        return "network name requires a combination of 6 to 10 letters or numbers"
    if name in node.networks:
        return "network name already existed"
    if not cidr:
        return "ip cidr can not be empty"
    if "192.168.122." in cidr:
        return "ip cidr already exist"
    try:
        ipaddress.IPv4Interface(cidr)
    except ValueError:
        return "invalid ip cidr"
    return "" if "/" in cidr else "invalid ip cidr"


def delete_network(node: ComputeNode, request: NodeRequest, access: Access) -> str:
    """Delete one's own unused network."""
    name = request.segments[2]
    network = node.networks.get(name)
    if network is None:
        return node_answer("network name not exist", -3)
    if network.machine_id != node.node_id:
        return node_answer("not my machine id", -3)
    if network.rent_wallet != access.wallet:
        return node_answer("wallet error, you are not the owner of the network", -3)
    if network.members:
        return node_answer("network is in used, please delete task in the network first", -3)
    del node.networks[name]
    for client in node.host.world.clients.values():
        client.networks.pop(name, None)
    node.record(name, "delete network", access)
    return OK
