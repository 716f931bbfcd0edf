"""One seeded run: a town, its troubles, our process, the judge."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbc_exporter.remediation.model import Approval, IntentState, Verdict
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.policy_file import LoadedPolicy
from dbc_exporter.simulator.virtual import LoopClock
from tests.simulation.alerting import PING, PROBE, WATCHDOG, Alerting
from tests.simulation.eyes import Eyes
from tests.simulation.oracle import Oracle, Rules
from tests.simulation.process import Machine
from tests.simulation.town import Size, Town
from tests.simulation.wires import Killed, Sent, Troubles
from tests.virtual import virtually


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of. `faults` are spread evenly over `hours`, then `calm` hours follow without any."""

    seed: int = 1
    size: Size = field(default_factory=Size)
    hours: float = 12.0
    calm: float = 2.0
    faults: int = 400
    every: float = 30.0
    mode: str = "act"


@dataclass(slots=True)
class Report:
    """What came of it."""

    seed: int
    violations: list[str]
    faults: Counter[str]
    acts: Counter[str]
    results: Counter[str]
    verdicts: Counter[str]
    kills: Counter[str]
    open_at_end: int
    digest: str

    def line(self) -> str:
        acted = ", ".join(f"{name} {count}" for name, count in sorted(self.acts.items()))
        return f"seed {self.seed}: {self.faults.total()} faults, {self.acts.total()} actions ({acted}), {len(self.violations)} violations"


