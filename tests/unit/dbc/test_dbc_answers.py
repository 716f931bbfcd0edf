"""Whole answers: older layouts, free text, bad rows and rows that contradict each other."""

from __future__ import annotations

from typing import Any

import pytest

from dbc_exporter.dbc import (
    answers_bare_metal,
    answers_client,
    answers_node,
    answers_vm,
    outcomes,
)
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.facts import (
    BareMetalServer,
    Disk,
    Image,
    LanNetwork,
    ListedNode,
    Power,
    PowerState,
    Snapshot,
    SnapshotState,
    Task,
    TaskState,
    VmDisk,
)

A, B = "aa" * 32, "bb" * 32
GIB = 1024.0**3


def test_glitches_of_a_node_are_unknown_and_named() -> None:
    config = answers_node.node_config(
        {
            "version": "0.4.1.8",
            "cpu": {"hz": "Processor", "cores": "-1", "used_usage": "-60.31%"},
            "gpu": {"gpu_count": "8", "gpu_used": 4},
            "mem": {"size": "-5G", "used_usage": "nan%"},
            "disk_data": [{"path": "/data", "size": "1T", "used_usage": "-nan%"}],
        }
    )
    assert (config.gpus, config.gpus_used) == (8, 4)
    assert config.cpu_usage_ratio is None
    assert config.disks == (Disk("/data", None, 1024 * GIB),)
    assert config.unreadable == (
        "cpu.hz",
        "cpu.cores",
        "cpu.used_usage",
        "mem.size",
        "mem.used_usage",
        "disk_data.used_usage",
    )


def test_what_a_node_does_not_say_is_unknown_and_not_unreadable() -> None:
    config = answers_node.node_config({"version": "0.3.7.6", "cpu": {"hz": ""}})
    assert (config.cpu_hertz, config.gpus, config.disks, config.images) == (None, None, None, None)
    assert config.unreadable == ()


@pytest.mark.parametrize("key", ["disk_data", "disks"])
@pytest.mark.parametrize("several", [True, False])
def test_older_layouts_of_disks_are_read(key: str, several: bool) -> None:
    disk = {"path": "/data", "type": "SSD", "size": "2G"}
    config = answers_node.node_config({"version": "0.4.0.0", key: [disk] if several else disk})
    assert config.disks == (Disk("/data", "SSD", 2 * GIB),)


def test_images_come_as_objects_with_either_key_or_as_bare_names() -> None:
    images = answers_node.image_list(
        [
            {"image_name": "a.qcow2", "image_size": "1G"},
            {"image_name:": "b.qcow2", "image_size": "2G"},
            "c.qcow2",
        ]
    )
    assert images.images == (Image("a.qcow2", GIB), Image("b.qcow2", 2 * GIB), Image("c.qcow2"))


def test_a_bare_metal_servers_short_configuration_is_read() -> None:
    config = answers_node.node_config(
        {"version": "0.4.1.8", "node_type": "2", "ip": "10.0.0.1", "os": "Ubuntu"}
    )
    assert (config.node_type, config.os) == ("2", "Ubuntu")
    assert "10.0.0.1" not in repr(config)


def test_a_bad_row_costs_no_other_row() -> None:
    listed = answers_client.node_list(
        {
            "mining_nodes": [
                {"node_id": A, "name": "one"},
                {"node_id": "AA" * 32},
                "x",
                {"node_id": B, "version": "N/A"},
            ]
        }
    )
    assert listed.nodes == (ListedNode(A, "one"), ListedNode(B))
    assert listed.unreadable == ("mining_nodes",)


def test_rows_that_contradict_each_other_leave_only_their_identity() -> None:
    tasks = answers_vm.task_list(
        [
            {"task_id": "t1", "status": "running"},
            {"task_id": "t1", "status": "closed"},
            {"task_id": "t2", "status": "closed"},
        ]
    )
    assert tasks.tasks == (Task("t1", TaskState.UNKNOWN), Task("t2", TaskState.CLOSED))
    assert tasks.unreadable == ("tasks.task_id",)


