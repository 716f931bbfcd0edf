"""Bare-metal servers and their power. Keys, BMC access and addresses stay behind."""

from __future__ import annotations

import re
from typing import Any

from dbc_exporter.dbc import parse
from dbc_exporter.dbc.parse import Json, take, unreadable
from dbc_exporter.dbc.rows import an_object, list_in, read_rows, unambiguous
from dbc_exporter.facts import BareMetalList, BareMetalServer, Power, PowerState

# What ipmitool ("Chassis Power is on") and the smart-plug service ("Power is on") print, and nothing around it:
# an error text that happens to contain the words decides nothing.
_POWER = re.compile(r"\s*(?:chassis )?power is (on|off)\.?\s*", re.IGNORECASE)
_SERVER_FIELDS = frozenset({"version", "os", "ip"})


def power_state(value: Any) -> PowerState | None:
    """Give the power a text states clearly, else `None`."""
    match = _POWER.fullmatch(value) if isinstance(value, str) else None
    return None if match is None else PowerState(match[1].lower())


def power(message: Any) -> Power:
    """`/bare_metal/power` with `status`: some failures of ipmitool arrive as a success with another text."""
    if not isinstance(message, str):
        raise parse.malformed("power: no text")
    state = power_state(message)
    if state is None:
        return Power(state=PowerState.UNKNOWN, unreadable=("power",))
    return Power(state=state, bmc_reachable=True)


def bare_metal_list(message: Any) -> BareMetalList:
    """`/bare_metal` at a manager."""
    bad: list[str] = []
    servers = _servers(message, bad)
    return BareMetalList(servers=servers, unreadable=unreadable(bad))


def one_server(message: Any, wanted: str) -> BareMetalServer | None:
    """`/bare_metal/<id or uuid>` at a manager; `None` when the manager has no such server."""
    bad: list[str] = []
    servers = _servers(message, bad)
    for server in servers:
        if wanted in {server.node_id, server.uuid}:
            return server
    if servers or bad:
        raise parse.malformed("bare_metal_nodes: not the server asked for")
    return None


def _servers(message: Any, bad: list[str]) -> tuple[BareMetalServer, ...]:
    found = read_rows(list_in(message, "bare_metal_nodes"), "bare_metal_nodes", _listed, bad)
    return unambiguous(
        found,
        lambda server: server.node_id,
        lambda server: BareMetalServer(node_id=server.node_id, power_said=True),  # by one of them, perhaps
        "bare_metal_nodes.node_id",
        bad,
    )


def _listed(element: Json, _bad: list[str]) -> BareMetalServer | None:
    node_id = parse.node_id(element.get("node_id"))
    return None if node_id is None else _server(element, node_id)


def server_info(message: Any, server_id: str) -> BareMetalServer:
    """`/bare_metal` at a server id."""
    answer = an_object(message, "server")
    if _SERVER_FIELDS.isdisjoint(answer):
        raise parse.malformed("server: no known field")
    return _server(answer, server_id)


def _server(element: Json, node_id: str) -> BareMetalServer:
    bad: list[str] = []
    return BareMetalServer(
        node_id=node_id,
        uuid=take(element, "uuid", parse.word, bad),
        os=take(element, "os", parse.text, bad),
        description=take(element, "description", parse.text, bad),
        power=take(element, "power_status", power_state, bad) or PowerState.UNKNOWN,
        power_said="power_status" in element,
        unreadable=unreadable(bad),
    )
