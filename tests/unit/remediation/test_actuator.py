"""Carrying out: a last look, one question, one send, and an end in the journal whatever happens."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbc_exporter.dbc import failures
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.dbc.outcomes import Accepted, PowerTaken
from dbc_exporter.facts import NodeConfig, Power, PowerState, TaskList, TaskState
from dbc_exporter.remediation.actuator import LOOK_LASTS_SECONDS, YES_LASTS_SECONDS
from dbc_exporter.remediation.journal import IntentRefusedError, Journal, JournalError
from dbc_exporter.remediation.model import Action, Decision, Intent, IntentState, Result, Sight, Verdict
from dbc_exporter.remediation.reasons import Reason
from tests.unit.remediation.hands import (
    BARE_METAL,
    COMPUTE,
    NODE,
    NONCE_REFUSED,
    NOT_SENT,
    SERVER,
    SILENT,
    VM,
    Hands,
    as_it_was,
    detailed,
    listed,
)
from tests.unit.remediation.journals import HandClock, opened
from tests.virtual import virtually

CALLS = [
    (Action.RESTART, NODE, f"/api/v1/tasks/restart/{VM.task_id}", {}),
    (Action.FORCE_RESTART, NODE, f"/api/v1/tasks/restart/{VM.task_id}?force_reboot=true", {}),
    (Action.START, NODE, f"/api/v1/tasks/start/{VM.task_id}", {}),
    (Action.POWER_ON, SERVER, "/api/v1/bare_metal/power", {"command": "on"}),
    (Action.POWER_RESET, SERVER, "/api/v1/bare_metal/power", {"command": "reset"}),
]
VM_ACTIONS = [Action.RESTART, Action.FORCE_RESTART, Action.START]
POWER_ACTIONS = [Action.POWER_ON, Action.POWER_RESET]


# -- the send


@pytest.mark.parametrize(("action", "peer", "path", "additional"), CALLS)
async def test_an_action_is_one_call(
    tmp_path: Path, action: Action, peer: str, path: str, additional: dict[str, str]
) -> None:
    hands = Hands(tmp_path, action)
    done = await hands.carry_out()
    [(call, target, nonce)] = hands.wire.calls
    assert (call.peer, call.path, dict(call.additional)) == (peer, path, additional)
    assert target == hands.target
    assert (done.state, done.reason, done.sent) == (IntentState.SETTLING, "taken", hands.now)
    assert nonce == done.nonce


@pytest.mark.parametrize("action", Action)
async def test_the_node_remembers_a_canary_that_is_not_the_nonce_of_the_action(
    tmp_path: Path, action: Action
) -> None:
    hands = Hands(tmp_path, action)
    done = await hands.carry_out()
    signed = [nonce for _, nonce in hands.wire.asked if nonce]
    assert signed == [done.canary, done.nonce]
    assert done.canary
    assert done.canary != done.nonce


async def test_it_is_written_down_before_it_leaves(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    found: list[IntentState] = []

    def answer(_nonce: str) -> object:
        found.append(hands.written().state)
        return SILENT

    hands.wire.says["order"] = answer
    await hands.carry_out()
    assert found == [IntentState.SENDING]


async def test_a_session_signs_without_nonces(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    hands.unfenced()
    done = await hands.carry_out()
    [(_, _, nonce)] = hands.wire.calls
    assert (nonce, done.nonce, done.canary) == (None, "", "")
    assert [name for name, _ in hands.wire.asked] == ["list", "node", "vm", "orders", "order"]


async def test_a_vm_is_acted_on_under_its_own_rent_order(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    hands.target = with_changes(COMPUTE, rent_order="the target's")
    hands.wire.says["vm"] = detailed(rent_order="its own")
    await hands.carry_out()
    [(_, target, _)] = hands.wire.calls
    assert target.rent_order == "its own"
    assert hands.lives_asked == [target]


async def test_a_vm_without_an_order_of_its_own_is_acted_on_under_the_targets(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    hands.target = with_changes(COMPUTE, rent_order="the target's")
    await hands.carry_out()
    [(_, target, _)] = hands.wire.calls
    assert target.rent_order == "the target's"


async def test_a_power_command_answered_in_unclear_words_awaits_its_effect(tmp_path: Path) -> None:
    hands = Hands(tmp_path, Action.POWER_RESET)
    hands.wire.says["order"] = PowerTaken(acknowledged=False)
    done = await hands.carry_out()
    assert (done.state, done.reason) == (IntentState.SETTLING, "unacknowledged")


# -- the last look


async def test_the_planner_is_asked_again_with_what_was_read_just_now(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    hands.wire.says |= {"node": NodeConfig(gpus=3), "vm": detailed()}
    hands.live = None
    await hands.carry_out()
    [sight] = hands.judged
    now = hands.now
    fresh = {"state": "running", "seen": now, "order_live": None, "order_seen": now, "gpus": 3, "vm_gpus": 2}
    assert sight == replace(hands.sight, **fresh)


async def test_of_a_server_power_and_orders_are_read(tmp_path: Path) -> None:
    hands = Hands(tmp_path, Action.POWER_RESET)
    hands.live = False
    await hands.carry_out()
    [sight] = hands.judged
    assert (sight.state, sight.seen, sight.order_live, sight.order_seen) == (
        "on",
        hands.now,
        False,
        hands.now,
    )
    assert [name for name, _ in hands.wire.asked] == ["power", "orders", "order"]


def refusing(reason: Reason) -> Callable[[Intent, Sight], Decision]:
    return lambda _intent, sight: Decision(subject=sight.subject, verdict=Verdict.REFUSE, reason=reason)


def judging(verdict: Verdict, action: Action | None = None) -> Callable[[Intent, Sight], Decision]:
    return lambda _intent, sight: Decision(subject=sight.subject, verdict=verdict, action=action)


BMC_DEAD = DbcError(Failure.BMC, "Error: Unable to establish LAN session")
NOT_FOUND = DbcError(Failure.NOT_FOUND, "task_id not exist")
ON, OFF = (Power(state=state, bmc_reachable=True) for state in (PowerState.ON, PowerState.OFF))
NO_POWER = Power(state=PowerState.UNKNOWN)

CANCELLED: list[tuple[Action, dict[str, Any], Reason]] = [
    (Action.RESTART, {"list": SILENT}, Reason.CANARY_FAILED),
    (Action.RESTART, {"list": NONCE_REFUSED}, Reason.CANARY_FAILED),
    (Action.RESTART, {"list": NOT_SENT}, Reason.CANARY_FAILED),
    (Action.POWER_ON, {"power": BMC_DEAD}, Reason.CANARY_FAILED),
    (Action.RESTART, {"list": TaskList(tasks=())}, Reason.NOT_OURS),
    (Action.RESTART, {"list": TaskList(tasks=listed().tasks[:1])}, Reason.NOT_OURS),
    (Action.RESTART, {"vm": NOT_FOUND}, Reason.NOT_OURS),
    (
        Action.RESTART,
        {"list": TaskList(tasks=(), unreadable=("tasks",))},
        Reason.FRESH_READ_FAILED,
    ),
    (Action.RESTART, {"list": TaskList(tasks=(), parsable=False)}, Reason.FRESH_READ_FAILED),
    (Action.RESTART, {"node": SILENT}, Reason.FRESH_READ_FAILED),
    (Action.RESTART, {"vm": SILENT}, Reason.FRESH_READ_FAILED),
    (Action.RESTART, {"orders": SILENT}, Reason.FRESH_READ_FAILED),
    (Action.POWER_RESET, {"orders": SILENT}, Reason.FRESH_READ_FAILED),
    (Action.RESTART, {"vm": detailed(unreadable=("rent_order",))}, Reason.FRESH_READ_FAILED),
    (Action.RESTART, {"vm": detailed(TaskState.UNKNOWN)}, Reason.FRESH_READ_FAILED),
    (Action.POWER_ON, {"power": NO_POWER}, Reason.FRESH_READ_FAILED),
    (Action.POWER_RESET, {"power": NO_POWER}, Reason.FRESH_READ_FAILED),
    (Action.RESTART, {"vm": detailed(TaskState.CLOSED)}, Reason.STATE_CONTRADICTS),
    (Action.FORCE_RESTART, {"vm": detailed(TaskState.POWERING_OFF)}, Reason.STATE_CONTRADICTS),
    (Action.START, {"vm": detailed(TaskState.STARTING)}, Reason.STATE_CONTRADICTS),
    (Action.POWER_RESET, {"power": OFF}, Reason.STATE_CONTRADICTS),
    (Action.START, {"vm": detailed(TaskState.RUNNING)}, Reason.ALREADY_WELL),
    (Action.POWER_ON, {"power": ON}, Reason.ALREADY_WELL),
    (Action.RESTART, {"held back": NOT_SENT}, Reason.NOT_SENT),
]


@pytest.mark.parametrize(("action", "says", "reason"), CANCELLED)
async def test_whatever_the_last_look_does_not_bear_out_is_given_up(
    tmp_path: Path, action: Action, says: dict[str, Any], reason: Reason
) -> None:
    hands = Hands(tmp_path, action)
    hands.wire.says |= says
    done = await hands.carry_out()
    assert hands.ended() == ("cancelled", reason.value)
    assert (done.sent, done.nonce, hands.wire.calls) == (None, "", [])


async def test_with_a_session_a_failed_first_read_is_no_matter_of_a_canary(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    hands.unfenced()
    hands.wire.says["list"] = SILENT
    await hands.carry_out()
    assert hands.ended() == ("cancelled", "fresh_read_failed")


async def test_what_a_vm_does_now_counts_more_than_the_list_of_a_moment_ago(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    hands.wire.says |= {"list": listed(TaskState.CLOSED), "vm": detailed(TaskState.RUNNING)}
    await hands.carry_out()
    assert len(hands.wire.calls) == 1


JUDGED: list[tuple[Callable[[Intent, Sight], Decision], Reason]] = [
    (refusing(Reason.STORM), Reason.STORM),
    (refusing(Reason.GPUS_MISSING), Reason.GPUS_MISSING),
    (judging(Verdict.HEALTHY), Reason.ALREADY_WELL),
    (judging(Verdict.UNKNOWN), Reason.SUPERSEDED),
    (judging(Verdict.DRY_RUN, Action.RESTART), Reason.SUPERSEDED),
    (judging(Verdict.PROPOSE, Action.RESTART), Reason.SUPERSEDED),
    (judging(Verdict.ACT, Action.FORCE_RESTART), Reason.SUPERSEDED),
]


@pytest.mark.parametrize(("judge", "reason"), JUDGED)
async def test_what_the_planner_no_longer_wants_is_given_up(
    tmp_path: Path, judge: Callable[[Intent, Sight], Decision], reason: Reason
) -> None:
    hands = Hands(tmp_path)
    hands.judge = judge
    await hands.carry_out()
    assert hands.ended() == ("cancelled", reason.value)
    assert hands.wire.calls == []


@pytest.mark.parametrize(
    ("action", "target"),
    [
        (Action.RESTART, None),
        (Action.RESTART, with_changes(BARE_METAL, id=NODE, manager=NODE)),
        (Action.POWER_ON, with_changes(BARE_METAL, manager="e" * 64)),
        (Action.POWER_ON, with_changes(BARE_METAL, manager=None)),
    ],
)
async def test_a_target_that_left_changed_or_moved_to_another_machine_is_left_alone(
    tmp_path: Path, action: Action, target: Any
) -> None:
    hands = Hands(tmp_path, action)
    hands.target = target
    await hands.carry_out()
    assert hands.ended() == ("cancelled", "superseded")
    assert hands.wire.asked == []


async def test_a_task_id_that_is_a_word_of_the_server_is_never_put_into_a_path(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    subject = replace(VM, task_id="start")
    hands.sight = replace(hands.sight, subject=subject)
    hands.journal.end(hands.intent.id, hands.now, Result.CANCELLED, "superseded")
    hands.intent = replace(hands.intent, id="another", subject=subject)
    hands.journal.intend(hands.intent, hands.now)
    rows = (*listed().tasks, replace(listed().tasks[0], task_id="start"))
    hands.wire.says["list"] = replace(listed(), tasks=rows)
    await hands.carry_out()
    assert hands.ended() == ("cancelled", "fresh_read_failed")


# -- a process that stood still


@pytest.mark.parametrize("where", ["list", "node", "vm", "orders"])
async def test_an_old_look_is_none_wherever_the_time_went(tmp_path: Path, where: str) -> None:
    hands = Hands(tmp_path)
    fine = as_it_was(Action.RESTART)[where]

    def slowly(_nonce: str) -> object:
        hands.clock.pass_by(LOOK_LASTS_SECONDS + 1)
        return fine

    hands.wire.says[where] = slowly
    await hands.carry_out()
    assert hands.ended() == ("cancelled", "fresh_read_failed")
    assert hands.wire.calls == []


async def test_an_old_look_is_none_when_the_time_went_while_the_planner_was_asked(tmp_path: Path) -> None:
    hands = Hands(tmp_path)

    def slowly(intent: Intent, sight: Sight) -> Decision:
        hands.clock.pass_by(LOOK_LASTS_SECONDS + 1)
        return judging(Verdict.ACT, intent.action)(intent, sight)

    hands.judge = slowly
    await hands.carry_out()
    assert hands.ended() == ("cancelled", "fresh_read_failed")


async def test_the_planner_is_asked_when_the_turn_has_come_and_not_before(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    order = hands.wire.order

    def killed(_intent: Intent, sight: Sight) -> Decision:
        return Decision(subject=sight.subject, verdict=Verdict.REFUSE, reason=Reason.KILLED)

    async def after_a_long_poll(*given: Any) -> object:
        hands.judge = killed  # somebody throws the switch meanwhile
        return await order(*given)

    hands.wire.order = after_a_long_poll  # type: ignore[method-assign, assignment]  # a wire that is busy
    await hands.carry_out()
    assert hands.ended() == ("cancelled", "killed")
    assert hands.wire.calls == []


async def test_a_yes_is_none_any_more_when_the_disk_took_long_but_it_counts_as_sent(tmp_path: Path) -> None:
    clock = HandClock()
    hands = Hands(tmp_path, journal=Breakable.open(tmp_path, clock, "boot"))
    hands.clock = clock
    assert isinstance(hands.journal, Breakable)
    hands.journal.before["sending"] = lambda: clock.pass_by(YES_LASTS_SECONDS + 1)
    await hands.carry_out()
    assert hands.ended() == ("not_executed", "not_sent")
    assert hands.wire.calls == []


async def test_an_old_look_is_none_when_the_disk_took_the_time_but_it_counts_as_sent(tmp_path: Path) -> None:
    clock = HandClock()
    hands = Hands(tmp_path, journal=Breakable.open(tmp_path, clock, "boot"))
    hands.clock = clock
    assert isinstance(hands.journal, Breakable)
    hands.journal.before["sending"] = lambda: clock.pass_by(LOOK_LASTS_SECONDS + 1)
    done = await hands.carry_out()
    assert hands.ended() == ("not_executed", "not_sent")
    assert hands.wire.calls == []
    assert done.sent is not None


async def test_a_look_that_took_its_time_but_not_too_much_is_good(tmp_path: Path) -> None:
    hands = Hands(tmp_path)

    def slowly(_nonce: str) -> object:
        hands.clock.pass_by(LOOK_LASTS_SECONDS)
        return listed()

    hands.wire.says["list"] = slowly
    done = await hands.carry_out()
    assert done.state is IntentState.SETTLING
    assert done.sent == hands.now, "its time is that of the send, not of the look"


def in_virtual_time(directory: Path, act: Callable[[Hands], Awaitable[object]]) -> Hands:
    """Let somebody act whose waiting takes no time."""

    async def play(_clock: object) -> Hands:
        hands = Hands(directory)
        await act(hands)
        return hands

    return virtually(play)


async def for_ever(*_given: object, **_named: object) -> Any:
    await asyncio.Future()


@pytest.mark.parametrize("what", ["signed_read", "read", "order"])
def test_an_action_whose_turn_does_not_come_is_given_up(tmp_path: Path, what: str) -> None:
    async def act(hands: Hands) -> None:
        setattr(hands.wire, what, for_ever)
        await hands.carry_out()

    hands = in_virtual_time(tmp_path, act)
    assert hands.ended() == ("cancelled", "fresh_read_failed")
    assert hands.wire.calls == []


def test_an_action_on_its_way_is_waited_for_however_long_it_takes(tmp_path: Path) -> None:
    async def act(hands: Hands) -> None:
        async def slowly(_call: object, _target: object, _nonce: object, before_send: Any) -> object:
            await before_send()
            await asyncio.sleep(LOOK_LASTS_SECONDS * 3)
            return Accepted()

        hands.wire.order = slowly  # type: ignore[method-assign, assignment]  # a slower wire
        await hands.carry_out()

    assert in_virtual_time(tmp_path, act).written().reason == "taken"


async def test_a_time_out_that_is_none_of_ours_is_a_mistake_and_comes_out(tmp_path: Path) -> None:
    hands = Hands(tmp_path)
    hands.wire.says["order"] = TimeoutError("a mistake")
    with pytest.raises(TimeoutError, match="a mistake"):
        await hands.carry_out()
    assert hands.written().state is IntentState.SENDING


# -- how the send ends

ENDS = [
    (DbcError(Failure.UNREACHABLE, "connection refused", sent=False), ("not_executed", "not_sent")),
    (failures.of_node("task not exist", "restart task"), ("refused", "libvirt_dead")),
    (failures.of_node("task is paused", "restart task"), ("refused", "refused_by_node")),
    (
        failures.of_node("check authority failed: machine is not be rented", "restart task"),
        ("refused", "no_live_order"),
    ),
]


@pytest.mark.parametrize(("error", "end"), ENDS)
async def test_a_definite_word_ends_it(tmp_path: Path, error: DbcError, end: tuple[str, str]) -> None:
    hands = Hands(tmp_path)
    hands.wire.says["order"] = error
    done = await hands.carry_out()
    assert hands.ended() == end
    assert done.sent == hands.now, "it counts as sent"


@pytest.mark.parametrize(
    "error", [SILENT, NONCE_REFUSED, DbcError(Failure.OWN_DEADLINE), DbcError(Failure.WEDGED, "full")]
)
async def test_everything_else_is_left_to_an_inquiry_a_little_later(tmp_path: Path, error: DbcError) -> None:
    hands = Hands(tmp_path)
    hands.wire.says["order"] = error
    done = await hands.carry_out()
    assert (done.state, done.reason) == (IntentState.AMBIGUOUS, error.reason.value)
    assert done.next_look == hands.now + 5
    assert len(hands.wire.calls) == 1


# -- trouble of our own


class Breakable(Journal):
    """A journal whose disk fails, or takes its time, while something is written."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.before: dict[str, Callable[[], None]] = {}
        self.after: dict[str, Callable[[], None]] = {}

    def _step(self, name: str, work: Callable[[], None]) -> None:
        with self._guarded():
            self.before.get(name, lambda: None)()
        work()
        with self._guarded():
            self.after.get(name, lambda: None)()

    def sending(self, *given: Any, **named: Any) -> None:
        self._step("sending", lambda: super(Breakable, self).sending(*given, **named))

    def settling(self, *given: Any, **named: Any) -> None:
        self._step("settling", lambda: super(Breakable, self).settling(*given, **named))

    def ambiguous(self, *given: Any, **named: Any) -> None:
        self._step("ambiguous", lambda: super(Breakable, self).ambiguous(*given, **named))

    def end(self, *given: Any, **named: Any) -> None:
        self._step("end", lambda: super(Breakable, self).end(*given, **named))


