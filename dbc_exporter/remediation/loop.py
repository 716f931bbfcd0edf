"""The loop: look, decide, write down, act, verify. Everything it knows between two rounds is in the journal.

A round runs every few seconds, and at once when a webhook or an operator brings news.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from dbc_exporter.clock import Clock
from dbc_exporter.logs import get_logger
from dbc_exporter.remediation.breaker import trips
from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.gates_fleet import disturbances
from dbc_exporter.remediation.journal import ApprovalRefusedError, IntentRefusedError, JournalError
from dbc_exporter.remediation.journal_thread import JournalRunner
from dbc_exporter.remediation.model import (
    Approval,
    Decision,
    Intent,
    IntentState,
    Result,
    Sight,
    Snapshot,
    Subject,
    Verdict,
    View,
)
from dbc_exporter.remediation.policy import Policy, Rung
from dbc_exporter.remediation.policy_file import LoadedPolicy
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.verify import Look, outcome

log = get_logger(__name__)

ROUND_SECONDS = 15.0
_READ_LAST = ("state", "seen", "order_live", "order_seen", "gpus", "vm_gpus")  # by the actuator's last look


class Seer(Protocol):
    """Makes snapshots; see `evidence`."""

    def snapshot(self) -> Snapshot:
        """Return what is seen now."""

    def disturb(self, why: str) -> None:
        """Let the hold-off begin anew."""


class Hands(Protocol):
    """Carries intents out; see `actuator`."""

    async def carry_out(self, intent: Intent, sight: Sight) -> None:
        """Send the one request of an intent, after a last look."""

    async def inquire(self, intent: Intent, policy: Policy) -> None:
        """Find out what became of it."""


class Reporter(Protocol):
    """Hears what happens: metrics and log events."""

    def decision(self, decision: Decision) -> None:
        """Hear a decision that differs from the one before."""

    def intent(self, intent: Intent) -> None:
        """Hear an intent in a new state."""

    def round(self, snapshot: Snapshot, view: View, policy: Policy, decisions: Iterable[Decision]) -> None:
        """Hear the end of a round."""

    def violation(self, what: str) -> None:
        """Hear that a promise was about to be broken and was not."""


class Recorder(Protocol):
    """Keeps what was seen, for `explain` and `replay`; see `history`."""

    async def record(self, snapshot: Snapshot, decisions: Iterable[Decision], now: float) -> None:
        """Keep what differs from the last time."""


@dataclass(slots=True)
class Remediation:
    """The runtime. `new_id` gives ids nobody guesses; `kill_file` stops everything while it exists."""

    loaded: LoadedPolicy
    journal: JournalRunner
    evidence: Seer
    hands: Hands
    reporter: Reporter
    recorder: Recorder
    now: Callable[[], float]
    clock: Clock
    new_id: Callable[[], str]
    kill_file: Path | None = None
    fault: str = ""
    snapshot: Snapshot | None = None
    view: View = field(default_factory=View)
    decisions: dict[Subject, Decision] = field(default_factory=dict)
    _told: dict[str, IntentState] = field(default_factory=dict)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    # -- life ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            await self.round()
            try:
                async with asyncio.timeout(ROUND_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def wake(self) -> None:
        """Go round at once."""
        self._woken.set()

    def disarm(self, why: str) -> None:
        """Do nothing any more until the process is started again."""
        self.fault = why
        log.error("remediation disarmed", reason=why)

    async def stop(self) -> None:
        """Cancel what is under way; what may have been sent is inquired into after the next start."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def round(self) -> None:
        """Look, decide and act once. Never raises: a mistake of ours costs this round and is told."""
        async with self._turn:
            self._woken.clear()
            try:
                await self._round()
            except JournalError as error:
                self.disarm(str(error))
            except Exception as error:
                self.reporter.violation("round_failed")
                log.exception(
                    "a round of remediation failed by a mistake of ours", error=type(error).__name__
                )

    # -- a round -------------------------------------------------------------------------------------------

    async def _round(self) -> None:
        policy, now = self.loaded.policy, self.now()
        busy = frozenset(self._running)  # before the journal is read: what ends meanwhile is the next round's
        view = View() if self.fault else await self._view(now)
        snapshot = self._look()
        disturbed = (*disturbances(snapshot, policy, now), *self._ended(view))
        for why in disturbed:
            self.evidence.disturb(why)
        if disturbed:
            snapshot = self._look()
        decisions = decide(snapshot, view, policy, now, policy_id=self.loaded.hash)
        self.snapshot, self.view = snapshot, view
        self._tell(decisions, view)
        if not self.fault:
            await self._follow_up(snapshot, view, busy)
            await self._carry(decisions, snapshot, view)
            await self._trip(view)
            await self.recorder.record(snapshot, decisions, now)
            await self._forget(policy, now)
        self.reporter.round(snapshot, view, policy, decisions)

    async def _view(self, now: float) -> View:
        """Read what was done. Before anything is decided, a subject with an outcome nobody knows is left to a person."""
        view = await self.journal(lambda journal: journal.view(now))
        unclear = [intent for intent in view.intents if _wants_a_person(intent, view)]
        for intent in unclear:
            await self._quarantine(intent.subject, intent.reason)
        return await self.journal(lambda journal: journal.view(now)) if unclear else view

    def _ended(self, view: View) -> list[str]:
        """Say what a person ended since the last round: nothing is believed right after it."""
        ended = ["pause"] if {one.id for one in self.view.pauses} - {one.id for one in view.pauses} else []
        return [*ended, "breaker"] if self.view.breaker and not view.breaker else ended

    def _look(self) -> Snapshot:
        snapshot = self.evidence.snapshot()
        killed = self._killed()
        faults = (self.fault,) if self.fault else ()
        return replace(snapshot, fleet=replace(snapshot.fleet, killed=killed, faults=faults))

    def _killed(self) -> str:
        """Tell which switch is thrown. A file system that cannot say is one."""
        if self.kill_file is None:
            return ""
        try:
            self.kill_file.lstat()
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"{self.kill_file}: {error.strerror}"
        return f"{self.kill_file} exists"

    def _tell(self, decisions: Iterable[Decision], view: View) -> None:
        fresh = {decision.subject: decision for decision in decisions}
        for subject, decision in fresh.items():
            before = self.decisions.get(subject)
            if before is None or _gist(before) != _gist(decision):
                self.reporter.decision(decision)
        self.decisions = fresh
        for intent in view.intents:
            if self._told.get(intent.id) is not intent.state:
                self._told[intent.id] = intent.state
                self.reporter.intent(intent)

    # -- what decisions lead to ----------------------------------------------------------------------------

    async def _carry(self, decisions: Iterable[Decision], snapshot: Snapshot, view: View) -> None:
        sights = {sight.subject: sight for sight in snapshot.sights}
        now = self.now()
        for decision in decisions:
            if self.fault:
                return
            if decision.verdict is Verdict.ACT:
                await self._begin(decision, sights[decision.subject], view, now)
            elif decision.verdict is Verdict.PROPOSE and not decision.approval:
                await self._propose(decision, now)
            elif decision.verdict is Verdict.QUARANTINE:
                await self._quarantine(decision.subject, decision.reason.value if decision.reason else "")

    async def _quarantine(self, subject: Subject, reason: str) -> None:
        now = self.now()
        await self.journal(lambda journal: journal.quarantine(subject, reason, now))

    async def _begin(self, decision: Decision, sight: Sight, view: View, now: float) -> None:
        approved = next((one for one in view.approvals if one.id == decision.approval), None)
        if decision.action is None or decision.problem is None:
            return
        intent = Intent(
            id=self.new_id(),
            subject=sight.subject,
            machine=sight.machine,
            client=sight.client or "",
            action=decision.action,
            problem=decision.problem,
            state=IntentState.INTENDED,
            created=now,
            domains=sight.labels,
            evidence=decision.evidence,
            policy=self.loaded.hash,
            approved_by=approved.approved_by if approved else "",
        )
        try:
            await self.journal(lambda journal: journal.intend(intent, now, approval=decision.approval))
        except ApprovalRefusedError as error:
            log.info("an approval does not hold any more", subject=str(sight.subject), reason=str(error))
            return
        except IntentRefusedError as error:
            self.reporter.violation("planner_against_journal")
            self.disarm(f"the planner wanted what the journal forbids: {error}")
            return
        self._start(intent, self.hands.carry_out(intent, sight))

    async def _propose(self, decision: Decision, now: float) -> None:
        if decision.action is None:
            return
        approval = Approval(
            id=self.new_id(),
            subject=decision.subject,
            action=decision.action,
            evidence=decision.evidence,
            created=now,
            expires=now + self.loaded.policy.limits.approval_ttl,
        )
        await self.journal(lambda journal: journal.propose(approval, now))

    async def judge(self, intent: Intent, sight: Sight) -> Decision:
        """Decide again about an intent that is about to be sent: by what was read of it just now, and all else as it is.

        Alerts, node and client are taken from now, not from when the intent was made.
        """
        snapshot = self._look()
        read = {name: getattr(sight, name) for name in _READ_LAST}
        rest = tuple(replace(one, **read) if one.subject == sight.subject else one for one in snapshot.sights)
        now = self.now()
        view = await self.journal(lambda journal: journal.view(now))
        decided = decide(
            replace(snapshot, sights=rest),
            view,
            self.loaded.policy,
            now,
            policy_id=self.loaded.hash,
            mine=intent,
            only=sight.subject,
        )
        if decided:
            return decided[0]
        return Decision(subject=sight.subject, verdict=Verdict.REFUSE, reason=Reason.SUPERSEDED)

    async def _forget(self, policy: Policy, now: float) -> None:
        told, ended = now - policy.alerts.expire, now - policy.alerts.tombstone
        await self.journal(lambda journal: journal.forget_alerts(firing_before=told, ended_before=ended))

    # -- what is under way ---------------------------------------------------------------------------------

    async def _follow_up(self, snapshot: Snapshot, view: View, busy: frozenset[str]) -> None:
        sights = {sight.subject: sight for sight in snapshot.sights}
        for intent in view.intents:
            if not intent.open or intent.id in busy or intent.id in self._running:
                continue
            if intent.state is IntentState.SETTLING:
                await self._verify(intent, sights.get(intent.subject), snapshot)
            elif intent.state is IntentState.AMBIGUOUS:
                if self.now() >= intent.next_look:
                    self._start(intent, self.hands.inquire(intent, self.loaded.policy))
            else:
                await self._abandoned(intent)

    async def _abandoned(self, intent: Intent) -> None:
        """Settle an intent whose task is gone: cancelled, or ended by a mistake of ours."""
        now = self.now()
        if intent.state is IntentState.INTENDED:
            await self.journal(
                lambda journal: journal.end(intent.id, now, Result.CANCELLED, Reason.SUPERSEDED.value)
            )
        else:
            await self.journal(lambda journal: journal.ambiguous(intent.id, now, "interrupted", now))

    async def _verify(self, intent: Intent, sight: Sight | None, snapshot: Snapshot) -> None:
        now, policy = self.now(), self.loaded.policy
        found = outcome(Look(intent, sight, snapshot.fleet, policy, rung_of(policy, intent, sight), now))
        if found is None:
            return
        result, reason = found
        await self.journal(lambda journal: journal.end(intent.id, now, result, reason.value))
        self.wake()

    async def _trip(self, view: View) -> None:
        """Call for a person who looks at remediation itself."""
        now = self.now()
        why = "" if view.breaker else trips(view, self.loaded.policy, now, view.breaker_cleared)
        if why:
            await self.journal(lambda journal: journal.open_breaker(why, now))

    def _start(self, intent: Intent, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._running[intent.id] = task
        task.add_done_callback(lambda done: self._done(intent, done))

    def _done(self, intent: Intent, task: asyncio.Task[None]) -> None:
        self._running.pop(intent.id, None)
        self.wake()
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, JournalError):
            self.disarm(str(error))
        elif error is not None:
            self.reporter.violation("action_failed")
            log.error(
                "carrying out failed by a mistake of ours", intent=intent.id, error=type(error).__name__
            )


def _wants_a_person(intent: Intent, view: View) -> bool:
    seen_to = view.cleared.get(intent.subject, float("-inf"))
    unclear = intent.result is Result.UNRESOLVED and (intent.ended or 0.0) > seen_to
    return unclear and intent.subject not in view.quarantined


def rung_of(policy: Policy, intent: Intent, sight: Sight | None) -> Rung | None:
    """Return the step an intent was made for, as the policy in force has it."""
    rules = policy.rules_for(sight) if sight else ()
    return next((rung for rule in rules for rung in rule.ladder if rung.action is intent.action), None)


def _gist(decision: Decision) -> tuple[object, ...]:
    return decision.verdict, decision.reason, decision.problem, decision.action
