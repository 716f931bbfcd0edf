"""The simulator as a program: a fleet in real time behind HTTP ports, until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from dbc_exporter.clock import SystemClock
from dbc_exporter.simulator.builtin import demo_scenario, flat_scenario
from dbc_exporter.simulator.control import control_app
from dbc_exporter.simulator.fleet import Fleet, build_world
from dbc_exporter.simulator.scenario import Scenario
from dbc_exporter.simulator.scenario_file import ScenarioError, load_scenario
from dbc_exporter.simulator.server import ClientServer
from dbc_exporter.simulator.vm_ports import VmPorts

DEFAULT_LISTEN = "127.0.0.1:5050"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MISUSED, FAILED = 2, 1


@dataclass(slots=True)
class Running:
    """A fleet that is being served: client URLs by name, the control port's URL, VM ports by task id."""

    fleet: Fleet
    clients: dict[str, str]
    control: str | None = None
    vm_ports: dict[str, int] = field(default_factory=dict)


@asynccontextmanager
async def simulator(
    scenario: Scenario,
    *,
    listen: tuple[str, int] = ("127.0.0.1", 0),
    control_listen: tuple[str, int] | None = None,
) -> AsyncIterator[Running]:
    """Build a scenario's fleet, serve it and let its timeline run; everything is closed at the end.

    The first client listens on `listen`, the others on the ports after it (each on a free port where the port
    is 0). Raises OSError when a port is taken.
    """
    fleet = build_world(scenario, clock=SystemClock())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(fleet.stop)
        running = Running(fleet, {})
        for place, client in enumerate(fleet.world.clients.values()):
            server = ClientServer(client, wire=fleet.wires[client.name])
            await server.open(listen[0], listen[1] + place if listen[1] else 0)
            stack.push_async_callback(server.close)
            running.clients[client.name] = server.url
        if scenario.vm_ports:
            await _open_vm_ports(fleet, running)
        if control_listen is not None:
            running.control = await _open_control(running, control_listen, stack)
        fleet.start()
        yield running


async def run_simulator(
    scenario: Scenario,
    listen: tuple[str, int],
    control_listen: tuple[str, int] | None = None,
    *,
    credentials: Path | None = None,
) -> None:
    """Serve a scenario until SIGINT or SIGTERM, saying on standard output where. Raises OSError."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with simulator(scenario, listen=listen, control_listen=control_listen) as running:
        if credentials is not None:
            write_credentials(running.fleet, credentials)
        for line in _announcement(running):
            print(line, flush=True)  # noqa: T201 - the command's output
        await stopped.wait()


def write_credentials(fleet: Fleet, directory: Path) -> None:
    """Write the seeds of the simulated wallets and managers, one private file each, for the programs under test."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    named = {f"{name}.seed": key for name, key in fleet.wallets.items()}
    named |= {f"{manager.name}.seed": fleet.manager_keys[manager.id] for manager in fleet.managers}
    for name, key in named.items():
        handle = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"0x{key.seed}\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--scenario", type=Path, metavar="FILE", help="a scenario file (docs/simulator.md)")
    what.add_argument("--demo", action="store_true", help="the built-in demonstration")
    parser.add_argument(
        "--nodes", type=_node_count, metavar="N", help="so many uniform compute nodes; 12 without a scenario"
    )
    parser.add_argument("--listen", type=_address, default=_address(DEFAULT_LISTEN), metavar="HOST:PORT")
    parser.add_argument(
        "--control-listen",
        type=_loopback,
        metavar="HOST:PORT",
        help="open the control port, on loopback only",
    )
    parser.add_argument("--seed", type=int, help="overrides the scenario's seed")
    parser.add_argument("--time-factor", type=float, help="overrides the scenario's time factor")
    parser.add_argument(
        "--write-credentials",
        type=Path,
        metavar="DIR",
        help="write the simulated wallets' seeds to this directory",
    )


def main(arguments: argparse.Namespace) -> int:
    """Run the command; 0 when stopped by a signal, 1 when it cannot listen, 2 for a bad scenario."""
    try:
        scenario = choose_scenario(arguments)
        asyncio.run(
            run_simulator(
                scenario,
                arguments.listen,
                arguments.control_listen,
                credentials=arguments.write_credentials,
            )
        )
    except ScenarioError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command's output
        return MISUSED
    except OSError as error:
        print(f"dbc-exporter simulator: {error}", file=sys.stderr)  # noqa: T201 - the command's output
        return FAILED
    return 0


def choose_scenario(arguments: argparse.Namespace) -> Scenario:
    """Return the scenario a command line means. Raises ScenarioError."""
    if arguments.scenario is not None:
        scenario = load_scenario(arguments.scenario)
    elif arguments.demo:
        scenario = demo_scenario()
    else:
        scenario = flat_scenario(12 if arguments.nodes is None else arguments.nodes)
    changes = {}
    if arguments.seed is not None:
        changes["seed"] = arguments.seed
    if arguments.time_factor is not None:
        if not 0 < arguments.time_factor <= 100:  # noqa: PLR2004 - the scenario's own limit
            raise ScenarioError(f"--time-factor: {arguments.time_factor}: give a number above 0, at most 100")
        changes["time_factor"] = arguments.time_factor
    if arguments.nodes is not None and (arguments.scenario is not None or arguments.demo):
        changes["compute"] = _resized(scenario, arguments.nodes)
    return scenario.model_copy(update=changes)


def _resized(scenario: Scenario, nodes: int) -> list[object]:
    """Return the scenario's compute groups with the first one grown or shrunk to make so many nodes in all."""
    if not scenario.compute:
        raise ScenarioError("--nodes: the scenario has no group under compute to take them from")
    first, *rest = scenario.compute
    others = sum(group.count for group in rest)
    if nodes < others:
        raise ScenarioError(f"--nodes: {nodes}: the scenario's other groups alone have {others} nodes")
    return [first.model_copy(update={"count": nodes - others}), *rest]


async def _open_vm_ports(fleet: Fleet, running: Running) -> None:
    ports = VmPorts(lambda: [member.subject[1] for member in fleet.candidates("vms")])
    await ports.look()
    running.vm_ports = ports.numbers
    fleet.keep(asyncio.get_running_loop().create_task(ports.run()))


async def _open_control(running: Running, listen: tuple[str, int], stack: AsyncExitStack) -> str:
    runner = web.AppRunner(
        control_app(running.fleet, {"clients": running.clients, "vms": running.vm_ports}), access_log=None
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, *listen).start()
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"


def _announcement(running: Running) -> list[str]:
    fleet = running.fleet
    lines = [f"DBC client {name}: {url}/api/v1/" for name, url in running.clients.items()]
    lines.append(
        f"{len(fleet.compute)} compute nodes, {len(fleet.managers)} bare-metal managers, {len(fleet.servers)} servers"
    )
    if running.control:
        lines.append(f"control port: {running.control}/state")
    return lines


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - TCP
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write HOST:PORT, such as {DEFAULT_LISTEN}")
    return host.strip("[]") or "127.0.0.1", int(port)


def _loopback(text: str) -> tuple[str, int]:
    host, port = _address(text)
    if host not in LOOPBACK:
        raise argparse.ArgumentTypeError(f"{text!r}: the control port listens on loopback only")
    return host, port


def _node_count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 100_000:  # noqa: PLR2004 - the scenario's own limit
        raise argparse.ArgumentTypeError(f"{text!r}: give a number of nodes from 1 to 100000")
    return int(text)