def disk_full() -> None:
    raise sqlite3.OperationalError("database or disk is full")


BROKEN: list[tuple[tuple[str, str], dict[str, Any], int, str]] = [
    (("before", "sending"), {}, 0, "cancelled"),
    (("after", "sending"), {}, 0, "ambiguous"),
    (("before", "settling"), {}, 1, "ambiguous"),
    (("after", "settling"), {}, 1, "settling"),
    (("before", "ambiguous"), {"order": SILENT}, 1, "ambiguous"),
    (("after", "ambiguous"), {"order": SILENT}, 1, "ambiguous"),
    (("before", "end"), {"order": failures.of_node("task is paused", "restart task")}, 1, "ambiguous"),
    (("after", "end"), {"order": failures.of_node("task is paused", "restart task")}, 1, "refused"),
    (("before", "end"), {"list": SILENT}, 0, "cancelled"),
    (("after", "end"), {"list": SILENT}, 0, "cancelled"),
]


@pytest.mark.parametrize(("where", "says", "left", "next_start"), BROKEN)
async def test_a_broken_journal_stops_everything_and_the_next_start_knows_where_it_stood(
    tmp_path: Path, where: tuple[str, str], says: dict[str, Any], left: int, next_start: str
) -> None:
    hands = Hands(tmp_path, journal=Breakable.open(tmp_path, HandClock(), "boot"))
    hands.wire.says |= says
    when, step = where
    getattr(hands.journal, when)[step] = disk_full
    with pytest.raises(JournalError):
        await hands.carry_out()
    assert len(hands.wire.calls) == left
    hands.journal.close()
    again = opened(tmp_path)
    found = again.intent(hands.intent.id)
    assert found is not None
    assert (found.result or found.state).value == next_start
    again.close()


