from __future__ import annotations

import copy
from typing import Any

import pytest

from dbc_exporter.simulator.faults import FAULTS
from dbc_exporter.simulator.fleet import Fleet
from dbc_exporter.simulator.scenario import FaultEntry, Scenario
from dbc_exporter.simulator.scenario_file import parse_scenario
from dbc_exporter.simulator.state import state
from tests.unit.simulator_fleet.fleet_case import Credentials, after, ask, line, listed, play

BASE = """
version: 1
image_servers: [{name: local01, images: [{name: big.qcow2, size: 100G}]}]
compute:
  - {count: 6, labels: {site: a}, vms: {count: 2}, rented_by: {wallet: renter}}
  - {count: 4, labels: {site: b}, vms: {count: 1}, rented_by: {wallet: renter}}
managers: [{servers: [{count: 4, rented_by: {wallet: renter}}]}]
transfers: [{node: gpu-1, image: big.qcow2}]
"""


def base(*faults: dict[str, Any]) -> Scenario:
    scenario = parse_scenario(BASE)
    return scenario.model_copy(update={"faults": [FaultEntry.model_validate(fault) for fault in faults]})


def dead(fleet: Fleet) -> set[str]:
    return {member.name for member in fleet.compute if not member.subject.alive}


def test_a_fault_strikes_at_its_time_and_ends_after_it() -> None:
    async def scene(fleet: Fleet) -> list[int]:
        counts = []
        for _ in range(3):
            counts.append(len(dead(fleet)))
            await after(61)
        return counts

    assert play(base({"at": "1m", "fault": "kill_nodes", "count": 3, "for": "1m"}), scene) == [0, 3, 0]


def test_the_choice_follows_from_the_seed_and_the_line() -> None:
    async def scene(fleet: Fleet) -> set[str]:
        await after(1)
        return dead(fleet)

    scenario = base({"fault": "kill_nodes", "percent": 30})
    first, again = play(scenario, scene), play(scenario, scene)
    assert first == again
    assert len(first) == 3
    others = {frozenset(play(scenario.model_copy(update={"seed": seed}), scene)) for seed in range(2, 8)}
    assert len(others) > 1


def test_labels_names_and_ids_narrow_the_choice() -> None:
    async def scene(fleet: Fleet) -> Any:
        by_label = fleet.inject(line("kill_nodes", labels={"site": "b"}))
        by_name = fleet.inject(line("freeze_nodes", names=["gpu-[12]"]))
        by_id = fleet.inject(line("freeze_nodes", ids=[fleet.compute[4].id]))
        return [[member.name for member in hit] for hit in (by_label, by_name, by_id)]

    assert play(base(), scene) == [["gpu-7", "gpu-8", "gpu-9", "gpu-10"], ["gpu-1", "gpu-2"], ["gpu-5"]]


def test_targets_are_hit_one_by_one_over_a_time() -> None:
    async def scene(fleet: Fleet) -> list[int]:
        counts = []
        for _ in range(4):
            counts.append(len(dead(fleet)))
            await after(1200)
        return counts

    counts = play(base({"fault": "kill_nodes", "all": True, "over": "1h"}), scene)
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert 0 < counts[1] < 10
    assert counts[3] == 10


def test_a_dead_node_stays_listed_for_five_minutes() -> None:
    async def scene(fleet: Fleet) -> list[bool]:
        found = []
        fleet.inject(line("kill_nodes", names=["gpu-1"]))
        for _ in range(2):
            await after(285)
            found.append("gpu-1" in await listed(fleet))
        return found

    assert play(base(), scene) == [True, False]


def test_an_ended_order_refuses_its_renter_and_comes_back() -> None:
    async def scene(fleet: Fleet) -> list[int]:
        signed, node = Credentials(fleet), fleet.compute[0].id
        codes = []
        for seconds in (1, 60, 60):
            codes.append((await ask(fleet, "tasks", node, **signed()))[1]["errcode"])
            await after(seconds)
        return codes

    scenario = base({"at": "0.5s", "fault": "end_orders", "names": ["gpu-1"], "for": "30s"})
    assert play(scenario, scene) == [0, -3, 0]


