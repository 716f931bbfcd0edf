from __future__ import annotations

import argparse
import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dbc_exporter.simulator import run
from dbc_exporter.simulator.keys import key_from_seed
from dbc_exporter.simulator.scenario_file import ScenarioError, parse_scenario
from dbc_exporter.simulator.vm import Vm
from dbc_exporter.simulator.vm_ports import VmPorts

SCENARIO = """
version: 1
vm_ports: true
clients: [{name: a}, {name: b}]
compute: [{count: 2, vms: {count: 1}, rented_by: {wallet: renter}}]
managers: [{servers: [{count: 2}]}]
"""
BODY: dict[str, Any] = {"peer_nodes_list": [], "additional": {}}


class Control:
    """A running simulator and its control port."""

    def __init__(self, running: run.Running, http: aiohttp.ClientSession) -> None:
        self.running = running
        self._http = http

    async def get(self, path: str) -> Any:
        async with self._http.get(f"{self.running.control}{path}") as answer:
            return await answer.json()

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        async with self._http.post(f"{self.running.control}{path}", json=body) as answer:
            return answer.status, await answer.json()

    async def nodes(self, client: str) -> int:
        url = f"{self.running.clients[client]}/api/v1/mining_nodes"
        async with self._http.post(url, json=BODY) as answer:
            found = await answer.json()
        return len(found["message"]["mining_nodes"])


@asynccontextmanager
async def simulated() -> AsyncIterator[Control]:
    async with (
        run.simulator(parse_scenario(SCENARIO), control_listen=("127.0.0.1", 0)) as running,
        aiohttp.ClientSession() as http,
    ):
        yield Control(running, http)


async def test_each_client_has_a_port_of_its_own() -> None:
    async with simulated() as control:
        assert len(set(control.running.clients.values())) == 2
        assert [await control.nodes(client) for client in ("a", "b")] == [2, 2]


async def test_the_state_tells_the_truth_and_no_secret() -> None:
    async with simulated() as control:
        status, answer = await control.post("/faults", {"fault": "kill_nodes", "names": ["gpu-1"]})
        state = await control.get("/state")
        fleet = control.running.fleet
    assert (status, answer) == (200, {"hit": ["gpu-1"]})
    assert [node["alive"] for node in state["compute"]] == [False, True]
    assert [client["name"] for client in state["clients"]] == ["a", "b"]
    secrets = [key.seed for key in (*fleet.wallets.values(), *fleet.manager_keys.values())]
    secrets += [secret for member in fleet.servers for secret in member.subject[1].secrets() if secret]
    secrets += [member.subject[1].login_password for member in fleet.candidates("vms")]
    assert not [secret for secret in secrets if len(secret) > 5 and secret in str(state)]


async def test_the_state_tells_each_vms_name_and_port_and_whether_it_hangs() -> None:
    async with simulated() as control:
        found = [await _only_vm_of_the_first_node(control)]
        greeting = await _greeting(found[0]["tcp_port"])
        for fault in ("hang_vms", "recover_vms"):
            await control.post("/faults", {"fault": fault, "names": ["gpu-1/1"]})
            found.append(await _only_vm_of_the_first_node(control))
        ports = dict(control.running.vm_ports)
    assert [(vm["name"], vm["hung"], vm["reachable"]) for vm in found] == [
        ("gpu-1/1", False, True),
        ("gpu-1/1", True, False),
        ("gpu-1/1", False, True),
    ]
    assert {vm["tcp_port"] for vm in found} == {ports[found[0]["task_id"]]}
    assert greeting == "SSH-2.0-OpenSSH_9.6"


async def _only_vm_of_the_first_node(control: Control) -> Any:
    (vm,) = (await control.get("/state"))["compute"][0]["vms"]
    return vm


async def test_the_ledger_summary_counts_what_happened() -> None:
    async with simulated() as control:
        await control.post("/faults", {"fault": "restart_clients", "names": ["a"]})
        ledger = await control.get("/ledger")
    assert ledger["lost_sessions"] == 0
    assert {"subject": "a", "what": "restarted"}.items() <= ledger["events"][-2].items()


async def test_the_ledger_shows_the_last_writes_with_their_nonces() -> None:
    async with simulated() as control:
        ledger = control.running.fleet.world.ledger
        for number in range(1_001):
            ledger.execute("node", "vm", "restart", wallet="renter", nonce=f"n{number}")
        writes = (await control.get("/ledger"))["writes"]
    assert [write["nonce"] for write in writes] == [f"n{number}" for number in range(1, 1_001)]
    shown = {"node": "node", "target": "vm", "action": "restart", "wallet": "renter"}
    assert shown.items() <= writes[0].items()


