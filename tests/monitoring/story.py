"""Half an hour of a simulated fleet in which everything happens, in virtual time, with remediation that acts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
from pydantic import SecretStr

from dbc_exporter.config.credentials import Wallet
from dbc_exporter.config.records import TargetRecord
from dbc_exporter.config.settings import CollectorsSettings, Settings
from dbc_exporter.demo import take_snapshots
from dbc_exporter.remediation import build
from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.model import Decision, Snapshot
from dbc_exporter.simulator.fleet import Fleet, build_world
from dbc_exporter.simulator.scenario_file import parse_scenario
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.targets import DesiredState, Kind
from tests.e2e.virtual_app import VirtualApp
from tests.virtual import virtually

T = TypeVar("T")

SCENARIO = """
version: 1
seed: 11
clients: [{name: left}, {name: right}]
image_servers: [{name: local01, images: [{name: new.qcow2, size: 9G}, {name: lost.qcow2, size: 90G}]}]
latency: {authenticated: [2s, 8s], transfer_bytes_per_second: 1.0e+7}
compute:
  - name: rented-{n}
    count: 8
    vms: {count: 2, gpus: 2}
    networks: [{name: lanalpha}]
    images: [{name: ubuntu-22.04.qcow2, size: 9G}]
    rented_by: {wallet: renter, order_id: "order{n}"}
  - {name: "free-{n}", count: 2}
managers:
  - {servers: [{count: 2}, {count: 1, bmc: dead}, {count: 1, power: "off"}]}
transfers:
  - {node: rented-1, image: new.qcow2}
  - {node: rented-2, image: lost.qcow2}
