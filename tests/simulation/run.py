"""One seeded run: a town, its troubles and people, our process, the judge."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import itertools
import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbc_exporter.remediation.model import Verdict
from dbc_exporter.simulator.virtual import LoopClock
from tests.simulation.alerting import Alerting
from tests.simulation.eyes import Eyes
from tests.simulation.liveness import drill
from tests.simulation.oracle import Oracle
from tests.simulation.outcomes import Outcomes
from tests.simulation.people import People
from tests.simulation.policies import Data, loaded_of, policy_of, rules_of
from tests.simulation.process import Machine
from tests.simulation.sends import Sends
from tests.simulation.tightening import Tightening
from tests.simulation.town import Size, Town
from tests.simulation.wires import Killed, Sent, Troubles
from tests.virtual import virtually

MOST_WAITING = 10_000
RETRY_SECONDS = 60.0
AMBUSH_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of. `faults` are spread evenly over `hours`, then `calm` hours follow without any.

    `mix` makes some troubles likelier than others (0: never); with `only`, the mix is all there is.
    """

    seed: int = 1
    size: Size = field(default_factory=Size)
    hours: float = 10.0
    calm: float = 2.5
    faults: int = 400
    every: float = 30.0
    mode: str = "act"
    mix: Mapping[str, float] = field(default_factory=dict)
    only: bool = False
    shards: int = 1
    twice: bool = False
    drill: bool = True
    wide_an_hour: float = 3.5


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
    rounds: int
    open_at_end: int
    digest: str

    def line(self) -> str:
        acted = ", ".join(f"{name} {count}" for name, count in sorted(self.acts.items()))
        return (
            f"seed {self.seed}: {self.faults.total()} faults, {self.kills.total()} kills,"
            f" {self.acts.total()} actions ({acted}), {len(self.violations)} violations, {self.digest}"
        )


