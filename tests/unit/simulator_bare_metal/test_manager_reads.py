from __future__ import annotations

import json
from typing import Any

from tests.unit.simulator_bare_metal.manager_case import MANAGER, SERVER, Case, play

NOT_FOR_BARE_METAL = (
    "tasks",
    "images",
    "snapshot/list/x",
    "disk/list/x",
    "monitor",
    "lan",
    "lan/create",
    "mining_nodes/free_memory",
)


def test_the_list_hides_secrets_behind_as_many_stars_as_they_have_characters() -> None:
    async def scene(case: Case) -> Any:
        return await case.ask(MANAGER.public, "bare_metal"), case.world.ledger.secrets

    (errcode, message), told = play(scene, servers=2)
    assert errcode == 0
    server = message["bare_metal_nodes"][-1]
    assert server["ipmi_username"] == "*****"
    assert server["ipmi_password"] == "**"
    assert server["node_private_key"] == "*" * 64
    assert server["ipmi_port"] == 623
    assert not told


def test_the_managers_own_signature_uncovers_the_secrets_and_the_ledger_knows() -> None:
    async def scene(case: Case) -> Any:
        answer = await case.ask(MANAGER.public, "bare_metal", case.signed_by_manager())
        return answer, case.world.ledger.secrets

    (_, message), told = play(scene, servers=2)
    assert message["bare_metal_nodes"][0]["ipmi_password"] == "pw"
    assert {"pw", "admin", "ab" * 32} <= told


def test_a_replayed_manager_signature_uncovers_nothing() -> None:
    async def scene(case: Case) -> Any:
        signed = case.signed_by_manager()
        await case.ask(MANAGER.public, "bare_metal", signed)
        return await case.ask(MANAGER.public, "bare_metal", signed)

    _, message = play(scene, servers=2)
    assert message["bare_metal_nodes"][0]["ipmi_password"] == "**"


def test_the_list_ends_at_fifty_one_servers_and_is_sorted_by_id() -> None:
    async def scene(case: Case) -> Any:
        return await case.ask(MANAGER.public, "bare_metal")

    _, message = play(scene, servers=66)
    ids = [server["node_id"] for server in message["bare_metal_nodes"]]
    assert len(ids) == 51
    assert ids == sorted(ids)


def test_a_single_server_is_found_by_uuid_or_id_and_shows_its_power() -> None:
    async def scene(case: Case) -> Any:
        return (
            await case.ask(MANAGER.public, "bare_metal/uuid-1"),
            await case.ask(MANAGER.public, f"bare_metal/{SERVER}"),
            await case.ask(MANAGER.public, "bare_metal/nobody"),
        )

    by_uuid, by_id, unknown = play(scene, servers=3)
    assert by_uuid[1]["bare_metal_nodes"][0]["power_status"] == "Chassis Power is on"
    assert by_id[1]["bare_metal_nodes"][0]["uuid"] == "uuid-0"
    assert unknown == (0, {"bare_metal_nodes": []})


def test_a_list_of_several_runs_no_ipmitool() -> None:
    async def scene(case: Case) -> Any:
        case.network.find("10.0.0.1", 623).reachable = False
        answer = await case.ask(MANAGER.public, "bare_metal")
        return answer, case.world.now()

    (_, message), took = play(scene, servers=2)
    assert took == 0
    assert not any("power_status" in server for server in message["bare_metal_nodes"])


def test_a_dead_controller_leaves_the_power_status_out_of_a_success() -> None:
    async def scene(case: Case) -> Any:
        case.network.find("10.0.0.0", 623).reachable = False
        return await case.ask(MANAGER.public, "bare_metal/uuid-0")

    errcode, message = play(scene)
    assert errcode == 0
    assert "power_status" not in message["bare_metal_nodes"][0]


def test_a_quote_in_a_description_breaks_the_whole_list() -> None:
    async def scene(case: Case) -> str:
        await case.ask(
            MANAGER.public, f"bare_metal/modify/{SERVER}", case.signed_by_manager(), desc='my "big" box'
        )
        return await case.text(MANAGER.public, "bare_metal")

    text = play(scene, servers=2)
    try:
        json.loads(text)
    except ValueError:
        return
    raise AssertionError(text)


def test_server_information_is_public_and_short_and_the_manager_has_none() -> None:
    async def scene(case: Case) -> Any:
        return (
            await case.ask(SERVER, "mining_nodes"),
            await case.ask(MANAGER.public, "mining_nodes"),
        )

    server, manager = play(scene)
    assert server == (
        0,
        {"version": "0.4.1.8", "node_type": "2", "ip": "203.0.113.7", "os": "Ubuntu"},
    )
    assert manager == (-3, "bare metal node has no machine info for now")


def test_everything_about_virtual_machines_is_not_supported() -> None:
    async def scene(case: Case) -> Any:
        return [await case.ask(to, path) for to in (SERVER, MANAGER.public) for path in NOT_FOR_BARE_METAL]

    assert set(play(scene)) == {(-3, "bare metal nodes are not supported")}


def test_orders_of_a_server_are_public() -> None:
    async def scene(case: Case) -> Any:
        order = case.rent()
        return order, await case.ask(SERVER, "rent_orders"), await case.ask(MANAGER.public, "rent_orders")

    order, (errcode, message), at_manager = play(scene)
    assert errcode == 0
    assert message["rent_orders"][0]["renter"] == order.renter
    assert message["rent_orders"][0]["rent_status"] == "renting"
    assert at_manager[0] == -3


def test_a_forgotten_server_and_a_managers_own_session_are_never_answered() -> None:
    async def scene(case: Case) -> Any:
        return (
            await case.silent("ee" * 32, "mining_nodes"),
            await case.silent(MANAGER.public, "mining_nodes/session_id"),
        )

    assert play(scene) == (True, True)