def test_the_same_row_twice_is_one_row() -> None:
    tasks = answers_vm.task_list([{"task_id": "t1", "status": "running"}] * 2)
    assert tasks.tasks == (Task("t1", TaskState.RUNNING),)
    assert tasks.unreadable == ()


def test_two_orders_of_one_id_are_trusted_neither() -> None:
    order = {"id": "101", "renter": "5G", "rent_status": "renting"}
    orders = answers_client.rent_orders({"rent_orders": [order, order | {"rent_status": "rentExpired"}]})
    assert orders.orders == ()
    assert orders.unreadable == ("rent_orders.id",)


@pytest.mark.parametrize("status", ["sleeping", "Running", "running ", 5, []])
def test_a_status_outside_the_closed_set_is_unknown(status: Any) -> None:
    (task,) = answers_vm.task_list([{"task_id": "t1", "status": status}]).tasks
    assert task.state is TaskState.UNKNOWN


def test_every_state_but_unknown_has_a_word_of_the_server() -> None:
    assert set(answers_vm._STATES.values()) == set(TaskState) - {TaskState.UNKNOWN}


@pytest.mark.parametrize(("password", "known"), [("secret", True), ("N/A", False), ("", None), (None, None)])
def test_a_vm_whose_guest_agent_took_no_password_is_known(password: Any, known: bool | None) -> None:
    vm = answers_vm.vm({"task_id": "t1", "status": "running", "login_password": password}, "t1")
    assert vm.credentials_set is known


def test_an_old_vm_without_disks_and_interfaces_is_read() -> None:
    vm = answers_vm.vm({"task_id": "t1", "status": "running", "cpu_cores": "4", "mem_size": "8G"}, "t1")
    assert (vm.cpu_cores, vm.memory_bytes, vm.disks, vm.network_interfaces) == (4, 8 * GIB, None, None)


def test_disks_of_a_vm_are_listed() -> None:
    disks = answers_vm.disk_list([{"name": "vda", "file": "/data/x.qcow2", "size": "350G"}])
    assert disks.disks == (VmDisk("vda", 350 * GIB),)


def test_snapshots_are_listed_and_looked_at_alone() -> None:
    said = {"snapshot_name": "s1", "create_time": "2026-11-23 11:40:00", "status": "none"}
    snapshot = Snapshot(name="s1", state=SnapshotState.IDLE, created_local="2026-11-23 11:40:00")
    assert answers_vm.snapshot_list([said]).snapshots == (snapshot,)
    assert answers_vm.snapshot_details(said, "s1") == snapshot
    assert answers_vm.snapshot_details({"snapshot_name": "s1"}, "s1").state is SnapshotState.UNKNOWN


def test_networks_keep_number_and_members_only() -> None:
    lan = {"network_name": "secret1", "vxlan_vni": "77", "members": ["t1", "t2"], "rent_wallet": "5G"}
    assert answers_client.lan_list({"networks": [lan]}).networks == (LanNetwork("77", 2),)


def test_peers_are_counted_once_each_and_an_unreadable_list_says_nothing() -> None:
    peers = answers_client.peers({"peer_nodes": [{"node_id": A}, {"node_id": A}, {"node_id": B}]})
    assert peers.count == 2
    with pytest.raises(DbcError) as caught:
        answers_client.peers({"peer_nodes": [None]})
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("Chassis Power is on", PowerState.ON),
        ("Chassis Power is off", PowerState.OFF),
        ("chassis power IS ON", PowerState.ON),
        ("Power is off", PowerState.OFF),
    ],
)
def test_only_a_clear_text_decides_the_power(said: str, state: PowerState) -> None:
    assert answers_bare_metal.power(said) == Power(state=state, bmc_reachable=True)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "on",
        "Unable to get Chassis Power Status",
        "sh: ipmitool: not found",
        "Chassis Power Control: Up/On",
        "cannot tell whether power is on",
        "Chassis Power is on <line> Error: lost",
        "power is on power is off",
        "power is onward",
    ],
)
def test_every_other_text_leaves_power_and_bmc_unknown(said: str) -> None:
    power = answers_bare_metal.power(said)
    assert (power.state, power.bmc_reachable) == (PowerState.UNKNOWN, None)


