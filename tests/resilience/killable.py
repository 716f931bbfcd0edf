"""Remediation on real parts, in a process that kills itself (`kill -9`) at a point named beforehand.

    python -m tests.resilience.killable

reads lives from stdin, one JSON document a line, lives each of them in a process of its own and answers with its exit
code. That process is forked from this one, which has loaded modules and done nothing else: an interpreter's start for
every life would take most of the time.

Everything that decides, writes and sends is the shipped code. Only the polling engine and Alertmanager are stood in
for: what they would bring is read from the simulator's control port. Time runs `SPEED` times as fast.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from unittest.mock import patch

import aiohttp
import msgspec
import substrateinterface  # noqa: F401 (signing would load it in every life anew)
from pydantic import SecretStr

from dbc_exporter.collectors.orders import OrderBook
from dbc_exporter.dbc import transport
from dbc_exporter.dbc.authority import WalletSigner
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.gate import Gate
from dbc_exporter.dbc.patience import Patience
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.dbc.transport import HttpTransport
from dbc_exporter.facts import Fact, NodeConfig, OrderStatus, Reachability, Task, TaskList, TaskState, Vm
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.own_remediation import RemediationMetrics
from dbc_exporter.metrics.store import Store
from dbc_exporter.remediation import build as assembly
from dbc_exporter.remediation.build import Ground, Running
from dbc_exporter.remediation.policy_file import parse
from dbc_exporter.sweep import owner_of
from dbc_exporter.targets import DesiredState, Target
from tests.resilience.kill_points import (
    KillableJournal,
    KillableTransport,
    Points,
    Story,
    WatchedSocket,
    open_socket,
)

SPEED = 20.0
TICK_SECONDS = 0.05
LONGEST_LIFE_SECONDS = 60.0
GPUS = 8
PATIENCE = Patience(look=40.0, settle=0.0)
PROBE, WATCHDOG = "DbcVmUnresponsive", "DbcRemediationWatchdog"
POLICY = f"""
version: "1"
mode: act
alerts: {{watchdog: {WATCHDOG}}}
limits:
  hold_off: 0.1
  budgets: [{{scope: fleet, window: 600, most: 5}}]
rules:
  - name: vms
    kind: vm
    match: {{tasks: ["*"]}}
    only_dbc_vms: true
    hold: 0.1
    node_settle: 0.1
    cooldown: {{base: 60, factor: 1}}
    ladder:
      - {{action: restart, attempts: ATTEMPTS, evidence: [{PROBE}], witness: {PROBE}, settle: 20, stable: 10}}
"""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """How to live. `points` is the file that gets the name of every point passed; at `kill_at` life ends.

    `attempts` is how many restarts the policy allows in a row.
    `loses` is what the network loses of the first order: "", "the request" or "the answer".
    """

    directory: str
    points: str
    client: str
    control: str
    seed: str
    node_id: str
    task_id: str
    fires_since: float
    attempts: int
    kill_at: str = ""
    loses: str = ""


class Quick:
    """Clocks that run faster than the machine's, and in all processes the same."""

    def monotonic(self) -> float:
        return time.monotonic() * SPEED

    def wall(self) -> float:
        return 1_700_000_000.0 + self.monotonic()


class SimulatedVm(msgspec.Struct):
    """One VM as the control port tells it."""

    task_id: str
    reachable: bool


class SimulatedNode(msgspec.Struct):
    """One node."""

    node_id: str
    vms: list[SimulatedVm]


class Simulated(msgspec.Struct):
    """The world."""

    compute: list[SimulatedNode]


