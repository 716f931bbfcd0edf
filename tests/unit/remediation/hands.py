"""An actuator between a scripted wire and a real journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from dbc_exporter.dbc.calls import ReadCall, WriteCall
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.dbc.outcomes import Accepted
from dbc_exporter.facts import (
    NodeConfig,
    Power,
    PowerState,
    RentOrder,
    RentOrders,
    Task,
    TaskList,
    TaskState,
    Vm,
)
from dbc_exporter.remediation.actuator import Actuator
from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.journal_thread import DirectJournal
from dbc_exporter.remediation.model import (
    Action,
    Decision,
    Fence,
    Intent,
    IntentState,
    Problem,
    Sight,
    Verdict,
)
from dbc_exporter.targets import Kind, Target
from tests.unit.remediation.journals import HandClock, intent, opened
from tests.unit.remediation.scenes import MACHINE, MANAGER, NODE, SERVER, VM, dead, hung, off, stopped

T = TypeVar("T")
COMPUTE = Target(NODE, credential="renter")
BARE_METAL = Target(SERVER, Kind.SERVER, manager=MANAGER, credential="renter")
NONCE_REFUSED = DbcError(Failure.AUTHORITY, "check authority failed: nonce check failed")
SILENT = DbcError(Failure.NODE_TIMEOUT, "restart task timeout")
NOT_SENT = DbcError(Failure.NOT_SENT, "the node is under suspicion")
LIVE = RentOrders(orders=(RentOrder("7", "wallet", "renting"),))

SIGHTS: dict[Action, Sight] = {
    Action.RESTART: hung(),
    Action.FORCE_RESTART: hung(),
    Action.START: stopped(),
    Action.POWER_ON: off(),
    Action.POWER_RESET: dead(),
}
_PROBLEMS = {
    Action.RESTART: Problem.HUNG,
    Action.FORCE_RESTART: Problem.HUNG,
    Action.START: Problem.STOPPED,
    Action.POWER_ON: Problem.OFF,
    Action.POWER_RESET: Problem.DEAD,
}


def listed(state: TaskState = TaskState.RUNNING, **changes: Any) -> TaskList:
    return TaskList(tasks=(Task("other", TaskState.RUNNING), Task(VM.task_id, state)), **changes)


def detailed(state: TaskState = TaskState.RUNNING, **changes: Any) -> Vm:
    return Vm(task_id=VM.task_id, state=state, gpus=2, **changes)


def as_it_was(action: Action) -> dict[str, Any]:
    """What the wire says of a subject that is just as the planner saw it."""
    state = TaskState.CLOSED if action is Action.START else TaskState.RUNNING
    power = PowerState.OFF if action is Action.POWER_ON else PowerState.ON
    return {
        "list": listed(state),
        "vm": detailed(state),
        "power": Power(state=power, bmc_reachable=True),
        "node": NodeConfig(gpus=4),
        "orders": LIVE,
        "order": Accepted(),
    }


def _name(call: ReadCall[Any]) -> str:
    path = call.path.removeprefix("/api/v1")
    names = {
        "/tasks": "list",
        "/mining_nodes": "node",
        "/rent_orders": "orders",
        "/bare_metal/power": "power",
    }
    return names.get(path, "vm")


class FakeWire:
    """Says what it is told to; `asked` has every call and its nonce, `calls` every write that left."""

    def __init__(self, says: dict[str, Any]) -> None:
        self.says = says
        self.asked: list[tuple[str, str]] = []
        self.calls: list[tuple[WriteCall[Any], Target, str | None]] = []

    async def signed_read(self, call: ReadCall[T], target: Target, nonce: str) -> T:
        assert call.peer == target.id
        return cast("T", self._say(_name(call), nonce))

    async def read(self, call: ReadCall[T], target: Target) -> T:
        assert call.peer == target.id
        return cast("T", self._say(_name(call), ""))

    async def order(
        self,
        call: WriteCall[T],
        target: Target,
        nonce: str | None,
        before_send: Callable[[], Awaitable[None]],
    ) -> T:
        if "held back" in self.says:
            raise self.says["held back"]
        await before_send()
        self.calls.append((call, target, nonce))
        return cast("T", self._say("order", nonce or ""))

    def _say(self, name: str, nonce: str) -> Any:
        self.asked.append((name, nonce))
        word = self.says[name]
        if callable(word):
            word = word(nonce)
        if isinstance(word, BaseException):
            raise word
        return word


def acting(intent: Intent, sight: Sight) -> Decision:
    return Decision(subject=sight.subject, verdict=Verdict.ACT, action=intent.action)


class Hands:
    """The actuator, its journal and its wire. `judged` has the sights that the planner was asked about."""

    def __init__(
        self, directory: Path, action: Action = Action.RESTART, journal: Journal | None = None
    ) -> None:
        self.clock = HandClock()
        self.journal = journal or opened(directory, self.clock)
        self.wire = FakeWire(as_it_was(action))
        self.target: Target | None = COMPUTE if SIGHTS[action].subject.is_vm else BARE_METAL
        self.live: bool | None = True
        self.judge: Callable[[Intent, Sight], Decision] = acting
        self.judged: list[Sight] = []
        self.lives_asked: list[Target] = []
        self.sight = SIGHTS[action]
        self._numbers = iter(range(1, 1_000))
        self.actuator = Actuator(
            DirectJournal(self.journal),
            self.wire,
            lambda _node: self.target,
            self._is_live,
            self._judge,
            self.journal.steady.now,
            lambda: f"nonce-{next(self._numbers)}",
        )
        self.intent = intent(
            subject=self.sight.subject,
            machine=self.sight.machine,
            action=action,
            problem=_PROBLEMS[action],
        )
        self.journal.intend(self.intent, self.now)

    @property
    def now(self) -> float:
        return self.journal.steady.now()

    def _is_live(self, target: Target, orders: RentOrders) -> bool | None:
        assert orders is LIVE
        self.lives_asked.append(target)
        return self.live

    async def _judge(self, intent: Intent, sight: Sight) -> Decision:
        self.judged.append(sight)
        return self.judge(intent, sight)

    def unfenced(self) -> None:
        """Have a session sign instead of a wallet."""
        self.sight = replace(self.sight, fence=Fence.NONE)

    async def carry_out(self) -> Intent:
        await self.actuator.carry_out(self.intent, self.sight)
        return self.written()

    def written(self) -> Intent:
        """The intent as the journal has it."""
        found = self.journal.intent(self.intent.id)
        assert found is not None
        return found

    def ended(self) -> tuple[str, str]:
        """How the intent ended, and why."""
        found = self.written()
        assert found.state is IntentState.ENDED
        assert found.result is not None
        return found.result.value, found.reason


__all__ = ["MACHINE", "MANAGER", "NODE", "SERVER", "VM"]
