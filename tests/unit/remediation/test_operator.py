"""What a person may see and do, over a real journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.journal import JournalError
from dbc_exporter.remediation.journal_thread import DirectJournal
from dbc_exporter.remediation.model import Approval, Decision, Pause, Snapshot, Subject, Verdict, View
from dbc_exporter.remediation.operator import LONGEST_PAUSE, Operator, RefusedError
from dbc_exporter.remediation.policy_file import LoadedPolicy
from dbc_exporter.remediation.reasons import Reason
from tests.unit.remediation import journals, scenes
from tests.unit.remediation.scenes import NODE, NOW, VM


@dataclass
class Loop:
    """Stands in for the loop: a round was made by hand, or none."""

    loaded: LoadedPolicy
    snapshot: Snapshot | None = None
    view: View = field(default_factory=View)
    decisions: dict[Subject, Decision] = field(default_factory=dict)
    fault: str = ""
    woken: int = 0

    def wake(self) -> None:
        self.woken += 1

    def asks(self, approval: Approval) -> None:
        """Have decided that a person must approve this."""
        self.decisions = {
            approval.subject: Decision(
                subject=approval.subject,
                verdict=Verdict.PROPOSE,
                action=approval.action,
                evidence=approval.evidence,
            )
        }

    def look(self, *sights: Any, **changes: Any) -> None:
        self.snapshot = scenes.snapshot(*sights, **changes)
        decided = decide(self.snapshot, self.view, self.loaded.policy, NOW)
        self.decisions = {decision.subject: decision for decision in decided}


@dataclass(frozen=True)
class Told:
    """What an explainer was asked."""

    subject: Subject
    at: float | None

    def text(self) -> str:
        return f"{self.subject} at {self.at}"


class Desk:
    """An operator, and what stands behind."""

    def __init__(self, directory: Path) -> None:
        self.journal = journals.opened(directory)
        self.loop = Loop(LoadedPolicy(scenes.policy(), "abc", ""))
        self.time = NOW
        self.ids = iter(f"id{number}" for number in range(99))
        self.operator = Operator(
            self.loop,
            DirectJournal(self.journal),
            lambda: self.time,
            lambda: next(self.ids),
            lambda node: node == NODE,
            self._explain,
        )

    async def _explain(self, subject: Subject, at: float | None) -> Told:
        return Told(subject, at)

    def propose(self) -> None:
        asked = journals.approval(expires=NOW + 900)
        self.journal.propose(asked, NOW)
        self.loop.asks(asked)

    def events(self) -> list[tuple[str, str]]:
        return [(event["kind"], event["body"]) for event in reversed(self.journal.events())]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.journal.close()


# -- seeing


async def test_before_the_first_round_it_is_not_armed_and_says_so(desk: Desk) -> None:
    status = await desk.operator.status()
    assert [check.reason for check in status.obstacles] == [Reason.HOLDING_OFF]
    assert (status.healthy, status.unknown, status.incidents) == (0, 0, ())


async def test_the_status_counts_the_healthy_and_the_unknown_and_lists_the_sick(desk: Desk) -> None:
    nobody_knows = scenes.well(99)
    desk.loop.look(scenes.hung(), replace(nobody_knows, state="unknown"))
    status = await desk.operator.status()
    assert (status.healthy, status.unknown, [one.subject for one in status.incidents]) == (40, 1, [VM])
    assert status.obstacles == ()


async def test_an_incident_is_told_with_the_time_it_began(desk: Desk) -> None:
    desk.loop.look(scenes.hung())
    assert (await desk.operator.status()).since == {VM: NOW - 2_000}


async def test_the_beginning_of_an_incident_that_nothing_shows_any_more_is_left_open(desk: Desk) -> None:
    desk.loop.look(scenes.hung())
    desk.loop.snapshot = scenes.snapshot(scenes.hung(alerts=()))
    assert (await desk.operator.status()).since == {}


async def test_the_status_has_the_journal_as_it_is_now_and_not_as_of_the_last_round(desk: Desk) -> None:
    desk.loop.look()
    await desk.operator.pause("", 60, "racks", "anna")
    status = await desk.operator.status()
    assert [one.actor for one in status.view.pauses] == ["anna"]
    assert [check.reason for check in status.obstacles] == [Reason.PAUSED]


async def test_with_a_broken_journal_the_status_still_shows_what_is_known(desk: Desk) -> None:
    desk.loop.look(scenes.hung())
    desk.journal.close()
    status = await desk.operator.status()
    assert [check.reason for check in status.obstacles] == [Reason.JOURNAL_UNUSABLE]
    assert len(status.incidents) == 1


async def test_a_loop_that_gave_up_says_why(desk: Desk) -> None:
    desk.loop.fault = "the planner wanted what the journal forbids"
    desk.loop.look()
    status = await desk.operator.status()
    assert [(check.reason, check.detail) for check in status.obstacles] == [
        (Reason.JOURNAL_UNUSABLE, "the planner wanted what the journal forbids")
    ]


async def test_explaining_is_the_explainers_matter(desk: Desk) -> None:
    assert (await desk.operator.explain(VM, 7.0)).text() == f"{VM} at 7.0"


# -- approving


@pytest.mark.parametrize("approve", [True, False])
async def test_an_answer_is_in_the_journal_with_its_giver_and_wakes_the_loop(
    desk: Desk, approve: bool
) -> None:
    desk.propose()
    answered = await desk.operator.answer("proposal-1", approve=approve, actor="anna")
    assert (answered.approved_by, answered.rejected_by) == (("anna", "") if approve else ("", "anna"))
    assert desk.journal.view(NOW).approvals == (answered,)
    assert desk.events()[-1][0] == ("approved" if approve else "rejected")
    assert '"actor":"anna"' in desk.events()[-1][1]
    assert desk.loop.woken == 1


async def test_only_the_first_answer_counts(desk: Desk) -> None:
    desk.propose()
    await desk.operator.answer("proposal-1", approve=False, actor="bert")
    with pytest.raises(RefusedError, match="bert rejected it"):
        await desk.operator.answer("proposal-1", approve=True, actor="anna")


async def test_what_rests_on_something_else_by_now_cannot_be_approved_but_rejected(desk: Desk) -> None:
    desk.propose()
    desk.loop.asks(journals.approval(evidence="hung restart anew"))
    with pytest.raises(RefusedError, match="what proposal-1 rests on has changed; see what is proposed now"):
        await desk.operator.answer("proposal-1", approve=True, actor="anna")
    assert (await desk.operator.answer("proposal-1", approve=False, actor="anna")).rejected_by == "anna"


async def test_of_several_answers_at_once_exactly_one_counts(desk: Desk) -> None:
    desk.propose()
    answers = (
        desk.operator.answer("proposal-1", approve=bool(number % 2), actor=f"person{number}")
        for number in range(6)
    )
    found = await asyncio.gather(*answers, return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in found) == 1
    assert [kind for kind, _ in desk.events()].count("proposed") == 1
    assert len(desk.events()) == 2


async def test_what_expired_or_never_was_cannot_be_answered(desk: Desk) -> None:
    desk.propose()
    desk.time = NOW + 900
    for unknown in ("proposal-1", "proposal-2"):
        with pytest.raises(RefusedError, match=unknown):
            await desk.operator.answer(unknown, approve=True, actor="anna")
    assert desk.loop.woken == 0


# -- pausing


async def test_a_pause_is_kept_with_who_why_and_until_when(desk: Desk) -> None:
    made = await desk.operator.pause(NODE, 7200, " moving racks ", "anna")
    assert made == Pause(
        id="id0", node_id=NODE, actor="anna", reason="moving racks", created=NOW, expires=NOW + 7200
    )
    assert desk.journal.view(NOW).pauses == (made,)
    assert desk.loop.woken == 1


@pytest.mark.parametrize(
    ("node_id", "seconds", "reason"),
    [
        ("b" * 64, 60, "a node that nobody watches: a slip of the pen must not look like safety"),
        ("", 0, "no time"),
        ("", -1, "no time"),
        ("", LONGEST_PAUSE + 1, "too long"),
        ("", float("nan"), "no time"),
        ("", 60, ""),
        ("", 60, "  "),
        ("", 60, "x" * 301),
    ],
)
async def test_a_pause_that_cannot_be_meant_is_refused(
    desk: Desk, node_id: str, seconds: float, reason: str
) -> None:
    with pytest.raises(RefusedError):
        await desk.operator.pause(node_id, seconds, reason, "anna")
    assert desk.journal.view(NOW).pauses == ()


async def test_resuming_without_an_id_ends_all_pauses_of_ones_own_and_no_other(desk: Desk) -> None:
    for actor in ("anna", "bert", "anna"):
        await desk.operator.pause("", 600, "racks", actor)
    assert await desk.operator.resume(None, "anna") == ("id0", "id2")
    assert [one.actor for one in desk.journal.view(NOW + 1).pauses] == ["bert"]


async def test_resuming_by_id_ends_that_pause_whosever_it_is(desk: Desk) -> None:
    await desk.operator.pause("", 600, "racks", "bert")
    assert await desk.operator.resume("id0", "anna") == ("id0",)
    assert desk.journal.view(NOW + 1).pauses == ()
    assert desk.events()[-1] == ("resumed", '{"actor":"anna","id":"id0"}')


async def test_there_must_be_something_to_resume(desk: Desk) -> None:
    await desk.operator.pause("", 600, "racks", "bert")
    with pytest.raises(RefusedError, match="anna has paused nothing"):
        await desk.operator.resume(None, "anna")
    with pytest.raises(RefusedError, match="there is no pause id7"):
        await desk.operator.resume("id7", "anna")


# -- clearing


async def test_a_quarantine_is_ended_once_and_by_name(desk: Desk) -> None:
    desk.journal.quarantine(VM, "ladder_exhausted", NOW)
    await desk.operator.clear(VM, "anna")
    assert desk.journal.view(NOW).quarantined == {}
    assert desk.events()[-1] == ("cleared", '{"actor":"anna"}')
    with pytest.raises(RefusedError, match="is not in quarantine"):
        await desk.operator.clear(VM, "anna")


async def test_the_breaker_is_closed_once_and_by_name(desk: Desk) -> None:
    desk.journal.open_breaker("nothing helped", NOW)
    await desk.operator.clear_breaker("anna")
    assert desk.journal.view(NOW).breaker == ""
    assert desk.events()[-1] == ("breaker_cleared", '{"actor":"anna"}')
    with pytest.raises(RefusedError, match="is not open"):
        await desk.operator.clear_breaker("anna")


async def test_without_a_journal_nothing_can_be_changed(desk: Desk) -> None:
    desk.journal.close()
    for change in (
        desk.operator.answer("p", approve=True, actor="anna"),
        desk.operator.pause("", 60, "racks", "anna"),
        desk.operator.resume(None, "anna"),
        desk.operator.clear(VM, "anna"),
        desk.operator.clear_breaker("anna"),
    ):
        with pytest.raises(JournalError):
            await change
    assert desk.loop.woken == 0