faults:
  - {at: 5m, fault: quote_in_description, names: [rented-2/1], for: 5m}
  - {at: 5m, fault: odd_usages, names: [rented-3], for: 5m}
  - {at: 5m, fault: vm_error, names: [rented-3/2]}
  - {at: 5m, fault: quote_in_server_description, names: [bm-1-1], for: 5m}
  - {at: 6m, fault: hang_vms, names: [rented-6/1], cured_by: restart}
  - {at: 7m, fault: hang_vms, names: [rented-7/1]}
  - {at: 7m, fault: kill_nodes, names: [rented-4], for: 8m}
  - {at: 8m, fault: vanish_transfer, names: [rented-2/*]}
  - {at: 16m, fault: kill_clients, names: [left], for: 1m}
  - {at: 20m, fault: chain_outage, for: 3m}
  - {at: 25m, fault: freeze_nodes, names: [rented-5], for: 3m}
"""
POLICY = """
version: 1
mode: act
limits:
  hold_off: 60s
  budgets: [{scope: fleet, window: 1h, most: 5}, {scope: node, window: 1h, most: 2}]
rules:
  - name: vms
    kind: vm
    match: {labels: {site: "*"}}
    only_dbc_vms: true
    hold: 60s
    samples: 1
    node_settle: 60s
    cooldown: {base: 10m}
    ladder: [{action: restart, evidence: [DbcVmUnresponsive], witness: DbcVmUnresponsive, settle: 120s, stable: 60s}]
"""
NODE = "rented-3"
END_SECONDS = 1800.0
LOOK_SECONDS = 15.0
INTERVALS = {
    "client": 15, "node": 30, "orders": 60, "tasks": 60, "vms": 60, "disks": 120, "snapshots": 120,
    "images": 60, "centre_images": 120, "transfers": 30, "lan": 60, "bare_metal": 60, "power": 60,
}  # fmt: skip


@dataclass
class Story:
    """What was scraped: moments (Unix time) with their expositions, and who plays the main parts."""

    scrapes: list[tuple[float, str]] = field(default_factory=list)
    node_id: str = ""
    """A rented node."""
    task_id: str = ""
    """A VM on it, with a snapshot."""
    manager_id: str = ""


class DirectJournal:
    """Does work on the journal in place: virtual time knows no threads."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def __call__(self, work: Callable[[Journal], T]) -> T:
        return work(self._journal)

    async def close(self) -> None:
        self._journal.close()


class NoHistory:
    """Keeps nothing, for which a thread would be needed."""

    def __init__(self, directory: Path) -> None: ...

    async def record(self, snapshot: Snapshot, decisions: Iterable[Decision], now: float) -> None: ...

    async def close(self) -> None: ...


def settings(fleet: Fleet, directory: Path) -> Settings:
    (directory / "policy.yml").write_text(POLICY)
    compute = [
        TargetRecord(
            id=node.id,
            credential="renter",
            rent_order=node.name.replace("rented-", "order") if node.name.startswith("rented") else None,
            desired_state=DesiredState.RUNNING,
            expected_gpus=8,
            transfers={"rented-1": ("new.qcow2",), "rented-2": ("lost.qcow2",)}.get(node.name, ()),
            labels={"site": "here"},
        )
        for node in fleet.compute
    ]
    (manager,) = fleet.managers
    server = TargetRecord(
        id=fleet.servers[0].id, kind=Kind.SERVER, manager=manager.id, desired_state=DesiredState.ON
    )
    every = {name: {"enabled": True, "interval_seconds": seconds} for name, seconds in INTERVALS.items()}
    return Settings.model_validate(
        {
            "credentials": {"renter": Wallet(type="wallet", seed=SecretStr(fleet.wallets["renter"].seed))},
            "collectors": CollectorsSettings.model_validate(every),
            "targets": {"static": (*compute, TargetRecord(id=manager.id, kind=Kind.MANAGER), server)},
            "node_timezone": "UTC",
            "storage": {"path": str(directory / "state")},
            "remediation": {"policy_file": str(directory / "policy.yml")},
        }
    )


class Alertmanager:
    """Says to the exporter what a probe of the VMs would find out, and that it is there."""

    def __init__(self, running: build.Running, fleet: Fleet) -> None:
        self._running, self._fleet = running, fleet
        self._since: dict[tuple[str, str], float] = {}

    async def look(self, wall: float) -> None:
        silent = {
            (node.id, vm.task_id)
            for node in self._fleet.compute
            for vm in node.subject.vms.values()
            if vm.status == "running" and not vm.reachable
        }
        for vm in silent:
            self._since.setdefault(vm, wall)
        for (node_id, task_id), since in list(self._since.items()):
            labels = {"alertname": "DbcVmUnresponsive", "node_id": node_id, "task_id": task_id}
            ended = None if (node_id, task_id) in silent else wall
            await self._deliver(labels, since, ended)
            if ended is not None:
                del self._since[node_id, task_id]
        await self._deliver({"alertname": "DbcRemediationWatchdog"}, 0.0, None)

    async def _deliver(self, labels: dict[str, str], began: float, ended: float | None) -> None:
        alert = {
            "status": "firing" if ended is None else "resolved",
            "labels": labels,
            "annotations": {},
            "startsAt": _moment(began),
            "endsAt": "0001-01-01T00:00:00Z" if ended is None else _moment(ended),
            "generatorURL": "",
            "fingerprint": labels.get("node_id", "")[:16] + labels.get("task_id", "").encode().hex()[:16]
            or "0",
        }
        body = {"version": "4", "truncatedAlerts": 0, "status": alert["status"], "alerts": [alert]}
        delivery = await self._running.take(json.dumps(body).encode())
        self._running.reporter.delivered(delivery)
        self._running.reporter.answered(202)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def play(directory: Path) -> Story:
    """Play it from the beginning to the end."""
    story = Story()

    async def go(clock: LoopClock) -> None:
        fleet = build_world(parse_scenario(SCENARIO), clock=clock)
        take_snapshots(fleet)
        node = next(one for one in fleet.compute if one.name == NODE)
        story.node_id = node.id
        story.task_id = next(iter(node.subject.vms))
        story.manager_id = fleet.managers[0].id
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(build, "JournalThread", DirectJournal)
            patch.setattr(build, "History", NoHistory)
            virtual = VirtualApp(fleet, settings(fleet, directory), clock, patch)
            virtual.start()
            await virtual.remediate()
            running = virtual.app.remediating._running
            assert running is not None
            alertmanager = Alertmanager(running, fleet)
            while clock.monotonic() < END_SECONDS:
                await asyncio.sleep(LOOK_SECONDS)
                await alertmanager.look(clock.wall())
                story.scrapes.append((clock.wall(), virtual.exposition()))
            await virtual.app.remediating.stop()
            await virtual.stop()

    virtually(go)
    return story


def stored(story: Story, job: str, instance: str) -> Iterator[str]:
    """Write the scrapes as Prometheus would store them: samples with their moments and the target's labels."""
    target = f'job="{job}",instance="{instance}"'
    for at, exposition in story.scrapes:
        for line in exposition.splitlines():
            if line.startswith("#"):
                continue
            series, _, value = line.rpartition(" ")
            name, brace, labels = series.partition("{")
            inner = f"{target},{labels}" if brace else f"{target}}}"
            yield f"{name}{{{inner} {value} {at:.3f}\n"
