"""What a client lists: read again each time, understood anew only when it changed, and who may be asked about it."""

from __future__ import annotations

import json

from dbc_exporter.clock import SystemClock
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.gate import Gate
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import ListedNode
from dbc_exporter.targets import Target

NODE = "a" * 64
OTHER = "b" * 64


class Listing:
    """A transport to a client that lists some nodes, each under a name."""

    def __init__(self, **names: str) -> None:
        self.names = names

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        del method, body, deadline_seconds, retry
        nodes = [{"node_id": node, "name": name} for node, name in self.names.items()]
        message = {
            "mining_nodes": nodes,
            "bare_metal_nodes": [],
            "peer_nodes": [{"node_id": OTHER}],
            "client_version": "0.4.1.8",
        }
        kept = {key: value for key, value in message.items() if key != "mining_nodes" or "mining" in path}
        return RawAnswer(200, "application/json", json.dumps({"errcode": 0, "message": kept}).encode())

    async def aclose(self) -> None:
        """Nothing to close."""


def client(name: str, listing: Listing) -> DbcClient:
    clock = SystemClock()
    return DbcClient(name, listing, Gate(clock, set()), clock)


async def test_the_same_list_is_understood_once() -> None:
    asked = client("one", Listing(**{NODE: "gpu-1"}))
    await asked.refresh()
    first = asked.nodes
    await asked.refresh()
    assert asked.nodes is first


async def test_a_list_that_changed_is_understood_anew() -> None:
    listing = Listing(**{NODE: "gpu-1"})
    asked = client("one", listing)
    await asked.refresh()
    listing.names = {NODE: "gpu-2", OTHER: "gpu-3"}
    await asked.refresh()
    assert asked.rows == {NODE: ListedNode(NODE, "gpu-2"), OTHER: ListedNode(OTHER, "gpu-3")}


async def test_a_target_restricted_to_other_clients_is_asked_through_those_at_once() -> None:
    clients = [client(name, Listing(**{NODE: "gpu-1"})) for name in ("one", "two")]
    for each in clients:
        await each.refresh()
    pool = Pool(clients, SystemClock())
    asked = [pool.client_for(Target(NODE, clients=(name,))) for name in ("one", "two", "one")]
    assert [each.name for each in asked if each] == ["one", "two", "one"]