async def test_a_fault_is_refused_as_in_a_scenario() -> None:
    async with simulated() as control:
        unknown = await control.post("/faults", {"fault": "kill_all", "all": True})
        nothing = await control.post("/faults", {"fault": "kill_nodes"})
        group = await control.post("/faults", {"fault": "join_nodes", "group": 4})
    assert unknown[0] == nothing[0] == group[0] == 400
    assert unknown[1]["errors"][0].startswith("fault: unknown fault 'kill_all'; ")
    assert nothing[1]["errors"][0].startswith("fault: kill_nodes selects no nodes; ")
    assert group[1]["errors"] == ["group: 4: the scenario has 1 groups under compute, counted from 0"]


async def test_a_later_fault_is_scheduled() -> None:
    async with simulated() as control:
        later = await control.post("/faults", {"fault": "kill_nodes", "all": True, "at": "1h"})
        state = await control.get("/state")
    assert later == (200, {"scheduled_in_seconds": 3600})
    assert all(node["alive"] for node in state["compute"])


async def test_the_control_port_lists_the_faults_and_sets_the_time_factor() -> None:
    async with simulated() as control:
        known = await control.get("/faults")
        accepted = await control.post("/time", {"time_factor": 0.5})
        refused = await control.post("/time", {"time_factor": 0})
        factor = control.running.fleet.world.time_factor
    assert known["wire_fault"]["hits"] == "clients"
    assert accepted == (200, {"time_factor": 0.5})
    assert refused[0] == 400
    assert factor == 0.5


async def test_a_vms_port_follows_its_guest_and_keeps_its_number() -> None:
    vm = Vm("task", "wallet")
    ports = VmPorts(lambda: [vm])
    await ports.look()
    number = ports.numbers["task"]
    greetings = [await _greeting(number)]
    for change in (vm.hang, vm.recover):
        change()
        await ports.look()
        greetings.append(await _greeting(number))
    vm.power(on=False)
    await ports.look()
    assert greetings == ["SSH-2.0-OpenSSH_9.6", None, "SSH-2.0-OpenSSH_9.6"]
    assert await _greeting(number) is None


async def _greeting(port: int) -> str | None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return None
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line.decode().strip()


async def test_credentials_are_written_to_private_files_that_yield_the_same_keys(tmp_path: Path) -> None:
    async with simulated() as control:
        fleet = control.running.fleet
        run.write_credentials(fleet, tmp_path / "keys")
    path = tmp_path / "keys" / "renter.seed"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = key_from_seed(path.read_text().strip(), real=True)
    assert key.wallet == fleet.wallets["renter"].wallet
    assert (tmp_path / "keys" / "manager-1.seed").exists()


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return parser.parse_args(words)


def test_the_command_line_chooses_and_changes_the_scenario(tmp_path: Path) -> None:
    path = tmp_path / "s.yml"
    path.write_text(SCENARIO)
    flat = run.choose_scenario(arguments("--nodes", "30"))
    demo = run.choose_scenario(arguments("--demo", "--seed", "5", "--time-factor", "0.5"))
    grown = run.choose_scenario(arguments("--scenario", str(path), "--nodes", "7"))
    assert flat.compute[0].count == 30
    assert (demo.seed, demo.time_factor, len(demo.managers)) == (5, 0.5, 1)
    assert sum(group.count for group in grown.compute) == 7


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--nodes", "many"), "'many': give a number of nodes from 1 to 100000"),
        (("--listen", "5050"), "'5050' is no address; write HOST:PORT"),
        (("--control-listen", "0.0.0.0:1"), "the control port listens on loopback only"),
    ],
)
def test_a_bad_option_is_refused_by_name(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        arguments(*words)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_bad_time_factor_or_too_few_nodes_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"--time-factor: 0\.0: give a number above 0"):
        run.choose_scenario(arguments("--time-factor", "0"))
    with pytest.raises(ScenarioError, match="other groups alone have 6 nodes"):
        run.choose_scenario(arguments("--demo", "--nodes", "2"))


def test_a_bad_scenario_ends_with_one_message_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yml"
    path.write_text("version: 1\ncompte: []")
    assert run.main(arguments("--scenario", str(path))) == 2
    assert capsys.readouterr().err == f"{path}: unknown key 'compte'; did you mean 'compute'?\n"
