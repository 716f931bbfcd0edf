"""Operators: they answer proposals at once, late, twice and never, pause and resume, clear what stopped itself."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from dbc_exporter.remediation.journal import ApprovalRefusedError, Journal, JournalError
from dbc_exporter.remediation.journal_schema import subject_of
from dbc_exporter.remediation.model import Pause
from tests.simulation.wires import Killed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.run import Run

REMEMBERED = 4_000.0
CLEARS_AFTER = (600.0, 5_000.0)


@dataclass
class People:
    """Some people with dice of their own. `diligent` ones clear quarantines and the breaker after a while."""

    run: Run
    dice: random.Random
    diligent: bool = True
    _plans: dict[str, float] = field(default_factory=dict)
    _pauses: int = 0

    def look(self, now: float) -> None:
        """Do what is to be done in this round."""
        journal = self._journal()
        if journal is None:
            return
        steady = now + self.run.oracle.offset
        self._proposals(journal, now, steady)
        if self.diligent:
            self._clear(journal, now, steady)

    def _journal(self) -> Journal | None:
        machine = self.run.machine
        gone = machine.points.dead or machine.points.still or machine.remediation is None
        return None if gone else machine.journal

    def _do(self, work: Callable[[], object]) -> bool | None:
        """Try something; tells whether it was done, `None` when the process died meanwhile."""
        try:
            work()
        except (JournalError, ApprovalRefusedError):
            return False
        except Killed:
            return None
        return True

    # -- proposals

    def _proposals(self, journal: Journal, now: float, steady: float) -> None:
        rows = self.run.oracle.rows("SELECT * FROM approval WHERE created > ?", steady - REMEMBERED)
        for row in rows:
            due = self._plans.get(row["id"])
            if due is None:
                self._plans[row["id"]] = now + self.dice.choice([0.0, 0.0, 60.0, 300.0, 880.0, 1500.0])
            elif now >= due:
                self._plans[row["id"]] = now + 2 * REMEMBERED
                self._answer(journal, row["id"], steady, row["created"])

    def _answer(self, journal: Journal, proposal: str, steady: float, created: float) -> None:
        approve = self.dice.random() < 0.8
        first = True
        for actor in ("anna", "ben")[: self.dice.choice([1, 1, 2])]:
            done = self._do(
                partial(journal.decide_approval, proposal, actor=actor, approve=approve, at=steady)
            )
            if done is False:
                continue
            if done and not first:
                self.run.oracle.wrong("approval", "answered twice")
            if done and steady - created > self.run.oracle.rules.limits["approval_ttl"]:
                self.run.oracle.wrong("approval", "taken after it expired")
            first = not done and first
            if approve:  # also where the process died: perhaps it is on disk
                self.run.oracle.accepted.add(proposal)

    # -- what stopped itself

    def _clear(self, journal: Journal, now: float, steady: float) -> None:
        oracle = self.run.oracle
        for row in oracle.rows("SELECT subject, since FROM quarantine WHERE cleared IS NULL"):
            if self._time_has_come(f"q {row['subject']} {row['since']}", now):
                self._do(partial(journal.clear, subject_of(row["subject"]), "anna", steady))
        for row in oracle.rows("SELECT since FROM breaker WHERE cleared IS NULL"):
            if self._time_has_come(f"b {row['since']}", now):
                self._do(lambda: journal.clear_breaker("anna", steady))

    def _time_has_come(self, what: str, now: float) -> bool:
        return now >= self._plans.setdefault(what, now + self.dice.uniform(*CLEARS_AFTER))

    def clear_all(self, now: float) -> None:
        """Clear everything at once."""
        for what, due in list(self._plans.items()):
            if what[:2] in ("q ", "b "):
                self._plans[what] = min(due, now)
        self.diligent = True

    # -- pauses

    def pause(self, node_id: str, seconds: float) -> str | None:
        """Pause a node, or everything."""
        journal, now = self._journal(), self.run.now
        if journal is None:
            return None
        self._pauses += 1
        steady = now + self.run.oracle.offset
        made = Pause(
            id=f"p{self._pauses}",
            node_id=node_id,
            actor="anna",
            reason="work",
            created=steady,
            expires=steady + seconds,
        )
        return made.id if self._do(lambda: journal.pause(made)) else None

    def resume(self, pause_id: str) -> None:
        """End a pause early."""
        journal = self._journal()
        if journal is not None:
            self._do(lambda: journal.resume(pause_id, "ben", self.run.now + self.run.oracle.offset))

    def quarantine(self, subject: str) -> None:
        """Put somebody into quarantine by hand of the journal, as the loop would."""
        journal = self._journal()
        if journal is not None:
            steady = self.run.now + self.run.oracle.offset
            self._do(partial(journal.quarantine, subject_of(subject), "watched by a person", steady))
