"""What the journal allows, remembers and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dbc_exporter.remediation.journal import (
    IntentRefusedError,
    Journal,
    JournalError,
)
from dbc_exporter.remediation.model import Action, Intent, IntentState, Result, Subject
from tests.unit.remediation.journals import (
    NODE,
    OTHER_NODE,
    OTHER_VM,
    SIBLING,
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


def brought_to(journal: Journal, state: IntentState, made: Intent | None = None) -> Intent:
    """Write an intent and lead it to a state."""
    made = made or intent()
    journal.intend(made, WALL)
    if state in (IntentState.SENDING, IntentState.AMBIGUOUS, IntentState.SETTLING):
        journal.sending(made.id, WALL + 1, nonce=f"n-{made.id}", canary="c")
    if state is IntentState.AMBIGUOUS:
        journal.ambiguous(made.id, WALL + 2, "no answer", WALL + 30)
    if state is IntentState.SETTLING:
        journal.settling(made.id, WALL + 2, "accepted")
    if state is IntentState.ENDED:
        journal.end(made.id, WALL + 2, Result.CANCELLED, "superseded")
    return the(journal, made.id)


def the(journal: Journal, intent_id: str) -> Intent:
    found = journal.intent(intent_id)
    assert found is not None
    return found


# -- intents


def test_an_intent_comes_back_as_it_was_written(journal: Journal) -> None:
    journal.intend(intent(), WALL)
    assert journal.view(WALL).intents == (intent(),)


def test_an_intent_is_unknown_until_it_is_written(journal: Journal) -> None:
    assert journal.intent("intent-1") is None


def test_the_life_of_an_intent_is_kept_with_its_times_and_reasons(journal: Journal) -> None:
    made = brought_to(journal, IntentState.AMBIGUOUS)
    journal.burning(made.id, WALL + 31, WALL + 61)
    journal.settling(made.id, WALL + 32, "arrived")
    journal.end(made.id, WALL + 700, Result.RECOVERED, "well_again")
    assert the(journal, made.id) == replace(
        intent(),
        state=IntentState.ENDED,
        sent=WALL + 1,
        nonce="n-intent-1",
        canary="c",
        burns=1,
        next_look=WALL + 61,
        ended=WALL + 700,
        result=Result.RECOVERED,
        reason="well_again",
    )
    assert kinds(journal) == ["intended", "sending", "ambiguous", "burning", "settling", "ended"]


STEPS: dict[str, Callable[[Journal], None]] = {
    "sending": lambda journal: journal.sending("intent-1", WALL + 9, nonce="n", canary="c"),
    "ambiguous": lambda journal: journal.ambiguous("intent-1", WALL + 9, "no answer", WALL + 90),
    "burning": lambda journal: journal.burning("intent-1", WALL + 9, WALL + 30),
    "settling": lambda journal: journal.settling("intent-1", WALL + 9, "accepted"),
    "ended": lambda journal: journal.end("intent-1", WALL + 9, Result.UNVERIFIED, "no_word"),
}
ALLOWED = {
    IntentState.INTENDED: {"sending", "ended"},
    IntentState.SENDING: {"ambiguous", "settling", "ended"},
    IntentState.AMBIGUOUS: {"ambiguous", "burning", "settling", "ended"},
    IntentState.SETTLING: {"ended"},
    IntentState.ENDED: set[str](),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", ALLOWED)
def test_only_some_steps_lead_on_from_a_state_and_the_others_change_nothing(
    journal: Journal, state: IntentState, step: str
) -> None:
    before, told = brought_to(journal, state), kinds(journal)
    if step in ALLOWED[state]:
        STEPS[step](journal)
        assert the(journal, before.id) != before
        assert kinds(journal) == [*told, step]
    else:
        with pytest.raises(IntentRefusedError, match=f"is {state}, not"):
            STEPS[step](journal)
        assert (the(journal, before.id), kinds(journal)) == (before, told)


@pytest.mark.parametrize("state", [state for state in ALLOWED if state is not IntentState.ENDED])
def test_only_what_was_never_sent_can_be_cancelled(journal: Journal, state: IntentState) -> None:
    before = brought_to(journal, state)
    if state is IntentState.INTENDED:
        journal.end(before.id, WALL + 9, Result.CANCELLED, "superseded")
        assert the(journal, before.id).result is Result.CANCELLED
    else:
        with pytest.raises(IntentRefusedError, match=f"is {state}, not intended"):
            journal.end(before.id, WALL + 9, Result.CANCELLED, "superseded")


@pytest.mark.parametrize("step", STEPS)
def test_no_step_is_taken_of_an_intent_that_is_unknown(journal: Journal, step: str) -> None:
    with pytest.raises(IntentRefusedError, match="unknown"):
        STEPS[step](journal)


@pytest.mark.parametrize("state", [state for state in IntentState if state is not IntentState.ENDED])
def test_while_an_intent_is_open_none_of_its_subject_or_machine_is_written(
    journal: Journal, state: IntentState
) -> None:
    brought_to(journal, state)
    for other in (
        intent(2, machine=OTHER_NODE),
        intent(2, SIBLING),
        intent(2, action=Action.FORCE_RESTART),
    ):
        with pytest.raises(IntentRefusedError, match="in the way"):
            journal.intend(other, WALL + 5)
    assert [one.id for one in journal.view(WALL).intents] == ["intent-1"]
    journal.intend(intent(2, OTHER_VM), WALL + 5)


def test_after_an_intent_ended_another_one_is_written(journal: Journal) -> None:
    brought_to(journal, IntentState.ENDED)
    journal.intend(intent(2), WALL + 5)
    assert the(journal, "intent-2").open


def test_an_id_is_used_once(journal: Journal) -> None:
    brought_to(journal, IntentState.ENDED)
    with pytest.raises(IntentRefusedError):
        journal.intend(intent(), WALL + 5)


def test_a_nonce_is_used_once(journal: Journal) -> None:
    brought_to(journal, IntentState.SENDING)
    journal.intend(intent(2, OTHER_VM), WALL)
    with pytest.raises(IntentRefusedError, match="nonce"):
        journal.sending("intent-2", WALL, nonce="n-intent-1", canary="c")
    assert the(journal, "intent-2").state is IntentState.INTENDED


def test_a_refusal_leaves_the_journal_usable(journal: Journal) -> None:
    brought_to(journal, IntentState.SENDING)
    with pytest.raises(IntentRefusedError):
        journal.intend(intent(2), WALL)
    journal.settling("intent-1", WALL + 2, "accepted")
    assert the(journal, "intent-1").state is IntentState.SETTLING


@pytest.mark.parametrize(("result", "remembered"), [(Result.INEFFECTIVE, True), (Result.RECOVERED, False)])
def test_what_was_tried_in_vain_stays_in_the_view_for_a_month(
    journal: Journal, result: Result, remembered: bool
) -> None:
    tried = intent()
    journal.intend(tried, WALL)
    journal.sending(tried.id, WALL, nonce="n", canary="c")
    journal.settling(tried.id, WALL, "taken")
    journal.end(tried.id, WALL + 600, result, "")
    shown = [[one.id for one in journal.view(WALL + days * 86_400).intents] for days in (1, 29, 31)]
    assert shown == [[tried.id], [tried.id] * remembered, []]


def test_the_view_has_two_days_of_intents_and_every_open_one_oldest_first(journal: Journal) -> None:
    late, long_ago = WALL + 10 * DAY, WALL - 10
    for number, (subject, created, ended) in enumerate(
        [
            (VM, long_ago, None),
            (OTHER_VM, WALL, WALL + 1),
            (Subject("c" * 64), WALL + 7 * DAY, late - DAY),
            (Subject("d" * 64), late - DAY, late - DAY + 9),
        ]
    ):
        journal.intend(intent(number, subject, created=created), created)
        if ended is not None:
            journal.end(f"intent-{number}", ended, Result.CANCELLED, "superseded")
    assert [one.id for one in journal.view(late).intents] == ["intent-0", "intent-2", "intent-3"]


# -- events


def test_every_change_is_an_event_with_who_and_why(journal: Journal) -> None:
    journal.keep_policy("abc", "version: '1'", WALL)
    approved(journal)
    journal.pause(pause(node_id=NODE))
    journal.resume("pause-1", "bob", WALL + 61)
    journal.quarantine(VM, "used up", WALL + 62)
    journal.clear(VM, "bob", WALL + 63)
    journal.open_breaker("no effect", WALL + 64)
    journal.clear_breaker("bob", WALL + 65)
    told = [(event["kind"], json.loads(event["body"]).get("actor")) for event in reversed(journal.events())]
    assert told == [
        ("policy", None),
        ("proposed", None),
        ("approved", "ann"),
        ("paused", "ann"),
        ("resumed", "bob"),
        ("quarantined", None),
        ("cleared", "bob"),
        ("breaker_opened", None),
        ("breaker_cleared", "bob"),
    ]


def test_events_of_one_subject_are_told_newest_first(journal: Journal) -> None:
    brought_to(journal, IntentState.SETTLING)
    brought_to(journal, IntentState.SENDING, intent(2, OTHER_VM))
    assert [event["kind"] for event in journal.events(str(VM))] == ["settling", "sending", "intended"]
    assert [event["intent"] for event in journal.events(limit=2)] == ["intent-2", "intent-2"]


def test_others_keep_tables_of_their_own_in_the_same_transaction(journal: Journal) -> None:
    with journal.transaction("noted", WALL, subject=str(VM), body={"why": "test"}) as db:
        db.execute("CREATE TABLE note (text TEXT NOT NULL) STRICT")
    with suppress(RuntimeError), journal.transaction("noted", WALL) as db:
        db.execute("INSERT INTO note VALUES ('never')")
        raise RuntimeError
    with journal.transaction("counted", WALL) as db:
        assert db.execute("SELECT count(*) FROM note").fetchone()[0] == 0
    assert kinds(journal) == ["noted", "counted"]


@settings(max_examples=25, deadline=None)  # it waits for the disk
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"])),
            st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53)),
        ),
        max_size=5,
    )
)
@example([("", -0.0), ("", 5)])
def test_whatever_people_write_the_chain_is_the_same_when_read_back(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[str, float]]
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    journal = opened(directory)
    for text, at in written:
        with journal.transaction("noted", at, subject=text, body={"reason": text}):
            pass
    told = journal.events()
    journal.close()
    again = opened(directory)
    assert again.events() == told
    again.close()


# -- restarts


def test_after_a_restart_what_was_sent_may_have_arrived_and_what_was_only_intended_has_not(
    tmp_path: Path,
) -> None:
    journal = opened(tmp_path)
    sent = brought_to(journal, IntentState.SENDING)
    brought_to(journal, IntentState.INTENDED, intent(2, OTHER_VM))
    journal.close()
    journal = opened(tmp_path)
    found, other = the(journal, sent.id), the(journal, "intent-2")
    assert (found.state, found.sent, found.nonce) == (IntentState.AMBIGUOUS, sent.sent, sent.nonce)
    assert found.next_look <= journal.steady.now()
    assert (other.result, other.reason, other.sent) == (Result.CANCELLED, "superseded", None)
    journal.close()


@pytest.mark.parametrize("state", [IntentState.AMBIGUOUS, IntentState.SETTLING, IntentState.ENDED])
def test_a_restart_leaves_everything_else_as_it_was(tmp_path: Path, state: IntentState) -> None:
    journal = opened(tmp_path)
    brought_to(journal, state)
    journal.quarantine(OTHER_VM, "used up", WALL)
    journal.open_breaker("no effect", WALL)
    journal.pause(pause())
    journal.propose(approval(), WALL)
    before, told = journal.view(WALL + 3), kinds(journal)
    journal.close()
    journal = opened(tmp_path)
    assert (journal.view(WALL + 3), kinds(journal)) == (before, told)
    journal.close()


def test_a_closed_journal_does_nothing(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.view(WALL)
    with pytest.raises(JournalError, match="closed"):
        journal.intend(intent(), WALL)
