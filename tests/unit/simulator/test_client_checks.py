from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from dbc_exporter.simulator.protocol import ConnectionLost, Request, Response
from dbc_exporter.simulator.virtual import LoopClock
from tests.unit.simulator.lab import RENTER, A, Lab, read
from tests.virtual import virtually

LOCAL: dict[str, Any] = {"peer_nodes_list": [], "additional": {}}
ASKED: dict[str, Any] = {"peer_nodes_list": [A], "additional": {}}
SIGNED = {"wallet": RENTER, "nonce": "n", "sign": "s"}
NO_CREDENTIALS = "wallet_sign and multisig_wallets all invalid"
NO_CREDENTIALS_TOO = "session_id and wallet all invalid"


def sent(method: str, target: str, body: bytes = b"") -> Response:
    async def test(clock: LoopClock) -> Response:
        lab = Lab.build(clock)
        lab.world.image_servers["centre"] = {"base.qcow2": 192 * 1024}
        return await lab.client.handle(Request(method, target, body=body))

    return virtually(test)


def posted(path: str, body: object) -> tuple[int, int, Any]:
    return read(sent("POST", f"/api/v1{path}", json.dumps(body).encode())).told


@pytest.mark.parametrize(
    ("method", "target", "told"),
    [
        ("GET", "/", (400, -32600, "request uri is invalid, uri:/")),
        ("GET", "/api/v1", (404, -32601, "not support uri:/api/v1")),
        ("GET", "/api/v1/?x=1", (404, -32601, "not support uri:/api/v1/?x=1")),
        ("POST", "http://h/api/v1/", (400, -32600, "request uri is invalid, uri:http://h/api/v1/")),
        ("GET", "/api/v1/", (200, 0, {"client_version": "0.4.1.8"})),
        ("DELETE", "/api/v1/tasks", (400, -32600, "only support POST request")),
        ("GET", "/api/v1/stat", (500, -32701, "Unhandled request")),
        ("POST", "/api/v1/peers", (400, -32600, "invalid requests uri")),
        ("POST", "/api/v1/tasks/jump/x", (500, -32701, "Unhandled request")),
        ("POST", "/api/v1/tasks/a/b/c", (400, -32600, "invalid requests uri")),
        ("POST", "/api/v1/lan/a/b", (500, -32701, "Unhandled request")),
        ("POST", "/api/v1/disk/x", (400, -32600, "invalid requests uri")),
        ("POST", "/api/v1/snapshot/x", (400, -32600, "invalid uri")),
        ("POST", "/api/v1/monitor/a/b", (400, -32600, "invalid requests uri")),
        ("POST", "/api/v1/tasks/logs/x?line_num=0&flag=head", (400, -25, "invalid line num")),
        ("POST", "/api/v1/tasks/logs/x?flag=middle", (400, -25, 'head_or_tail is invalid"')),
        ("POST", "/api/v1/tasks", (400, -25, "http request body is empty")),
    ],
)
def test_targets_and_methods_are_refused_before_the_body_is_read(
    method: str, target: str, told: tuple[int, int, object]
) -> None:
    assert read(sent(method, target)).told == told


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/tasks", [], "invalid json"),
        ("/tasks", {"additional": {}}, "has no peer_nodes_list"),
        ("/mining_nodes", {"additional": {}}, "parse req params failed: has no peer_nodes_list"),
        ("/images", {"additional": {}}, "parse request params failed: has no peer_nodes_list"),
        ("/tasks", {"peer_nodes_list": "x", "additional": {}}, "peer_nodes_list is not array"),
        ("/tasks", {"peer_nodes_list": [A], "additional": []}, "additional is not object"),
        ("/tasks", ASKED | {"wallet": 1}, "wallet is not string"),
        ("/tasks", ASKED | {"session_id": 1, "multisig_accounts": []}, "multisig_accounts is not object"),
        ("/tasks", ASKED | {"multisig_accounts": {}}, "multisig_accounts has no member wallets"),
        ("/tasks", ASKED | {"rent_order": 101}, "rent_order is not string"),
        ("/tasks", LOCAL, "peer_nodeid is empty"),
        ("/tasks", ASKED, NO_CREDENTIALS),
        ("/tasks/start", ASKED, NO_CREDENTIALS_TOO),
        ("/disk/list/x", ASKED, NO_CREDENTIALS_TOO),
        ("/mining_nodes/session_id", ASKED | {"session_id": "a", "session_id_sign": "b"}, NO_CREDENTIALS),
        ("/images", LOCAL, "image_server not exist"),
        ("/mining_nodes", ASKED | {"additional": {"image_server": "nope"}}, "image_server not exist"),
        ("/images/download", ASKED, "image_server not exist"),
        ("/images/upload", LOCAL, "image_server not exist"),
        ("/snapshot/create/x", ASKED | SIGNED, "image_server not exist"),
        ("/bare_metal/add", ASKED, "invalid wallet sign"),
        ("/bare_metal/power", ASKED | SIGNED, "parse json additional command failed"),
        ("/bare_metal/power", ASKED | SIGNED | {"additional": {"command": "cycle"}}, "invalid command"),
        (
            "/bare_metal/power",
            ASKED | SIGNED | {"additional": {"command": 1}},
            "additional command must be a string",
        ),
        ("/deeplink/set", ASKED | SIGNED, "invalid device info"),
        ("/peers/foo", LOCAL, "invalid option. the option is active or global"),
    ],
)
def test_bodies_are_refused_in_the_servers_words(path: str, body: object, text: str) -> None:
    assert posted(path, body) == (400, -25, text)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/mining_nodes", {"peer_nodes_list": [1], "additional": {}}),
        ("/tasks", {"peer_nodes_list": [None], "additional": {}}),
        ("/tasks", ASKED | {"multisig_accounts": {"wallets": [1], "threshold": "1", "signs": []}}),
        (
            "/tasks",
            ASKED | {"multisig_accounts": {"wallets": [], "threshold": "1", "signs": [{"wallet": "a"}]}},
        ),
        ("/deeplink/set", {"peer_nodes_list": [A]}),
    ],
)
def test_some_malformed_bodies_kill_the_process_and_the_watchdog_starts_it_again(
    path: str, body: object
) -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        with pytest.raises(ConnectionLost):
            await lab.raw(path, json.dumps(body).encode())
        with pytest.raises(ConnectionRefusedError):
            await lab.post("/mining_nodes", [])
        await asyncio.sleep(9.9)
        assert not lab.client.alive
        await asyncio.sleep(0.2)
        assert (await lab.post("/mining_nodes", [])).status == 200

    virtually(test)


