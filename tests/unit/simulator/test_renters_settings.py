from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.simulator.vm import SHUT_OFF
from tests.unit.simulator.lab import A, Answer, B, Lab
from tests.virtual import virtually

LAN = {"network_name": "mynet1", "ip_cidr": "192.168.5.0/24"}


def test_disks_of_a_closed_vm_are_added_grown_and_deleted_some_seconds_later() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.add_vm(domain=SHUT_OFF)
        assert (await lab.call("/disk/add/task", additional={"size": 5})).told == (200, 0, "ok")
        await lab.call("/disk/resize/task", additional={"disk": "vdb", "size": 2})
        assert [disk["name"] for disk in (await lab.call("/disk/list/task")).message] == ["vda", "vdb"]
        await asyncio.sleep(10)
        sizes = {disk["name"]: disk["size"] for disk in (await lab.call("/disk/list/task")).message}
        assert sizes == {"vda": "350G", "vdb": "3G", "vdc": "5G"}
        await lab.call("/disk/delete/task", additional={"disk": "vdc"})
        await asyncio.sleep(5)
        assert len((await lab.call("/disk/list/task")).message) == 2

    virtually(test)


@pytest.mark.parametrize(
    ("path", "additional", "told"),
    [
        ("/disk/list/nope", {}, (-3, "task not exist")),
        ("/disk/resize/task", {"size": 1}, (-3, "'disk' is empty")),
        ("/disk/resize/task", {"disk": "vdb", "size": "1"}, (-3, "'size' is invalid")),
        ("/disk/resize/task", {"disk": "vdz", "size": 1}, (1, "task have no disk:vdz")),
        ("/disk/resize/running", {"disk": "vdb", "size": 1}, (1, "please close task first and try again")),
        ("/disk/add/task", {"size": 1, "mount_dir": "/nowhere"}, (-3, "/nowhere is not exist")),
        ("/disk/delete/task", {"disk": "vda"}, (1, "can not allowed to delete disk:'vda'")),
        ("/snapshot/create/task", {"image_server": "centre"}, (-3, "'snapshot_name' is empty")),
        (
            "/snapshot/create/running",
            {"image_server": "centre", "snapshot_name": "s"},
            (1, "please close task first and try again"),
        ),
        ("/snapshot/list/task/s1", {}, (1, "snapshot_name not exist")),
        ("/snapshot/delete/task/s1", {}, (1, "s1 not exist")),
        ("/monitor/set", {"servers": ["a:1", "b:2", "c:3"]}, (1, "can not enter more than two servers")),
        ("/monitor/set", {"servers": ["nonsense"]}, (1, "server not match format ip:port")),
        ("/monitor/set", {"servers": "a:1"}, (1, "servers must be an array")),
        (
            "/lan/create",
            {"network_name": "x"},
            (-3, "network name requires a combination of 6 to 10 letters or numbers"),
        ),
        ("/lan/create", {"network_name": "mynet1"}, (-3, "ip cidr can not be empty")),
        ("/lan/create", LAN | {"ip_cidr": "nonsense"}, (-3, "invalid ip cidr")),
        ("/lan/create", LAN | {"ip_cidr": "192.168.122.0/24"}, (-3, "ip cidr already exist")),
        ("/lan/delete/mynet1", {}, (-3, "network name not exist")),
        ("/bare_metal/power", {"command": "status"}, (-3, "Not supported")),
    ],
)
def test_what_a_renter_may_not_set_is_refused_in_the_nodes_words(
    path: str, additional: dict[str, Any], told: tuple[int, str]
) -> None:
    async def test(clock: LoopClock) -> Answer:
        lab = Lab.build(clock)
        lab.world.image_servers["centre"] = {}
        lab.add_vm(domain=SHUT_OFF)
        lab.add_vm("running")
        return await lab.call(path, additional=additional)

    answer = virtually(test)
    assert (answer.status, answer.errcode, answer.message) == (200, *told)


def test_a_snapshot_is_created_uploaded_and_then_at_rest() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        lab.world.image_servers["centre"] = {}
        lab.add_vm(domain=SHUT_OFF)
        wanted = {"image_server": "centre", "snapshot_name": "s1", "desc": "before the update"}
        assert (await lab.call("/snapshot/create/task", additional=wanted)).told == (200, 0, "ok")
        statuses = []
        for _ in range(3):
            (listed,) = (await lab.call("/snapshot/list/task")).message
            statuses.append(listed["status"])
            await asyncio.sleep(31)
        assert statuses == ["creating", "uploading", "none"]
        one = (await lab.call("/snapshot/list/task/s1")).message
        assert (one["snapshot_name"], one["description"]) == ("s1", "before the update")

    virtually(test)


def test_monitor_servers_are_kept_per_wallet_and_node_and_cleared_by_an_absent_list() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        assert (await lab.call("/monitor/set", additional={"servers": ["127.0.0.1:10052"]})).told == (
            200,
            0,
            "ok",
        )
        assert (await lab.call("/monitor")).message == {"servers": ["127.0.0.1:10052"]}
        assert (await lab.call("/monitor", B)).message == {"servers": []}
        await lab.call("/monitor/set")
        assert (await lab.call("/monitor")).message == {"servers": []}

    virtually(test)


def test_a_network_is_an_array_element_at_its_node_and_an_object_member_at_the_client() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        assert (await lab.call("/lan/create", additional=LAN)).told == (200, 0, "ok")
        (at_node,) = (await lab.post("/lan", [A])).message
        (at_client,) = (await lab.post("/lan", [])).message["networks"]
        assert at_node == at_client == (await lab.post("/lan/mynet1", [])).message
        assert (at_node["network_name"], at_node["machine_id"], at_node["members"]) == ("mynet1", A, [])
        assert (await lab.call("/lan/delete/mynet1")).told == (200, 0, "ok")
        assert (await lab.post("/lan", [])).message == {"networks": []}
        assert (await lab.post("/lan/mynet1", [A])).told == (200, -3, "network name not exist")

    virtually(test)


def test_rent_orders_are_public() -> None:
    async def test(clock: LoopClock) -> None:
        lab = Lab.build(clock)
        (order,) = (await lab.post("/rent_orders", [A])).message["rent_orders"]
        assert (order["rent_status"], order["gpu_nums"], order["gpu_index"]) == (
            "renting",
            "8",
            list(range(8)),
        )
        assert order["rent_end"] == "3100000"

    virtually(test)


def test_memory_can_be_freed() -> None:
    async def test(clock: LoopClock) -> Answer:
        return await Lab.build(clock).call("/mining_nodes/free_memory")

    assert virtually(test).told == (200, 0, "ok")
