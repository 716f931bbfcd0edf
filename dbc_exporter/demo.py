# ruff: noqa: T201 -- a command for people prints
"""The demonstration: a simulated fleet and an exporter on it, in one process, all on loopback."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from datetime import UTC

from pydantic import SecretStr

from dbc_exporter.app import App
from dbc_exporter.config.credentials import Wallet
from dbc_exporter.config.records import TargetRecord
from dbc_exporter.config.settings import ClientSettings, CollectorsSettings, Settings
from dbc_exporter.simulator.builtin import demo_scenario
from dbc_exporter.simulator.fleet import Fleet
from dbc_exporter.simulator.run import Running, simulator
from dbc_exporter.simulator.scenario import FaultEntry
from dbc_exporter.simulator.vm import Snapshot
from dbc_exporter.targets import DesiredState, Kind
from dbc_exporter.web.listen import UNIX

WALLET = "renter"
# short, so that a visitor sees things move; an exporter on real clients keeps the defaults
INTERVALS = {
    "client": 5, "node": 15, "orders": 30, "tasks": 20, "vms": 30, "disks": 60, "snapshots": 60,
    "images": 30, "centre_images": 60, "transfers": 5, "lan": 30, "bare_metal": 30, "power": 30,
}  # fmt: skip
SHOWN_LABELS = ("site", "gpu_model")
SNAPSHOT_AGE_SECONDS = 3 * 86_400.0
UPLOAD_SECONDS = 180.0


def demo_settings(settings: Settings, running: Running) -> Settings:
    """Point the operator's settings (address, logs) at the simulated clients, with everything switched on."""
    fleet = running.fleet
    clients = [
        ClientSettings.model_validate({"name": name, "url": url}) for name, url in running.clients.items()
    ]
    every = {name: {"enabled": True, "interval_seconds": seconds} for name, seconds in INTERVALS.items()}
    seed = fleet.wallets[WALLET].seed
    web = settings.web
    # a demonstration is for this machine's user only
    own = tuple(f"127.0.0.1{where}" if where.startswith(":") else where for where in web.listen_address)
    web = web.model_copy(update={"listen_address": own})
    return settings.model_copy(
        update={
            "web": web,
            "clients": tuple(clients),
            "shard": 0,  # nobody else is there to share this fleet with
            "total_shards": 1,
            "credentials": {WALLET: Wallet(type="wallet", seed=SecretStr(seed))},
            "collectors": CollectorsSettings.model_validate(every),
            "node_timezone": UTC,  # the simulated nodes' clocks, also where no time zone database is installed
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
            labels={name: node.labels[name] for name in SHOWN_LABELS},
        )
    for manager in fleet.managers:
        yield TargetRecord(id=manager.id, kind=Kind.MANAGER, labels=dict(manager.labels))


def take_snapshots(fleet: Fleet) -> None:
    """Give every node's first VM a snapshot, and one of them a second one, whose upload takes three minutes."""
    now = fleet.world.clock.wall()
    first_vms = [next(iter(node.subject.vms.values())) for node in fleet.compute if node.subject.vms]
    for vm in first_vms:
        old = Snapshot("first", "as installed", f"/data/{vm.task_id}-1.qcow2", now - SNAPSHOT_AGE_SECONDS)
        vm.snapshots[old.name] = old
    new = Snapshot("second", "trained", "/data/second.qcow2", now, status="uploading")
    first_vms[0].snapshots[new.name] = new
    fleet.timeline.later(UPLOAD_SECONDS, lambda: setattr(new, "status", "none"))


def happenings(faults: Iterable[FaultEntry]) -> list[str]:
    """Describe a timeline, one line for each fault: when from the start, what, whom it hits, for how long."""
    lines = []
    for entry in sorted(faults, key=lambda entry: entry.at):
        words = [_minutes(entry.at).rjust(5), entry.fault.replace("_", " "), *entry.names]
        if entry.lasting is not None:
            words.append(f"for {_minutes(entry.lasting)}")
        lines.append(" ".join(words))
    return lines


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


async def demo(settings: Settings) -> None:
    """Run until Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    print("==> building a simulated DBC network", flush=True)
    async with simulator(demo_scenario()) as running:
        fleet = running.fleet
        take_snapshots(fleet)
        chosen = demo_settings(settings, running)
        app = App(chosen, reload=lambda: chosen)
        address = min(chosen.web.listen_address, key=lambda text: text.startswith(UNIX))
        where = f"{address}{chosen.web.prefix}"
        print(
            f"==> {len(fleet.compute)} GPU nodes, {len(fleet.servers)} bare-metal servers, "
            f"{len(running.clients)} DBC clients\n"
            "==> what will happen, in minutes from now:\n    "
            + "\n    ".join(happenings(fleet.scenario.faults))
            + f"\n==> metrics: http://{where}{settings.web.telemetry_path}   pages: http://{where}/\n"
            "==> Ctrl-C ends it",
            flush=True,
        )
        await app.run(stop)
    print("==> ended")
