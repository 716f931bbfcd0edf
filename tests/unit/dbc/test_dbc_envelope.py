"""Envelopes: what is one, who speaks, and what each text of the server means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dbc_exporter.dbc import reads, writes
from dbc_exporter.dbc.calls import Authority, ReadCall
from dbc_exporter.dbc.envelope import request_body, understand
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.outcomes import BootDeviceAnswer
from dbc_exporter.facts import LanAnswer, ListedNode, Task, TaskState

NODE = "ab" * 32
SERVER = "cd" * 32


def _raw(body: bytes | str, status: int = 200, content_type: str = "application/json") -> RawAnswer:
    return RawAnswer(status, content_type, body.encode() if isinstance(body, str) else body)


def _said(message: Any, errcode: int = 0, status: int = 200) -> RawAnswer:
    return _raw(json.dumps({"errcode": errcode, "message": message}), status)


def _failure(call: Any, raw: RawAnswer) -> DbcError:
    with pytest.raises(DbcError) as caught:
        understand(call, raw)
    return caught.value


TASKS = reads.task_list(NODE)
POWER = reads.power_status(SERVER)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<HTML><H1>Bad Request</H1></HTML>",
        b"[]",
        b'"ok"',
        b'{"message":"ok"}',
        b'{"errcode":0}',
        b'{"errcode":true,"message":"ok"}',
        b'{"errcode":null,"message":"ok"}',
        b'{"errcode":0.5,"message":"ok"}',
        b'{"errcode":"0x0","message":"ok"}',
        b'{"errcode":"--","message":"ok"}',
        b'{"errcode":0,"message":[',
        b'{"errcode":0,"message":[]} trailing',
        b'{"errcode":0,"message":[{"task_id":"a","desc":"a "quote" in it"}]}',
        b"[" * 200_000,
        b'{"errcode":0,"message":' + b"9" * 10_000 + b"}",
        b"\x00\xff" * 50,
    ],
)
@pytest.mark.parametrize(("status", "reason"), [(200, Reason.MALFORMED), (502, Reason.SERVER_ERROR)])
def test_what_is_no_envelope_is_the_clients_trouble_and_never_quoted(
    body: bytes, status: int, reason: Reason
) -> None:
    error = _failure(TASKS, _raw(body, status))
    assert error.reason is reason
    assert error.said in {f"HTTP {status} with {len(body)} bytes that are no envelope", "tasks: no list"}


def test_an_errcode_may_be_a_text() -> None:
    assert understand(TASKS, _raw('{"errcode":"0","message":[]}')).tasks == ()
    assert _failure(TASKS, _raw('{"errcode":"-3","message":"task not exist"}')).reason is Reason.NOT_FOUND


def test_bytes_that_are_no_utf_8_and_control_characters_cost_nothing_but_themselves() -> None:
    body = b'{"errcode":0,"message":[{"task_id":"t1","status":"running","desc":"caf\xe9 \x01\\ud800!"}]}'
    (task,) = understand(TASKS, _raw(body)).tasks
    assert task == Task("t1", TaskState.RUNNING, description="caf\ufffd !")


def test_free_text_that_adds_fields_makes_the_answer_unparsable() -> None:
    injected = (
        '{"errcode":0,"message":[{"task_id":"t1","desc":"x","status":"running","y":"z","status":"closed"}]}'
    )
    assert _failure(TASKS, _raw(injected)).reason is Reason.UNPARSABLE


def test_quotes_and_colons_inside_texts_are_no_second_field() -> None:
    name = 'a "quoted": name, {"x": 1}'
    raw = _said({"mining_nodes": [{"node_id": NODE, "name": name}]})
    assert understand(reads.node_list(), raw).nodes == (ListedNode(NODE, name),)


def test_spaces_before_colons_are_read_like_any_other() -> None:
    assert understand(TASKS, _raw('{ "errcode" : 0 , "message" : [ ] }\r\n')).tasks == ()


CLIENT_SAYS = [
    (400, "create node request failed", Reason.UNKNOWN_NODE),
    (400, "create request session failed", Reason.WEDGED),
    (400, "broadcast request failed", Reason.ISOLATED),
    (400, "add timer failed", Reason.SERVER_ERROR),
    (400, "session_id and wallet all invalid", Reason.AUTHORITY),
    (400, "wallet_sign and multisig_wallets all invalid", Reason.AUTHORITY),
    (400, "invalid wallet sign", Reason.AUTHORITY),
    (400, "network name not exist", Reason.NOT_FOUND),
    (400, "peer_nodeid is empty", Reason.REFUSED_LOCALLY),
    (400, "only support POST request", Reason.REFUSED_LOCALLY),
    (404, "not support uri:/api/v1/x", Reason.REFUSED_LOCALLY),
    (500, "query node info timeout", Reason.NODE_TIMEOUT),
    (500, "response parse error", Reason.UNPARSABLE),
    (500, "http response parse error", Reason.UNPARSABLE),
    (500, "Unhandled request", Reason.SERVER_ERROR),
    (500, "rsp decrypt error1", Reason.SERVER_ERROR),
    (503, "anything", Reason.SERVER_ERROR),
    (302, "moved", Reason.MALFORMED),
    (204, "", Reason.MALFORMED),
]


@pytest.mark.parametrize(("status", "said", "reason"), CLIENT_SAYS)
def test_the_clients_own_texts(status: int, said: str, reason: Reason) -> None:
    error = _failure(TASKS, _said(said, -1, status))
    assert (error.reason, error.kind) == (reason, "list task")


NODE_SAYS = [
    (TASKS, "check authority failed: nonce check failed", Reason.AUTHORITY),
    (TASKS, "check authority failed", Reason.AUTHORITY),
    (TASKS, "verify sign failed", Reason.AUTHORITY),
    (TASKS, "no session id", Reason.AUTHORITY),
    (TASKS, "task_id not exist", Reason.NOT_FOUND),
    (TASKS, "task not exist", Reason.NOT_FOUND),
    (TASKS, "task log not exist", Reason.NOT_FOUND),
    (TASKS, "image:x.qcow2 not exist", Reason.NOT_FOUND),
    (TASKS, "image file:x.qcow2 is not exist", Reason.NOT_FOUND),
    (TASKS, "'image_name' is not exist (path:/data/x.qcow2)", Reason.NOT_FOUND),
    (TASKS, "task have no disk:vdc", Reason.NOT_FOUND),
    (TASKS, "bare metal node id x not existed", Reason.NOT_FOUND),
    (TASKS, "get bare metal node info failed", Reason.NOT_FOUND),
    (TASKS, "task is shut_off", Reason.REFUSED_BY_NODE),
    (TASKS, "bare metal nodes are not supported", Reason.REFUSED_BY_NODE),
    (TASKS, "additional bare_metal_node_ids not existed", Reason.REFUSED_BY_NODE),
    (TASKS, "Error: of another kind", Reason.REFUSED_BY_NODE),
    (TASKS, "", Reason.REFUSED_BY_NODE),
    (reads.snapshot_list(NODE, "t1"), "s1 not exist", Reason.NOT_FOUND),
    (POWER, "Error: Unable to establish LAN session", Reason.BMC),
    (POWER, "smyoo device not support", Reason.BMC),
    (POWER, "connect cloud cybercafe server failed", Reason.BMC),
    (POWER, "Not supported", Reason.REFUSED_BY_NODE),
    (POWER, "check authority failed: machine is not be rented", Reason.AUTHORITY),
]


@pytest.mark.parametrize(("call", "said", "reason"), NODE_SAYS)
def test_the_nodes_texts(call: Any, said: str, reason: Reason) -> None:
    assert _failure(call, _said(said, -3)).reason is reason


def test_a_refusal_with_an_object_for_a_text_is_not_quoted() -> None:
    error = _failure(TASKS, _said({"login_password": "hunter2hunter2"}, 1))
    assert (error.reason, error.said) == (Reason.REFUSED_BY_NODE, "")


def test_what_the_server_said_is_short_and_without_secrets() -> None:
    error = _failure(TASKS, _said("nonce " + "ab" * 64 + " " + "word " * 200, -3))
    assert len(error.said) == 200
    assert "abab" not in error.said


@pytest.mark.parametrize("errcode", [0, 1, -3, -1])
def test_any_answer_of_a_node_proves_it_alive(errcode: int) -> None:
    probe = reads.lan_probe(NODE)
    assert understand(probe, _said("bare metal nodes are not supported", errcode)) == LanAnswer()


def test_an_answer_of_the_client_about_a_node_proves_nothing() -> None:
    probe = reads.lan_probe(NODE)
    assert _failure(probe, _said("list local area network timeout", -1, 500)).reason is Reason.NODE_TIMEOUT


def test_a_boot_device_reported_as_failed_was_set_and_other_refusals_are_refusals() -> None:
    call = writes.boot_device(SERVER, "pxe")
    said = _said("bare metal client not existed", -3)
    assert understand(call, said) is BootDeviceAnswer.EXECUTED_UNCONFIRMED
    assert _failure(call, _said("check authority failed", -3)).reason is Reason.AUTHORITY


def test_a_malformed_answer_carries_its_kind() -> None:
    error = _failure(TASKS, _said({}))
    assert (error.reason, error.kind) == (Reason.UNREADABLE, "list task")


@pytest.mark.parametrize(
    "peer", ["", "AB" * 32, "0x" + "ab" * 32, "ab" * 31, "ab" * 32 + "\n", 7, ["ab" * 32]]
)
def test_no_peer_leaves_but_64_lower_case_hex_digits(peer: Any) -> None:
    call = ReadCall("k", "/api/v1/x", peer, {}, Authority.NONE, lambda message: message)
    with pytest.raises(DbcError) as caught:
        request_body(call)
    assert caught.value.reason is Reason.REFUSED_LOCALLY
