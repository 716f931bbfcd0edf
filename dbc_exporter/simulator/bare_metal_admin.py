"""Calls that only the manager's own key may make: add, delete and modify servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbc_exporter.simulator.bare_metal_server import BareMetalServer, InvalidServer, check_new
from dbc_exporter.simulator.protocol import NodeRequest, node_answer

if TYPE_CHECKING:
    from dbc_exporter.simulator.bare_metal import ManagerNode

MAX_ANSWERED = 101
KEY_BYTES = 32


def add(manager: ManagerNode, request: NodeRequest) -> str:
    """Register servers, each under a key pair of its own; all or none of a request's."""
    try:
        given = _new_servers(manager, request)
    except InvalidServer as refusal:
        return node_answer(str(refusal), -3)
    added = [_register(manager, item, request) for item in sorted(given, key=lambda item: str(item["uuid"]))]
    manager.host.addresses_changed()
    texts = ",".join(
        f'{{"node_id":"{server.node_id}","uuid":"{server.uuid}"}}' for server in added[:MAX_ANSWERED]
    )
    return f'{{"errcode":0, "message":{{"bare_metal_nodes":[{texts}]}}}}'


def delete(manager: ManagerNode, request: NodeRequest) -> str:
    """Forget servers by node id; a partial success is a success."""
    try:
        wanted = [str(item) for item in _array(request, "bare_metal_node_ids")]
    except InvalidServer as refusal:
        return node_answer(str(refusal), -3)
    found = [node_id for node_id in dict.fromkeys(wanted) if node_id in manager.servers]
    if not found:
        return node_answer(f"bare metal node id {wanted[-1]} not existed", -1)
    for node_id in found:
        server = manager.servers.pop(node_id)
        manager.record(server, "delete bare metal", manager.node_id, request.text("nonce"))
    manager.host.addresses_changed()
    return node_answer(f"{len(found)} were successfully deleted, {len(wanted) - len(found)} failed")


def modify(manager: ManagerNode, request: NodeRequest) -> str:
    """Change a server's record; an empty message says it worked."""
    server = manager.servers.get(request.segments[2] if len(request.segments) > 2 else "")  # noqa: PLR2004 - path
    if server is None:
        return node_answer("node id not existed", -3)
    try:
        server.change(request.additional)
    except InvalidServer as refusal:
        return node_answer(str(refusal), -3)
    manager.record(server, "modify bare metal", manager.node_id, request.text("nonce"))
    return node_answer("")


def _new_servers(manager: ManagerNode, request: NodeRequest) -> list[dict[str, Any]]:
    given = [check_new(item) for item in _array(request, "bare_metal_nodes")]
    known = {server.uuid for server in manager.servers.values()}
    for item in given:
        if item["uuid"] in known:
            raise InvalidServer(f"bare metal node uuid {item['uuid']} already existed")
        known.add(item["uuid"])
    return given


def _array(request: NodeRequest, key: str) -> list[Any]:
    found = request.additional.get(key)
    if key not in request.additional:
        raise InvalidServer(f"additional {key} not existed")
    if not isinstance(found, list):
        raise InvalidServer(f"additional {key} must be an array")
    if not found:
        raise InvalidServer(f"additional {key} is empty")
    return found


def _register(manager: ManagerNode, given: dict[str, Any], request: NodeRequest) -> BareMetalServer:
    random = manager.host.random
    server = BareMetalServer(
        node_id=random.randbytes(KEY_BYTES).hex(),
        uuid=given["uuid"],
        private_key=random.randbytes(KEY_BYTES).hex(),
    )
    server.change(given)
    manager.servers[server.node_id] = server
    manager.record(server, "add bare metal", manager.node_id, request.text("nonce"))
    return server