def test_a_quote_hides_the_whole_list_of_its_wallet() -> None:
    async def scene(fleet: Fleet) -> Any:
        signed = Credentials(fleet)
        fleet.inject(line("quote_in_description", names=["gpu-1/1"]))
        return await ask(fleet, "tasks", fleet.compute[0].id, **signed())

    assert play(base(), scene) == (500, {"errcode": -1, "message": "response parse error"})


@pytest.mark.parametrize(
    ("cured_by", "cured"),
    [
        ({}, [False, True]),
        ({"cured_by": "force_restart"}, [False, True]),
        ({"cured_by": "restart"}, [True, True]),
    ],
)
def test_a_hang_says_which_restart_cures_it(cured_by: dict[str, str], cured: list[bool]) -> None:
    async def scene(fleet: Fleet) -> list[bool]:
        signed, node, answers = Credentials(fleet), fleet.compute[0], []
        (hung,) = fleet.inject(line("hang_vms", names=["gpu-1/1"], **cured_by))
        for how in ("", "?force_reboot=true"):
            await ask(fleet, f"tasks/restart/{hung.id}{how}", node.id, **signed())
            await after(20)
            answers.append(node.subject.vms[hung.id].reachable)
        return answers

    assert play(base(), scene) == cured


def test_a_hung_guest_recovers_without_a_restart() -> None:
    async def scene(fleet: Fleet) -> list[bool]:
        reachable = []
        for fault in ("hang_vms", "recover_vms"):
            (hit,) = fleet.inject(line(fault, names=["gpu-1/1"]))
            reachable.append(hit.subject[1].reachable)
        return reachable

    assert play(base(), scene) == [False, True]


def test_a_dead_bmc_delays_everybody_behind_its_manager() -> None:
    async def scene(fleet: Fleet) -> float:
        signed = Credentials(fleet)
        fleet.inject(line("dead_bmc", ids=[fleet.servers[0].id]))
        started = fleet.world.now()
        body = signed() | {"additional": {"command": "status"}}
        _, answer = await ask(fleet, "bare_metal/power", fleet.servers[0].id, **body)
        assert answer["errcode"] == -3
        return fleet.world.now() - started

    assert play(base(), scene) == pytest.approx(10, abs=0.2)


def test_a_vanished_transfer_says_done_without_a_file() -> None:
    async def scene(fleet: Fleet) -> Any:
        signed, node = Credentials(fleet), fleet.compute[0]
        await after(1)
        fleet.inject(line("vanish_transfer", all=True))
        body = signed() | {"additional": {"image_filename": "big.qcow2"}}
        _, answer = await ask(fleet, "images/downloadprogress", node.id, **body)
        return answer["message"], "big.qcow2" in node.subject.images.files

    assert play(base(), scene) == ({"status": "done", "progress": "100%"}, False)


def test_a_node_that_leaves_is_no_candidate_any_more() -> None:
    async def scene(fleet: Fleet) -> Any:
        fleet.inject(line("leave_nodes", names=["gpu-1"]))
        return [member.name for member in fleet.inject(line("kill_nodes", names=["gpu-1"]))]

    assert play(base(), scene) == []


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_can_strike_everything_it_hits_and_recovers_if_it_says_so(name: str) -> None:
    kind = FAULTS[name]
    keys: dict[str, Any] = {} if kind.hits == "chain" else {"all": True}
    if name == "wire_fault":
        keys["kind"] = "half"
    if kind.recovers:
        keys["for"] = "5s"

    async def scene(fleet: Fleet) -> Any:
        await after(1)
        before = copy.deepcopy(state(fleet, {}))
        hit = fleet.inject(line(name, **keys))
        struck = copy.deepcopy(state(fleet, {}))
        await after(20)
        return hit, before, struck, copy.deepcopy(state(fleet, {}))

    hit, before, struck, later = play(base(), scene)
    assert hit
    for moment in (before, struck, later):
        del moment["now"], moment["transfers"]  # a killed node's transfers are lost for good
    if kind.recovers:
        assert later == before
