from __future__ import annotations

import re
from typing import Any

from dbc_exporter.simulator.builtin import demo_scenario, flat_scenario
from dbc_exporter.simulator.fleet import Fleet
from dbc_exporter.simulator.scenario_file import parse_scenario
from tests.unit.simulator_fleet.fleet_case import Credentials, after, ask, line, listed, play

SMALL = """
version: 1
seed: {seed}
image_servers: [{{name: local01, images: [{{name: big.qcow2, size: 10G}}]}}]
compute:
  - {{count: 3, labels: {{site: a}}, vms: {{count: 2}}, rented_by: {{wallet: renter, order_id: "7{{n}}"}}}}
  - {{count: 2, name: "other-{{n}}", networks: [{{name: lanalpha}}]}}
managers: [{{servers: [{{count: 2, rented_by: {{wallet: renter}}}}]}}]
transfers: [{{node: gpu-2, image: big.qcow2, at: 1m}}]
"""


def small(seed: int = 1) -> Any:
    return parse_scenario(SMALL.format(seed=seed))


def ids(fleet: Fleet) -> list[str]:
    return [
        member.id for member in (*fleet.compute, *fleet.managers, *fleet.servers, *fleet.candidates("vms"))
    ]


def test_every_id_follows_from_the_seed() -> None:
    async def scene(fleet: Fleet) -> list[str]:
        return ids(fleet)

    first, again, other = (play(small(seed), scene) for seed in (1, 1, 2))
    assert first == again
    assert not set(first) & set(other)
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in first[:8])


def test_names_count_over_all_groups_and_everything_is_listed_from_the_start() -> None:
    async def scene(fleet: Fleet) -> Any:
        return await listed(fleet), await ask(fleet, "bare_metal")

    names, (_, servers) = play(small(), scene)
    assert names == {"gpu-1", "gpu-2", "gpu-3", "other-4", "other-5"}
    assert len(servers["message"]["bare_metal_nodes"]) == 2


def test_the_renter_sees_his_vms_under_his_order() -> None:
    async def scene(fleet: Fleet) -> Any:
        signed = Credentials(fleet)
        node = fleet.compute[0].id
        tasks = await ask(fleet, "tasks", node, rent_order="71", **signed())
        wrong = await ask(fleet, "tasks", node, rent_order="72", **signed())
        task_id = tasks[1]["message"][0]["task_id"]
        detail = await ask(fleet, f"tasks/{task_id}", node, rent_order="71", **signed())
        return tasks[1], wrong[1], detail[1]

    tasks, wrong, detail = play(small(), scene)
    assert [task["status"] for task in tasks["message"]] == ["running", "running"]
    assert wrong["errcode"] == -3
    assert detail["message"]["gpu_count"] == 1
    assert detail["message"]["rent_order"] == "71"


def test_the_renter_asks_for_the_power_of_his_servers() -> None:
    async def scene(fleet: Fleet) -> Any:
        signed = Credentials(fleet)
        return await ask(
            fleet, "bare_metal/power", fleet.servers[0].id, **signed() | {"additional": {"command": "status"}}
        )

    assert play(small(), scene)[1] == {"errcode": 0, "message": "Chassis Power is on"}


def test_the_managers_key_opens_its_list() -> None:
    async def scene(fleet: Fleet) -> Any:
        [manager] = fleet.managers
        key = fleet.manager_keys[manager.id]
        signed = {"wallet": manager.id, "nonce": "n", "sign": key.sign("n")}
        return await ask(fleet, "bare_metal", manager.id, **signed)

    _, answer = play(small(), scene)
    assert "*" not in answer["message"]["bare_metal_nodes"][0]["ipmi_password"]


def test_a_transfer_begins_at_its_time() -> None:
    async def scene(fleet: Fleet) -> Any:
        before = list(fleet.candidates("transfers"))
        await after(61)
        return before, [member.name for member in fleet.candidates("transfers")]

    assert play(small(), scene) == ([], ["gpu-2/big.qcow2"])


def test_clients_know_the_networks_of_the_nodes() -> None:
    async def scene(fleet: Fleet) -> Any:
        return await ask(fleet, "lan")

    _, answer = play(small(), scene)
    assert [network["network_name"] for network in answer["message"]["networks"]] == ["lanalpha"]


def test_a_large_fleet_is_whole_and_answers_in_virtual_time() -> None:
    async def scene(fleet: Fleet) -> Any:
        names = await listed(fleet)
        _, servers = await ask(fleet, "bare_metal")
        started = fleet.world.now()
        await ask(
            fleet, "tasks", fleet.compute[1999].id, wallet=fleet.wallets["renter"].wallet, nonce="n", sign="s"
        )
        return len(names), len(servers["message"]["bare_metal_nodes"]), fleet.world.now() - started

    nodes, servers, took = play(flat_scenario(2000, managers=4, verify_signatures=False), scene)
    assert (nodes, servers) == (2000, 204)
    assert 2 < took < 8.1


def test_the_demonstration_has_every_kind_of_data() -> None:
    async def scene(fleet: Fleet) -> Any:
        return (
            len(fleet.compute),
            len(fleet.servers),
            len(list(fleet.candidates("transfers"))),
            len((await ask(fleet, "lan"))[1]["message"]["networks"]),
            (await ask(fleet, "images/servers"))[1]["message"]["image_server"],
        )

    scenario = demo_scenario().model_copy(update={"vm_ports": False})
    assert play(scenario, lambda fleet: _after_start(fleet, scene)) == (12, 8, 3, 1, ["local01"])


def test_nodes_join_under_new_names_and_are_listed_after_eleven_seconds() -> None:
    async def scene(fleet: Fleet) -> Any:
        fleet.inject(line("join_nodes", group=1, nodes=2))
        at_once = await listed(fleet)
        await after(12)
        return await listed(fleet) - at_once

    assert play(small(), scene) == {"other-6", "other-7"}


async def _after_start(fleet: Fleet, scene: Any) -> Any:
    await after(0.1)
    return await scene(fleet)
