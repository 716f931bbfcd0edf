"""The hands: a last look, the one send, and the inquiry into what became of it.

Nothing here decides. Between the last look and the send lies one question to the planner, and the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from dbc_exporter.dbc import writes
from dbc_exporter.dbc.calls import WriteCall
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.dbc.pool import queue_key
from dbc_exporter.facts import RentOrders
from dbc_exporter.logs import get_logger
from dbc_exporter.remediation import fence
from dbc_exporter.remediation.fence import Finding
from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.journal_thread import JournalRunner
from dbc_exporter.remediation.last_look import GaveUpError, LastLook, Reads, Seen, harmless
from dbc_exporter.remediation.model import Action, Decision, Fence, Intent, Result, Sight, Verdict
from dbc_exporter.remediation.outcome import Settling, of_answer, of_failure
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.targets import Target

T = TypeVar("T")
log = get_logger(__name__)

LOOK_LASTS_SECONDS = 120.0  # after so long a last look is none any more: the process may have stood still
YES_LASTS_SECONDS = 15.0  # so long the planner's last yes holds: a disk may be slow
ASKING_LASTS_SECONDS = 120.0  # one question of an inquiry, waiting for its turn included
FIRST_INQUIRY_SECONDS = 5.0
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = (
    30.0,
    600.0,
)  # between inquiries; as long as it is open already


class Wire(Reads, Protocol):
    """Sends; see `dbc.actuation.Sender` and `dbc.pool.Pool`."""

    async def order(
        self,
        call: WriteCall[T],
        target: Target,
        nonce: str | None,
        before_send: Callable[[], Awaitable[None]],
    ) -> T:
        """Send a write at most once; `before_send` is awaited right before. Raises `DbcError`."""


@dataclass(slots=True)
class _Attempt:
    """One carrying out: when its last look began and until when it may wait, and whether it is written down as sent.

    `allowed` is when the planner was asked once more.
    """

    began: float
    limit: asyncio.Timeout
    canary: str
    nonce: str
    allowed: float = 0.0
    written: bool = False


@dataclass(slots=True)
class Actuator:
    """Carries intents out. `targets` finds a watched target by id, `is_live` judges orders, `judge` decides again.

    Every path ends in a state of the journal. What is raised (`JournalError`, a cancellation, a mistake of ours)
    leaves the intent intended, when nothing was sent, or sending, when it may have been: the loop, or the next start,
    goes on from there. Nothing is ever sent twice.
    """

    journal: JournalRunner
    wire: Wire
    targets: Callable[[str], Target | None]
    is_live: Callable[[Target, RentOrders], bool | None]
    judge: Callable[[Intent, Sight], Awaitable[Decision]]
    now: Callable[[], float]
    new_nonce: Callable[[], str]

    # -- the send ------------------------------------------------------------------------------------------

    async def carry_out(self, intent: Intent, sight: Sight) -> None:
        """Take a last look, wait for the turn, ask once more, send once, write down how that ended."""
        fenced = sight.fence is Fence.NONCE
        canary, nonce = (self.new_nonce(), self.new_nonce()) if fenced else ("", "")
        attempt = _Attempt(self.now(), asyncio.timeout(LOOK_LASTS_SECONDS), canary, nonce)
        try:
            answer = await self._attempt(intent, sight, attempt)
        except GaveUpError as error:
            await self._given_up(intent, attempt, error.reason, error.said)
        except DbcError as error:
            if attempt.written:
                await self._failed(intent, error)
            else:
                await self._given_up(intent, attempt, Reason.NOT_SENT, error.said)
        else:
            await self._settling(intent, of_answer(answer))

    async def _attempt(self, intent: Intent, sight: Sight, attempt: _Attempt) -> object:
        try:
            async with attempt.limit:
                seen = await self._last_look(intent, sight, attempt.canary)
                before_send = partial(self._before_send, intent, seen.sight, attempt)
                return await self.wire.order(_call(intent), seen.target, attempt.nonce or None, before_send)
        except TimeoutError:
            if not attempt.limit.expired():
                raise
            raise GaveUpError(Reason.FRESH_READ_FAILED, "its turn did not come in time") from None

    async def _last_look(self, intent: Intent, sight: Sight, canary: str) -> Seen:
        target = self.targets(intent.subject.node_id)
        if target is None or queue_key(target) != intent.machine:
            raise GaveUpError(Reason.SUPERSEDED)
        return await LastLook(self.wire, self.is_live, self.now).take(intent.action, sight, target, canary)

    async def _before_send(self, intent: Intent, fresh: Sight, attempt: _Attempt) -> None:
        """Do what must come right before the request leaves, its turn having come."""
        attempt.allowed = self.now()
        await self._ask_again(intent, fresh)
        await self._write_ahead(intent, attempt)

    async def _ask_again(self, intent: Intent, fresh: Sight) -> None:
        decision = await self.judge(intent, fresh)
        if decision.verdict is Verdict.HEALTHY:
            raise GaveUpError(Reason.ALREADY_WELL)
        if decision.verdict is not Verdict.ACT or decision.action is not intent.action:
            raise GaveUpError(decision.reason or Reason.SUPERSEDED)

    async def _write_ahead(self, intent: Intent, attempt: _Attempt) -> None:
        """Write down that the request is about to leave, and keep it back if last look or last yes have grown old."""
        attempt.limit.reschedule(None)  # what is about to leave is not cancelled any more
        self._still_fresh(attempt)
        at = self.now()
        await self.journal(
            lambda journal: journal.sending(intent.id, at, nonce=attempt.nonce, canary=attempt.canary)
        )
        attempt.written = True
        self._still_fresh(attempt)  # a slow disk counts too

    def _still_fresh(self, attempt: _Attempt) -> None:
        if self.now() - attempt.began > LOOK_LASTS_SECONDS:
            raise GaveUpError(Reason.FRESH_READ_FAILED, "the last look is too old")
        if self.now() - attempt.allowed > YES_LASTS_SECONDS:
            raise GaveUpError(Reason.FRESH_READ_FAILED, "the planner's last yes is too old")

    # -- how it ended --------------------------------------------------------------------------------------

    async def _given_up(self, intent: Intent, attempt: _Attempt, reason: Reason, said: str) -> None:
        """End what was not sent; what is written down as sent goes on counting as sent."""
        log.info("action given up", intent=intent.id, subject=intent.subject, reason=reason, said=said)
        if attempt.written:
            await self._end(intent, Result.NOT_EXECUTED, Reason.NOT_SENT)
        else:
            await self._end(intent, Result.CANCELLED, reason)

    async def _failed(self, intent: Intent, error: DbcError) -> None:
        ended = of_failure(error)
        if ended is not None:
            result, reason = ended
            log.info(
                "action refused", intent=intent.id, subject=intent.subject, reason=reason, said=error.said
            )
            await self._end(intent, result, reason)
            return
        why = error.reason.value
        log.warning(
            "action without answer", intent=intent.id, subject=intent.subject, reason=why, said=error.said
        )
        now = self.now()
        await self._write(lambda journal: journal.ambiguous(intent.id, now, why, now + FIRST_INQUIRY_SECONDS))

    async def _settling(self, intent: Intent, why: Settling) -> None:
        now = self.now()
        await self._write(lambda journal: journal.settling(intent.id, now, why.value))

    async def _end(self, intent: Intent, result: Result, reason: Reason) -> None:
        now = self.now()
        await self._write(lambda journal: journal.end(intent.id, now, result, reason.value))

    async def _write(self, work: Callable[[Journal], None]) -> None:
        await self.journal(work)

    # -- the inquiry ---------------------------------------------------------------------------------------

    async def inquire(self, intent: Intent, policy: Policy) -> None:
        """Ask the node what became of an intent whose outcome is open, and write down what it says.

        Without a fence nobody can say. An answer to the action itself that comes after its deadline is not used.
        """
        if not (intent.nonce and intent.canary):
            await self._end(intent, Result.UNRESOLVED, Reason.AMBIGUOUS_FOR_GOOD)
            return
        target = self.targets(intent.subject.node_id)
        finding = Finding.OPEN if target is None else await self._ask_node(intent, target)
        if finding is Finding.OPEN:
            await self._still_open(intent, policy.limits.ambiguous_hold)
        elif finding is Finding.NEVER_ARRIVED:
            await self._end(intent, Result.NOT_EXECUTED, Reason.NEVER_ARRIVED)
        elif finding is Finding.FORGOTTEN:
            await self._end(intent, Result.UNRESOLVED, Reason.PROCESS_RESTARTED)
        else:
            await self._settling(intent, Settling.ARRIVED if finding is Finding.ARRIVED else Settling.SPENT)

    async def _ask_node(self, intent: Intent, target: Target) -> Finding:
        async def ask(nonce: str) -> object:
            try:
                async with asyncio.timeout(ASKING_LASTS_SECONDS):
                    return await self.wire.signed_read(harmless(intent.subject), target, nonce)
            except TimeoutError:
                raise DbcError(Failure.OWN_DEADLINE) from None

        async def burning() -> None:
            now = self.now()
            await self._write(lambda journal: journal.burning(intent.id, now, now + SHORTEST_PAUSE_SECONDS))

        return await fence.inquire(
            intent.nonce, intent.canary, ask, self.new_nonce, burning, first=intent.burns == 0
        )

    async def _still_open(self, intent: Intent, hold: float) -> None:
        now, sent = self.now(), intent.created if intent.sent is None else intent.sent
        if now >= sent + hold:
            await self._end(intent, Result.UNRESOLVED, Reason.AMBIGUOUS_FOR_GOOD)
            return
        pause = min(LONGEST_PAUSE_SECONDS, max(SHORTEST_PAUSE_SECONDS, now - sent))
        next_look = min(now + pause, sent + hold)
        await self._write(lambda journal: journal.ambiguous(intent.id, now, intent.reason, next_look))


def _call(intent: Intent) -> WriteCall[Any]:
    """Build the one call of an intent."""
    node_id, task_id = intent.subject.node_id, intent.subject.task_id
    if intent.action is Action.START:
        return writes.start(node_id, task_id)
    if intent.action is Action.POWER_ON:
        return writes.power(node_id, "on")
    if intent.action is Action.POWER_RESET:
        return writes.power(node_id, "reset")
    return writes.restart(node_id, task_id, force=intent.action is Action.FORCE_RESTART)
