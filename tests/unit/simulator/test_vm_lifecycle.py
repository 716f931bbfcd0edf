from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.simulator.vm import PAUSED, RUNNING, SHUT_OFF
from tests.unit.simulator.lab import RENTER, A, Lab
from tests.virtual import virtually

WANTED = {
    "image_name": "base.qcow2",
    "ssh_port": "5681",
    "vnc_port": "5999",
    "gpu_count": "1",
    "cpu_cores": "4",
    "mem_size": "8",
    "disk_size": "20",
    "desc": "mine",
}


async def status(lab: Lab, task_id: str) -> str | None:
    listed = (await lab.call("/tasks")).message
    return next((task["status"] for task in listed if task["task_id"] == task_id), None)


async def seconds_until(lab: Lab, task_id: str, wanted: str | None) -> float:
    start = lab.now
    while await status(lab, task_id) != wanted:  # noqa: ASYNC110 - a status can only be polled
        await asyncio.sleep(0.2)
    return lab.now - start


def with_image(lab: Lab) -> Lab:
    lab.nodes[A].images.files["base.qcow2"] = 9 * 1024**3
    return lab


def test_a_vm_is_creating_for_five_to_fifteen_minutes_then_running() -> None:
    async def test(clock: LoopClock) -> None:
        lab = with_image(Lab.build(clock))
        created = await lab.call("/tasks/start", additional=WANTED)
        task_id = created.message["task_id"]
        assert created.message == {
            "task_id": task_id,
            "create_time": created.message["create_time"],
            "desc": "mine",
            "status": "creating",
        }
        assert 300 <= await seconds_until(lab, task_id, "running") <= 901
        detail = (await lab.call(f"/tasks/{task_id}")).message
        assert (detail["cpu_cores"], detail["gpu_count"], detail["mem_size"]) == (4, 1, "8G")
        assert detail["vnc_password"] == detail["login_password"][:8]
        assert {detail["vnc_password"], detail["login_password"]} <= lab.world.ledger.secrets
        assert [disk["name"] for disk in detail["disks"]] == ["vda", "vdb"]
        node = (await lab.post("/mining_nodes", [A])).message
        assert node["gpu"] == {"gpu_count": "8", "gpu_used": "1"}

    virtually(test)


def test_the_time_factor_makes_creation_faster() -> None:
    async def test(clock: LoopClock) -> None:
        lab = with_image(Lab.build(clock, time_factor=0.01))
        task_id = (await lab.call("/tasks/start", additional=WANTED)).message["task_id"]
        assert await seconds_until(lab, task_id, "running") < 10

    virtually(test)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"image_name": "no.qcow2"}, "'image_name' is not exist (path:/data/no.qcow2)"),
        ({"image_name": "base.img"}, "'image_name' extension name is invalid"),
        ({"image_name": ""}, "image_name is empty"),
        ({"gpu_count": "9"}, "gpu_count exceeds number of leases"),
        ({"gpu_count": "-1"}, "gpu_count is invalid (usage: gpu_count >= 0)"),
        ({"cpu_cores": "0"}, "cpu_cores is invalid"),
        ({"cpu_cores": 4}, "cpu_cores is invalid"),
        ({"cpu_cores": "93"}, "allocate cpu failed"),
        ({"mem_size": "9999"}, "allocate mem failed"),
        ({"disk_size": "99999"}, "allocate disk failed"),
        ({"disk_size": "x"}, "disk_size is invalid (usage: disk_size > 0)"),
        ({"ssh_port": ""}, "ssh_port is empty"),
        ({"ssh_port": "5000"}, "port conflict, exist ssh_port = 5000"),
        ({"vnc_port": "80"}, "vnc_port is invalid (usage: [5900, 65535])"),
        ({"vnc_port": "5900"}, "port conflict, exist vnc_port = 5900"),
        ({"task_id": "short"}, "wrong task id length"),
        ({"task_id": "has-a-dash-0123456789"}, "task id requires a combination of letters or numbers"),
        ({"operation_system": "beos"}, "unsupported operation system: beos (usage: 'linux' 'windows')"),
        ({"interface_model_type": "ne2000"}, "invalid interface model type"),
    ],
)
def test_a_vm_that_cannot_be_is_refused_in_the_nodes_words(change: dict[str, Any], text: str) -> None:
    async def test(clock: LoopClock) -> None:
        lab = with_image(Lab.build(clock))
        lab.add_vm()
        told = await lab.call("/tasks/start", additional=WANTED | change)
        assert told.told == (200, 1, text)

    virtually(test)


