"""Rendering of facts about DBC clients, nodes and bare metal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from dbc_exporter import facts
from dbc_exporter.metrics.lines import Entry, StateSet, columns, info, label, labels, sample, samples
from dbc_exporter.metrics.options import RenderOptions
from dbc_exporter.metrics.owner import Owner

Renderer = Callable[[Owner, str, Any, RenderOptions], list[Entry]]

_LIST_MAXIMUM = 51
_NOT_ANSWERING = {facts.ClientState.UNREACHABLE: 0, facts.ClientState.UNKNOWN: None}
_RENT_STATUS = {"renting": "renting", "waitingVerifying": "waiting_verifying", "rentExpired": "expired"}

_CLIENT_STATE = StateSet("dbc_client_state")
_RENT_ORDERS = StateSet("dbc_node_rent_orders")
_POWER_STATE = StateSet("dbc_bare_metal_power_state")

_CLIENT = columns(
    ("dbc_client_visible_nodes", "visible_nodes"),
    ("dbc_client_visible_bare_metal_servers", "visible_servers"),
)
_REACHABILITY = columns(
    ("dbc_node_visible", "visible"),
    ("dbc_node_up", "up"),
    ("dbc_node_suspect", "suspect"),
)
_NODE = columns(
    ("dbc_node_cpu_cores", "cpu_cores"),
    ("dbc_node_cpu_sockets", "cpu_sockets"),
    ("dbc_node_cpu_frequency_hertz", "cpu_hertz"),
    ("dbc_node_cpu_usage_ratio", "cpu_usage_ratio"),
    ("dbc_node_gpus", "gpus"),
    ("dbc_node_gpus_used", "gpus_used"),
    ("dbc_node_memory_size_bytes", "memory_size_bytes"),
    ("dbc_node_memory_free_bytes", "memory_free_bytes"),
    ("dbc_node_memory_usage_ratio", "memory_usage_ratio"),
    ("dbc_node_system_disk_size_bytes", "system_disk_size_bytes"),
)
_DISK = columns(
    ("dbc_node_disk_size_bytes", "size_bytes"),
    ("dbc_node_disk_free_bytes", "free_bytes"),
    ("dbc_node_disk_usage_ratio", "usage_ratio"),
)
_ORDERS = columns(("dbc_node_order_live", "live"))
_POWER = columns(("dbc_bare_metal_bmc_reachable", "bmc_reachable"))


def _client(owner: Owner, _key: str, fact: facts.ClientStatus, _options: RenderOptions) -> list[Entry]:
    me = label("client", owner.client)
    entries = samples(_CLIENT, me, fact)
    entries.append(_CLIENT_STATE.one(me, fact.state))
    up = _NOT_ANSWERING.get(fact.state, 1)
    if up is not None:
        entries.append(sample("dbc_client_up", me, up))
    if fact.version is not None:
        entries.append(info("dbc_client_info", f"{me},{label('version', fact.version)}"))
    for scope, peers in (("active", fact.peers_active), ("global", fact.peers_global)):
        if peers is not None:
            entries.append(sample("dbc_client_peers", f'{me},scope="{scope}"', peers))
    return entries


def _lan(owner: Owner, _key: str, fact: facts.LanList, _options: RenderOptions) -> list[Entry]:
    me = label("client", owner.client)
    entries = []
    if "networks" not in fact.unreadable:  # a row lost is a network uncounted
        entries.append(sample("dbc_lan_networks", me, len(fact.networks)))
    entries.extend(
        sample("dbc_lan_network_members", f"{me},{label('vni', network.vni)}", network.members)
        for network in fact.networks
        if network.members is not None
    )
    return entries


def _reachability(owner: Owner, _key: str, fact: facts.Reachability, _options: RenderOptions) -> list[Entry]:
    return samples(_REACHABILITY, label("node_id", owner.node_id), fact)


def _listed(owner: Owner, _key: str, fact: facts.ListedAs, _options: RenderOptions) -> list[Entry]:
    texts = labels(name=fact.name, version=fact.version)
    return [info("dbc_node_listed_info", f"{label('node_id', owner.node_id)},{texts}")]


def _node(owner: Owner, _key: str, fact: facts.NodeConfig, _options: RenderOptions) -> list[Entry]:
    me = label("node_id", owner.node_id)
    entries = samples(_NODE, me, fact)
    texts = labels(version=fact.version, os=fact.os, cpu_model=fact.cpu_model)
    entries.append(info("dbc_node_info", f"{me},{texts}"))
    for disk in fact.disks or ():
        identity = f"{me},{label('disk', disk.path)}"
        entries.append(info("dbc_node_disk_info", f"{identity},{label('medium', disk.medium)}"))
        entries.extend(samples(_DISK, identity, disk))
    if fact.images is not None and "images" not in fact.unreadable:
        entries.append(sample("dbc_node_base_images", me, len(fact.images)))
    return entries


def _orders(owner: Owner, _key: str, fact: facts.OrderStatus, _options: RenderOptions) -> list[Entry]:
    me = label("node_id", owner.node_id)
    entries = samples(_ORDERS, me, fact)
    if facts.lost_orders(fact):
        return entries
    counts: Counter[str] = Counter()
    for status, orders in fact.by_status:
        counts[_RENT_STATUS.get(status, "other")] += orders
    entries.append(_RENT_ORDERS.counts(me, counts))
    return entries


def _bare_metal(owner: Owner, _key: str, fact: facts.BareMetalList, options: RenderOptions) -> list[Entry]:
    me = label("node_id", owner.node_id)
    entries = []
    if "bare_metal_nodes" not in fact.unreadable:  # a row lost is a server uncounted
        entries.append(sample("dbc_bare_metal_servers", me, len(fact.servers)))
        entries.append(sample("dbc_bare_metal_list_full", me, len(fact.servers) >= _LIST_MAXIMUM))
    for server in fact.servers:
        listed = Owner(node_id=server.node_id, manager_id=owner.node_id)
        entries.extend(_server(listed, "", server, options))
    return entries


def _server(owner: Owner, _key: str, fact: facts.BareMetalServer, _options: RenderOptions) -> list[Entry]:
    me = labels(node_id=fact.node_id, manager_id=owner.manager_id)
    texts = labels(uuid=fact.uuid, os=fact.os, description=fact.description)
    return [info("dbc_bare_metal_server_info", f"{me},{texts}")]


def _power(owner: Owner, _key: str, fact: facts.Power, _options: RenderOptions) -> list[Entry]:
    me = labels(node_id=owner.node_id, manager_id=owner.manager_id)
    return [_POWER_STATE.one(me, fact.state), *samples(_POWER, me, fact)]


RENDERERS: Mapping[type[facts.Fact], Renderer] = {
    facts.ClientStatus: _client,
    facts.LanList: _lan,
    facts.Reachability: _reachability,
    facts.ListedAs: _listed,
    facts.NodeConfig: _node,
    facts.OrderStatus: _orders,
    facts.BareMetalList: _bare_metal,
    facts.BareMetalServer: _server,
    facts.Power: _power,
}
