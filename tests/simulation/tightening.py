"""Step by step: what the same planner makes of the same sights under a stricter policy is never more.

Where limits are shared, an action that a stricter rule forbids may leave its places in budgets to others: to nobody
but subjects that wanted for a place alone. These may be two, where one budget held off one and another the other.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.model import Decision, Snapshot, Subject, Verdict, View
from dbc_exporter.remediation.reasons import Reason
from tests.simulation.policies import Data, loaded_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.run import Run

IDLE_ROUNDS = 100  # between two looks while nothing is to be done
NO_PLACE = frozenset({Reason.BUDGET_SPENT, Reason.TOO_MANY_AT_ONCE, Reason.MACHINE_IN_USE})


def _less(table: str, key: str, factor: float) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        data["limits"][table][key] = max(
            1, type(data["limits"][table][key])(data["limits"][table][key] * factor)
        )

    return change


def _rule(key: str, factor: float) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        for rule in data["rules"]:
            rule[key] = max(1, int(rule[key] * factor))

    return change


def _limit(key: str, factor: float) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        data["limits"][key] *= factor

    return change


def _budget(place: int) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        data["limits"]["budgets"][place]["most"] = max(1, data["limits"]["budgets"][place]["most"] // 2)

    return change


def _mode(data: Data) -> None:
    data["mode"] = "dry_run"


def _no_rules(data: Data) -> None:
    data["rules"] = []


STRICTER: tuple[Callable[[Data], None], ...] = (
    _less("concurrency", "fleet", 0.5),
    _less("concurrency", "client", 0.5),
    _less("storm", "bad_percent", 0.3),
    _less("storm", "new_count", 0.5),
    _less("sight", "shrink_percent", 0.1),
    _less("sight", "chain_silent", 0.3),
    _rule("hold", 3),
    _rule("samples", 2),
    _rule("max_age", 0.3),
    _rule("attempts_per_day", 0.5),
    _rule("node_settle", 3),
    _limit("hold_off", 3),
    _budget(0),
    _budget(1),
    _budget(2),
    _mode,
    _no_rules,
)


@dataclass
class Tightening:
    """Compares after rounds that want something done, and now and then else."""

    run: Run
    dice: random.Random
    compared: int = 0
    _idle: int = field(default=0)

    def look(self) -> None:
        """Compare, if this round is one for it."""
        remediation = self.run.machine.remediation
        if remediation is None or remediation.snapshot is None:
            return
        wanted = any(one.verdict is Verdict.ACT for one in remediation.decisions.values())
        self._idle += 1
        if not wanted and self._idle < IDLE_ROUNDS:
            return
        self._idle = 0
        stricter = copy.deepcopy(self.run.data)
        self.dice.choice(STRICTER)(stricter)
        now = remediation.now()
        before = self._decide(remediation.snapshot, remediation.view, self.run.data, now)
        after = self._decide(remediation.snapshot, remediation.view, stricter, now)
        self.compared += 1
        self._compare(before, after)

    @staticmethod
    def _decide(snapshot: Snapshot, view: View, data: Data, now: float) -> dict[Subject, Decision]:
        decided = decide(snapshot, view, loaded_of(data).policy, now, policy_id="same")
        return {one.subject: one for one in decided}

    def _compare(self, before: dict[Subject, Decision], after: dict[Subject, Decision]) -> None:
        acts = {subject for subject, one in after.items() if one.verdict is Verdict.ACT}
        acted = {subject for subject, one in before.items() if one.verdict is Verdict.ACT}
        added = acts - acted
        places_left = bool(acted - acts) and all(before[subject].reason in NO_PLACE for subject in added)
        if added and not places_left:
            self.run.oracle.wrong("tightening_adds_nothing", f"{len(acted)} before, {len(acts)} after")