@pytest.mark.parametrize(
    ("says", "state"),
    [
        ({"list": RuntimeError("a mistake")}, IntentState.INTENDED),
        ({"node": RuntimeError("a mistake")}, IntentState.INTENDED),
        ({"orders": RuntimeError("a mistake")}, IntentState.INTENDED),
        ({"held back": RuntimeError("a mistake")}, IntentState.INTENDED),
        ({"order": RuntimeError("a mistake")}, IntentState.SENDING),
    ],
)
async def test_a_mistake_of_ours_comes_out_and_leaves_on_disk_whether_anything_left(
    tmp_path: Path, says: dict[str, Any], state: IntentState
) -> None:
    hands = Hands(tmp_path)
    hands.wire.says |= says
    with pytest.raises(RuntimeError, match="a mistake"):
        await hands.carry_out()
    assert hands.written().state is state
    assert bool(hands.wire.calls) is (state is IntentState.SENDING)


@pytest.mark.parametrize("over", [True, False])
async def test_an_intent_that_is_not_as_it_was_written_down_is_never_sent(tmp_path: Path, over: bool) -> None:
    hands = Hands(tmp_path)
    if over:
        hands.journal.end(hands.intent.id, hands.now, Result.CANCELLED, Reason.SUPERSEDED.value)
    else:
        await hands.carry_out()
        hands.wire.calls.clear()
    before = hands.written()
    with pytest.raises(IntentRefusedError):
        await hands.carry_out()
    assert hands.wire.calls == []
    assert hands.written() == before
