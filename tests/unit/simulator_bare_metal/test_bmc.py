from __future__ import annotations

import asyncio

import pytest

from dbc_exporter.simulator.bmc import Bmc, BmcNetwork, reported_as_error
from dbc_exporter.simulator.virtual import run_virtual


def ask(bmc: Bmc, command: str, password: str = "admin") -> tuple[str, float]:
    """Return what ipmitool prints for one command and how long it took."""

    async def run() -> tuple[str, float]:
        text = await bmc.power(command, "admin", password)
        return text, asyncio.get_running_loop().time()

    return run_virtual(run())


@pytest.mark.parametrize(
    ("powered", "command", "text"),
    [
        (True, "status", "Chassis Power is on"),
        (False, "status", "Chassis Power is off"),
        (False, "on", "Chassis Power Control: Up/On"),
        (False, "off", "Chassis Power Control: Down/Off"),
        (True, "reset", "Chassis Power Control: Reset"),
    ],
)
def test_a_healthy_controller_prints_ipmitools_texts(powered: bool, command: str, text: str) -> None:
    printed, took = ask(Bmc(powered=powered), command)
    assert printed == text
    assert took == pytest.approx(0.04)


def test_a_dead_controller_costs_ten_seconds() -> None:
    text, took = ask(Bmc(reachable=False), "status")
    assert took == pytest.approx(10)
    assert text == (
        "Error: Unable to establish LAN session <line> Error: Unable to establish IPMI v1.5 / RMCP session"
    )


def test_a_wrong_password_costs_eight_seconds_and_names_the_failed_command() -> None:
    text, took = ask(Bmc(), "status", password="wrong")
    assert took == pytest.approx(8)
    assert text.startswith("Activate Session command failed <line> Error: ")


def test_resetting_a_server_that_is_off_fails_without_counting_as_an_error() -> None:
    text, _ = ask(Bmc(powered=False), "reset")
    assert "failed" in text
    assert not reported_as_error(text)


def test_power_takes_its_time_to_change() -> None:
    async def run() -> list[str]:
        bmc = Bmc(powered=False, power_on_seconds=20)
        await bmc.power("on", "admin", "admin")
        early = await bmc.power("status", "admin", "admin")
        await asyncio.sleep(20)
        return [early, await bmc.power("status", "admin", "admin")]

    assert run_virtual(run()) == ["Chassis Power is off", "Chassis Power is on"]


def test_an_off_command_overtakes_an_on_command_that_has_not_taken_effect() -> None:
    async def run() -> str:
        bmc = Bmc(powered=False, power_on_seconds=20)
        await bmc.power("on", "admin", "admin")
        await bmc.power("off", "admin", "admin")
        await asyncio.sleep(60)
        return await bmc.power("status", "admin", "admin")

    assert run_virtual(run()) == "Chassis Power is off"


def test_nothing_answers_at_an_address_without_a_controller() -> None:
    network = BmcNetwork()
    there = network.plug_in("10.0.0.1", 623, Bmc())
    assert network.find("10.0.0.1", None) is there
    assert not network.find("10.0.0.2", None).reachable
