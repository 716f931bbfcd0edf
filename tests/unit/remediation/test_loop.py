"""The loop: what it does with decisions, and what it does not when something is wrong."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace

from dbc_exporter.clock import SystemClock
from dbc_exporter.remediation.journal import Journal, JournalError
from dbc_exporter.remediation.loop import Remediation
from dbc_exporter.remediation.model import (
    Action,
    Alert,
    Decision,
    Intent,
    IntentState,
    Pause,
    Problem,
    Result,
    Sight,
    Snapshot,
    Subject,
    Verdict,
    View,
)
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.policy_file import LoadedPolicy
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.sightings import Heard
from tests.unit.remediation import scenes
from tests.unit.remediation.scenes import NODE, NOW, PROBE, VM

T = TypeVar("T")


@dataclass
class Seer:
    """Shows what it is given, as of now."""

    sights: tuple[Sight, ...]
    now: Callable[[], float]
    disturbed: list[str] = field(default_factory=list)
    storm: bool = False

    def snapshot(self) -> Snapshot:
        now = self.now()
        sick = tuple(replace(sight, seen=now, order_seen=now) for sight in self.sights)
        hidden = {"known": 0} if self.storm else {}
        return scenes.snapshot(*sick, started=now - 10_000, watchdog=now, **hidden)

    def disturb(self, why: str) -> None:
        self.disturbed.append(why)


@dataclass
class Hands:
    """Writes down what it is told to do; `then` is what becomes of it."""

    journal: Journal
    now: Callable[[], float]
    told: list[Intent] = field(default_factory=list)
    inquired: list[Intent] = field(default_factory=list)
    raises: BaseException | None = None

    async def carry_out(self, intent: Intent, sight: Sight) -> None:
        del sight
        self.told.append(intent)
        if self.raises is not None:
            raise self.raises
        self.journal.sending(intent.id, self.now(), nonce=f"n{intent.id}", canary="c")
        self.journal.settling(intent.id, self.now(), "")

    async def inquire(self, intent: Intent, policy: Policy) -> None:
        del policy
        self.inquired.append(intent)
        self.journal.end(intent.id, self.now(), Result.UNRESOLVED, "ambiguous_for_good")


@dataclass
class Ears:
    """The reporter and the recorder."""

    decisions: list[Decision] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    rounds: int = 0

    def decision(self, decision: Decision) -> None:
        self.decisions.append(decision)

    def intent(self, intent: Intent) -> None:
        self.intents.append(intent)

    def violation(self, what: str) -> None:
        self.violations.append(what)

    def round(self, snapshot: Snapshot, view: View, policy: Policy, decisions: Iterable[Decision]) -> None:
        del snapshot, view, policy, decisions
        self.rounds += 1

    async def record(self, snapshot: Snapshot, decisions: Iterable[Decision], now: float) -> None:
        """Keep nothing."""


class Scene:
    """A loop over a real journal; time is moved by hand."""

    def __init__(self, directory: Path, *sights: Sight, by: Policy | None = None) -> None:
        self.time = NOW
        self.journal = Journal.open(directory, SystemClock(), "")
        self.seer = Seer(sights, lambda: self.time)
        self.hands = Hands(self.journal, lambda: self.time)
        self.ears = Ears()
        self.fails: Exception | None = None
        numbers = itertools.count(1)
        self.loop = Remediation(
            LoadedPolicy(by or scenes.policy(), "hash", ""),
            self.run,
            self.seer,
            self.hands,
            self.ears,
            self.ears,
            lambda: self.time,
            SystemClock(),
            lambda: f"i{next(numbers)}",
            directory / "stop",
        )

    async def run(self, work: Callable[[Journal], T]) -> T:
        if self.fails is not None:
            raise self.fails
        return work(self.journal)

    async def rounds(self, number: int = 1, seconds: float = 15.0) -> None:
        for _ in range(number):
            await self.loop.round()
            for task in list(self.loop._running.values()):
                await asyncio.gather(task, return_exceptions=True)
            self.time += seconds

    @property
    def intents(self) -> tuple[Intent, ...]:
        return self.journal.view(self.time).intents


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path, scenes.hung())
    yield made
    await made.loop.stop()
    made.journal.close()


async def test_a_sick_vm_leads_to_one_intent_on_disk_and_one_order_to_the_hands(scene: Scene) -> None:
    await scene.rounds(5)
    [intent] = scene.hands.told
    assert (intent.subject, intent.action, intent.policy) == (VM, Action.RESTART, "hash")
    assert [one.id for one in scene.intents] == [intent.id]
    assert scene.ears.violations == []
    states = [one.state for one in scene.ears.intents]
    assert states == [IntentState.SETTLING]


async def test_recovery_is_what_the_witness_says_and_ends_the_intent(scene: Scene) -> None:
    await scene.rounds()
    gone = Alert(PROBE, NOW - 2_000, scene.time, ended=scene.time)
    scene.seer.sights = (scenes.hung(alerts=(gone,)),)
    await scene.rounds(30)
    assert [one.result for one in scene.intents] == [Result.RECOVERED]
    assert scene.loop.decisions[VM].verdict is Verdict.HEALTHY


async def test_what_did_not_help_leads_to_the_next_step_and_then_to_a_person(scene: Scene) -> None:
    for _ in range(400):
        scene.seer.sights = (scenes.hung(alerts=(scenes.alert(since=NOW - 2_000, heard=scene.time),)),)
        await scene.rounds()
    assert [one.action for one in scene.hands.told] == [Action.RESTART, Action.FORCE_RESTART]
    assert scene.loop.decisions[VM].reason is Reason.QUARANTINED


async def test_a_kill_file_stops_everything_and_its_end_lets_go_on(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    await scene.rounds(3)
    assert scene.loop.decisions[VM].reason is Reason.KILLED
    assert scene.hands.told == []
    (tmp_path / "stop").unlink()
    await scene.rounds()
    assert len(scene.hands.told) == 1


async def test_a_journal_that_fails_disarms_and_the_rounds_go_on(scene: Scene) -> None:
    scene.fails = JournalError("the disk is full")
    await scene.rounds(3)
    assert scene.loop.fault == "the disk is full"
    assert scene.loop.decisions[VM].reason is Reason.JOURNAL_UNUSABLE
    scene.fails = None
    await scene.rounds(3)
    assert scene.hands.told == []
    assert scene.ears.rounds == 5


async def test_a_planner_that_wants_what_the_journal_forbids_is_stopped(scene: Scene) -> None:
    other = Intent(
        id="x",
        subject=Subject("e" * 64, "vm"),
        machine=NODE,
        client="one",
        action=Action.RESTART,
        problem=Problem.HUNG,
        state=IntentState.INTENDED,
        created=NOW,
    )
    decision = scenes.verdict(scenes.hung())
    scene.journal.intend(other, NOW)
    await scene.loop._begin(decision, scenes.hung(), View(), NOW)
    assert scene.ears.violations == ["planner_against_journal"]
    assert scene.loop.fault
    assert scene.hands.told == []


async def test_a_mistake_in_a_round_is_told_and_costs_that_round_only(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(scene.seer, "snapshot", lambda: 1 / 0)
        await scene.rounds()
    assert scene.ears.violations == ["round_failed"]
    await scene.rounds()
    assert len(scene.hands.told) == 1


async def test_an_intent_whose_task_died_before_the_send_is_given_up(scene: Scene) -> None:
    scene.hands.raises = RuntimeError("ours")
    await scene.rounds(2)
    await scene.rounds()
    assert "action_failed" in scene.ears.violations
    assert scene.intents[0].result is Result.CANCELLED


async def test_proposals_are_made_once_and_an_approved_one_is_carried_out_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, scenes.hung(), by=scenes.policy(mode="approve"))
    await scene.rounds(3)
    [proposal] = scene.journal.view(scene.time).approvals
    assert scene.hands.told == []
    scene.journal.decide_approval(proposal.id, actor="ann", approve=True, at=scene.time)
    await scene.rounds(5)
    assert [one.approved_by for one in scene.hands.told] == ["ann"]
    scene.journal.close()


async def test_blindness_and_the_end_of_a_pause_begin_the_hold_off_anew(scene: Scene) -> None:
    scene.seer.storm = True
    await scene.rounds()
    assert "blindness" in scene.seer.disturbed
    scene.seer.storm = False
    scene.seer.disturbed.clear()
    pause = Pause(
        id="p", node_id="", actor="ann", reason="works", created=scene.time, expires=scene.time + 20
    )
    scene.journal.pause(pause)
    await scene.rounds(4)
    assert "pause" in scene.seer.disturbed


async def test_an_outcome_nobody_knows_is_inquired_into_and_then_left_to_a_person(scene: Scene) -> None:
    await scene.rounds()
    [intent] = scene.intents
    scene.journal._db.execute("UPDATE intent SET state = 'ambiguous'")
    await scene.rounds(3)
    assert [one.id for one in scene.hands.inquired] == [intent.id]
    assert scene.loop.decisions[VM].reason is Reason.QUARANTINED


async def test_such_an_outcome_is_left_to_a_person_before_the_next_decision(scene: Scene) -> None:
    await scene.rounds()
    [intent] = scene.intents
    scene.journal.end(intent.id, scene.time, Result.UNRESOLVED, "ambiguous_for_good")
    await scene.loop.round()
    assert scene.loop.decisions[intent.subject].reason is Reason.QUARANTINED
    assert [one.id for one in scene.hands.told] == [intent.id]


async def test_an_approval_that_no_longer_holds_costs_nothing_but_its_action(tmp_path: Path) -> None:
    scene = Scene(tmp_path, scenes.hung(), by=scenes.policy(mode="approve"))
    await scene.rounds(2)
    [proposal] = scene.journal.view(scene.time).approvals
    scene.journal.decide_approval(proposal.id, actor="ann", approve=True, at=scene.time)
    view = scene.journal.view(scene.time)
    decision = scenes.verdict(scenes.hung(), scene.loop.loaded.policy)
    decision = replace(decision, approval=proposal.id, evidence="of something else")
    await scene.loop._begin(decision, scenes.hung(), view, scene.time)
    assert (scene.loop.fault, scene.hands.told) == ("", [])
    scene.journal.close()


async def test_alerts_nobody_repeats_are_forgotten(scene: Scene) -> None:
    heard = Heard("Other", VM, "f", 1.0, firing=True)
    scene.journal.hear([heard], scene.time - 20_000)
    await scene.rounds()
    assert scene.journal.alerts() == {}


async def test_the_last_decision_uses_what_was_read_last_and_alerts_as_they_are_now(scene: Scene) -> None:
    intent = Intent(
        id="x",
        subject=VM,
        machine=NODE,
        client="one",
        action=Action.RESTART,
        problem=Problem.HUNG,
        state=IntentState.INTENDED,
        created=NOW,
    )
    assert (await scene.loop.judge(intent, scenes.hung(gpus=3))).reason is Reason.GPUS_MISSING
    scene.seer.sights = (scenes.hung(alerts=()),)
    assert (await scene.loop.judge(intent, scenes.hung())).verdict is Verdict.HEALTHY


@pytest.mark.parametrize("sent", [False, True])
async def test_an_action_that_ends_while_the_journal_is_read_is_the_next_rounds(
    scene: Scene, sent: bool
) -> None:
    """A slow disk: the round works with a view from before the end."""
    mine = scenes.past(id="mine", created=NOW, sent=None, ended=None, result=None, state=IntentState.INTENDED)
    scene.journal.intend(mine, NOW)
    if sent:
        scene.journal.sending("mine", NOW, nonce="n", canary="c")
    time_to_end = asyncio.Event()

    async def carrying() -> None:
        await time_to_end.wait()
        if not sent:
            scene.journal.sending("mine", NOW, nonce="n", canary="c")
        scene.journal.settling("mine", NOW, "taken")

    async def slowly(work: Callable[[Journal], T]) -> T:
        done = work(scene.journal)
        time_to_end.set()
        await asyncio.sleep(0.001)  # the task ends, and is forgotten
        return done

    scene.loop._start(mine, carrying())
    scene.loop.journal = slowly
    await scene.loop.round()
    found = scene.journal.intent("mine")
    assert found is not None
    assert (found.state, scene.loop._running, scene.ears.violations) == (IntentState.SETTLING, {}, [])
