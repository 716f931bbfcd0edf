"""What a policy would have done in recorded time, and which of those subjects got well alone.

Nothing is known of what an action would have brought about. So every action a policy would have taken is taken to
have had no known effect: it counts against budgets and cool-downs, and the step after it is never reached.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.history import Change, Past, Surroundings
from dbc_exporter.remediation.model import (
    Action,
    Decision,
    Intent,
    IntentState,
    Problem,
    Result,
    Sight,
    Snapshot,
    Subject,
    Verdict,
    View,
)
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.problems import Trouble, trouble
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.words import in_words

STEP_SECONDS = 60.0
ALONE_SECONDS = 1_800.0  # who got well so soon without an action would have needed none
MISSED_SECONDS = 3_600.0
_WOULD = frozenset({Verdict.ACT, Verdict.PROPOSE, Verdict.DRY_RUN})
Moment = tuple[float, int, Change | Surroundings]
_SPANS = (600.0, 3_600.0, 86_400.0)


class Would(Struct, frozen=True, kw_only=True):
    """One action the policy would have taken or proposed.

    `alone` is after how long the subject was well again without one of ours, `None` if it was not so soon.
    """

    at: float
    subject: Subject
    action: Action
    verdict: Verdict
    evidence: str
    really: bool = False
    alone: float | None = None


class Missed(Struct, frozen=True, kw_only=True):
    """A subject that was bad for long without anything done, and what stood in the way for the longest time.

    One that had not `recovered` when the recording ended was bad for `seconds` by then.
    """

    subject: Subject
    seconds: float
    reason: str
    recovered: bool = True


class Report(Struct, frozen=True, kw_only=True):
    """What a replay found. `offset` makes Unix time of its steady times."""

    since: float
    until: float
    offset: float
    would: tuple[Would, ...] = ()
    missed: tuple[Missed, ...] = ()

    def text(self) -> str:
        """Write it for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"from {self._time(self.since)} to {self._time(self.until)}"
        counts = Counter(one.action for one in self.would)
        said = ", ".join(f"{count} x {action}" for action, count in sorted(counts.items()))
        yield f"would have done: {said or 'nothing'}"
        times = [one.at for one in self.would]
        most = ", ".join(f"{most_in(times, span)} in {_span(span)}" for span in _SPANS)
        yield f"at most {most}"
        alone = [one for one in self.would if one.alone is not None]
        yield f"got well alone within {_span(ALONE_SECONDS)}: {len(alone)} of {len(self.would)}"
        for one in self.would:
            after = f"; well alone after {one.alone:.0f} s" if one.alone is not None else ""
            done = "; really done then" if one.really else ""
            yield f"  {self._time(one.at)} {one.verdict} {one.action} {one.subject}{after}{done}"
        for lost in self.missed:
            still = "" if lost.recovered else " and not recovered at the end"
            yield f"  bad for {_span(lost.seconds)}{still}, nothing done: {lost.subject}: {in_words(lost.reason)}"

    def _time(self, at: float) -> str:
        return datetime.fromtimestamp(at + self.offset, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def most_in(times: Iterable[float], span: float) -> int:
    """Return the most of some sorted times that lie in any span of this length."""
    kept: list[float] = []
    most = 0
    for at in times:
        kept = [*(one for one in kept if at - one < span), at]
        most = max(most, len(kept))
    return most


def _span(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours and minutes else f"{hours} h" if hours else f"{minutes} min"


@dataclass
class Replay:
    """One going through. `real` are the intents that were really sent."""

    policy: Policy
    real: tuple[Intent, ...] = ()
    sights: dict[Subject, Sight] = field(default_factory=dict)
    intents: list[Intent] = field(default_factory=list)
    would: list[Would] = field(default_factory=list)
    bad: dict[Subject, tuple[float, Counter[str]]] = field(default_factory=dict)
    missed: list[Missed] = field(default_factory=list)

    def go(self, changes: Iterable[Change], fleets: Iterable[Surroundings]) -> None:
        """Go through the recorded time, deciding once a minute while anything is wrong."""
        sights: Iterator[Moment] = ((change.at, 0, change) for change in changes)
        others: Iterator[Moment] = ((one.at, 1, one) for one in fleets)
        moments = heapq.merge(sights, others, key=lambda moment: moment[:2])
        around: Surroundings | None = None
        at = 0.0
        for (at, _, what), following in _with_next(moments):
            if isinstance(what, Change):
                self._change(what)
            else:
                around = what
            if around is not None:
                self._decide_until(around, at, following)
        for subject in sorted(self.bad):
            self._miss(subject, at, recovered=False)
        self.bad.clear()

    def _change(self, change: Change) -> None:
        if change.sight is not None:
            self.sights[change.subject] = change.sight
            return
        self.sights.pop(change.subject, None)
        self._well(change.subject, change.at)

    def _decide_until(self, around: Surroundings, at: float, following: float) -> None:
        while at < following and self.sights:
            self._decide(around, at)
            at += STEP_SECONDS

    def _decide(self, around: Surroundings, at: float) -> None:
        sights = tuple(self.sights[subject] for subject in sorted(self.sights))
        seen = Snapshot(around.wall + at - around.at, around.fleet, sights)
        here = trouble(seen, self.policy, at)
        found = Trouble(here.bad, here.new, max(around.subjects, here.of))
        view = View(intents=tuple(self.intents))
        for decision in decide(seen, view, self.policy, at, found=found):
            self._note(decision, at)

    def _note(self, decision: Decision, at: float) -> None:
        if decision.problem is None:
            return
        begun, reasons = self.bad.setdefault(decision.subject, (at, Counter()))
        del begun
        reasons[decision.reason.value if decision.reason else ""] += 1
        if decision.verdict in _WOULD and decision.action is not None and not self._asked(decision, at):
            self._act(decision, decision.action, decision.problem, at)

    def _asked(self, decision: Decision, at: float) -> bool:
        """Tell whether a proposal or a dry run of the same evidence was counted already."""
        ttl = self.policy.limits.approval_ttl
        return any(
            one.subject == decision.subject and one.evidence == decision.evidence and at - one.at < ttl
            for one in reversed(self.would)
        )

    def _act(self, decision: Decision, action: Action, problem: Problem, at: float) -> None:
        really = any(
            one.subject == decision.subject
            and one.sent is not None
            and abs(one.sent - at) <= 2 * STEP_SECONDS
            for one in self.real
        )
        self.would.append(
            Would(
                at=at,
                subject=decision.subject,
                action=action,
                verdict=decision.verdict,
                evidence=decision.evidence,
                really=really,
            )
        )
        sight = self.sights[decision.subject]
        self.intents.append(
            Intent(
                id=f"replay{len(self.intents)}",
                subject=decision.subject,
                machine=sight.machine,
                client=sight.client or "",
                action=action,
                problem=problem,
                state=IntentState.ENDED,
                created=at,
                sent=at,
                ended=at,
                result=Result.UNVERIFIED,
                reason=Reason.NO_WORD.value,
                domains=sight.labels,
            )
        )

    def _well(self, subject: Subject, at: float) -> None:
        """Judge, when a subject is well again, whether it got so without us, and whether nobody helped it."""
        if subject not in self.bad:
            return
        begun, _ = self.bad[subject]
        if not self._helped(subject, begun, at):
            for place, one in enumerate(self.would):
                if one.subject == subject and begun <= one.at and at - one.at <= ALONE_SECONDS:
                    self.would[place] = _with_alone(one, at - one.at)
        self._miss(subject, at, recovered=True)
        del self.bad[subject]

    def _miss(self, subject: Subject, at: float, *, recovered: bool) -> None:
        """Note a bad subject if it has been so for long by now and nobody did anything, neither then nor here."""
        begun, reasons = self.bad[subject]
        acted = any(one.subject == subject and begun <= one.at for one in self.would)
        if acted or self._helped(subject, begun, at) or at - begun < MISSED_SECONDS:
            return
        reason = reasons.most_common(1)[0][0] if reasons else ""
        self.missed.append(Missed(subject=subject, seconds=at - begun, reason=reason, recovered=recovered))

    def _helped(self, subject: Subject, begun: float, at: float) -> bool:
        """Tell whether something was really sent to a subject meanwhile."""
        return any(one.subject == subject and one.sent and begun <= one.sent <= at for one in self.real)


def _with_alone(one: Would, seconds: float) -> Would:
    return Would(
        at=one.at,
        subject=one.subject,
        action=one.action,
        verdict=one.verdict,
        evidence=one.evidence,
        really=one.really,
        alone=seconds,
    )


def _with_next(
    moments: Iterable[Moment],
) -> Iterator[tuple[Moment, float]]:
    """Yield each moment with the time of the one after it; the last one stands alone."""
    last: Moment | None = None
    for moment, following in pairwise(moments):
        last = following
        yield moment, following[0]
    if last is not None:
        yield last, last[0] + STEP_SECONDS


def replay(
    directory: Path,
    policy: Policy,
    since: float,
    until: float,
    *,
    real: Iterable[Intent] = (),
    offset: float = 0.0,
) -> Report:
    """Go through what is recorded between two steady times. Raises `FileNotFoundError` where nothing is recorded."""
    past = Past(directory)
    try:
        going = Replay(policy, tuple(real))
        going.go(past.sights(since, until), past.fleets(since, until))
    finally:
        past.close()
    return Report(
        since=since, until=until, offset=offset, would=tuple(going.would), missed=tuple(going.missed)
    )