def policy_of(size: Size, mode: str = "act", **changes: Any) -> dict[str, Any]:
    """The policy of a run: quick enough for things to happen, and limits that grow with the town."""
    share = max(1, size.subjects // 40)
    ladder = {"settle": 120, "stable": 180}
    vm = {
        "name": "vms",
        "kind": "vm",
        "match": {"labels": {"site": "*"}},
        "only_dbc_vms": True,
        "hold": 120,
        "samples": 2,
        "max_age": 900,
        "cooldown": {"base": 900, "factor": 2, "longest": 7200},
        "attempts_per_day": 4,
        "healthy_period": 3600,
        "node_settle": 600,
        "ladder": [
            {"action": "restart", "evidence": [PROBE], "witness": PROBE, **ladder},
            {"action": "force_restart", "evidence": [PROBE], "witness": PROBE, "mode": "act", **ladder},
            {"action": "start", "witness": PROBE, **ladder},
        ],
    }
    server = {
        **vm,
        "name": "servers",
        "kind": "server",
        "only_dbc_vms": False,
        "ladder": [
            {"action": "power_on", **ladder, "settle": 400, "stable": 400},
            {"action": "power_reset", "evidence": [PROBE, PING], "witness": PING, **ladder},
        ],
    }
    return {
        "version": "1",
        "mode": mode,
        "alerts": {"watchdog": WATCHDOG, "max_silence": 400, "expire": 7200},
        "limits": {
            "hold_off": 300,
            "budgets": [
                {"scope": "fleet", "window": 600, "most": 2 * share},
                {"scope": "fleet", "window": 3600, "most": 6 * share},
                {"scope": "node", "window": 3600, "most": 2},
            ],
            "concurrency": {"fleet": 2 * share, "client": 2 * share},
            "storm": {"bad_percent": 30, "bad_least": 4, "new_count": 4 + share, "new_window": 300},
            "breaker": {"window": 7200, "least": 6, "ineffective_percent": 90, "ambiguous": 9},
            "sight": {"known_percent": 70, "shrink_percent": 30, "chain_silent": 3},
            "approval_ttl": 900,
            "ambiguous_hold": 3600,
        },
        "rules": [vm, server],
        **changes,
    }


def loaded_of(data: dict[str, Any]) -> LoadedPolicy:
    text = repr(data)
    return LoadedPolicy(
        Policy.model_validate(data), hashlib.blake2b(text.encode(), digest_size=8).hexdigest(), text
    )


def rules_of(data: dict[str, Any]) -> Rules:
    """The same policy as the oracle's own numbers."""
    limits, vm = data["limits"], data["rules"][0]
    rungs = {rung["action"]: rung.get("mode", "act") for rule in data["rules"] for rung in rule["ladder"]}
    return Rules(
        mode=data["mode"],
        rung_modes=rungs,
        hold=vm["hold"],
        cooldown=vm["cooldown"]["base"],
        attempts=1,
        attempts_per_day=vm["attempts_per_day"],
        hold_off=limits["hold_off"],
        node_settle=vm["node_settle"],
        max_age=vm["max_age"],
        budgets=[(one["scope"], one["window"], one["most"]) for one in limits["budgets"]],
        concurrency=limits["concurrency"]["fleet"],
        per_client=limits["concurrency"]["client"],
        known_share=limits["sight"]["known_percent"] / 100,
        storm_new=limits["storm"]["new_count"],
        storm_share=limits["storm"]["bad_percent"] / 100,
        chain_silent=limits["sight"]["chain_silent"],
        watchdog=data["alerts"]["max_silence"],
    )


class Run:
    """A run in virtual time."""

    def __init__(self, plan: Plan, directory: Path, clock: LoopClock, tamper: Callable[[Run], None]) -> None:
        self.plan, self.directory, self.clock = plan, directory, clock
        self.dice = random.Random(plan.seed)
        self.town = Town(clock, plan.size, plan.seed)
        self.data = policy_of(plan.size, plan.mode)
        self.troubles = Troubles()
        self.numbers = iter(range(10**9))
        self.faults: Counter[str] = Counter()
        self.undo: list[tuple[float, Callable[[], None]]] = []
        self.machine = self._new_machine(first=True)
        self.eyes = Eyes(self.town, self.machine.store)
        self.oracle = Oracle(self.town, self.eyes, directory / "journal.db", rules_of(self.data))
        self.alerting = Alerting(self.town, random.Random(plan.seed + 1), self.deliver)
        self.waiting: list[tuple[float, bytes]] = []
        self.late_share = 0.0
        self.violations: list[str] = []
        self.verdicts: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.paused_until = float("-inf")
        self.trace = hashlib.blake2b(digest_size=8)
        tamper(self)

    # -- life ----------------------------------------------------------------------------------------------

    async def go(self) -> Report:
        from tests.simulation.faults import happen  # noqa: PLC0415 - the alphabet knows the run

        self.town.fleet.start()
        await self.begin()
        plan = self.plan
        rounds = int(plan.hours * 3600 / plan.every)
        due = 0.0
        for _ in range(rounds):
            due += plan.faults / rounds
            while due >= 1.0:
                due -= 1.0
                happen(self)
            await self.step()
        self.end_troubles()
        for _ in range(int(plan.calm * 3600 / plan.every)):
            await self.step()
        self.oracle.audit()
        report = self._report()
        await self.machine.close()
        await self.town.fleet.stop()
        return report

    async def step(self) -> None:
        """Let one round pass, for the town and for us."""
        await self._sleep(self.plan.every)
        now = self.clock.monotonic()
        for at, undo in [item for item in self.undo if item[0] <= now]:
            self.undo.remove((at, undo))
            undo()
        self.town.settle()
        self.oracle.note_truth(now)
        self.alerting.look(now)
        self._deliver_waiting(now)
        self.eyes.look(now, self.plan.every)
        if self.machine.points.dead or self.machine.remediation is None:
            await self.begin_again()
        elif now >= self.paused_until:
            await self._round()

    async def _round(self) -> None:
        machine = self.machine
        assert machine.remediation is not None
        try:
            await machine.refresh()
            await machine.remediation.round()
        except Killed:
            await self.begin_again()
            return
        for decision in machine.reporter.decisions:
            self.verdicts[decision.reason or decision.verdict] += 1
        machine.reporter.decisions.clear()
        for intent in machine.reporter.intents:
            self.trace.update(f"{intent.id} {intent.state} {intent.result} {intent.subject}".encode())
            if intent.state is IntentState.INTENDED:
                continue
        machine.reporter.intents.clear()
        self.violations.extend(f"product: {what}" for what in machine.reporter.violations)
        machine.reporter.violations.clear()
        if any(task.done() for task in machine.remediation._running.values()) or machine.points.dead:
            await self.begin_again()

    async def _sleep(self, seconds: float) -> None:
        import asyncio  # noqa: PLC0415 - plain sleeping of the virtual loop

        await asyncio.sleep(seconds)

    async def begin(self) -> None:
        """Start the process's life with a first sweep."""
        machine = self.machine
        machine.retarget()
        await machine.refresh()
        self.eyes.store = machine.store
        self.eyes.first_look(self.clock.monotonic())
        self.oracle.started_at = self.clock.monotonic()
        self.oracle.disarmed = machine.remediation is None

    async def begin_again(self) -> None:
        """Bury a dead process and start another on its files."""
        self.kills.update(self.machine.points.kills)
        await self.machine.close()
        self.machine = self._new_machine()
        await self.begin()

    def _new_machine(self, *, first: bool = False) -> Machine:
        del first
        return Machine(
            self.town,
            self.directory,
            loaded_of(self.data),
            self.troubles,
            self.dice,
            self._written,
            self.numbers,
        )

    def _written(self, sent: Sent) -> None:
        self.trace.update(f"{sent.at:.3f} {sent.nonce} {sent.path}".encode())
        self.oracle.leaves(sent, self.clock.monotonic())

    # -- webhooks ------------------------------------------------------------------------------------------

    def deliver(self, body: bytes) -> None:
        if self.dice.random() < self.late_share:
            self.waiting.append((self.clock.monotonic() + self.dice.uniform(1, 600), body))
        else:
            self._hand_over(body)

    def _deliver_waiting(self, now: float) -> None:
        for item in [item for item in self.waiting if item[0] <= now]:
            self.waiting.remove(item)
            self._hand_over(item[1])

    def _hand_over(self, body: bytes) -> None:
        try:
            taken = self.machine.take(body)
        except Killed:
            taken = False
        if taken:
            if WATCHDOG.encode() in body:
                self.oracle.watchdog_at = self.clock.monotonic()
        elif len(self.waiting) < 10_000:
            self.waiting.append((self.clock.monotonic() + 60, body))  # Alertmanager tries again

    # -- people --------------------------------------------------------------------------------------------

    def reload(self, data: dict[str, Any]) -> None:
        """Bring another policy into force."""
        self.data = data
        self.oracle.rules = rules_of(data)
        if self.machine.remediation is not None:
            self.machine.remediation.loaded = loaded_of(data)

    def proposals(self) -> Iterator[Approval]:
        if self.machine.remediation is not None:
            yield from self.machine.remediation.view.approvals

    def end_troubles(self) -> None:
        """Let everything be well again, so that what must happen can happen."""
        for _, undo in self.undo:
            undo()
        self.undo.clear()
        self.waiting.clear()
        self.late_share = 0.0
        self.alerting.lossy = 0.0
        self.troubles.__init__()  # type: ignore[misc]

    def _report(self) -> Report:
        rows = self.oracle._rows("SELECT * FROM intent")
        results = Counter(row["result"] or row["state"] for row in rows)
        stuck = sum(row["state"] != "ended" for row in rows)
        self.kills.update(self.machine.points.kills)
        return Report(
            seed=self.plan.seed,
            violations=[*self.violations, *self.oracle.violations],
            faults=self.faults,
            acts=Counter(act.action for act in self.oracle.acts),
            results=results,
            verdicts=self.verdicts,
            kills=self.kills,
            open_at_end=stuck,
            digest=self.trace.hexdigest(),
        )


def simulate(plan: Plan, directory: Path, tamper: Callable[[Run], None] = lambda _run: None) -> Report:
    """Make one run; the directory is emptied first."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return virtually(lambda clock: Run(plan, directory, clock, tamper).go())


__all__ = ["Plan", "Report", "Run", "Verdict", "simulate"]
