"""DBC clients that run and are of no use: answers that make no sense, and sessions lost."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.simulator.protocol import Request
from tests.monitoring.behaviour.player import Live
from tests.monitoring.behaviour.scenarios_clients import CLIENT_TROUBLES
from tests.monitoring.behaviour.stage import MINUTE, Case

_ONLY = ({"client": "only"},)


def _sign_in_page(_answer: RawAnswer) -> RawAnswer:
    return RawAnswer(200, "text/html", b"<html><body>Please sign in to continue.</body></html>")


def proxy_wants_a_password(live: Live) -> None:
    live.virtual.transports["only"].spoil = _sign_in_page


def proxy_lets_through(live: Live) -> None:
    live.virtual.transports["only"].spoil = None


_TROUBLED = replace(
    CLIENT_TROUBLES[0],
    name="client: a proxy answers for it",
    cases=(
        Case(
            "DbcClientTroubled",
            begin=proxy_wants_a_password,
            end=proxy_lets_through,
            labels=_ONLY,
            within=8 * MINUTE,
            ends_within=2 * MINUTE,
        ),
    ),
)


def shared_with_another_program(live: Live) -> None:
    """Let another program ask a node through the same DBC client while others stand still.

    Each of its answers makes the client forget the time-outs of all other requests of that kind. Without it the exporter
    loses no session: it has one request of a kind in flight while nodes are silent.
    """
    loop, hosts, client = asyncio.get_running_loop(), live.fleet.world.hosts, live.fleet.world.clients["only"]
    *silent, answering = live.fleet.compute
    body = json.dumps({"peer_nodes_list": [answering.id], "additional": {}}).encode()

    async def ask() -> None:
        for _ in range(180):
            await client.handle(Request("POST", "/api/v1/mining_nodes", body=body))
            await asyncio.sleep(5)

    hosts[answering.id].spawn(ask())
    for start in range(0, 900, 300):
        for node in silent:
            loop.call_later(start, hosts[node.id].freeze)
            loop.call_later(start + 100, hosts[node.id].thaw)


def is_restarted(live: Live) -> None:
    client = live.fleet.world.clients["only"]
    client.kill()
    asyncio.get_running_loop().call_later(MINUTE, client.restart)


_WORN_OUT = replace(
    CLIENT_TROUBLES[0],
    name="client: lost sessions",
    settings={"clients": [{"name": "only", "url": "http://only.invalid", "unanswered_ceiling": 3}]},
    cases=(
        Case(
            "DbcClientAtCeiling",
            begin=shared_with_another_program,
            end=is_restarted,
            labels=_ONLY,
            within=15 * MINUTE,
            ends_within=4 * MINUTE,
        ),
        Case("DbcClientUnansweredGrowing", labels=_ONLY, within=20 * MINUTE, ends_within=4 * MINUTE),
    ),
)

USELESS_CLIENTS = (_TROUBLED, _WORN_OUT)