@pytest.mark.parametrize(
    ("verb", "before", "meanwhile", "after", "at_most"),
    [
        ("start", SHUT_OFF, "starting", "running", 6),
        ("shutdown", RUNNING, "being shutdown", "closed", 2),
        ("poweroff", RUNNING, "being poweroff", "closed", 2),
        ("stop", PAUSED, "being poweroff", "closed", 2),
        ("restart", SHUT_OFF, "restarting", "running", 6),
        ("reset", RUNNING, "resetting", "running", 2),
        ("delete", RUNNING, "deleting", None, 2),
    ],
)
def test_a_verb_is_queued_shows_what_it_does_and_then_is_done(
    verb: str, before: str, meanwhile: str, after: str | None, at_most: float
) -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.add_vm(domain=before)
        assert (await lab.call(f"/tasks/{verb}/task")).told == (200, 0, "ok")
        assert await status(lab, "task") == meanwhile
        assert await seconds_until(lab, "task", after) <= at_most
        (done,) = lab.world.ledger.executed
        assert (done.target, done.action, done.wallet, done.nonce) == ("task", verb, RENTER, "nonce-1")

    virtually(test)


@pytest.mark.parametrize(
    ("verb", "domain", "text"),
    [
        ("start", RUNNING, "task is running"),
        ("start", PAUSED, "task is paused"),
        ("shutdown", SHUT_OFF, "task is shut_off"),
        ("poweroff", SHUT_OFF, "task is shut_off"),
        ("restart", PAUSED, "task is paused"),
        ("restart", "crashed", "task is crashed"),
        ("reset", SHUT_OFF, "task is shut_off"),
        ("delete", None, "task not exist"),
    ],
)
def test_a_verb_is_refused_by_libvirts_state(verb: str, domain: str | None, text: str) -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.add_vm(domain=domain)
        assert (await lab.call(f"/tasks/{verb}/task")).told == (200, 1, text)
        assert lab.world.ledger.executed == []

    virtually(test)


def test_verbs_wait_for_the_one_before_them() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.add_vm("slow", domain=SHUT_OFF)
        lab.add_vm("other")
        await lab.call("/tasks/start/slow")
        await lab.call("/tasks/shutdown/other")
        assert await seconds_until(lab, "slow", "running") <= 6
        assert await status(lab, "other") == "being shutdown"
        assert await seconds_until(lab, "other", "closed") == pytest.approx(8.5, abs=1)

    virtually(test)


def test_a_hung_guest_ignores_a_restart_but_not_a_forced_one() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        vm = lab.add_vm()
        vm.hang()
        await lab.call("/tasks/restart/task")
        await asyncio.sleep(20)
        assert (await status(lab, "task"), vm.reachable) == ("running", False)
        await lab.call("/tasks/restart/task?force_reboot=true")
        await asyncio.sleep(2)
        assert (vm.domain, vm.status) == (SHUT_OFF, "restarting")
        await asyncio.sleep(7)
        assert (vm.status, vm.reachable) == ("running", True)
        assert [done.action for done in lab.world.ledger.executed] == ["restart", "force_reboot"]

    virtually(test)


def test_a_guest_that_hangs_lightly_answers_again_once_an_ordinary_restart_is_over() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        vm = lab.add_vm()
        vm.hang(heeds_restart=True)
        await lab.call("/tasks/restart/task")
        await asyncio.sleep(2)
        assert (await status(lab, "task"), vm.reachable) == ("running", False)
        await asyncio.sleep(7)
        assert (await status(lab, "task"), vm.reachable) == ("running", True)

    virtually(test)


def test_a_crashed_or_paused_guest_still_shows_running_one_killed_behind_dbcs_back_closed() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        vm = lab.add_vm()
        vm.crash()
        assert await status(lab, "task") == "running"
        vm.domain = PAUSED
        assert await status(lab, "task") == "running"
        vm.power(on=False)
        assert await status(lab, "task") == "closed"

    virtually(test)


def test_with_libvirt_dead_all_keep_their_last_status_and_no_task_exists_for_verbs() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        vm = lab.add_vm()
        lab.nodes[A].libvirt_alive = False
        vm.power(on=False)
        assert await status(lab, "task") == "running"
        assert (await lab.call("/tasks/restart/task")).told == (200, 1, "task not exist")
        assert (await lab.call("/disk/list/task")).told == (200, -3, "task not exist")

    virtually(test)


def test_a_failed_verb_leaves_an_error_that_only_the_next_verb_ends() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        vm = lab.add_vm(domain=SHUT_OFF, fails="start")
        await lab.call("/tasks/start/task")
        await asyncio.sleep(3)
        assert await status(lab, "task") == "start error"
        vm.power(on=True)
        assert await status(lab, "task") == "start error"
        await lab.call("/tasks/shutdown/task")
        await seconds_until(lab, "task", "closed")

    virtually(test)


