from __future__ import annotations

import asyncio
from typing import Any

from tests.unit.simulator_bare_metal.manager_case import MANAGER, RENTER, SERVER, Case, play


def test_the_renter_switches_the_server_and_the_ledger_says_who() -> None:
    async def scene(case: Case) -> Any:
        case.rent()
        off = await case.ask(SERVER, "bare_metal/power", case.signed_by_renter(), command="off")
        status = await case.ask(SERVER, "bare_metal/power", case.signed_by_renter(), command="status")
        return off, status, case.world.ledger.executed

    off, status, executed = play(scene)
    assert off == (0, "Chassis Power Control: Down/Off")
    assert status == (0, "Chassis Power is off")
    [entry] = executed
    assert (entry.node, entry.target, entry.action) == (MANAGER.public, SERVER, "power off")
    assert (entry.wallet, entry.nonce) == (RENTER.wallet, "nonce-1")


def test_nobody_may_switch_a_server_that_is_not_rented() -> None:
    async def scene(case: Case) -> Any:
        case.world.chain.machine(SERVER).status = "online"
        return await case.ask(SERVER, "bare_metal/power", case.signed_by_renter(), command="off")

    assert play(scene) == (-3, "check authority failed: machine is not be rented")


def test_a_nonce_works_once_per_process() -> None:
    async def scene(case: Case) -> Any:
        case.rent()
        signed = case.signed_by_renter()
        answers = [await case.ask(SERVER, "bare_metal/power", signed, command="status") for _ in range(2)]
        case.host.restart()
        return [*answers, await case.ask(SERVER, "bare_metal/power", signed, command="status")]

    first, second, after_restart = play(scene)
    assert first[0] == 0
    assert second == (-3, "check authority failed: nonce check failed")
    assert after_restart[0] == 0


def test_a_session_opens_with_a_wallet_and_survives_the_process() -> None:
    async def scene(case: Case) -> Any:
        case.rent()
        _, message = await case.ask(SERVER, "mining_nodes/session_id", case.signed_by_renter())
        session = message["session_id"]
        case.host.restart()
        signed = {"session_id": session, "session_id_sign": RENTER.sign(session)}
        return await case.ask(SERVER, "bare_metal/power", signed, command="status")

    assert play(scene) == (0, "Chassis Power is on")


def test_a_managers_id_and_unknown_commands_are_refused() -> None:
    async def scene(case: Case) -> Any:
        case.rent()
        return (
            await case.ask(MANAGER.public, "bare_metal/power", case.signed_by_renter(), command="status"),
            await case.ask(SERVER, "bare_metal/power", case.signed_by_renter(), command="cycle"),
        )

    assert play(scene) == ((-3, "Not supported"), (-3, "invalid command"))


def test_a_failure_without_the_word_error_is_reported_as_a_success() -> None:
    async def scene(case: Case) -> Any:
        case.rent()
        case.network.find("10.0.0.0", 623).silent_failure = "sh: ipmitool: not found"
        return await case.ask(SERVER, "bare_metal/power", case.signed_by_renter(), command="on")

    assert play(scene) == (0, "sh: ipmitool: not found")


def test_bootdev_is_carried_out_and_called_a_failure() -> None:
    async def scene(case: Case) -> Any:
        case.rent()
        answer = await case.ask(SERVER, "bare_metal/bootdev", case.signed_by_renter(), device="pxe")
        return answer, case.network.find("10.0.0.0", 623).boot_device

    assert play(scene) == ((-3, "bare metal client not existed"), "pxe")


def test_switching_power_clears_the_remote_desktop_password() -> None:
    async def scene(case: Case) -> Any:
        case.rent()
        server = case.manager.servers[SERVER]
        server.deeplink_device, server.deeplink_password = "31", "s3cret"
        before = await case.ask(SERVER, "deeplink", case.signed_by_renter())
        await case.ask(SERVER, "bare_metal/power", case.signed_by_renter(), command="off")
        return before, await case.ask(SERVER, "deeplink", case.signed_by_renter())

    before, after = play(scene)
    assert before == (0, {"device_id": "31", "device_password": "s3cret"})
    assert after == (0, {"device_id": "31", "device_password": ""})


def test_a_prune_round_makes_the_manager_deaf_for_three_seconds_per_server() -> None:
    async def scene(case: Case) -> Any:
        await asyncio.sleep(181)
        return case.host.thread.locked(), await _thread_free_at(case)

    busy, free_at = play(scene, servers=4)
    assert busy
    assert free_at == 180 + 4 * 3


def test_a_server_whose_rental_ended_is_switched_off_once() -> None:
    async def scene(case: Case) -> Any:
        order = case.rent()
        await asyncio.sleep(200)
        order.rent_status = "rentExpired"
        await asyncio.sleep(1000)
        bmc = case.network.find("10.0.0.0", 623)
        off = not bmc.is_on()
        bmc.powered = True
        await asyncio.sleep(2000)
        return off, bmc.is_on(), [entry.action for entry in case.world.ledger.executed]

    assert play(scene) == (True, True, ["power off"])


async def _thread_free_at(case: Case) -> float:
    async with case.host.thread:
        return case.world.now()


def test_a_prune_round_ends_with_the_process() -> None:
    async def scene(case: Case) -> Any:
        case.rent().rent_status = "rentExpired"
        case.manager.servers[SERVER].owes_power_off = True
        await asyncio.sleep(181)
        case.host.kill()
        await asyncio.sleep(1000)
        return case.world.ledger.executed

    assert play(scene, servers=2) == []
