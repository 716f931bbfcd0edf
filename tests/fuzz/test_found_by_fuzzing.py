"""Mistakes that damaged answers have brought to light, each in its smallest form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dbc_exporter.collectors.orders import OrderBook
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.envelope import understand
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.gate import Gate
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import ClientState, Fact, OrderStatus, RentOrder, RentOrders
from dbc_exporter.metrics.options import RenderOptions
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.render import render
from dbc_exporter.targets import Target
from tests.fuzz.stage import CLOCK

NODE, OTHER, SERVER = "aa" * 32, "bb" * 32, "cc" * 32
UNREADABLE_ROW = {"nobody": 1}


def _answer(message: Any, status: int = 200, errcode: int = 0) -> RawAnswer:
    return RawAnswer(status, "", json.dumps({"errcode": errcode, "message": message}).encode())


def _families(fact: Fact, owner: Owner | None = None) -> set[str]:
    return {name for name, _, _ in render(owner or Owner(node_id=NODE), "key", fact, RenderOptions())}


def test_a_managers_list_calls_a_servers_description_by_its_long_name() -> None:
    rows = [{"node_id": SERVER, "description": "test box 1"}]
    fact = understand(reads.bare_metal_list(NODE), _answer({"bare_metal_nodes": rows}))
    assert fact.servers[0].description == "test box 1"


def test_a_field_said_twice_is_noticed_behind_a_colon_that_stands_apart() -> None:
    row = b'{"task_id":"t1", "desc":"a","q" :1,"status":"closed", "status":"running"}'
    with pytest.raises(DbcError) as caught:
        understand(reads.task_list(NODE), RawAnswer(200, "", b'{"errcode":0, "message":[' + row + b"]}"))
    assert caught.value.reason is Reason.UNPARSABLE


@pytest.mark.parametrize("field", ["file", "snapshot_file"])
def test_the_path_of_a_disk_is_hidden_where_an_answer_is_quoted(field: str) -> None:
    quoted = json.dumps([{"name": "vda", field: "/data/vm_98746.qcow2"}])
    with pytest.raises(DbcError) as caught:
        understand(reads.disk_list(NODE, "t1"), _answer(quoted, errcode=1))
    assert "98746" not in str(caught.value)


def test_nothing_is_counted_in_a_list_with_an_unreadable_row() -> None:
    task, snapshot = {"task_id": "t1", "status": "running"}, {"snapshot_name": "s1", "status": "none"}
    tasks = understand(reads.task_list(NODE), _answer([task, UNREADABLE_ROW]))
    snapshots = understand(reads.snapshot_list(NODE, "t1"), _answer([snapshot, UNREADABLE_ROW]))
    lans = understand(reads.lan_list(), _answer({"networks": [{"vxlan_vni": "1"}, UNREADABLE_ROW]}))
    config = understand(
        reads.node_config(NODE), _answer({"version": "0.4.1.8", "images": ["a.qcow2", UNREADABLE_ROW]})
    )
    servers = understand(
        reads.bare_metal_list(NODE), _answer({"bare_metal_nodes": [{"node_id": SERVER}, UNREADABLE_ROW]})
    )
    assert _families(tasks) == {"dbc_node_tasks_parsable", "dbc_vm_state"}
    assert _families(snapshots) == {"dbc_snapshot_state"}
    assert _families(lans, Owner(client="left")) == set()
    assert "dbc_node_base_images" not in _families(config)
    assert _families(servers) == {"dbc_bare_metal_server_info"}


@pytest.mark.parametrize("lost", ["rent_orders", "rent_orders.id"])
def test_no_order_is_counted_or_said_to_have_ended_while_one_cannot_be_read(lost: str) -> None:
    ended = [("7", "rentExpired")]
    assert _said(ended) == {"dbc_node_order_live", "dbc_node_rent_orders"}
    assert _said(ended, lost) == set()
    assert _said([*ended, ("8", "renting")], lost) == {"dbc_node_order_live"}


def _said(rows: list[tuple[str, str]], *lost: str) -> set[str]:
    """Give what is shown of orders of ours by id and status, some more of which could not be read."""
    heard = RentOrders(orders=tuple(RentOrder(name, "w", status) for name, status in rows), unreadable=lost)
    live = OrderBook(CLOCK, {"me": frozenset({"w"})}).is_live(Target(NODE, credential="me"), heard)
    return _families(OrderStatus(live=live, by_status=(("rentExpired", 1),), unreadable=lost))


class _Transport:
    def __init__(self, peers: RawAnswer, nodes: list[dict[str, Any]]) -> None:
        self._answers = {
            "/api/v1/peers/active": peers,
            "/api/v1/peers/global": peers,
            "/api/v1/mining_nodes": _answer({"mining_nodes": nodes}),
            "/api/v1/bare_metal": _answer({"bare_metal_nodes": []}),
            "/api/v1/": _answer({"client_version": "0.4.1.8"}),
        }

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        del method, body, deadline_seconds, retry
        return self._answers[path]

    async def aclose(self) -> None:
        """Nothing to close."""


def _client(peers: RawAnswer, nodes: list[dict[str, Any]]) -> DbcClient:
    client = DbcClient("left", _Transport(peers, nodes), Gate(CLOCK, set()), CLOCK)
    client.believe()
    return client


PEERS = _answer({"peer_nodes": [{"node_id": OTHER}]})


async def test_no_node_is_counted_or_missed_in_a_clients_list_with_an_unreadable_row() -> None:
    client = _client(PEERS, [{"node_id": OTHER}, UNREADABLE_ROW])
    await client.refresh()
    assert client.status().visible_nodes is None
    assert Pool([client], CLOCK).reachability(Target(NODE)).visible is None
    assert Pool([client], CLOCK).reachability(Target(OTHER)).visible is True


async def test_a_client_whose_peers_could_not_be_read_is_not_called_isolated() -> None:
    client = _client(RawAnswer(200, "text/html", b"<html>"), [])
    with pytest.raises(DbcError):
        await client.refresh()
    assert client.state() is ClientState.UNKNOWN


def test_a_number_of_more_than_64_bits_names_nothing() -> None:
    fact = understand(reads.disk_list(NODE, "t1"), _answer([{"name": 10**40, "size": "1K"}]))
    assert fact.disks == ()
