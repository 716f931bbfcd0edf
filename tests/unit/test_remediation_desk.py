"""Remediation's values as the web side shows them, and its errors as the web side answers them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from dbc_exporter.remediation.alerts import BadDeliveryError, Delivery
from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.journal import JournalError
from dbc_exporter.remediation.journal_thread import DirectJournal
from dbc_exporter.remediation.model import Decision, IntentState, Snapshot, Subject, View
from dbc_exporter.remediation.operator import Operator
from dbc_exporter.remediation.policy_file import LoadedPolicy
from dbc_exporter.remediation_desk import Desk, TokenFile
from dbc_exporter.web import remediation_types as shown
from tests.unit.remediation import journals, scenes
from tests.unit.remediation.scenes import NODE, NOW, VM

AHEAD = 5_000.0  # of Unix time against steady time


class Why(msgspec.Struct):
    """An explanation."""

    subject: Subject
    at: float | None

    def text(self) -> str:
        return "because"


@dataclass
class Ears:
    """Hears of deliveries."""

    deliveries: list[Delivery] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    def delivered(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)

    def answered(self, code: int) -> None:
        self.codes.append(code)


@dataclass
class Loop:
    """A round made by hand."""

    loaded: LoadedPolicy
    snapshot: Snapshot
    view: View
    decisions: dict[Subject, Decision]
    fault: str = ""

    def wake(self) -> None:
        """Do nothing."""


class Scene:
    """A desk over a real journal; the inbox raises `error`, if one is set."""

    def __init__(self, directory: Path) -> None:
        self.journal = journals.opened(directory)
        self.clock = journals.HandClock(unix=NOW + AHEAD)
        self.ears = Ears()
        self.error: Exception | None = None
        self.too_large_ones = 0
        policy = scenes.policy()
        seen = scenes.snapshot(scenes.hung(gpus=None))
        decided = decide(seen, View(), policy, NOW)
        loop = Loop(LoadedPolicy(policy, "abc", ""), seen, View(), {one.subject: one for one in decided})
        operator = Operator(
            loop,
            DirectJournal(self.journal),
            lambda: self.clock.unix - AHEAD,
            lambda: "id0",
            lambda _: True,
            self._explain,
        )
        self.desk = Desk(operator, self, self.ears, self.clock, lambda: "t0ken")

    async def take(self, body: bytes) -> Delivery:
        if self.error is not None:
            raise self.error
        return Delivery(unmapped=len(body))

    async def too_large(self) -> None:
        if self.error is not None:
            raise self.error
        self.too_large_ones += 1

    async def _explain(self, subject: Subject, at: float | None) -> Why:
        if self.error is not None:
            raise self.error
        return Why(subject, at)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.journal.close()


async def test_times_are_shown_as_unix_seconds(scene: Scene) -> None:
    scene.journal.propose(journals.approval(created=NOW - 5, expires=NOW + 900), NOW)
    scene.journal.intend(journals.intent(created=NOW - 30, subject=replace(VM, node_id="b" * 64)), NOW)
    paused = await scene.desk.pause(NODE, 60, "racks", "anna")
    status = await scene.desk.status()
    assert status.generated == NOW + AHEAD
    assert (paused.created, paused.expires) == (NOW + AHEAD, NOW + AHEAD + 60)
    assert (status.proposals[0].created, status.proposals[0].expires) == (NOW + AHEAD - 5, NOW + AHEAD + 900)
    assert (status.actions[0].created, status.actions[0].sent) == (NOW + AHEAD - 30, None)
    assert status.incidents[0].since == NOW + AHEAD - 2_000


async def test_an_incident_is_shown_with_the_first_thing_in_its_way_in_words(scene: Scene) -> None:
    [incident] = (await scene.desk.status()).incidents
    assert (incident.target, incident.problem, incident.verdict) == (str(VM), "hung", "refuse")
    assert incident.obstacle is not None
    assert incident.obstacle.reason == "gpus_unknown"
    assert incident.obstacle.words == "nobody knows whether all GPUs are there"


async def test_the_whole_is_shown_with_mode_policy_breaker_and_quarantine(scene: Scene) -> None:
    scene.journal.quarantine(VM, "ladder_exhausted", NOW)
    scene.journal.open_breaker("nothing helped", NOW)
    status = await scene.desk.status()
    assert (status.mode, status.policy, status.armed, status.breaker) == (
        "act",
        "abc",
        False,
        "nothing helped",
    )
    assert [one.reason for one in status.obstacles] == ["breaker_open"]
    assert status.quarantines == (
        shown.Quarantine(
            target=str(VM), reason="ladder_exhausted", words="every step was tried without success"
        ),
    )
    assert (status.healthy, status.unknown, len(status.budgets)) == (40, 0, 4)


async def test_the_latest_fifty_actions_are_shown_newest_first(scene: Scene) -> None:
    for number in range(60):
        subject = Subject(f"{number:064x}", "vm1")
        scene.journal.intend(journals.intent(number, subject, created=NOW - 100 + number), NOW)
    actions = (await scene.desk.status()).actions
    assert [one.id for one in actions] == [f"intent-{number}" for number in range(59, 9, -1)]
    assert {one.state for one in actions} == {IntentState.INTENDED.value}


async def test_an_answer_is_shown_with_its_giver(scene: Scene) -> None:
    scene.journal.propose(journals.approval(expires=NOW + 900), NOW)
    waiting = (await scene.desk.status()).proposals[0]
    assert (waiting.answer, waiting.actor) == ("waiting", "")
    answered = await scene.desk.answer("proposal-1", approve=False, actor="anna")
    assert (answered.answer, answered.actor) == ("rejected", "anna")


async def test_an_explanation_is_asked_for_in_steady_time_and_shown_as_text_and_data(scene: Scene) -> None:
    then = await scene.desk.explain(str(VM), NOW + AHEAD - 60)
    assert (then.text, then.at) == ("because", NOW + AHEAD - 60)
    assert json.loads(msgspec.json.encode(then))["explanation"]["at"] == NOW - 60
    now = await scene.desk.explain(NODE, None)
    assert now.explanation == {"subject": {"node_id": NODE, "task_id": ""}, "at": None}
    assert now.at == NOW + AHEAD


async def test_a_stored_delivery_is_told_and_one_that_is_not_stored_is_not(scene: Scene) -> None:
    await scene.desk.take(b"12345")
    scene.desk.answered(202)
    assert (scene.ears.deliveries, scene.ears.codes) == ([Delivery(unmapped=5)], [202])
    for error, told in (
        (BadDeliveryError("version"), shown.BadDeliveryError),
        (JournalError("full"), shown.UnusableError),
    ):
        scene.error = error
        with pytest.raises(told, match=str(error)):
            await scene.desk.take(b"")
    assert len(scene.ears.deliveries) == 1


async def test_a_delivery_too_large_is_told_of_and_not_counted_as_delivered(scene: Scene) -> None:
    await scene.desk.too_large()
    assert (scene.too_large_ones, scene.ears.deliveries) == (1, [])
    scene.error = JournalError("full")
    with pytest.raises(shown.UnusableError, match="full"):
        await scene.desk.too_large()


def changes(desk: Desk) -> list[Callable[[], Awaitable[Any]]]:
    return [
        lambda: desk.answer("p7", approve=True, actor="anna"),
        lambda: desk.resume("z7", "anna"),
        lambda: desk.resume(None, "anna"),
        lambda: desk.clear(str(VM), "anna"),
        lambda: desk.clear_breaker("anna"),
        lambda: desk.pause("", -1, "racks", "anna"),
    ]


async def test_what_the_operator_refuses_is_refused(scene: Scene) -> None:
    for change in changes(scene.desk):
        with pytest.raises(shown.RefusedError):
            await change()


async def test_without_a_journal_changes_and_explanations_are_unusable_and_the_status_is_shown(
    scene: Scene,
) -> None:
    scene.journal.close()
    scene.error = JournalError("closed")
    explain: Callable[[], Awaitable[Any]] = lambda: scene.desk.explain(NODE, None)  # noqa: E731 (one of many)
    asked = [*changes(scene.desk)[:-1], explain]
    for change in asked:
        with pytest.raises(shown.UnusableError):
            await change()
    assert [one.reason for one in (await scene.desk.status()).obstacles] == ["journal_unusable"]


async def test_what_is_ended_is_ended(scene: Scene) -> None:
    await scene.desk.pause("", 60, "racks", "anna")
    assert await scene.desk.resume(None, "anna") == ("id0",)
    scene.journal.quarantine(VM, "x", NOW)
    await scene.desk.clear(str(VM), "anna")
    scene.journal.open_breaker("x", NOW)
    await scene.desk.clear_breaker("anna")
    view = scene.journal.view(NOW + 1)
    assert (view.pauses, view.quarantined, view.breaker) == ((), {}, "")


# -- the token

FIRST, SECOND = "the-first-webhook-token", "the-second-webhook-token"


def test_a_token_is_read_anew_and_without_the_line_end(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = TokenFile(file)
    assert token() is None
    file.write_text(f"{FIRST}\n")
    assert token() == FIRST
    file.write_text(SECOND)
    assert token() == SECOND


@pytest.mark.parametrize("spoil", [lambda file: file.unlink(), lambda file: file.write_text(" \n")])
def test_while_the_file_has_no_token_the_last_one_counts_and_it_is_told_once(
    tmp_path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "token"
    file.write_text(FIRST)
    token = TokenFile(file)
    assert token() == FIRST
    spoil(file)
    assert (token(), token()) == (FIRST, FIRST)
    assert [record.getMessage() for record in caplog.records] == ["the webhook's token file cannot be used"]
    assert FIRST not in caplog.text


def test_an_empty_file_holds_no_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("\n")
    assert TokenFile(file)() is None
