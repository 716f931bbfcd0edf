# ruff: noqa: T201 -- a command for people prints
"""The demonstration: a simulated fleet and an exporter on it, in one process, all on loopback."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable

from pydantic import SecretStr

from dbc_exporter.app import App
from dbc_exporter.config.credentials import Wallet
from dbc_exporter.config.records import TargetRecord
from dbc_exporter.config.settings import ClientSettings, CollectorsSettings, Settings
from dbc_exporter.simulator.builtin import demo_scenario
from dbc_exporter.simulator.fleet import Fleet
from dbc_exporter.simulator.run import Running, simulator
from dbc_exporter.targets import DesiredState, Kind

WALLET = "renter"
# short, so that a visitor sees things move; an exporter on real clients keeps the defaults
INTERVALS = {
    "client": 5, "node": 15, "orders": 30, "tasks": 20, "vms": 30, "disks": 60, "snapshots": 60,
    "images": 30, "centre_images": 60, "transfers": 5, "lan": 30, "bare_metal": 30, "power": 30,
}  # fmt: skip


def demo_settings(settings: Settings, running: Running) -> Settings:
    """Point the operator's settings (address, logs) at the simulated clients, with everything switched on."""
    fleet = running.fleet
    clients = [
        ClientSettings.model_validate({"name": name, "url": url}) for name, url in running.clients.items()
    ]
    every = {name: {"enabled": True, "interval_seconds": seconds} for name, seconds in INTERVALS.items()}
    seed = fleet.wallets[WALLET].seed
    web = settings.web
    if web.listen_address.startswith(":"):  # a demonstration is for this machine's user only
        web = web.model_copy(update={"listen_address": f"localhost{web.listen_address}"})
    return settings.model_copy(
        update={
            "web": web,
            "clients": tuple(clients),
            "credentials": {WALLET: Wallet(type="wallet", seed=SecretStr(seed))},
            "collectors": CollectorsSettings.model_validate(every),
            "targets": settings.targets.model_copy(update={"static": tuple(_targets(fleet))}),
        }
    )


def _targets(fleet: Fleet) -> Iterable[TargetRecord]:
    transfers: dict[str, list[str]] = {}
    for transfer in fleet.scenario.transfers:
        prefix = "upload:" if transfer.direction == "upload" else ""
        transfers.setdefault(transfer.node, []).append(prefix + transfer.image)
    for node in fleet.compute:
        yield TargetRecord(
            id=node.id,
            credential=WALLET,
            desired_state=DesiredState.RUNNING,
            expected_gpus=node.subject.hardware.gpus,
            transfers=tuple(transfers.get(node.name, ())),
            labels=dict(node.labels),
        )
    for manager in fleet.managers:
        yield TargetRecord(id=manager.id, kind=Kind.MANAGER, labels=dict(manager.labels))


async def demo(settings: Settings) -> None:
    """Run until Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    print("==> building a simulated DBC network", flush=True)
    async with simulator(demo_scenario()) as running:
        fleet = running.fleet
        chosen = demo_settings(settings, running)
        app = App(chosen, reload=lambda: chosen)
        where = chosen.web.listen_address
        print(
            f"==> {len(fleet.compute)} GPU nodes, {len(fleet.servers)} bare-metal servers, "
            f"{len(running.clients)} DBC clients\n"
            f"==> metrics: http://{where}{settings.web.telemetry_path}   pages: http://{where}/\n"
            "==> Ctrl-C ends it",
            flush=True,
        )
        await app.run(stop)
    print("==> ended")
