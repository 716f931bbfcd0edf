"""Spoiled answers: whatever is done to a good answer, a value is right or unknown, and nothing but a failure of the
closed set comes out."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbc_exporter.dbc import reads
from dbc_exporter.dbc.calls import ReadCall
from dbc_exporter.dbc.envelope import understand
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer

NODE, SERVER, OTHER = "aa" * 32, "bb" * 32, "cc" * 32

GOOD: dict[str, tuple[ReadCall[Any], Any]] = {
    "version": (reads.version(), {"client_version": "0.4.1.8"}),
    "peers": (reads.peers(), {"peer_nodes": [{"node_id": NODE, "addr": "192.0.2.1:5"}, {"node_id": OTHER}]}),
    "nodes": (
        reads.node_list(),
        {"mining_nodes": [{"node_id": NODE, "name": "one", "version": "0.4.1.8"}, {"node_id": OTHER, "name": "two"}]},
    ),
    "servers": (reads.bare_metal_ids(), {"bare_metal_nodes": [{"node_id": SERVER, "name": "m", "version": "0.4.1.8"}]}),
    "config": (
        reads.node_config(NODE),
        {
            "version": "0.4.1.8", "node_type": "1", "ip": "*.206.*.168", "os": "Ubuntu",
            "cpu": {"type": "Xeon", "hz": "3000MHz", "cores": "92", "used_usage": "3.5%", "physical_cpus": "2"},
            "gpu": {"gpu_count": "8", "gpu_used": "4"},
            "mem": {"size": "471.58G", "free": "402.11G", "used_usage": "14.73%"},
            "disk_system": {"type": "SSD", "size": "350G"},
            "disk_data": [
                {"path": "/data", "type": "SSD", "size": "3519.7G", "free": "2810.4G", "used_usage": "11.2%"},
                {"path": "/data1", "type": "HDD", "size": "7319G", "free": "7000G", "used_usage": "4.36%"},
            ],
            "images": [{"image_name": "ubuntu.qcow2", "image_size": "9.5G"}],
        },
    ),
    "orders": (
        reads.rent_orders(NODE),
        {"rent_orders": [{"id": "101", "renter": "5G", "rent_end": "31", "rent_status": "renting", "gpu_nums": "1"}]},
    ),
    "tasks": (
        reads.task_list(NODE),
        [
            {"task_id": "t1", "create_time": "2026-11-23 11:22:45", "desc": "d", "status": "running"},
            {"task_id": "t2", "create_time": "2026-11-23 11:22:46", "desc": "e", "status": "create error"},
        ],
    ),
    "vm": (
        reads.vm(NODE, "t1"),
        {
            "task_id": "t1", "os": "linux", "ssh_ip": "203.0.113.9", "ssh_port": "5681", "user_name": "dbc-hidden",
            "login_password": "hunter2hunter2", "cpu_cores": 1, "gpu_count": 2, "mem_size": "1G",
            "disk_system": "350G", "vnc_port": "5999", "vnc_password": "hunter2h", "create_time":
            "2026-11-23 11:22:45", "desc": "d", "status": "running", "rent_order": "101",
            "disks": [{"name": "vda", "size": "350G"}, {"name": "vdb", "size": "2G"}],
            "interface": [{"name": "vnet0"}],
        },
    ),
    "disks": (reads.disk_list(NODE, "t1"), [{"name": "vda", "file": "/data/x", "size": "350G"}]),
    "snapshots": (
        reads.snapshot_list(NODE, "t1"),
        [{"snapshot_name": "s1", "create_time": "2026-11-23 11:40:00", "status": "uploading"}],
    ),
    "images": (reads.images(NODE), [{"image_name:": "a.qcow2", "image_size": "192K"}, {"image_name": "b.qcow2"}]),
    "progress": (reads.download_progress(NODE, "a.qcow2"), {"status": "downloading", "progress": "39%"}),
    "centres": (reads.image_servers(), {"image_server": ["c1", "c2"]}),
    "lans": (reads.lan_list(), {"networks": [{"vxlan_vni": "77", "members": ["t1"]}]}),
    "monitor": (reads.monitor_servers(NODE), {"servers": ["192.0.2.1:10051"]}),
    "manager": (
        reads.bare_metal_list(NODE),
        {
            "bare_metal_nodes": [
                {"node_id": SERVER, "node_private_key": "dd" * 32, "uuid": "u-1", "os": "Ubuntu", "desc": "d",
                 "ipmi_hostname": "192.0.2.77", "ipmi_password": "hunter2hunter2", "ipmi_port": 623},
            ]
        },
    ),
    "server": (
        reads.bare_metal_server(NODE, "u-1"),
        {"bare_metal_nodes": [{"node_id": SERVER, "uuid": "u-1", "power_status": "Chassis Power is on"}]},
    ),
    "info": (
        reads.bare_metal_info(SERVER),
        {"version": "0.4.1.8", "os": "Ubuntu", "description": "d", "power_status": "Chassis Power is off"},
    ),
    "power": (reads.power_status(SERVER), "Chassis Power is on"),
}  # fmt: skip

SECRETS = ("hunter2", "dd" * 32, "203.0.113.9", "192.0.2.77", "dbc-hidden")
FREE_TEXTS = {"name", "os", "desc", "description", "type"}
NAMES = {
    "path",
    "task_id",
    "image_name",
    "image_name:",
    "snapshot_name",
    "id",
    "renter",
    "uuid",
    "vxlan_vni",
    "rent_order",
    "rent_status",
}
NUMBERS = {"cores", "physical_cpus", "gpu_count", "gpu_used", "cpu_cores", "rent_end", "gpu_nums"}
SPOILS = [None, [], {}, True, False, -1, -7, 1.5, [1], {"a": 1}]
SPOILED_TEXTS = [
    "-1", "-3%", "nan%", "-nan%", "inf%", "101%", "1e999%", "-5G", "1e999G", "5", "G", "5 G", "5g", "0x10", "4294967295",
    "nanG", "é", "??", "\x00", "2026-99-99 00:00:00", "power is on power is off", "running!",
]  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _spoil(message: Any, path: tuple[Any, ...], value: Any, *, drop: bool) -> Any:
    spoiled = copy.deepcopy(message)
    parent = spoiled
    for key in path[:-1]:
        parent = parent[key]
    if drop:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return spoiled


def _takes_any_text(name: str, path: tuple[Any, ...]) -> bool:
    """Tell where another text is another name, not a spoiled one."""
    is_bare_image = isinstance(path[-1], int) and (name == "images" or path[0] == "images")
    return is_bare_image or path[-1] in FREE_TEXTS | NAMES or path[0] in {"image_server", "servers"}


def _raw(message: Any) -> RawAnswer:
    return RawAnswer(200, "application/json", json.dumps({"errcode": 0, "message": message}).encode())


def _truthful(seen: Any, fact: Any) -> bool:
    """Everything seen is what the good answer says, or unknown."""
    if seen is None or seen == fact or (isinstance(seen, StrEnum) and seen.value == "unknown"):
        return True
    if isinstance(seen, tuple) and isinstance(fact, tuple):
        return all(any(_truthful(one, other) for other in fact) for one in seen)
    if isinstance(seen, msgspec.Struct) and type(seen) is type(fact):
        names = [name for name in seen.__struct_fields__ if name not in {"unreadable", "power_said"}]
        return all(_truthful(getattr(seen, name), getattr(fact, name)) for name in names)
    return False


def _shown(call: ReadCall[Any], raw: RawAnswer) -> str:
    try:
        return repr(understand(call, raw))
    except DbcError as error:
        return str(error)


def _checked(call: ReadCall[Any], raw: RawAnswer, fact: Any) -> None:
    try:
        seen = understand(call, raw)
    except DbcError as error:
        shown = str(error)
    else:
        assert _truthful(seen, fact)
        shown = repr(seen)
    assert not any(secret in shown for secret in SECRETS)


@pytest.mark.parametrize("name", GOOD)
def test_the_good_answers_are_good(name: str) -> None:
    call, message = GOOD[name]
    fact = understand(call, _raw(message))
    assert getattr(fact, "unreadable", ()) == ()


@pytest.mark.parametrize("name", GOOD)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_a_spoiled_field_is_unknown_and_every_other_stays_right(name: str, data: st.DataObject) -> None:
    call, message = GOOD[name]
    fact = understand(call, _raw(message))
    places = list(_places(message))
    if not places:
        _checked(call, _raw(data.draw(st.sampled_from(SPOILS))), fact)
        return
    path = data.draw(st.sampled_from(places))
    value = data.draw(st.sampled_from(SPOILS if _takes_any_text(name, path) else [*SPOILS, *SPOILED_TEXTS]))
    if value == [] or (value == "5" and path[-1] in NUMBERS):
        return  # an empty list, or another number of things, is an answer of its own
    if isinstance(value, list) and path[-1] in {"members", "interface", "image_server"}:
        return  # another length or id is an answer of its own
    _checked(call, _raw(_spoil(message, path, value, drop=False)), fact)


@pytest.mark.parametrize(
    "name", [name for name, (_, message) in GOOD.items() if not isinstance(message, str)]
)
def test_a_dropped_field_is_unknown_and_every_other_stays_right(name: str) -> None:
    call, message = GOOD[name]
    fact = understand(call, _raw(message))
    for path in _places(message):
        if isinstance(path[-1], int) and path[0] in {"peer_nodes", "networks", "servers", "interface"}:
            continue  # a shorter list is an answer of its own
        _checked(call, _raw(_spoil(message, path, None, drop=True)), fact)


@pytest.mark.parametrize("name", GOOD)
@settings(deadline=None)
@given(data=st.data())
def test_a_broken_body_is_a_failure_or_the_truth(name: str, data: st.DataObject) -> None:
    call, message = GOOD[name]
    fact = understand(call, _raw(message))
    body = _raw(message).body
    at = data.draw(st.integers(0, len(body) - 1))
    _checked(call, RawAnswer(200, "", body[:at]), fact)
    with_noise = (
        body[:at] + data.draw(st.sampled_from([b"\xff", b"\x00", b'"', b"\\", b"{", b"]"])) + body[at:]
    )
    assert not any(secret in _shown(call, RawAnswer(200, "", with_noise)) for secret in SECRETS)


@pytest.mark.parametrize("name", [name for name, (_, message) in GOOD.items() if isinstance(message, dict)])
def test_a_field_said_twice_makes_the_whole_answer_uncertain(name: str) -> None:
    call, message = GOOD[name]
    for key in message:
        text = json.dumps(message)
        doubled = "{" + f'"{key}": null, ' + text.removeprefix("{")
        with pytest.raises(DbcError) as caught:
            understand(call, RawAnswer(200, "", b'{"errcode":0,"message":' + doubled.encode() + b"}"))
        assert caught.value.reason is Reason.UNPARSABLE


@settings(deadline=None)
@given(body=st.binary(max_size=200), status=st.sampled_from([200, 204, 302, 400, 404, 413, 500, 503]))
def test_no_bytes_bring_anything_but_a_failure(body: bytes, status: int) -> None:
    for call, _ in GOOD.values():
        with pytest.raises(DbcError):
            understand(call, RawAnswer(status, "", body))
