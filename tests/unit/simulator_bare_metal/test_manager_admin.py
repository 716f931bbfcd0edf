from __future__ import annotations

from typing import Any

import pytest

from tests.unit.simulator_bare_metal.manager_case import MANAGER, SERVER, Case, play

NEW = {
    "uuid": "uuid-new",
    "ip": "203.0.113.9",
    "os": "Debian",
    "desc": "new box",
    "ipmi_hostname": "10.0.0.0",
    "ipmi_username": "admin",
    "ipmi_password": "pw",
    "ipmi_port": 623,
}


async def admin(case: Case, verb: str, **additional: Any) -> Any:
    return await case.ask(MANAGER.public, f"bare_metal/{verb}", case.signed_by_manager(), **additional)


def test_added_servers_get_ids_of_their_own_and_are_answered_in_the_order_of_their_uuids() -> None:
    async def scene(case: Case) -> Any:
        answer = await admin(case, "add", bare_metal_nodes=[NEW, NEW | {"uuid": "a-first"}])
        return answer, set(case.manager.addresses())

    (errcode, message), addresses = play(scene)
    assert errcode == 0
    assert [node["uuid"] for node in message["bare_metal_nodes"]] == ["a-first", "uuid-new"]
    assert {node["node_id"] for node in message["bare_metal_nodes"]} < addresses


@pytest.mark.parametrize(
    ("nodes", "refusal"),
    [
        ([NEW | {"uuid": "uuid-0"}], "bare metal node uuid uuid-0 already existed"),
        ([NEW | {"uuid": "not an uuid"}], "bare metal node info not an uuid invalid"),
        ([NEW | {"ipmi_port": "623"}], "invalid ipmi port in uuid-new"),
        ([NEW, NEW], "bare metal node uuid uuid-new already existed"),
        ([], "additional bare_metal_nodes is empty"),
        ("x", "additional bare_metal_nodes must be an array"),
    ],
)
def test_a_bad_addition_is_refused_as_a_whole(nodes: Any, refusal: str) -> None:
    async def scene(case: Case) -> Any:
        return await admin(case, "add", bare_metal_nodes=nodes), len(case.manager.servers)

    assert play(scene) == ((-3, refusal), 1)


def test_only_the_managers_key_may_administer() -> None:
    async def scene(case: Case) -> Any:
        case.rent()
        return [
            await case.ask(MANAGER.public, f"bare_metal/{verb}", case.signed_by_renter())
            for verb in ("add", "delete", f"modify/{SERVER}")
        ]

    assert set(play(scene)) == {(-3, "verify sign failed")}


def test_deleting_some_of_the_named_servers_is_a_success() -> None:
    async def scene(case: Case) -> Any:
        return await admin(case, "delete", bare_metal_node_ids=[SERVER, "nope"])

    assert play(scene) == (0, "1 were successfully deleted, 1 failed")


def test_deleting_only_unknown_servers_or_by_the_wrong_key_fails() -> None:
    async def scene(case: Case) -> Any:
        return (
            await admin(case, "delete", bare_metal_node_ids=["nope"]),
            await admin(case, "delete", bare_metal_nodes=["nope"]),
        )

    assert play(scene) == (
        (-1, "bare metal node id nope not existed"),
        (-3, "additional bare_metal_node_ids not existed"),
    )


def test_a_modification_answers_with_an_empty_message() -> None:
    async def scene(case: Case) -> Any:
        answer = await admin(case, f"modify/{SERVER}", desc="renamed", ipmi_port=9000)
        server = case.manager.servers[SERVER]
        return answer, server.description, server.ipmi_port

    assert play(scene) == ((0, ""), "renamed", 9000)


def test_bad_modifications_change_nothing() -> None:
    async def scene(case: Case) -> Any:
        return (
            await admin(case, "modify/nobody", desc="x"),
            await admin(case, f"modify/{SERVER}", desc="x", uuid="no good"),
            await admin(case, f"modify/{SERVER}", desc="x", ipmi_port=0),
            case.manager.servers[SERVER].description,
        )

    assert play(scene) == (
        (-3, "node id not existed"),
        (-3, "invalid uuid"),
        (-3, "invalid ipmi port"),
        "box 0",
    )
