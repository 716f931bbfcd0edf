"""Answers a client gives from its own memory, each with what is true of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dbc_exporter.collectors.clients import CentreImagesCollector, LanCollector
from dbc_exporter.dbc import reads
from dbc_exporter.facts import Peers
from dbc_exporter.targets import Kind, Target
from tests.fuzz.answers_node import image_rows
from tests.fuzz.good import Good, below, leaves
from tests.fuzz.made import Maker, Said
from tests.fuzz.stage import CLIENT, AnyCall, by_client, by_client_source, directly, key_of
from tests.fuzz.tree import Arr, Leaf, Node, Obj, obj
from tests.fuzz.truth import Key, Number, OneState, Rows, Texts, key

ME = {"client": CLIENT}


def _own(make: Maker, asked: AnyCall, wanted: Callable[[Good], Node]) -> Good:
    """Make all five answers that a client is known by; `wanted` picks the one to be damaged."""
    computes, servers = ([make.hex_id() for _ in range(make.random.randint(1, 4))] for _ in range(2))
    targets = (Target(computes[0]), Target(servers[0], Kind.SERVER, manager=make.hex_id()))
    good = Good(asked, Leaf("", "ignored"), by_client(*targets), ", ")
    nodes = _listing(make, good, "mining_nodes", computes, "dbc_client_visible_nodes")
    listed = _listing(make, good, "bare_metal_nodes", servers, "dbc_client_visible_bare_metal_servers")
    active = _peers(make, good, "active", make.random.randint(1, 4))
    everywhere = _peers(make, good, "global", make.random.randint(0, 4))
    version = _version(make, good)
    good.others = {
        reads.node_list().path: nodes,
        reads.bare_metal_ids().path: listed,
        reads.peers("active").path: active,
        reads.peers("global").path: everywhere,
        reads.version().path: version,
    }
    # What a client says of itself is taken as a whole or not at all.
    needed = below(active, everywhere, version) | leaves(nodes, *_lists(nodes), listed, *_lists(listed))
    good.truth[key("dbc_client_up", **ME)] = Number(1, needed)
    good.truth[key("dbc_client_state", **ME)] = OneState("ok", needed)
    for target, answer in zip(targets, (nodes, listed), strict=True):
        good.truth[key("dbc_node_visible", node_id=target.id)] = Number(1, needed | below(answer))
        good.truth[key("dbc_node_suspect", node_id=target.id)] = Number(0, frozenset())
    good.truth = {name: replace(fact, marks=fact.marks | needed) for name, fact in good.truth.items()}
    good.message = wanted(good)
    good.secrets.extend(make.secrets)
    return good


def _lists(answer: Obj) -> list[Node]:
    return [member.node for member in answer.members]


def _listing(make: Maker, good: Good, field: str, ids: list[str], family: str) -> Obj:
    rows: list[Node] = []
    for node_id in ids:
        named, name = Leaf(node_id, "node_id"), make.leaf(make.text(), "text")
        version = make.leaf(make.version(), "version")
        rows.append(obj({"node_id": named, "name": name, "version": version}))
        if node_id == ids[0]:
            texts: dict[str, tuple[str, Leaf | None]] = {
                "name": (name.value, name),
                "version": (version.value, version),
            }
            good.truth[key("dbc_node_listed_info", node_id=node_id)] = Texts(texts, leaves(named))
    listing = obj({field: Arr(rows)})
    good.number(key(family, **ME), len(rows), *rows, listing[field], *(_of(row, "node_id") for row in rows))
    return listing


def _of(row: Node, field: str) -> Node:
    assert isinstance(row, Obj)
    return row[field]


def _peers(make: Maker, good: Good | None, scope: str, number: int) -> Obj:
    rows: list[Node] = []
    for _ in range(number):
        addr = make.address()
        addr.value += f":{make.random.randint(1024, 65535)}"
        rows.append(obj({"node_id": Leaf(make.hex_id(), "node_id"), "addr": addr}, ", "))
    answer = obj({"peer_nodes": Arr(rows, counted=True)})
    if good is not None:
        good.truth[key("dbc_client_peers", scope=scope, **ME)] = Number(number, below(answer))
    return answer


def _version(make: Maker, good: Good) -> Obj:
    """Make the one answer that the client prints prettily."""
    version = make.leaf(make.version(), "version")
    answer = obj({"client_version": version}, colon=": ")
    answer.edge = ("\n        ", "\n    ")
    texts: dict[str, tuple[str, Leaf | None]] = {"version": (version.value, version)}
    good.truth[key("dbc_client_info", **ME)] = Texts(texts, leaves(version))
    return answer


def version(make: Maker) -> Good:
    """`GET /api/v1/`."""
    return _own(make, reads.version(), lambda good: good.others[reads.version().path])


def node_list(make: Maker) -> Good:
    """`/mining_nodes` without a peer."""
    return _own(make, reads.node_list(), lambda good: good.others[reads.node_list().path])


def bare_metal_ids(make: Maker) -> Good:
    """`/bare_metal` without a peer."""
    return _own(make, reads.bare_metal_ids(), lambda good: good.others[reads.bare_metal_ids().path])


def peers_active(make: Maker) -> Good:
    """`/peers/active`."""
    return _own(make, reads.peers("active"), lambda good: good.others[reads.peers("active").path])


def peers_global(make: Maker) -> Good:
    """`/peers/global`."""
    return _own(make, reads.peers("global"), lambda good: good.others[reads.peers("global").path])


def peers_lan(make: Maker) -> Good:
    """`/peers/lan`."""
    call = reads.peers("lan")
    number = make.random.randint(0, 4)
    answer = _peers(make, None, "lan", number)

    def say(fact: Peers) -> dict[Key, Rows]:
        return {key("peers"): {(): fact.count}}

    good = Good(call, answer, directly(call, say), ", ", secrets=make.secrets)
    good.truth[key("peers")] = Number(number, below(answer))
    return good


def lan_list(make: Maker) -> Good:
    """`/lan` without a peer: networks with private names and addresses."""
    rows: list[Node] = []
    answer = obj({"networks": Arr(rows)})
    good = Good(reads.lan_list(), answer, by_client_source(LanCollector), ", ", secrets=make.secrets)
    for place in range(make.random.randint(0, 4)):
        vni = Leaf(str(place + 1), "word")
        members = Arr(
            [Leaf(make.base58(22), "ignored") for _ in range(make.random.randint(0, 3))], counted=True
        )
        cidr = make.secret(f"10.{make.random.randint(100, 254)}.{make.random.randint(100, 254)}.0/24")
        rows.append(
            obj(
                {
                    "network_name": make.secret(make.base58(10)),
                    "bridge_name": Leaf("br1", "ignored"),
                    "vxlan_vni": vni,
                    "ip_cidr": cidr,
                    "machine_id": make.secret(make.hex_id()),
                    "rent_wallet": Leaf(make.wallet(), "secret"),
                    "members": members,
                    "lastUseTime": make.time().leaf,
                    "native_flags": Leaf("0", "ignored"),
                }
            )
        )
        good.number(key("dbc_lan_network_members", vni=vni.value, **ME), len(members.items), vni, members)
    named = [_of(row, "vxlan_vni") for row in rows]
    good.number(key("dbc_lan_networks", **ME), len(rows), answer["networks"], *rows, *named)
    return good


def image_servers(make: Maker) -> Good:
    """`/images/servers`, and the images of each."""
    centres = [Leaf(name, "word") for name in make.distinct(3, "centre")]
    show = by_client_source(CentreImagesCollector)
    good = Good(reads.image_servers(), obj({"image_server": Arr(list(centres))}), show, ", ")
    for centre in centres:
        rows, images = image_rows(make, "image_name")
        good.others[key_of(reads.centre_images(centre.value))] = rows
        _centre_sizes(good, centre, images)
    return good


def centre_images(make: Maker) -> Good:
    """`/images` of an image centre."""
    centre = Leaf("centre01", "word")
    rows, images = image_rows(make, "image_name")
    good = Good(reads.centre_images(centre.value), rows, by_client_source(CentreImagesCollector))
    good.others[key_of(reads.image_servers())] = obj({"image_server": Arr([centre])})
    _centre_sizes(good, centre, images)
    return good


def _centre_sizes(good: Good, centre: Leaf, images: list[tuple[Leaf, Said]]) -> None:
    for name, size in images:
        labels = ME | {"centre": centre.value, "image": name.value}
        good.number(key("dbc_centre_image_size_bytes", **labels), size.value, centre, name, size.leaf)
