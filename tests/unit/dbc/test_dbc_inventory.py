"""The list of all calls is complete, and every request in it is one the server reads."""

from __future__ import annotations

import json
import re

import pytest
from pydantic import SecretStr

from dbc_exporter.dbc.authority import Credential, ManagerKey, WalletSigner
from dbc_exporter.dbc.calls import Authority, ReadCall
from dbc_exporter.dbc.envelope import request_body
from dbc_exporter.dbc.inventory import AnyCall, all_calls

CALLS = all_calls()
FORMS = [(call.name, form) for call in CALLS for form in call.forms]
ALICE_HEX = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"

# Kinds whose name the server puts before " timeout".
KINDS = {
    f"{verb} {what}"
    for what, verbs in {
        "task": "list create start shutdown stop restart reset delete modify",
        "disk": "list resize add delete",
        "snapshot": "list create delete",
        "bare metal": "list add delete modify",
        "local area network": "list create delete",
        "monitor server": "list set",
    }.items()
    for verb in verbs.split()
} | {
    "set task user password", "task logs", "list images", "download image", "query download image progress",
    "upload image", "query upload image progress", "query node info", "query node rent orders", "free memory",
    "get session_id", "bare metal power", "bare metal bootdev",
}  # fmt: skip


def _credential(call: AnyCall) -> Credential | None:
    if call.authority is Authority.NONE:
        return None
    if call.authority is Authority.MANAGER:
        return ManagerKey("manager", ALICE_HEX, SecretStr("//Alice"))
    return WalletSigner("wallet", SecretStr("//Alice"))


def test_37_calls_are_documented_and_each_has_its_own_name() -> None:
    assert sum(not call.extra for call in CALLS) == 37
    assert len({call.name for call in CALLS}) == len(CALLS)


def test_documented_forms_are_all_there() -> None:
    forms = {call.name: len(call.forms) for call in CALLS}
    assert (forms["image list"], forms["image upload"], forms["VM restart"]) == (3, 2, 2)


def test_every_kind_of_the_server_is_used_and_no_other() -> None:
    assert {form.kind for _, form in FORMS} - {""} == KINDS


@pytest.mark.parametrize(("name", "call"), FORMS, ids=[f"{name}-{form.path}" for name, form in FORMS])
def test_every_request_is_one_the_server_reads(name: str, call: AnyCall) -> None:
    assert name
    assert re.fullmatch(r"/api/v1(/[0-9A-Za-z_.-]*)+(\?[0-9a-z_=&]+)?", call.path)
    raw = request_body(call, _credential(call), "101")
    if call.method == "GET":
        assert raw == b""
        return
    body = json.loads(raw)
    assert body["peer_nodes_list"] == ([] if call.peer is None else [call.peer])
    assert isinstance(body["additional"], dict)
    assert ("sign" in body) == (call.authority is not Authority.NONE)
    assert ("rent_order" in body) == (call.authority not in {Authority.NONE, Authority.MANAGER})


def test_a_call_without_a_kind_is_one_the_client_answers_itself() -> None:
    assert {form.peer for _, form in FORMS if form.kind == ""} == {None}
    assert None not in {form.peer for _, form in FORMS if form.kind}


def test_what_changes_something_is_no_read() -> None:
    reading = {form.path.split("?")[0] for _, form in FORMS if isinstance(form, ReadCall)}
    changing = re.compile(
        r"/(start|stop|delete|add|modify|set|create|resize|reset|restart|passwd|upload|download)\b"
    )
    assert [path for path in reading if changing.search(path)] == []
