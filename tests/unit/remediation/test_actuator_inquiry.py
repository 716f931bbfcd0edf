"""Inquiring into an action without an answer, with the journal in hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dbc_exporter.remediation.journal import JournalError
from dbc_exporter.remediation.model import Action, Intent, IntentState
from tests.unit.remediation.hands import NONCE_REFUSED, NOT_SENT, SILENT, Hands
from tests.unit.remediation.scenes import policy
from tests.virtual import virtually

POLICY = policy(limits={"ambiguous_hold": 3_600})
CANARY, NONCE = "nonce-1", "nonce-2"


class Inquiry(Hands):
    """An action sent, without an answer. `remembered` are the nonces that the node refuses; others it accepts."""

    def __init__(self, directory: Path, action: Action = Action.RESTART) -> None:
        super().__init__(directory, action)
        self.remembered: set[str] = {CANARY}
        self.lost: set[str] = set()
        self.silent = False

    async def begin(self) -> Inquiry:
        self.wire.says["order"] = SILENT
        await self.carry_out()
        self.wire.says |= {"list": self.answer, "power": self.answer}
        self.wire.asked.clear()
        return self

    def answer(self, nonce: str) -> object:
        if self.silent or nonce in self.lost:
            return SILENT
        if nonce in self.remembered:
            return NONCE_REFUSED
        self.remembered.add(nonce)
        return object()

    async def inquire(self) -> Intent:
        await self.actuator.inquire(self.written(), POLICY)
        return self.written()


async def test_the_node_is_asked_with_a_fresh_nonce_that_of_the_action_and_the_canary(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()
    await case.inquire()
    assert case.wire.asked == [("list", "nonce-3"), ("list", NONCE), ("list", CANARY)]
    assert len(case.wire.calls) == 1, "the action itself is never sent again"


async def test_a_servers_power_is_asked(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path, Action.POWER_RESET).begin()
    await case.inquire()
    assert [name for name, _ in case.wire.asked] == ["power"] * 3


async def test_what_never_arrived_was_not_executed(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()
    done = await case.inquire()
    assert case.ended() == ("not_executed", "never_arrived")
    assert done.burns == 1


async def test_what_arrived_awaits_its_effect(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()
    case.remembered.add(NONCE)
    done = await case.inquire()
    assert (done.state, done.reason) == (IntentState.SETTLING, "arrived")
    assert done.next_look > case.now, "from here on its effect is awaited"


async def test_after_a_restart_of_the_node_nobody_knows(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()
    case.remembered.clear()
    await case.inquire()
    assert case.ended() == ("unresolved", "process_restarted")


async def test_a_nonce_that_an_inquiry_without_an_answer_may_have_spent_is_called_so(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()
    case.lost.add(NONCE)
    assert (await case.inquire()).state is IntentState.AMBIGUOUS
    case.lost.clear()
    case.remembered.add(NONCE)
    done = await case.inquire()
    assert (done.state, done.reason, done.burns) == (IntentState.SETTLING, "spent", 2)


async def test_a_lost_answer_about_the_canary_settles_it_as_spent(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()
    case.lost.add(CANARY)
    done = await case.inquire()
    assert (done.state, done.reason) == (IntentState.SETTLING, "spent")


async def test_the_use_of_the_nonce_is_written_down_before_it(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()
    burns: list[int] = []

    def answer(nonce: str) -> object:
        if nonce == NONCE:
            burns.append(case.written().burns)
        return case.answer(nonce)

    case.wire.says["list"] = answer
    await case.inquire()
    assert burns == [1]


async def test_an_inquiry_that_was_cut_off_is_remembered_by_its_use_of_the_nonce(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()

    def die(nonce: str) -> object:
        case.answer(nonce)
        return KeyboardInterrupt() if nonce == NONCE else object()

    case.wire.says["list"] = die
    with pytest.raises(KeyboardInterrupt):
        await case.inquire()
    case.wire.says["list"] = case.answer
    done = await case.inquire()
    assert (done.state, done.reason) == (IntentState.SETTLING, "spent")


@pytest.mark.parametrize("error", [SILENT, NOT_SENT, NONCE_REFUSED])
async def test_a_node_that_takes_no_fresh_nonce_is_asked_again_later_and_nothing_is_spent(
    tmp_path: Path, error: Exception
) -> None:
    case = await Inquiry(tmp_path).begin()
    case.wire.says["list"] = error
    done = await case.inquire()
    assert (done.state, done.burns) == (IntentState.AMBIGUOUS, 0)
    assert case.wire.asked == [("list", "nonce-3")]
    assert done.reason == "node_timeout", "why it is open stays known"


async def test_a_target_that_left_is_waited_for(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()
    case.target = None
    done = await case.inquire()
    assert (done.state, done.burns, case.wire.asked) == (IntentState.AMBIGUOUS, 0, [])


async def test_inquiries_become_rarer_and_end_with_the_hold_time(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()
    case.silent = True
    sent = case.now
    looks: list[float] = []
    while (done := case.written()).state is IntentState.AMBIGUOUS:
        case.clock.pass_by(done.next_look - case.now)
        looks.append(round(case.now - sent))
        await case.inquire()
    assert looks == [5, 35, 70, 140, 280, 560, 1120, 1720, 2320, 2920, 3520, 3600]
    assert case.ended() == ("unresolved", "ambiguous_for_good")


async def test_after_a_long_stop_of_ours_it_is_asked_once_before_it_is_given_up(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()
    case.clock.pass_by(50_000)
    await case.inquire()
    assert case.ended() == ("not_executed", "never_arrived")


async def test_without_a_fence_nobody_will_ever_know(tmp_path: Path) -> None:
    case = Inquiry(tmp_path)
    case.unfenced()
    await case.begin()
    await case.inquire()
    assert case.ended() == ("unresolved", "ambiguous_for_good")
    assert case.wire.asked == []


async def test_a_broken_journal_stops_the_inquiry_before_the_nonce_is_used(tmp_path: Path) -> None:
    case = await Inquiry(tmp_path).begin()
    found = case.written()
    case.journal.close()
    with pytest.raises(JournalError):
        await case.actuator.inquire(found, POLICY)
    assert case.wire.asked == [("list", "nonce-3")]


def test_a_question_whose_turn_does_not_come_is_given_up_and_asked_again_later(tmp_path: Path) -> None:
    async def play(_clock: object) -> Intent:
        case = await Inquiry(tmp_path).begin()

        async def for_ever(*_given: object) -> Any:
            await asyncio.Future()

        case.wire.signed_read = for_ever  # type: ignore[method-assign, assignment]  # it never gets its turn
        return await case.inquire()

    done = virtually(play)
    assert (done.state, done.burns) == (IntentState.AMBIGUOUS, 0)
