"""Writes: exact parameters, and what is never sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dbc_exporter.dbc import checks, reads, writes
from dbc_exporter.dbc.authority import WalletSigner
from dbc_exporter.dbc.calls import Authority, ReadCall, WriteCall
from dbc_exporter.dbc.envelope import request_body
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.specs import ServerChange, ServerSpec, VmChange, VmSpec

NODE = "ab" * 32
TASK = "Task567890123456789012"

VERBS: list[tuple[Callable[[str, str], WriteCall[Any]], str, str]] = [
    (writes.start, "/api/v1/tasks/start/", "start task"),
    (writes.shutdown, "/api/v1/tasks/shutdown/", "shutdown task"),
    (writes.poweroff, "/api/v1/tasks/poweroff/", "stop task"),
    (writes.restart, "/api/v1/tasks/restart/", "restart task"),
    (writes.reset, "/api/v1/tasks/reset/", "reset task"),
    (writes.delete_vm, "/api/v1/tasks/delete/", "delete task"),
]


def _refused(build: Callable[[], Any]) -> str:
    with pytest.raises(DbcError) as caught:
        build()
    assert caught.value.reason is Reason.REFUSED_LOCALLY
    return caught.value.said


@pytest.mark.parametrize(("verb", "path", "kind"), VERBS)
def test_a_verb_names_its_task_in_the_path(verb: Any, path: str, kind: str) -> None:
    call = verb(NODE, TASK)
    assert (call.path, call.kind, call.authority) == (path + TASK, kind, Authority.RENTER)
    assert dict(call.additional) == {}


BAD_TASKS = ["", " ", "a/b", "a?b", "a b", "..", "a%20b", "start", "Delete", "logs", "x" * 65, "t\n", None, 7]


@pytest.mark.parametrize("task", BAD_TASKS)
@pytest.mark.parametrize("build", [verb for verb, _, _ in VERBS] + [reads.vm, reads.logs, reads.disk_list])
def test_no_verb_is_built_without_a_proper_task_id(build: Any, task: Any) -> None:
    _refused(lambda: build(NODE, task))


@pytest.mark.parametrize("server", ["", "add", "Delete", "power", "a/b", "a?b"])
def test_no_server_is_asked_for_by_a_word_that_means_a_command(server: str) -> None:
    _refused(lambda: reads.bare_metal_server(NODE, server))


@given(st.text())
def test_nothing_but_a_node_id_is_a_node_id(text: str) -> None:
    _refused(lambda: writes.start(text, TASK))


def test_a_forced_restart_says_so_in_the_query() -> None:
    assert writes.restart(NODE, TASK, force=True).path.endswith(f"/{TASK}?force_reboot=true")
    assert "?" not in writes.restart(NODE, TASK).path


def _spec(**changes: Any) -> VmSpec:
    basis: dict[str, Any] = {
        "image_name": "u.qcow2", "ssh_port": 5681, "vnc_port": 5900, "cpu_cores": 2, "memory_gib": 4, "disk_gib": 8,
    }  # fmt: skip
    return VmSpec(**(basis | changes))


def test_a_created_vm_is_described_in_texts() -> None:
    call = writes.create_vm(
        NODE, _spec(custom_ports=("tcp,80",), network_filters=("in,tcp,22,0.0.0.0/0,accept",))
    )
    assert call.path == "/api/v1/tasks/start"
    assert dict(call.additional) == {
        "image_name": "u.qcow2", "desc": "", "operation_system": "linux", "bios_mode": "legacy", "ssh_port": "5681",
        "vnc_port": "5900", "gpu_count": "0", "cpu_cores": "2", "mem_size": "4", "disk_size": "8",
        "custom_port": ["tcp,80"], "network_filters": ["in,tcp,22,0.0.0.0/0,accept"],
    }  # fmt: skip


def test_a_vm_may_choose_its_id_network_and_data_disk() -> None:
    additional = _spec(
        task_id="A" * 21, network_name="network1", data_file_name="d.qcow2", interface_model="e1000",
        public_ip="192.0.2.9", ssh_port=None,
    ).additional()  # fmt: skip
    assert additional["task_id"] == "A" * 21
    assert additional["interface_model_type"] == "e1000"
    assert "ssh_port" not in additional


@pytest.mark.parametrize(
    "changes",
    [
        {"vnc_port": 5899}, {"vnc_port": 65536}, {"vnc_port": "5900"}, {"ssh_port": 0}, {"ssh_port": None},
        {"operation_system": "windows"}, {"operation_system": "mac"}, {"cpu_cores": 0}, {"cpu_cores": True},
        {"memory_gib": 1.5}, {"disk_gib": 0}, {"gpu_count": -1}, {"image_name": None}, {"image_name": "a;b"},
        {"image_name": "../x"}, {"bios_mode": "pxe"}, {"description": 'a "quote"'}, {"description": "back\\slash"},
        {"description": "line\nbreak"}, {"task_id": "short"}, {"task_id": "a_" * 10 + "a"}, {"public_ip": "localhost"},
        {"network_name": "x"}, {"custom_ports": ('"',)}, {"interface_model": "ne2000"},
    ],
    ids=str,
)  # fmt: skip
def test_a_vm_the_server_would_misread_is_not_asked_for(changes: dict[str, Any]) -> None:
    _refused(lambda: writes.create_vm(NODE, _spec(**changes)))


def test_a_change_always_decides_about_the_public_address() -> None:
    with pytest.raises(TypeError):
        VmChange(cpu_cores=4)  # type: ignore[call-arg]  # the address cannot be forgotten
    kept = writes.modify_vm(NODE, TASK, VmChange(public_ip="192.0.2.9", cpu_cores=4))
    cleared = writes.modify_vm(NODE, TASK, VmChange(public_ip=None, cpu_cores=4))
    assert dict(kept.additional) == {"new_public_ip": "192.0.2.9", "new_cpu_cores": "4"}
    assert dict(cleared.additional) == {"new_cpu_cores": "4"}


def test_a_disks_size_is_a_json_integer() -> None:
    for call in (writes.resize_disk(NODE, TASK, "vdb", 10), writes.add_disk(NODE, TASK, 10)):
        body = json.loads(request_body(call, WalletSigner("w", SecretStr("//Alice"))))
        assert body["additional"]["size"] == 10
        assert type(body["additional"]["size"]) is int


@pytest.mark.parametrize("size", ["10", 1.5, 0, -1, True, None])
def test_no_other_size_leaves(size: Any) -> None:
    _refused(lambda: writes.resize_disk(NODE, TASK, "vdb", size))
    _refused(lambda: writes.add_disk(NODE, TASK, size))


def test_a_password_goes_into_the_body_and_nowhere_else() -> None:
    call = writes.set_password(NODE, TASK, "dbc", SecretStr("hunter2hunter2"))
    assert "hunter2" not in repr(call) + call.path + repr(dict(call.additional))
    body = json.loads(request_body(call, WalletSigner("w", SecretStr("//Alice"))))
    assert body["additional"] == {"username": "dbc", "password": "hunter2hunter2"}


@pytest.mark.parametrize(("user", "password"), [("", "x"), ("dbc", ""), ("dbc", 'a"b')])
def test_no_empty_or_breaking_password_leaves(user: str, password: str) -> None:
    assert (
        password not in _refused(lambda: writes.set_password(NODE, TASK, user, SecretStr(password)))
        or not password
    )


def _server(**changes: Any) -> ServerSpec:
    basis: dict[str, Any] = {
        "uuid": "u-1", "ip": "192.0.2.1", "os": "Ubuntu", "description": "d", "ipmi_hostname": "192.0.2.2",
        "ipmi_username": SecretStr("admin"), "ipmi_password": SecretStr("s3cr3t"), "ipmi_port": 623,
    }  # fmt: skip
    return ServerSpec(**(basis | changes))


def test_an_added_server_has_a_numeric_port_and_shows_no_access_data() -> None:
    spec = _server()
    assert spec.additional()["ipmi_port"] == 623
    assert not any(secret in repr(spec) for secret in ("admin", "s3cr3t", "192.0.2.2", "623"))


@pytest.mark.parametrize(
    "changes",
    [
        {"ipmi_password": SecretStr("a b")}, {"ipmi_password": SecretStr("$(reboot)")}, {"ipmi_hostname": "h;reboot"},
        {"ipmi_username": SecretStr("a'b")}, {"ipmi_port": "623"}, {"ipmi_port": 0}, {"uuid": "add"}, {"uuid": "a_b"},
        {"ip": "x"}, {"os": 'a"b'},
    ],
    ids=str,
)  # fmt: skip
def test_nothing_reaches_the_managers_shell_that_a_shell_would_read(changes: dict[str, Any]) -> None:
    said = _refused(lambda: writes.add_servers(NODE, [_server(**changes)]))
    assert "reboot" not in said


def test_servers_are_deleted_by_node_id_only() -> None:
    assert dict(writes.delete_servers(NODE, [NODE]).additional) == {"bare_metal_node_ids": [NODE]}
    for bad in ([], ["u-1"], NODE):
        _refused(partial(writes.delete_servers, NODE, bad))


def test_a_server_is_changed_in_something() -> None:
    change = ServerChange(
        uuid="u-2", ip="192.0.2.1", os="o", description="d", ipmi_hostname="h", ipmi_username=SecretStr("u"),
        ipmi_password=SecretStr("p"), ipmi_port=1,
    )  # fmt: skip
    assert len(writes.modify_server(NODE, NODE, change).additional) == 8
    _refused(lambda: writes.modify_server(NODE, NODE, ServerChange()))


@pytest.mark.parametrize("command", ["cycle", "status", "ON", ""])
def test_no_power_command_leaves_but_on_off_and_reset(command: Any) -> None:
    _refused(lambda: writes.power(NODE, command))


def test_no_boot_device_leaves_but_the_known_ones() -> None:
    bad: Any = "floppy"
    _refused(lambda: writes.boot_device(NODE, bad))


@pytest.mark.parametrize(
    "servers",
    [["example.org:1"], ["1.2.3.4"], ["1.2.3.4:0"], ["1.2.3.4:99999"], ["1.2.3.4:1"] * 3, "1.2.3.4:1"],
)
def test_monitoring_servers_are_two_addresses_at_most(servers: Any) -> None:
    _refused(lambda: writes.set_monitor_servers(NODE, servers))


@pytest.mark.parametrize("lines", [0, -1, 101, "5"])
def test_a_log_is_asked_for_in_the_range_the_server_reads(lines: Any) -> None:
    _refused(lambda: reads.logs(NODE, TASK, lines=lines))
    assert reads.logs(NODE, TASK, lines=5, head=True).path.endswith("?flag=head&line_num=5")


@pytest.mark.parametrize("directory", ["data", "/", "/a/../b", "/a b", "/a;b", ""])
def test_directories_are_absolute_and_plain(directory: str) -> None:
    _refused(lambda: writes.download(NODE, "c1", "u.qcow2", directory))
    assert checks.directory("/data/sub.dir") == "/data/sub.dir"


def test_networks_are_named_and_numbered_properly() -> None:
    assert dict(writes.create_lan(NODE, "network1", "10.0.0.0/24").additional) == {
        "network_name": "network1",
        "ip_cidr": "10.0.0.0/24",
    }
    for name, cidr in (
        ("short", "10.0.0.0/24"),
        ("network1", "10.0.0.1/24"),
        ("network1", "x"),
        ("create", ""),
    ):
        _refused(partial(writes.create_lan, NODE, name, cidr))


def test_reads_and_writes_are_unrelated_types() -> None:
    assert not isinstance(writes.start(NODE, TASK), ReadCall)
    assert not isinstance(reads.task_list(NODE), WriteCall)
    assert set(ReadCall.__mro__) & set(WriteCall.__mro__) == {object, *ReadCall.__mro__[1:]}


def test_no_function_of_reads_builds_a_write() -> None:
    assert not any(isinstance(value, type) and issubclass(value, WriteCall) for value in vars(reads).values())
