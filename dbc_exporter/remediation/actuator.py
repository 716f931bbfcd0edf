"""The hands: a last look, the one send, and the inquiry into what became of it.

Nothing here decides. Between the last look and the send lies one question to the planner, and the journal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from dbc_exporter.dbc import reads, writes
from dbc_exporter.dbc.calls import ReadCall, WriteCall
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.facts import Power, RentOrders, TaskList, Vm
from dbc_exporter.remediation import fence
from dbc_exporter.remediation.fence import Finding
from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.journal_thread import JournalRunner
from dbc_exporter.remediation.model import Action, Decision, Fence, Intent, Result, Sight, Verdict
from dbc_exporter.remediation.outcome import End, of_failure
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.problems import CLOSED, OFF, ON, RUNNING, UNKNOWN
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.targets import Target

T = TypeVar("T")
LOOK_LASTS_SECONDS = 120.0  # after so long a last look is none any more: the process may have stood still
FIRST_INQUIRY_SECONDS = 5.0
LONGEST_INQUIRY_SECONDS = 600.0
_BEFORE = {
    Action.RESTART: RUNNING,
    Action.FORCE_RESTART: RUNNING,
    Action.START: CLOSED,
    Action.POWER_ON: OFF,
    Action.POWER_RESET: ON,
}
_WELL = frozenset({Action.START, Action.POWER_ON})


class Wire(Protocol):
    """Sends; see `dbc.actuation.Sender` and `dbc.pool.Pool`."""

    async def signed_read(self, call: ReadCall[T], target: Target, nonce: str) -> T:
        """Make a signed read with this nonce, exactly once."""

    async def order(
        self,
        call: WriteCall[T],
        target: Target,
        nonce: str | None,
        before_send: Callable[[], Awaitable[None]],
    ) -> T:
        """Send a write at most once; `before_send` is awaited right before."""

    async def read(self, call: ReadCall[T], target: Target) -> T:
        """Make a read."""


class GaveUpError(Exception):
    """The intent is not carried out; nothing was sent."""

    def __init__(self, reason: Reason, said: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.said = said


@dataclass(slots=True)
class Actuator:
    """Carries intents out. `targets` finds a watched target by id, `is_live` judges orders, `judge` decides again."""

    journal: JournalRunner
    wire: Wire
    targets: Callable[[str], Target | None]
    is_live: Callable[[Target, RentOrders], bool | None]
    judge: Callable[[Intent, Sight], Awaitable[Decision]]
    now: Callable[[], float]
    new_nonce: Callable[[], str]

    async def carry_out(self, intent: Intent, sight: Sight) -> None:
        """Take a last look, ask once more, send once. Ends in a state of the journal, whatever happens."""
        canary = self.new_nonce() if sight.fence is Fence.NONCE else ""
        nonce = self.new_nonce() if sight.fence is Fence.NONCE else ""
        began = self.now()
        left = False

        async def before_send() -> None:
            nonlocal left
            if self.now() - began > LOOK_LASTS_SECONDS:
                raise GaveUpError(Reason.FRESH_READ_FAILED, "the last look is too old")
            at = self.now()
            await self._write(lambda journal: journal.sending(intent.id, at, nonce=nonce, canary=canary))
            left = True

        try:
            target = self._target(intent)
            fresh = await self._last_look(intent, sight, target, canary)
            await self._ask_again(intent, fresh)
            answer = await self.wire.order(_call(intent), target, nonce or None, before_send)
        except GaveUpError as error:
            await self._end(intent, Result.CANCELLED, error.reason)
            return
        except DbcError as error:
            await self._failed(intent, error, left=left)
            return
        await self._settling(intent, "" if getattr(answer, "acknowledged", True) else "not acknowledged")

    async def inquire(self, intent: Intent, policy: Policy) -> None:
        """Find out what became of an intent whose outcome is open."""
        now = self.now()
        target = self.targets(intent.subject.node_id)
        if not intent.nonce or not intent.canary:
            await self._end(intent, Result.UNRESOLVED, Reason.AMBIGUOUS_FOR_GOOD)
            return
        if now - (intent.sent or intent.created) > policy.limits.ambiguous_hold:
            await self._end(intent, Result.UNRESOLVED, Reason.AMBIGUOUS_FOR_GOOD)
            return
        pause = min(LONGEST_INQUIRY_SECONDS, FIRST_INQUIRY_SECONDS * 2.0 ** min(intent.burns + 1, 10))
        await self._write(lambda journal: journal.burning(intent.id, now, now + pause))
        if target is None:
            return

        async def ask(nonce: str) -> object:
            return await self.wire.signed_read(_harmless(intent), target, nonce)

        await self._found(intent, await fence.inquire(intent.nonce, intent.canary, ask, self.new_nonce))

    def _target(self, intent: Intent) -> Target:
        target = self.targets(intent.subject.node_id)
        if target is None:
            raise GaveUpError(Reason.SUPERSEDED)
        return target

    # -- the last look -------------------------------------------------------------------------------------

    async def _last_look(self, intent: Intent, sight: Sight, target: Target, canary: str) -> Sight:
        """See the subject as it is now, signed with the canary, which the node will remember from here on."""
        try:
            seen = await self._signed(_harmless(intent), target, canary)
        except DbcError as error:
            raise GaveUpError(Reason.CANARY_FAILED, error.said) from None
        fresh = replace(sight, state=_state(intent, seen), seen=self.now())
        if fresh.state == UNKNOWN:
            raise GaveUpError(Reason.FRESH_READ_FAILED)
        if fresh.state != _BEFORE[intent.action]:
            raise GaveUpError(Reason.ALREADY_WELL if intent.action in _WELL else Reason.STATE_CONTRADICTS)
        try:
            orders = await self.wire.read(reads.rent_orders(target.id), target)
            fresh = replace(fresh, order_live=self.is_live(target, orders), order_seen=self.now())
            if intent.subject.is_vm:
                fresh = await self._count_gpus(intent, fresh, target)
        except DbcError as error:
            raise GaveUpError(Reason.FRESH_READ_FAILED, error.said) from None
        return fresh

    async def _count_gpus(self, intent: Intent, sight: Sight, target: Target) -> Sight:
        config = await self.wire.read(reads.node_config(target.id), target)
        detail: Vm = await self._signed(reads.vm(target.id, intent.subject.task_id), target, "")
        return replace(sight, gpus=config.gpus, vm_gpus=detail.gpus)

    async def _signed(self, call: ReadCall[T], target: Target, nonce: str) -> T:
        return await (self.wire.signed_read(call, target, nonce) if nonce else self.wire.read(call, target))

    async def _ask_again(self, intent: Intent, fresh: Sight) -> None:
        decision = await self.judge(intent, fresh)
        if decision.verdict is not Verdict.ACT or decision.action is not intent.action:
            raise GaveUpError(decision.reason or Reason.SUPERSEDED)

    # -- afterwards ----------------------------------------------------------------------------------------

    async def _failed(self, intent: Intent, error: DbcError, *, left: bool) -> None:
        """Write down how the sending ended; what failed before it was written down as sent was not sent."""
        if not left:
            await self._end(intent, Result.CANCELLED, Reason.NOT_SENT)
            return
        found = of_failure(error)
        if found.end is End.NOT_SENT:
            await self._end(intent, Result.NOT_EXECUTED, found.reason)
        elif found.end is End.REFUSED:
            await self._end(intent, Result.REFUSED, found.reason)
        else:
            now = self.now()
            why = f"{error.reason.value}: {error.said}" if error.said else error.reason.value
            next_look = now + FIRST_INQUIRY_SECONDS
            await self._write(lambda journal: journal.ambiguous(intent.id, now, why, next_look))

    async def _found(self, intent: Intent, finding: Finding) -> None:
        if finding is Finding.NEVER_ARRIVED:
            await self._end(intent, Result.NOT_EXECUTED, Reason.NEVER_ARRIVED)
        elif finding is Finding.FORGOTTEN:
            await self._end(intent, Result.UNRESOLVED, Reason.PROCESS_RESTARTED)
        elif finding is Finding.ARRIVED:
            await self._settling(intent, "its nonce was spent")

    async def _settling(self, intent: Intent, why: str) -> None:
        now = self.now()
        await self._write(lambda journal: journal.settling(intent.id, now, why))

    async def _end(self, intent: Intent, result: Result, reason: Reason) -> None:
        now = self.now()
        await self._write(lambda journal: journal.end(intent.id, now, result, reason.value))

    async def _write(self, work: Callable[[Journal], None]) -> None:
        await self.journal(work)


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


def _harmless(intent: Intent) -> ReadCall[Any]:
    """Build the signed read that shows the subject and changes nothing."""
    node_id = intent.subject.node_id
    return reads.task_list(node_id) if intent.subject.is_vm else reads.power_status(node_id)


def _state(intent: Intent, seen: object) -> str:
    """Return the subject's state in a fresh answer. Raises `GaveUpError` for a VM that is not in our own list."""
    if isinstance(seen, Power):
        return seen.state.value
    if not isinstance(seen, TaskList) or not seen.parsable:
        return UNKNOWN
    for task in seen.tasks:
        if task.task_id == intent.subject.task_id:
            return task.state.value
    raise GaveUpError(Reason.NOT_OURS)
