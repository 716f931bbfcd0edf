"""How long `explain` takes for any of 10,000 VMs at any recorded time, over a history of 30 days.

    python -m benchmarks.explain [--days 30] [--asks 2000]

The history is written by the shipped recorder, planner and policy: 100 incidents a day, each a VM that hangs for 10 to
90 minutes unless the policy lets it be restarted before, looked at once a minute. Wall time, the journal's part and the
text for people included. Also prints what a day of history takes on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from benchmarks.measure import Result, exit_code, table
from benchmarks.remediation_fleet import GPUS, PROBE, policy, targets, task_ids
from dbc_exporter.clock import SystemClock
from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.explain import Explainer
from dbc_exporter.remediation.history import History
from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.journal_thread import JournalThread
from dbc_exporter.remediation.model import (
    Alert,
    Decision,
    Fence,
    Fleet,
    Intent,
    IntentState,
    Sight,
    Snapshot,
    Subject,
    Verdict,
    View,
)
from dbc_exporter.remediation.model import (
    Result as Outcome,
)
from dbc_exporter.targets import DesiredState

GOAL_SECONDS = 0.100
MINUTE, POLL, DAY = 60.0, 300.0, 86_400.0
INCIDENTS_A_DAY = 100
SHORTEST, LONGEST = 600.0, 5_400.0
CURED_AFTER = 600.0  # from the sending to the verified end of an action
LOOK_BACK = 2 * DAY
SETTLED = 100_000.0


@dataclass
class Incident:
    """A VM that hangs for a while; `intent` is what was done about it."""

    sight: Sight
    begin: float
    end: float
    intent: Intent | None = None

    def seen(self, now: float) -> Sight:
        """Return it as it was read at the latest polls, its list of VMs and its orders at different times."""
        seen, ordered = now - now % POLL, now - (now + POLL / 2) % POLL
        samples = 500 + int((seen - self.begin) // POLL)
        alerts = (Alert(PROBE, self.begin, self.begin),)
        return replace(self.sight, seen=seen, order_seen=ordered, samples=samples, alerts=alerts)


@dataclass
class Month:
    """Makes up the history, minute by minute. VMs that are well are left out, as the recorder leaves them out."""

    history: History
    begin: float
    days: float
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    intents: list[Intent] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    open: list[Incident] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy = policy()
        self.subjects = [Subject(target.id, task) for target in targets() for task in task_ids(target)]
        self.end = self.begin + self.days * DAY

    async def happen(self) -> None:
        """Let all of it happen."""
        well = [Decision(subject=subject, verdict=Verdict.HEALTHY) for subject in self.subjects]
        await self.history.record(self._around((), self.begin), well, self.begin)
        now = self.begin
        while now < self.end:
            await self._minute(now)
            now += MINUTE
        await self.history.close()

    async def _minute(self, now: float) -> None:
        over = [one for one in self.open if now >= one.end]
        self.open = [one for one in self.open if now < one.end]
        for one in over:
            self._close(one, now)
        if self.dice.random() < INCIDENTS_A_DAY * MINUTE / DAY:
            self._hang(now)
        snapshot = self._around(tuple(one.seen(now) for one in self.open), now)
        recent = tuple(one for one in self.intents if now - one.created < LOOK_BACK)
        decisions = decide(snapshot, View(intents=recent), self.policy.policy, now, policy_id="bench")
        for decision in decisions:
            if decision.verdict is Verdict.ACT:
                self._act(decision, now)
        healthy = [Decision(subject=one.sight.subject, verdict=Verdict.HEALTHY) for one in over]
        await self.history.record(snapshot, [*decisions, *healthy], now)
        await asyncio.sleep(0)

    def _hang(self, now: float) -> None:
        subject = self.dice.choice(self.subjects)
        if any(one.sight.subject == subject for one in self.open):
            return
        site = f"site-{int(subject.node_id, 16) % 8}"
        sight = Sight(
            subject=subject,
            machine=subject.node_id,
            labels=(("remediation", "vms"), ("site", site)),
            client="client",
            desired=DesiredState.RUNNING,
            expected_gpus=GPUS,
            fence=Fence.NONCE,
            state="running",
            since=now - SETTLED,
            was_well=now,
            node_up=True,
            node_listed=True,
            node_back=now - SETTLED,
            order_live=True,
            gpus=GPUS,
            vm_gpus=1,
            vm_gpus_most=1,
        )
        incident = Incident(sight, now, now + self.dice.uniform(SHORTEST, LONGEST))
        self.incidents.append(incident)
        self.open.append(incident)
        self.open.sort(key=lambda one: one.sight.subject)

    def _act(self, decision: Decision, now: float) -> None:
        (incident,) = (one for one in self.open if one.sight.subject == decision.subject)
        assert decision.action is not None
        assert decision.problem is not None
        incident.end = now + CURED_AFTER
        incident.intent = Intent(
            id=f"{len(self.intents):016x}",
            subject=decision.subject,
            machine=decision.subject.node_id,
            client="client",
            action=decision.action,
            problem=decision.problem,
            state=IntentState.SETTLING,
            created=now,
            sent=now,
            nonce=f"nonce-{len(self.intents)}",
            domains=incident.sight.labels,
            evidence=decision.evidence,
        )
        self.intents.append(incident.intent)

    def _close(self, incident: Incident, now: float) -> None:
        if incident.intent is not None:
            ended = replace(
                incident.intent,
                state=IntentState.ENDED,
                ended=now,
                result=Outcome.RECOVERED,
                reason="well_again",
            )
            self.intents[self.intents.index(incident.intent)] = ended

    def _around(self, sights: tuple[Sight, ...], now: float) -> Snapshot:
        fleet = Fleet(
            started=self.begin - SETTLED,
            clients=(("client", "ok"),),
            watched=len(self.subjects) // 4,
            present=len(self.subjects) // 4,
            known=len(self.subjects) // 4,
            watchdog=now,
        )
        return Snapshot(now, fleet, sights)


class NothingNow:
    """Stands in for the loop: every question is about the past."""

    decisions: dict[Subject, Decision] = {}  # noqa: RUF012 (never changed)


async def explained(month: Month, directory: Path, asks: int) -> tuple[list[float], int]:
    """Ask, half of the times about incidents, and return the seconds each answer took, and the answers with gates."""
    journal = Journal.open(directory, SystemClock(), "")
    for intent in month.intents:
        if month.end - intent.created < LOOK_BACK:
            journal.intend(replace(intent, state=IntentState.ENDED), intent.created)
    thread = JournalThread(journal)
    explain = Explainer(NothingNow(), thread, directory, lambda: month.end, lambda: month.end)
    took, with_gates = [], 0
    for turn in range(asks):
        subject = month.dice.choice(month.subjects)
        at = month.dice.uniform(month.begin, month.end)
        if turn % 2:
            incident = month.dice.choice(month.incidents)
            subject, at = incident.sight.subject, month.dice.uniform(incident.begin, incident.end)
        begin = time.perf_counter()
        explanation = await explain(subject, at)
        text = explanation.text()
        took.append(time.perf_counter() - begin)
        assert explanation.decision is not None
        with_gates += "would be done without" in text
    await thread.close()
    return took, with_gates


async def measure(days: float, asks: int, directory: Path) -> list[Result]:
    begin = time.perf_counter()
    month = Month(History(directory), 1_000_000.0, days)
    await month.happen()
    size = _size(directory)
    made = time.perf_counter() - begin
    took, with_gates = await explained(month, directory, asks)
    print(f"{days:g} days of {len(month.subjects):,} VMs, made in {made:.0f} s")
    print(f"  {len(month.incidents):,} incidents, {len(month.intents):,} restarts")
    print(f"  history.db: {size / 1e6:.1f} MB, {size / days / 1e3:.0f} kB a day")
    print(f"  {asks:,} questions, {with_gates:,} of them about somebody something stood in the way of")
    p50, p99 = statistics.median(took), _percentile(took, 99)
    print(f"  p50 {1000 * p50:.2f} ms, p99 {1000 * p99:.2f} ms, max {1000 * max(took):.2f} ms")
    goal = f"p99 at most {1000 * GOAL_SECONDS:.0f} ms"
    return [
        Result(
            f"explain, {days:g} days of {len(month.subjects):,} VMs",
            f"p50 {1000 * p50:.1f} ms, p99 {1000 * p99:.1f} ms",
            goal,
            p99 <= GOAL_SECONDS,
        ),
        Result(f"history with {INCIDENTS_A_DAY} incidents a day", f"{size / days / 1e3:.0f} kB a day"),
    ]


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.glob("history.db*"))


def _percentile(values: Sequence[float], percent: float) -> float:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def run(days: float = 30.0, asks: int = 2_000) -> list[Result]:
    """Measure, print the details and return the lines of the table."""
    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(measure(days, asks, Path(directory)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--asks", type=int, default=2_000)
    options = parser.parse_args()
    results = run(options.days, options.asks)
    print(table(results))
    return exit_code(results)


if __name__ == "__main__":
    sys.exit(main())