@dataclass
class Eyes:
    """Stands in for the polling engine and Alertmanager."""

    life: Life
    target: Target
    store: Store
    clock: Quick
    control: aiohttp.ClientSession
    well: bool = False
    _beat_at: float = float("-inf")
    _told: str = ""

    async def look(self, running: Running) -> None:
        """Tell what is there now."""
        async with self.control.get(f"{self.life.control}/state") as answer:
            world = msgspec.json.decode(await answer.read(), type=Simulated)
        (node,) = (node for node in world.compute if node.node_id == self.target.id)
        self.well = node.vms[0].reachable
        self._tell_facts()
        await self._tell_alerts(running)

    def _tell_facts(self) -> None:
        owner, task_id = owner_of(self.target), self.life.task_id
        self.store.put(owner, "reachability", "", Reachability(visible=True, up=True))
        task = Task(task_id, TaskState.RUNNING)
        facts: dict[str, dict[str, Fact]] = {
            "node": {"": NodeConfig(gpus=GPUS)},
            "orders": {"": OrderStatus(live=True)},
            "vms": {task_id: Vm(task_id=task_id, state=TaskState.RUNNING, gpus=1)},
            "tasks": {"": TaskList(tasks=(task,))},
        }
        for collector, objects in facts.items():
            self.store.attempt(owner, collector, 300.0)
            self.store.commit(owner, collector, objects)

    async def _tell_alerts(self, running: Running) -> None:
        status = "resolved" if self.well else "firing"
        now = self.clock.monotonic()
        if status == self._told and now - self._beat_at < 5.0:
            return
        alerts = [self._alert(WATCHDOG, "firing", {})]
        if status != self._told:
            ids = {"node_id": self.life.node_id, "task_id": self.life.task_id}
            alerts.append(self._alert(PROBE, status, ids))
        self._told, self._beat_at = status, now
        await running.take(msgspec.json.encode({"version": "4", "alerts": alerts}))

    def _alert(self, name: str, status: str, ids: dict[str, str]) -> dict[str, object]:
        ended = {"endsAt": datetime.fromtimestamp(self.clock.wall(), UTC)} if status == "resolved" else {}
        return {
            "status": status,
            "labels": {"alertname": name, **ids},
            "startsAt": datetime.fromtimestamp(self.life.fires_since, UTC),
            "fingerprint": "a1" if name == PROBE else "b2",
            **ended,
        }


@dataclass
class Built:
    """One life's parts."""

    story: Story
    running: Running
    eyes: Eyes
    client: DbcClient
    metrics: RemediationMetrics


def build(life: Life, control: aiohttp.ClientSession) -> Built:
    """Build remediation as the application does, upon facts from the simulator."""
    clock = Quick()
    story = Story(Points(life.points, life.kill_at))
    KillableJournal.story = WatchedSocket.story = story
    signer = WalletSigner("renter", SecretStr(Path(life.seed).read_text(encoding="utf-8").strip()))
    wire = KillableTransport(HttpTransport(life.client), story, life.loses)
    client = DbcClient("client", wire, Gate(clock, set()), clock, patience=PATIENCE)
    book = OrderBook(clock, {"renter": signer.addresses()})
    pool = Pool([client], clock, {"renter": signer}, orders=book)
    target = Target(life.node_id, credential="renter", desired_state=DesiredState.RUNNING, expected_gpus=GPUS)
    store = Store(clock)
    store.set_targets([target])
    pool.watch([target])
    metrics = RemediationMetrics(OwnMetrics(version="", python=""))
    running = assembly.assemble(
        Path(life.directory),
        parse(POLICY.replace("ATTEMPTS", str(life.attempts)), "policy"),
        Ground(pool, lambda: (target,)),
        store=store,
        clock=clock,
        intervals={"tasks": 300.0},
        metrics=metrics,
    )
    return Built(story, running, Eyes(life, target, store, clock, control), client, metrics)


async def live(life: Life) -> None:
    """Go round until nothing is left to do: no intent open, and the VM well or left to a person."""
    async with aiohttp.ClientSession() as control:
        built = build(life, control)
        running, loop = built.running, built.running.loop
        built.story.recall(await running.journal(lambda journal: journal.view(loop.now()).intents))
        await built.client.refresh()
        built.client.believe()
        await running.start()
        async with asyncio.timeout(LONGEST_LIFE_SECONDS):
            while not _done(built):
                await built.eyes.look(running)
                loop.wake()
                await asyncio.sleep(TICK_SECONDS)
        await running.stop()
        await built.client.aclose()


def _done(built: Built) -> bool:
    loop = built.running.loop
    samples = [sample for family in built.metrics.violations.collect() for sample in family.samples]
    violations = [sample.labels for sample in samples if sample.name.endswith("_total") and sample.value]
    if loop.fault or violations:
        raise AssertionError(f"{loop.fault} {violations}")
    if not loop.view.intents or any(intent.open for intent in loop.view.intents):
        return False
    return built.eyes.well or bool(loop.view.quarantined)


def main() -> None:
    for line in sys.stdin:
        life = msgspec.json.decode(line, type=Life)
        process = os.fork()
        if not process:
            try:
                with (
                    patch.object(transport, "_open_socket", partial(open_socket, transport._open_socket)),
                    patch.object(assembly, "Journal", KillableJournal),
                ):
                    asyncio.run(live(life))
            except BaseException:  # noqa: BLE001 (no child may go on as its parent)
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
