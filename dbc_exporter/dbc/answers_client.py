"""Answers a client gives from its own memory, and what is public about a node's orders and liveness."""

from __future__ import annotations

from typing import Any

from dbc_exporter.dbc import parse
from dbc_exporter.dbc.parse import Json, take, unreadable
from dbc_exporter.dbc.rows import a_list, an_object, list_in, read_rows, unambiguous
from dbc_exporter.facts import (
    ClientVersion,
    ImageServers,
    LanAnswer,
    LanList,
    LanNetwork,
    ListedNode,
    MonitorServers,
    NodeList,
    Peers,
    RentOrder,
    RentOrders,
)


def client_version(message: Any) -> ClientVersion:
    """`GET /api/v1/`."""
    answer = an_object(message, "version")
    if "client_version" not in answer:
        raise parse.malformed("version: no client_version")
    bad: list[str] = []
    return ClientVersion(
        version=take(answer, "client_version", parse.version, bad), unreadable=unreadable(bad)
    )


def node_list(message: Any) -> NodeList:
    """`/mining_nodes` without a peer."""
    return _listed(message, "mining_nodes")


def bare_metal_ids(message: Any) -> NodeList:
    """`/bare_metal` without a peer."""
    return _listed(message, "bare_metal_nodes")


def _listed(message: Any, key: str) -> NodeList:
    bad: list[str] = []

    def row(element: Json, bad: list[str]) -> ListedNode | None:
        node_id = parse.node_id(element.get("node_id"))
        if node_id is None:
            return None
        return ListedNode(
            node_id,
            take(element, "name", parse.text, bad, f"{key}."),
            take(element, "version", parse.version, bad, f"{key}."),
        )

    found = read_rows(list_in(message, key), key, row, bad)
    nodes = unambiguous(
        found, lambda node: node.node_id, lambda node: ListedNode(node.node_id), f"{key}.node_id", bad
    )
    return NodeList(nodes=nodes, unreadable=unreadable(bad))


def peers(message: Any) -> Peers:
    """`/peers/<scope>`; a list of which nothing is readable is no statement about isolation."""
    elements = list_in(message, "peer_nodes")
    bad: list[str] = []
    found = read_rows(
        elements, "peer_nodes", lambda element, _bad: parse.node_id(element.get("node_id")), bad
    )
    if elements and not found:
        raise parse.malformed("peer_nodes: no readable peer")
    repeated = len(found) - len(set(found))
    return Peers(count=len(elements) - repeated, unreadable=unreadable(bad))


def rent_orders(message: Any) -> RentOrders:
    """`/rent_orders` at a node; two different orders of one id are both dropped."""
    bad: list[str] = []
    found = read_rows(list_in(message, "rent_orders"), "rent_orders", _rent_order, bad)
    orders = unambiguous(found, lambda order: order.order_id, lambda _order: None, "rent_orders.id", bad)
    return RentOrders(orders=orders, unreadable=unreadable(bad))


def _rent_order(element: Json, bad: list[str]) -> RentOrder | None:
    order_id = parse.word(element.get("id"))
    renter = parse.word(element.get("renter"))
    status = parse.word(element.get("rent_status"))
    if order_id is None or renter is None or status is None:
        return None
    return RentOrder(
        order_id,
        renter,
        status,
        take(element, "rent_end", parse.block, bad, "rent_orders."),
        take(element, "gpu_nums", parse.count, bad, "rent_orders."),
    )


def lan_list(message: Any) -> LanList:
    """`/lan` without a peer."""
    bad: list[str] = []

    def row(element: Json, bad: list[str]) -> LanNetwork | None:
        vni = parse.word(element.get("vxlan_vni"))
        if vni is None:
            return None
        return LanNetwork(vni, take(element, "members", _length, bad, "networks."))

    found = read_rows(list_in(message, "networks"), "networks", row, bad)
    networks = unambiguous(
        found, lambda lan: lan.vni, lambda lan: LanNetwork(lan.vni), "networks.vxlan_vni", bad
    )
    return LanList(networks=networks, unreadable=unreadable(bad))


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def lan_answer(_message: Any) -> LanAnswer:
    """`/lan` at a node: whatever it says, it is alive."""
    return LanAnswer()


def lan_refusal(_said: str) -> LanAnswer:
    """Read a node's refusal of `/lan`: only a living node can refuse."""
    return LanAnswer()


def image_servers(message: Any) -> ImageServers:
    """`/images/servers`."""
    bad: list[str] = []
    servers = []
    for element in list_in(message, "image_server"):
        server = parse.word(element)
        if server is None:
            bad.append("image_server")
        else:
            servers.append(server)
    return ImageServers(servers=tuple(dict.fromkeys(servers)), unreadable=unreadable(bad))


def monitor_servers(message: Any) -> MonitorServers:
    """`/monitor`: only how many there are; the addresses are the renter's own."""
    servers = a_list(an_object(message, "servers").get("servers"), "servers")
    if not all(isinstance(server, str) for server in servers):
        raise parse.malformed("servers: not all texts")
    return MonitorServers(count=len(servers))