def test_a_server_is_found_by_id_or_uuid_and_may_not_exist() -> None:
    message = {"bare_metal_nodes": [{"node_id": A, "uuid": "u-1", "power_status": "Chassis Power is on"}]}
    expected = BareMetalServer(node_id=A, uuid="u-1", power=PowerState.ON, power_said=True)
    assert answers_bare_metal.one_server(message, "u-1") == expected
    assert answers_bare_metal.one_server(message, A) == expected
    assert answers_bare_metal.one_server({"bare_metal_nodes": []}, A) is None


def test_a_server_about_itself_has_a_description_and_no_address() -> None:
    server = answers_bare_metal.server_info(
        {
            "version": "0.4.1.8",
            "ip": "10.0.0.1",
            "os": "Ubuntu",
            "description": "d",
            "deeplink_device_password": "p",
        },
        A,
    )
    assert server == BareMetalServer(node_id=A, os="Ubuntu", description="d")


MALFORMED: list[tuple[Any, tuple[Any, ...]]] = [
    (answers_node.node_config, ({"mining_nodes": []},)),
    (answers_node.node_config, ("ok",)),
    (answers_node.image_list, ({},)),
    (answers_node.transfer_progress, ({},)),
    (answers_client.node_list, ([],)),
    (answers_client.node_list, ({"mining_nodes": {}},)),
    (answers_client.client_version, ({},)),
    (answers_client.monitor_servers, ({"servers": [1]},)),
    (answers_vm.task_list, ({},)),
    (answers_vm.vm, ({"task_id": "other"}, "t1")),
    (answers_vm.snapshot_details, ({"snapshot_name": "other"}, "s1")),
    (answers_vm.session_id, ({},)),
    (answers_vm.logs, ({"task_id": "t1", "log_content": [1]}, "t1")),
    (answers_bare_metal.power, ({},)),
    (answers_bare_metal.server_info, ({}, A)),
    (answers_bare_metal.one_server, ({"bare_metal_nodes": [{"node_id": B}]}, A)),
    (outcomes.accepted, ({},)),
    (outcomes.created_vm, ({"status": "creating"},)),
    (outcomes.deleted_servers, ("some",)),
]


@pytest.mark.parametrize(("parse", "arguments"), MALFORMED)
def test_an_answer_to_another_question_is_malformed(parse: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(DbcError) as caught:
        parse(*arguments)
    assert caught.value.reason is Reason.MALFORMED


def test_deleted_servers_are_counted() -> None:
    assert outcomes.deleted_servers("2 were successfully deleted, 1 failed") == outcomes.DeletedServers(2, 1)


def test_a_change_that_waits_for_the_next_boot_says_so() -> None:
    assert outcomes.accepted("some changes will take effect on the next boot").at_next_boot
    assert not outcomes.accepted("ok").at_next_boot


@pytest.mark.parametrize(
    "said", ["Set Chassis Power Control to Up/On failed: timeout", "sh: ipmitool: not found", "Error: x"]
)
def test_a_failed_power_command_that_arrives_as_a_success_is_a_failure_of_the_bmc(said: str) -> None:
    with pytest.raises(DbcError) as caught:
        outcomes.power_taken(said, "on")
    assert caught.value.reason is Reason.BMC


def test_a_power_command_is_acknowledged_in_the_bmcs_own_words_only() -> None:
    assert outcomes.power_taken("Chassis Power Control: Up/On", "on").acknowledged
    assert not outcomes.power_taken("Chassis Power Control: Up/On", "off").acknowledged
    assert not outcomes.power_taken("", "on").acknowledged