class Run:
    """A run in virtual time. A `tamper` may change it before anything of ours is built."""

    def __init__(self, plan: Plan, directory: Path, clock: LoopClock, tamper: Callable[[Run], None]) -> None:
        self.plan, self.directory, self.clock = plan, directory, clock
        self.dice = random.Random(plan.seed)
        self.town = Town(clock, plan.size, plan.seed)
        self.data = policy_of(self.town, plan.mode)
        self.weaken: Callable[[Data], Data] = lambda data: data
        self.troubles = Troubles()
        self.numbers = iter(range(10**9))
        self.order = itertools.count()
        self.faults: Counter[str] = Counter()
        self.undo: list[tuple[float, int, Callable[[], None]]] = []
        self.ambushes: list[tuple[float, str, Callable[[Sent], None]]] = []
        self.waiting: list[tuple[float, bytes]] = []
        self.late_share = 0.0
        self.violations: list[str] = []
        self.verdicts: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.rounds = 0
        self.trace = hashlib.blake2b(digest_size=8)
        self.impatient = False  # ends with the first broken promise
        self.kill_file = directory.parent / f"{directory.name}.kill"
        self.kill_file.unlink(missing_ok=True)
        tamper(self)
        self.machine = self._new_machine()
        self.eyes = Eyes(self.town, self.machine.store)
        self.alerting = Alerting(self.town, random.Random(plan.seed + 1), self.deliver, twice=plan.twice)
        self.oracle = Oracle(
            self.town, self.eyes, self.alerting, directory / "journal.db", rules_of(self.data)
        )
        self.oracle.sharded = plan.shards > 1
        assert self.machine.journal is not None
        self.oracle.offset = self.machine.journal.steady.now() - clock.monotonic()
        self.outcomes, self.sends = Outcomes(self.oracle), Sends(self.oracle)
        self.people = People(self, random.Random(plan.seed + 2))
        self.tightening = Tightening(self, random.Random(plan.seed + 3))

    @property
    def broken(self) -> bool:
        """Whether a promise was broken."""
        return bool(self.violations or self.oracle.violations)

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    # -- life ----------------------------------------------------------------------------------------------

    async def go(self) -> Report:
        from tests.simulation.faults import Alphabet  # noqa: PLC0415 - the alphabet knows the run

        alphabet, plan = Alphabet(self), self.plan
        self.town.fleet.start()
        await self.begin()
        rounds = int(plan.hours * 3600 / plan.every)
        due = 0.0
        for _ in range(rounds):
            due += plan.faults / rounds
            while due >= 1.0:
                due -= 1.0
                alphabet.happen()
            await self.step()
            if self.impatient and self.broken:
                break
        self.end_troubles()
        for _ in range(int(plan.calm * 3600 / plan.every)):
            if not (self.impatient and self.broken):
                await self.step()
        self.outcomes.audit()
        if plan.drill and not (self.impatient and self.broken):
            await drill(self)
        report = self._report()
        self.oracle.look_away()
        await self.machine.close()
        await self.town.fleet.stop()
        return report

    async def step(self) -> None:
        """Let one round pass, for the town and for us."""
        await asyncio.sleep(self.plan.every)
        now = self.now
        while self.undo and self.undo[0][0] <= now:
            heapq.heappop(self.undo)[2]()
        self.town.settle()
        self.alerting.look(now)
        self._deliver_waiting(now)
        if not self.machine.points.still:  # who stands still sees nothing
            self.eyes.look(now, self.plan.every)
        self.people.look(now)
        if self.machine.points.dead or (self.machine.remediation is None and not self.oracle.disarmed):
            await self.begin_again()
        elif self.machine.remediation is not None and not self.machine.points.still:
            await self._round()

    async def _round(self) -> None:
        machine = self.machine
        assert machine.remediation is not None
        fault = ""
        try:
            await machine.refresh()
            machine.recall()
            self.oracle.before_round(self.now)
            fault = machine.remediation.fault
            await machine.remediation.round()
        except Killed:
            pass
        if machine.points.dead:
            await self.begin_again()
            return
        self.rounds += 1
        self._take_reports(machine)
        wanted = {
            (one.subject.node_id, one.subject.task_id)
            for one in machine.remediation.decisions.values()
            if one.verdict is Verdict.ACT
        }
        broken_now = bool(machine.remediation.fault and not fault)
        if not broken_now:  # what breaks in the middle of a round leaves its plans as they are
            self.oracle.after_round(wanted, disarmed=bool(fault))
        if not machine.remediation.fault:
            self.tightening.look()

    def _take_reports(self, machine: Machine) -> None:
        reporter = machine.reporter
        for decision in reporter.decisions:
            self.verdicts[decision.reason or decision.verdict] += 1
        for intent in reporter.intents:
            self.trace.update(f"{intent.id} {intent.state} {intent.result} {intent.subject}".encode())
        self.violations.extend(f"product: {what}" for what in reporter.violations)
        reporter.decisions.clear()
        reporter.intents.clear()
        reporter.violations.clear()

    async def begin(self) -> None:
        """Start the process's life with a first sweep."""
        machine = self.machine
        machine.retarget()
        await machine.refresh()
        self.eyes.store = machine.store
        self.eyes.first_look(self.now)
        self.oracle.begins(self.now)

    async def begin_again(self) -> None:
        """Bury the process and start another on its files."""
        self.kills.update(self.machine.points.kills)
        self.oracle.look_away()
        await self.machine.close()
        self.ambushes.clear()
        self.machine = self._new_machine()
        if self.oracle.disarmed and self.machine.remediation is not None:
            self.oracle.wrong("journal", "an older copy was believed")
        await self.begin()

    def _new_machine(self) -> Machine:
        return Machine(
            self.town,
            self.directory,
            loaded_of(self.weaken(self.data)),
            self.troubles,
            self.dice,
            ears=self,
            numbers=self.numbers,
            shards=self.plan.shards,
        )

    # -- ears ----------------------------------------------------------------------------------------------

    def leaves(self, sent: Sent) -> None:
        """Hear a request as it leaves: judge it, and let happen what was to happen just then."""
        if sent.changes:
            self.trace.update(f"{sent.at:.3f} {sent.nonce} {sent.path}".encode())
            self.sends.leaves(sent, self.now)
            self._spring("write", sent)
        else:
            self._spring("read", sent)
            self.oracle.reads(sent, self.now)

    def answered(self, sent: Sent, body: bytes) -> None:
        """Hear an answer."""
        self.oracle.answered(sent, body, self.now)
        self._spring("written" if sent.changes else "answer", sent)

    def lost(self, sent: Sent) -> None:
        """Hear that a request will never arrive."""
        self.oracle.lost.add(sent.nonce)

    def intends(self, intent_id: str) -> None:
        """Hear that an intent was written down."""
        self.oracle.intends(intent_id, self.now)

    def allows(self, intent_id: str) -> None:
        """Hear the planner's last yes."""
        self.oracle.allows(intent_id, self.now)
        self._spring("yes", None)

    def ends(self, intent_id: str) -> None:
        """Hear how an intent ended."""
        self.outcomes.ends(intent_id, self.now)

    def _spring(self, where: str, sent: Any) -> None:
        self.ambushes = [ambush for ambush in self.ambushes if ambush[0] >= self.now]
        for ambush in self.ambushes:
            if ambush[1] == where:
                self.ambushes.remove(ambush)
                ambush[2](sent)
                return

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen in the first round after a while."""
        heapq.heappush(self.undo, (self.now + seconds, next(self.order), what))

    def lie_in_wait(self, where: str, spring: Callable[[Any], None]) -> None:
        """Let something happen with the next request of a kind, or with the planner's next yes, if one comes soon."""
        self.ambushes.append((self.now + AMBUSH_SECONDS, where, spring))

    # -- webhooks ------------------------------------------------------------------------------------------

    def deliver(self, body: bytes) -> None:
        """Let a delivery come, now or late."""
        if self.late_share and self.dice.random() < self.late_share:
            self.waiting.append((self.now + self.dice.uniform(1, 600), body))
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
            self.oracle.words.hear(body, self.now, surely=False)
        if taken:
            self.oracle.words.hear(body, self.now, surely=True)
        elif len(self.waiting) < MOST_WAITING:
            self.waiting.append((self.now + RETRY_SECONDS, body))  # Alertmanager tries again

    # -- people --------------------------------------------------------------------------------------------

    def reload(self, data: Data) -> None:
        """Bring another policy into force."""
        if data == self.data:
            return
        self.data = data
        self.oracle.load(rules_of(data), self.now)
        if self.machine.remediation is not None:
            self.machine.remediation.loaded = loaded_of(self.weaken(data))

    def end_troubles(self) -> None:
        """Let everything be well again, so that what must happen can happen."""
        while self.undo:
            heapq.heappop(self.undo)[2]()
        self.ambushes.clear()
        self.late_share = 0.0
        self.alerting.lossy = 0.0
        self.troubles.__dict__.update(Troubles().__dict__)

    def _report(self) -> Report:
        rows = self.oracle.rows("SELECT * FROM intent")
        self.kills.update(self.machine.points.kills)
        return Report(
            seed=self.plan.seed,
            violations=[*self.violations, *self.oracle.violations],
            faults=self.faults,
            acts=Counter(act.action for act in self.oracle.acts),
            results=Counter(row["result"] or row["state"] for row in rows),
            verdicts=self.verdicts,
            kills=self.kills,
            rounds=self.rounds,
            open_at_end=sum(row["state"] != "ended" for row in rows),
            digest=self.trace.hexdigest(),
        )


def simulate(plan: Plan, directory: Path, tamper: Callable[[Run], None] = lambda _run: None) -> Report:
    """Make one run; the directory is emptied first."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return virtually(lambda clock: Run(plan, directory, clock, tamper).go())
