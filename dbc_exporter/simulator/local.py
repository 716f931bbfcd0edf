"""What a client node answers from its own memory: node lists, peers, image centres, networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from dbc_exporter.simulator import body as bodies
from dbc_exporter.simulator import replies
from dbc_exporter.simulator.networks import MAX_IN_CLIENT, network_json
from dbc_exporter.simulator.protocol import BARE_METAL_SERVER, COMPUTE, Response
from dbc_exporter.simulator.sizes import scale_size
from dbc_exporter.simulator.steps import Call, credentials, image_server_if_given

if TYPE_CHECKING:
    from dbc_exporter.simulator.client import ClientNode
    from dbc_exporter.simulator.host import NodeHost

_RENTER = credentials("session_id and wallet all invalid")


def mining_nodes(call: Call) -> Response | None:
    """List the compute nodes in the gossip cache, unless a node is asked."""
    if call.body["peer_nodes_list"]:
        return image_server_if_given(call)
    return _listed(call.client, "mining_nodes", COMPUTE)


def bare_metal(call: Call) -> Response | None:
    """List the bare-metal servers in the gossip cache, unless a manager or server is asked."""
    peers = call.body["peer_nodes_list"]
    if peers and peers[0] != call.client.node_id:
        return None
    return _listed(call.client, "bare_metal_nodes", BARE_METAL_SERVER)


def _listed(client: ClientNode, member: str, node_type: int) -> Response:
    entries = ",".join(client.listed(node_type))
    return replies.passed_on(f'{{"errcode":0, "message":{{"{member}":[{entries}]}}}}')


def peers(call: Call) -> Response | None:
    """List connections, candidates or neighbours; the body is not looked at."""
    option = call.segments[1]
    if option not in ("active", "global", "lan"):
        return replies.invalid("invalid option. the option is active or global")
    entries = ",".join(_peers(call.client.peers()) if option == "active" else ())
    return replies.passed_on(f'{{"errcode":0, "message":{{"peer_nodes":[{entries}]}}}}')


def _peers(hosts: Iterable[NodeHost]) -> Iterable[str]:
    for host in hosts:
        yield f'{{"node_id":"{host.node.node_id}", "addr":"{host.peer_address}"}}'


def image_servers(call: Call) -> Response | None:
    """List the image centres in the client's configuration."""
    entries = ",".join(f'"{name}"' for name in call.client.world.image_servers)
    return replies.passed_on(f'{{"errcode":0, "message":{{"image_server":[{entries}]}}}}')


def centre_images(call: Call) -> Response | None:
    """List a centre's images (by rsync, in the HTTP thread), unless a node is asked."""
    if bodies.peer_id(call.body):
        return image_server_if_given(call)
    files = call.client.world.image_servers.get(call.image_server)
    if files is None:
        return replies.NO_IMAGE_SERVER
    call.client.stall(call.client.world.timing.centre_scan)
    return replies.passed_on(f'{{"errcode":0,"message": [{_images(files)}]}}')


def _images(files: Mapping[str, int]) -> str:
    return ",".join(
        f'{{"image_name":"{name}","image_size":"{scale_size(size)}"}}' for name, size in files.items()
    )


def upload(call: Call) -> Response | None:
    """Answer "ok" to an upload from the client itself, which then never happens."""
    return _RENTER(call) if bodies.peer_id(call.body) else replies.passed_on('{"errcode":0,"message": "ok"}')


def upload_progress(call: Call) -> Response | None:
    """Answer for an upload from the client itself: unknown files are done."""
    if bodies.peer_id(call.body):
        return _RENTER(call)
    return replies.passed_on('{"errcode":0,"message":{"status": "done","progress": "100%"}}')


def upload_stop(call: Call) -> Response | None:
    """Answer "ok" to stopping an upload from the client itself."""
    return _RENTER(call) if bodies.peer_id(call.body) else replies.passed_on('{"errcode":0,"message":"ok"}')


def networks(call: Call) -> Response | None:
    """List the networks this client has heard of, or one of them, unless a node is asked."""
    if call.body["peer_nodes_list"]:
        return None
    known = call.client.networks
    if len(call.segments) > 1:
        found = known.get(call.segments[1])
        if found is None:
            return replies.error(replies.BAD_REQUEST, replies.RESPONSE_ERROR, "network name not exist")
        return replies.passed_on(f'{{"errcode":0, "message":{network_json(found)}}}')
    entries = ",".join(network_json(known[name]) for name in sorted(known)[:MAX_IN_CLIENT])
    return replies.passed_on(f'{{"errcode":0, "message":{{"networks":[{entries}]}}}}')
