"""What people do through the journal: approvals, pauses, quarantines and the breaker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbc_exporter.remediation.journal import ApprovalRefusedError, Journal
from dbc_exporter.remediation.model import Action, Result
from tests.unit.remediation.journals import (
    NODE,
    OTHER_NODE,
    OTHER_VM,
    VM,
    WALL,
    approval,
    approved,
    intent,
    kinds,
    opened,
    pause,
)

DAY = 86_400.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = opened(tmp_path)
    yield journal
    journal.close()


# -- approvals


def test_a_proposal_waits_in_the_view_until_it_expires(journal: Journal) -> None:
    journal.propose(approval(), WALL)
    assert journal.view(WALL + 899).approvals == (approval(),)
    assert journal.view(WALL + 900).approvals == ()


@pytest.mark.parametrize(("approve", "name"), [(True, "approved_by"), (False, "rejected_by")])
def test_an_answer_is_kept_with_who_gave_it(journal: Journal, approve: bool, name: str) -> None:
    journal.propose(approval(), WALL)
    answered = journal.decide_approval("proposal-1", actor="ann", approve=approve, at=WALL + 60)
    assert answered == replace(approval(), **{name: "ann"})
    assert journal.view(WALL + 60).approvals == (answered,)


def test_the_first_answer_counts(journal: Journal) -> None:
    approved(journal)
    with pytest.raises(ApprovalRefusedError, match="ann approved it"):
        journal.decide_approval("proposal-1", actor="bob", approve=False, at=WALL + 61)
    [found] = journal.view(WALL + 61).approvals
    assert (found.approved_by, found.rejected_by) == ("ann", "")


def test_a_proposal_that_expired_or_never_was_takes_no_answer(journal: Journal) -> None:
    journal.propose(approval(), WALL)
    with pytest.raises(ApprovalRefusedError, match="expired"):
        journal.decide_approval("proposal-1", actor="ann", approve=True, at=WALL + 900)
    with pytest.raises(ApprovalRefusedError, match="no such proposal"):
        journal.decide_approval("proposal-2", actor="ann", approve=True, at=WALL)


def test_an_answer_of_nobody_is_none(journal: Journal) -> None:
    journal.propose(approval(), WALL)
    with pytest.raises(ValueError, match="somebody"):
        journal.decide_approval("proposal-1", actor="", approve=True, at=WALL)


def test_an_approved_intent_uses_its_approval_up(journal: Journal) -> None:
    approved(journal)
    journal.intend(intent(approved_by="ann"), WALL + 61, approval="proposal-1")
    assert journal.view(WALL + 62).approvals == ()
    journal.end("intent-1", WALL + 62, Result.CANCELLED, "superseded")
    with pytest.raises(ApprovalRefusedError):
        journal.intend(intent(2, approved_by="ann"), WALL + 63, approval="proposal-1")
    assert journal.intent("intent-2") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": OTHER_VM, "machine": OTHER_NODE},
        {"action": Action.FORCE_RESTART},
        {"evidence": "hung restart, but of another day"},
        {"approved_by": "bob"},
    ],
)
def test_an_approval_of_something_else_is_none(journal: Journal, changes: dict[str, Any]) -> None:
    approved(journal)
    made = replace(intent(approved_by="ann"), **changes)
    with pytest.raises(ApprovalRefusedError):
        journal.intend(made, WALL + 61, approval="proposal-1")
    assert (journal.view(WALL + 61).intents, len(journal.view(WALL + 61).approvals)) == ((), 1)


def test_an_expired_a_rejected_and_an_unnamed_approval_are_none(journal: Journal) -> None:
    approved(journal)
    made = intent(approved_by="ann")
    with pytest.raises(ApprovalRefusedError):
        journal.intend(made, WALL + 900, approval="proposal-1")
    with pytest.raises(ApprovalRefusedError):
        journal.intend(made, WALL + 61)
    journal.propose(approval(id="proposal-2"), WALL)
    journal.decide_approval("proposal-2", actor="ann", approve=False, at=WALL + 1)
    with pytest.raises(ApprovalRefusedError):
        journal.intend(made, WALL + 61, approval="proposal-2")


def test_an_intent_that_needs_no_approval_uses_none_up(journal: Journal) -> None:
    journal.propose(approval(), WALL)
    journal.intend(intent(), WALL + 1, approval="proposal-1")
    assert journal.view(WALL + 1).approvals == (approval(),)


# -- pauses, quarantines, the breaker


def test_a_pause_holds_until_it_expires_or_is_ended(journal: Journal) -> None:
    journal.pause(pause())
    journal.pause(pause(id="pause-2", node_id=NODE, expires=WALL + 60))
    assert [one.id for one in journal.view(WALL + 59).pauses] == ["pause-1", "pause-2"]
    assert journal.view(WALL + 60).pauses == (pause(),)
    assert journal.resume("pause-1", "bob", WALL + 70)
    assert journal.view(WALL + 70).pauses == ()


def test_a_pause_that_expired_cannot_be_ended_any_more(journal: Journal) -> None:
    journal.pause(pause())
    assert not journal.resume("pause-1", "bob", WALL + 600)
    assert kinds(journal) == ["paused"]


def test_a_quarantine_lasts_until_a_person_clears_it_and_keeps_its_first_reason(journal: Journal) -> None:
    journal.quarantine(VM, "attempts used up", WALL)
    journal.quarantine(VM, "something else", WALL + 5)
    assert journal.view(WALL + 90 * DAY).quarantined == {VM: "attempts used up"}
    assert journal.clear(VM, "ann", WALL + 100)
    view = journal.view(WALL + 100)
    assert (view.quarantined, view.cleared) == ({}, {VM: WALL + 100})
    journal.quarantine(VM, "again", WALL + 200)
    view = journal.view(WALL + 200)
    assert (view.quarantined, view.cleared) == ({VM: "again"}, {})


def test_the_breaker_stays_open_until_a_person_clears_it_and_keeps_its_first_reason(journal: Journal) -> None:
    assert journal.view(WALL).breaker_cleared == float("-inf")
    journal.open_breaker("no effect", WALL)
    journal.open_breaker("something else", WALL + 5)
    assert journal.view(WALL + 90 * DAY).breaker == "no effect"
    assert journal.clear_breaker("ann", WALL + 100)
    view = journal.view(WALL + 100)
    assert (view.breaker, view.breaker_cleared) == ("", WALL + 100)
    journal.open_breaker("again", WALL + 200)
    assert journal.view(WALL + 200).breaker == "again"


def test_ending_what_is_not_there_says_so_and_writes_no_event(journal: Journal) -> None:
    assert not journal.resume("pause-1", "ann", WALL)
    assert not journal.clear(VM, "ann", WALL)
    assert not journal.clear_breaker("ann", WALL)
    assert kinds(journal) == []