def test_a_stuck_vm_stops_every_verb_of_its_node_until_it_is_freed() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        vm = lab.add_vm("stuck", stuck=True)
        lab.add_vm("other")
        await lab.call("/tasks/restart/stuck")
        await lab.call("/tasks/shutdown/other")
        await asyncio.sleep(3600)
        assert (await status(lab, "stuck"), await status(lab, "other")) == ("restarting", "being shutdown")
        vm.stuck = False
        await asyncio.sleep(20)
        assert (await status(lab, "stuck"), await status(lab, "other")) == ("running", "closed")

    virtually(test)


def test_the_process_killed_forgets_queued_verbs_but_no_vm() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.add_vm()
        await lab.call("/tasks/shutdown/task")
        lab.world.hosts[A].restart()
        await asyncio.sleep(12)
        assert await status(lab, "task") == "running"

    virtually(test)


def test_a_start_loses_the_gpus_that_fell_off_the_bus() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        vm = lab.add_vm(domain=SHUT_OFF, gpus=(6, 7))
        lab.nodes[A].hardware.lost_gpus = 1
        assert (await lab.call("/tasks/start/task")).message == "ok"
        assert vm.gpus == (6,)

    virtually(test)


def test_an_unknown_running_domain_makes_the_next_start_kill_every_vm() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        victim = lab.add_vm("victim")
        lab.add_vm("mine", domain=SHUT_OFF)
        lab.nodes[A].foreign_domain = True
        await lab.call("/tasks/start/mine")
        assert lab.now >= 20
        assert victim.domain == SHUT_OFF
        assert await status(lab, "victim") == "closed"

    virtually(test)


def test_only_list_and_detail_ask_whose_vm_it_is() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.add_vm("foreign", wallet="someone else")
        assert (await lab.call("/tasks")).message == []
        assert (await lab.call("/tasks/foreign")).told == (200, -3, "task_id not exist")
        assert (await lab.call("/tasks/shutdown/foreign")).told == (200, 0, "ok")

    virtually(test)


def test_a_windows_guest_has_an_rdp_port_and_an_administrator() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.add_vm(os="windows", network_filters=["in,tcp,22,0.0.0.0/0,accept"], rent_order="101")
        detail = (await lab.call("/tasks/task")).message
        assert (detail["rdp_port"], detail["user_name"], detail["rent_order"]) == (
            "5000",
            "Administrator",
            "101",
        )
        assert "ssh_port" not in detail
        assert detail["network_filters"] == ["in,tcp,22,0.0.0.0/0,accept"]

    virtually(test)


def test_modify_changes_ports_at_once_sizes_at_the_next_boot_and_clears_the_address_it_is_not_given() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        vm = lab.add_vm(public_ip="198.51.100.7")
        lab.add_vm("other")
        assert (await lab.call("/tasks/modify/task", additional={"new_ssh_port": "6000"})).told == (
            200,
            0,
            "ok",
        )
        assert (vm.port, vm.public_ip) == ("6000", "")
        later = await lab.call("/tasks/modify/task", additional={"new_mem_size": "2"})
        assert later.told == (200, 0, "some changes will take effect on the next boot")
        used = await lab.call("/tasks/modify/task", additional={"new_vnc_port": "5901"})
        assert used.told == (200, 1, "new_vnc_port 5901 has been used!")
        low = await lab.call("/tasks/modify/task", additional={"new_vnc_port": "80"})
        assert low.message == "new_vnc_port 80 is invalid! (usage: 5900 =< port <= 65535)"

    virtually(test)


def test_a_password_is_set_in_a_running_guest_only() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        vm = lab.add_vm()
        new = {"username": "me", "password": "fresh-secret"}
        assert (await lab.call("/tasks/passwd/task", additional={"username": "me"})).message == (
            "password can not be empty"
        )
        assert (await lab.call("/tasks/passwd/task", additional=new)).told == (200, 0, "ok")
        assert (await lab.call("/tasks/task")).message["login_password"] == "fresh-secret"
        vm.power(on=False)
        closed = await lab.call("/tasks/passwd/task", additional=new)
        assert closed.told == (200, 1, "Only the running task can change the password")

    virtually(test)


def test_logs_are_dbcs_own_by_head_or_tail() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        vm = lab.add_vm()
        assert (await lab.call("/tasks/logs/task")).told == (200, 1, "task log not exist")
        for line in ("first", "second", "third"):
            vm.write_log(line)
        head = await lab.call("/tasks/logs/task?flag=head&line_num=2")
        assert head.message == {"task_id": "task", "log_content": ["first", "second"]}
        tail = await lab.call("/tasks/logs/task?flag=tail&line_num=1")
        assert tail.message["log_content"] == ["third"]

    virtually(test)