def test_only_the_first_peer_counts_and_the_first_of_duplicate_keys() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        assert (await lab.post("/lan", [A, 7, None])).message == []
        double = f'{{"peer_nodes_list":["{A}"],"peer_nodes_list":[],"additional":{{}}}}'.encode()
        assert read(await lab.raw("/lan", double)).message == []
        assert (await lab.post("/lan", [])).message == {"networks": []}
        assert (await lab.post("/lan/nope", [])).told == (400, -32701, "network name not exist")

    virtually(test)


@pytest.mark.parametrize("node_id", ["", "f" * 64, A.upper(), "0x" + A])
def test_an_id_that_is_not_in_the_gossip_cache_is_refused_at_once(node_id: str) -> None:
    body = {"peer_nodes_list": [node_id], "additional": {}}
    assert posted("/mining_nodes", body) == (400, -32701, "create node request failed")


def test_image_centres_are_told_from_memory() -> None:
    assert posted("/images/servers", LOCAL) == (200, 0, {"image_server": ["centre"]})
    listed = [{"image_name": "base.qcow2", "image_size": "192K"}]
    assert posted("/images", LOCAL | {"additional": {"image_server": "centre"}}) == (200, 0, listed)
    uploading = LOCAL | {"additional": {"image_server": "centre", "image_filename": "x"}}
    assert posted("/images/upload", uploading) == (200, 0, "ok")
    assert posted("/images/uploadprogress", LOCAL) == (200, 0, {"status": "done", "progress": "100%"})


def test_own_errors_are_pretty_and_passed_on_answers_compact_both_ended_by_crlf() -> None:
    pretty = sent("GET", "/api/v1/stat").body
    assert pretty == b'{\n    "errcode": -32701,\n    "message": "Unhandled request"\n}\r\n'
    compact = sent("POST", "/api/v1/peers/global").body
    assert compact == b'{"errcode":0, "message":{"peer_nodes":[]}}\r\n'


def test_an_isolated_client_refuses_to_forward_and_dies_of_it_thirty_seconds_later() -> None:
    async def test(clock: LoopClock) -> None:

        lab = Lab.build(clock)
        lab.client.isolate()
        assert (await lab.post("/lan", [A])).told == (400, -32701, "broadcast request failed")
        await asyncio.sleep(29)
        assert lab.client.alive
        await asyncio.sleep(2)
        assert not lab.client.alive

    virtually(test)


def test_a_quote_in_free_text_makes_the_whole_answer_unreadable() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.add_vm("poisoned", desc='my "big" box')
        lab.add_vm("fine")
        assert (await lab.call("/tasks")).told == (500, -1, "response parse error")
        assert (await lab.call("/tasks/fine")).status == 200

    virtually(test)


def test_listing_a_centre_stops_the_only_http_thread() -> None:
    async def test(clock: LoopClock) -> None:

        lab = Lab.build(clock)
        lab.world.image_servers["centre"] = {}
        lab.world.timing.centre_scan = 60.0
        slow = asyncio.create_task(lab.post("/images", [], additional={"image_server": "centre"}))
        await asyncio.sleep(1)
        await lab.post("/mining_nodes", [])
        assert lab.now == pytest.approx(60)
        await slow

    virtually(test)
