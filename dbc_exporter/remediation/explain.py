"""Why something was, or was not, done to a subject, now or at any recorded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from dbc_exporter.remediation.history import Past
from dbc_exporter.remediation.journal_thread import JournalRunner
from dbc_exporter.remediation.model import Decision, Intent, Subject
from dbc_exporter.remediation.words import in_words

SHOWN = 5


class Explanation(Struct, frozen=True, kw_only=True):
    """A decision with everything around it. Times are steady; `offset` makes Unix time of them.

    `made` is when the decision was first made; it held until `at`. `earlier` are decisions before it, newest first,
    `intents` what was done to the subject by then.
    """

    subject: Subject
    at: float
    offset: float
    decision: Decision | None = None
    made: float | None = None
    earlier: tuple[tuple[float, Decision], ...] = ()
    intents: tuple[Intent, ...] = ()

    def text(self) -> str:
        """Write it for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.subject} at {self._time(self.at)}"
        if self.decision is None:
            yield "  nothing is recorded of it at that time"
        else:
            yield from self._decision(self.decision)
        for made, decision in self.earlier:
            yield f"  before, from {self._time(made)}: {_gist(decision)}"
        for intent in self.intents:
            ended = f"{intent.result} ({in_words(intent.reason)})" if intent.result else intent.state.value
            yield f"  {self._time(intent.created)} {intent.action}: {ended}"

    def _decision(self, decision: Decision) -> Iterator[str]:
        since = f", from {self._time(self.made)}" if self.made is not None else ""
        yield f"  {_gist(decision)}{since}"
        if decision.evidence:
            yield f"  evidence: {decision.evidence}"
        for check in decision.checks:
            detail = f" ({check.detail})" if check.detail else ""
            said = f"NO   {check.reason}: {in_words(check.reason)}{detail}" if check.reason else "ok"
            yield f"    {check.gate:<14} {said}"
        missing = [check.reason.value for check in decision.checks if check.reason]
        if missing:
            yield f"  would be done without: {', '.join(missing)}"

    def _time(self, at: float) -> str:
        return datetime.fromtimestamp(at + self.offset, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _gist(decision: Decision) -> str:
    what = f"{decision.problem}, " if decision.problem else ""
    action = f" {decision.action}" if decision.action and decision.reason is None else ""
    why = f": {in_words(decision.reason)}" if decision.reason else ""
    return f"{what}{decision.verdict}{action}{why}"


class Now(Protocol):
    """What is needed of the loop."""

    @property
    def decisions(self) -> dict[Subject, Decision]:
        """The latest decisions."""


@dataclass(slots=True)
class Explainer:
    """Explains from the loop's latest decisions, and from the history for earlier times."""

    loop: Now
    journal: JournalRunner
    directory: Path
    now: Callable[[], float]
    wall: Callable[[], float]

    async def __call__(self, subject: Subject, at: float | None) -> Explanation:
        """Explain about a subject, now or at a steady time. Raises `JournalError`."""
        now = self.now()
        intents = await self.journal(
            lambda journal: tuple(one for one in journal.view(now).intents if one.subject == subject)
        )
        when = now if at is None else at
        recorded = await asyncio.to_thread(recall, self.directory, subject, when)
        decision = self.loop.decisions.get(subject) if at is None else None
        return Explanation(
            subject=subject,
            at=when,
            offset=self.wall() - now,
            decision=decision or (recorded[0][1] if recorded else None),
            made=recorded[0][0] if recorded else None,
            earlier=tuple(recorded[1:]),
            intents=tuple(one for one in intents if one.created <= when),
        )


def recall(directory: Path, subject: Subject, at: float) -> list[tuple[float, Decision]]:
    """Return the decisions recorded up to a time, newest first; none where nothing is recorded at all."""
    try:
        past = Past(directory)
    except FileNotFoundError:
        return []
    try:
        return past.decisions(subject, at, SHOWN)
    finally:
        past.close()
