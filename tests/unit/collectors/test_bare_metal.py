"""Power is on, off or unknown; a dead BMC is asked ever more rarely."""

from __future__ import annotations

import pytest

from dbc_exporter.collectors.bare_metal import DOUBTFUL, MOST_PATIENT, PowerCollector
from dbc_exporter.collectors.orders import OrderBook, RenterGuard
from dbc_exporter.dbc.answers_bare_metal import one_server
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.facts import BareMetalServer, Power, PowerState, RentOrders
from tests.unit.collectors.answers import SERVER, WALLET, Answers, HandClock, server

PATH = f"bare_metal/{SERVER}"


def collector() -> PowerCollector:
    return PowerCollector(RenterGuard(OrderBook(HandClock(), {"renter": frozenset({WALLET})})))


def listed(power: PowerState) -> BareMetalServer:
    return BareMetalServer(node_id=SERVER, power=power)


@pytest.mark.parametrize("power", [PowerState.ON, PowerState.OFF])
async def test_the_manager_tells_on_and_off(power: PowerState) -> None:
    outcome = await collector().fetch(server(), Answers({PATH: listed(power)}))
    assert outcome.objects == {"": Power(state=power, bmc_reachable=True)}
    assert outcome.patience == 1


async def test_a_server_without_a_power_status_has_a_bmc_that_did_not_answer() -> None:
    outcome = await collector().fetch(server(), Answers({PATH: listed(PowerState.UNKNOWN)}))
    assert outcome.objects == {"": Power(state=PowerState.UNKNOWN, bmc_reachable=False)}


@pytest.mark.parametrize("said", ["Unable to get Chassis Power Status", "", None])
async def test_a_power_status_that_cannot_be_read_tells_nothing_of_the_bmc(said: str | None) -> None:
    row = one_server({"bare_metal_nodes": [{"node_id": SERVER, "power_status": said}]}, SERVER)
    [power] = (await collector().fetch(server(), Answers({PATH: row}))).objects.values()
    assert isinstance(power, Power)
    assert (power.state, power.bmc_reachable) == (PowerState.UNKNOWN, None)


async def test_two_contradicting_rows_of_a_server_tell_nothing_of_its_bmc() -> None:
    rows = [{"node_id": SERVER, "power_status": f"Chassis Power is {state}"} for state in ("on", "off")]
    row = one_server({"bare_metal_nodes": rows}, SERVER)
    outcome = await collector().fetch(server(), Answers({PATH: row}))
    assert outcome.objects == {"": Power(state=PowerState.UNKNOWN, bmc_reachable=None)}


async def test_a_bmc_of_which_nothing_is_known_is_asked_half_as_often_but_never_as_if_it_were_dead() -> None:
    power = collector()
    odd = Answers({PATH: BareMetalServer(node_id=SERVER, power_said=True, unreadable=("power_status",))})
    assert [(await power.fetch(server(), odd)).patience for _ in range(4)] == [DOUBTFUL] * 4


async def test_a_dead_bmc_is_asked_ever_more_rarely_until_it_answers() -> None:
    power = collector()
    dead, alive = Answers({PATH: listed(PowerState.UNKNOWN)}), Answers({PATH: listed(PowerState.ON)})
    patience = [(await power.fetch(server(), dead)).patience for _ in range(4)]
    assert patience == [2, 4, MOST_PATIENT, MOST_PATIENT]
    assert (await power.fetch(server(), alive)).patience == 1
    assert (await power.fetch(server(), dead)).patience == 2


async def test_a_server_the_manager_does_not_know_is_not_found() -> None:
    with pytest.raises(DbcError) as caught:
        await collector().fetch(server(), Answers({PATH: None}))
    assert caught.value.reason is Reason.NOT_FOUND


async def test_a_renter_who_does_not_know_the_manager_asks_the_server() -> None:
    reader = Answers(
        {"rent_orders": RentOrders(), "bare_metal/power": Power(state=PowerState.ON, bmc_reachable=True)}
    )
    outcome = await collector().fetch(server(credential="renter", rent_order="9", manager=None), reader)
    assert outcome.objects == {"": Power(state=PowerState.ON, bmc_reachable=True)}


async def test_the_renter_is_asked_too_where_a_manager_cannot_tell_a_single_server() -> None:
    reader = Answers(
        {
            PATH: DbcError(Reason.REFUSED_LOCALLY, "invalid requests uri"),
            "rent_orders": RentOrders(),
            "bare_metal/power": Power(state=PowerState.OFF, bmc_reachable=True),
        }
    )
    outcome = await collector().fetch(server(credential="renter", rent_order="9"), reader)
    assert outcome.objects == {"": Power(state=PowerState.OFF, bmc_reachable=True)}


async def test_a_bmc_error_told_to_the_renter_is_unknown_power() -> None:
    reader = Answers({"rent_orders": RentOrders(), "bare_metal/power": DbcError(Reason.BMC, "Error: ...")})
    outcome = await collector().fetch(server(credential="renter", rent_order="9", manager=None), reader)
    assert outcome.objects == {"": Power(state=PowerState.UNKNOWN, bmc_reachable=False)}


def test_without_manager_and_credential_nobody_can_ask() -> None:
    assert collector().unavailable(server(manager=None)) == "no_manager"
    assert collector().unavailable(server()) is None
