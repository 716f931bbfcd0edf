"""The last look at a subject right before an action, by reads of its own and no older fact."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from dbc_exporter.dbc import reads
from dbc_exporter.dbc.calls import ReadCall
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.facts import Power, RentOrders, TaskList, Vm
from dbc_exporter.remediation.model import Action, Sight, Subject
from dbc_exporter.remediation.problems import CLOSED, OFF, ON, RUNNING, UNKNOWN, WELL_STATES
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.targets import Kind, Target

T = TypeVar("T")
_ACTS_ON = {
    Action.RESTART: RUNNING,  # of a VM that is off it would be a start
    Action.FORCE_RESTART: RUNNING,
    Action.START: CLOSED,
    Action.POWER_ON: OFF,  # of a server that is on it would wipe the renter's password
    Action.POWER_RESET: ON,
}
_BRINGS_UP = frozenset({Action.START, Action.POWER_ON})


class Reads(Protocol):
    """Makes reads; see `dbc.actuation.Sender` and `dbc.pool.Pool`. Both raise `DbcError`."""

    async def signed_read(self, call: ReadCall[T], target: Target, nonce: str) -> T:
        """Make a signed read with this nonce, exactly once."""

    async def read(self, call: ReadCall[T], target: Target) -> T:
        """Make a read."""


class GaveUpError(Exception):
    """The action is not carried out. `said` is the other side's word on it, redacted."""

    def __init__(self, reason: Reason, said: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.said = said


@dataclass(frozen=True, slots=True)
class Seen:
    """A subject as it is now, and its target with the rent order that the action must be made under."""

    sight: Sight
    target: Target


@dataclass(frozen=True, slots=True)
class LastLook:
    """Takes last looks. `is_live` judges a node's orders, `now` gives steady seconds."""

    wire: Reads
    is_live: Callable[[Target, RentOrders], bool | None]
    now: Callable[[], float]

    async def take(self, action: Action, sight: Sight, target: Target, canary: str) -> Seen:
        """Look, and bring what is known of the subject up to date. Raises `GaveUpError` unless the action still fits.

        The first signed read uses up the canary (with none, it is signed as always): from then on the node's process
        remembers a nonce that no later one does.
        """
        vm = sight.subject.is_vm
        if target.kind is not (Kind.COMPUTE if vm else Kind.SERVER):
            raise GaveUpError(Reason.SUPERSEDED)
        first = await self._first(sight.subject, target, canary)
        try:
            seen = await self._vm(sight, target, first) if vm else await self._server(sight, target, first)
        except DbcError as error:
            raise GaveUpError(Reason.FRESH_READ_FAILED, error.said) from None
        _check(action, seen.sight.state)
        return seen

    async def _first(self, subject: Subject, target: Target, canary: str) -> object:
        call = harmless(subject)
        try:
            return await (
                self.wire.signed_read(call, target, canary) if canary else self.wire.read(call, target)
            )
        except DbcError as error:
            failed = Reason.CANARY_FAILED if canary else Reason.FRESH_READ_FAILED
            raise GaveUpError(failed, error.said) from None

    async def _vm(self, sight: Sight, target: Target, first: object) -> Seen:
        """Look at a VM of ours; its state is read last but for the orders."""
        task_id = sight.subject.task_id
        _check_ours(first, task_id)
        config = await self.wire.read(reads.node_config(target.id), target)
        detail = await self._detail(target, task_id)
        seen_at = self.now()
        if "rent_order" in detail.unreadable:
            raise GaveUpError(Reason.FRESH_READ_FAILED)
        target = dataclasses.replace(target, rent_order=detail.rent_order or target.rent_order)
        sight = replace(sight, state=detail.state.value, seen=seen_at, gpus=config.gpus, vm_gpus=detail.gpus)
        return Seen(await self._orders(sight, target), target)

    async def _detail(self, target: Target, task_id: str) -> Vm:
        try:
            return await self.wire.read(reads.vm(target.id, task_id), target)
        except DbcError as error:
            if error.reason is Failure.NOT_FOUND:
                raise GaveUpError(Reason.NOT_OURS, error.said) from None
            raise

    async def _server(self, sight: Sight, target: Target, first: object) -> Seen:
        state = first.state.value if isinstance(first, Power) else UNKNOWN
        return Seen(await self._orders(replace(sight, state=state, seen=self.now()), target), target)

    async def _orders(self, sight: Sight, target: Target) -> Sight:
        orders = await self.wire.read(reads.rent_orders(target.id), target)
        return replace(sight, order_live=self.is_live(target, orders), order_seen=self.now())


def harmless(subject: Subject) -> ReadCall[Any]:
    """Build the signed read that shows a subject and changes nothing."""
    node_id = subject.node_id
    return reads.task_list(node_id) if subject.is_vm else reads.power_status(node_id)


def _check_ours(listed: object, task_id: str) -> None:
    """Raise `GaveUpError` unless a VM stands in our own list: the node lets every renter restart everybody's."""
    if not isinstance(listed, TaskList):
        raise GaveUpError(Reason.FRESH_READ_FAILED)
    if all(task.task_id != task_id for task in listed.tasks):
        unread = not listed.parsable or "tasks" in listed.unreadable
        raise GaveUpError(Reason.FRESH_READ_FAILED if unread else Reason.NOT_OURS)


def _check(action: Action, state: str) -> None:
    if state == UNKNOWN:
        raise GaveUpError(Reason.FRESH_READ_FAILED)
    if state != _ACTS_ON[action]:
        well = action in _BRINGS_UP and state in WELL_STATES
        raise GaveUpError(Reason.ALREADY_WELL if well else Reason.STATE_CONTRADICTS)
