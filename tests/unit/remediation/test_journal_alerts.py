"""What the journal remembers of alerts: late, repeated and reordered words change nothing."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbc_exporter.clock import SystemClock
from dbc_exporter.remediation import journal_view
from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.model import Alert, Subject
from dbc_exporter.remediation.sightings import Heard, Memory, merged, recall
from tests.unit.remediation.journals import NODE, OTHER_VM, VM, WALL, kinds, opened

NAME = "VmUnresponsive"


def fires(start: float, fingerprint: str = "f1", subject: Subject = VM, name: str = NAME) -> Heard:
    return Heard(name, subject, fingerprint, start, firing=True)


def ends(start: float, end: float | None = None, fingerprint: str = "f1", subject: Subject = VM) -> Heard:
    return Heard(NAME, subject, fingerprint, start, firing=False, ends_at=end)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = opened(tmp_path)
    yield journal
    journal.close()


def hear(journal: Journal, at: float, *words: Heard) -> dict[Subject, tuple[Alert, ...]]:
    journal.hear(words, at)
    return journal.alerts()


def test_a_firing_alert_is_remembered_since_it_was_first_heard(journal: Journal) -> None:
    hear(journal, 10, fires(1))
    assert hear(journal, 70, fires(1)) == {VM: (Alert(NAME, since=10, heard=70),)}


def test_a_resolved_alert_is_remembered_with_the_time_at_which_we_heard_of_it(journal: Journal) -> None:
    hear(journal, 10, fires(1))
    assert hear(journal, 70, ends(1)) == {VM: (Alert(NAME, since=10, heard=70, ended=70),)}


def test_an_alert_first_heard_of_when_it_is_over_is_over(journal: Journal) -> None:
    assert hear(journal, 10, ends(1)) == {VM: (Alert(NAME, since=10, heard=10, ended=10),)}


def test_a_firing_heard_after_its_own_end_is_ignored(journal: Journal) -> None:
    over = hear(journal, 10, fires(5), ends(5))
    assert hear(journal, 70, fires(5)) == over
    assert hear(journal, 70, fires(4)) == over


def test_a_later_episode_begins_anew(journal: Journal) -> None:
    hear(journal, 10, fires(5), ends(5))
    assert hear(journal, 70, fires(6)) == {VM: (Alert(NAME, since=70, heard=70),)}


def test_the_end_of_an_earlier_episode_does_not_end_a_later_one(journal: Journal) -> None:
    hear(journal, 10, fires(100))
    firing = hear(journal, 70, fires(500))
    assert hear(journal, 80, ends(100)) == firing
    assert hear(journal, 80, ends(100, end=400)) == firing


def test_an_end_after_the_start_of_what_fires_ends_it_whatever_start_the_replica_tells(
    journal: Journal,
) -> None:
    hear(journal, 10, fires(110))
    [alert] = hear(journal, 70, ends(105, end=900))[VM]
    assert alert.ended == 70
    [alert] = hear(journal, 80, fires(110))[VM]
    assert alert.ended == 70


def test_the_same_end_told_again_by_a_slower_replica_is_no_new_end(journal: Journal) -> None:
    over = hear(journal, 10, fires(5), ends(5, end=60))
    assert hear(journal, 70, ends(5, end=63)) == over


def test_the_end_of_an_episode_that_was_never_heard_of_is_a_new_end(journal: Journal) -> None:
    hear(journal, 10, fires(5), ends(5, end=60))
    [alert] = hear(journal, 700, ends(300, end=600))[VM]
    assert alert.ended == 700


def test_alerts_of_one_name_fire_while_any_of_them_fires(journal: Journal) -> None:
    hear(journal, 10, fires(1, "f1"))
    hear(journal, 20, fires(2, "f2"))
    assert hear(journal, 30, ends(1, fingerprint="f1"))[VM] == (Alert(NAME, since=20, heard=20),)
    assert hear(journal, 40, ends(2, fingerprint="f2"))[VM] == (Alert(NAME, since=10, heard=40, ended=40),)


def test_alerts_of_different_names_and_subjects_stay_apart_even_under_one_fingerprint(
    journal: Journal,
) -> None:
    hear(journal, 10, fires(1), fires(1, name="Other"), fires(1, subject=OTHER_VM))
    found = hear(journal, 20, ends(1))
    assert [(alert.name, alert.ended) for alert in found[VM]] == [("Other", None), (NAME, 20)]
    assert [alert.ended for alert in found[OTHER_VM]] == [None]


def test_an_alert_of_a_node_belongs_to_the_node(journal: Journal) -> None:
    assert list(hear(journal, 10, fires(1, subject=Subject(NODE)))) == [Subject(NODE)]


def test_silent_alerts_are_forgotten_firing_ones_by_their_latest_word(journal: Journal) -> None:
    hear(journal, 10, fires(1))
    hear(journal, 90, fires(1), fires(1, subject=OTHER_VM))
    journal.forget_alerts(firing_before=90, ended_before=1_000)
    assert set(journal.alerts()) == {VM, OTHER_VM}
    journal.forget_alerts(firing_before=90.5, ended_before=1_000)
    assert journal.alerts() == {}


def test_resolved_alerts_are_forgotten_by_their_end(journal: Journal) -> None:
    over = hear(journal, 10, fires(1), ends(1))
    journal.forget_alerts(firing_before=1_000, ended_before=10)
    assert journal.alerts() == over
    journal.forget_alerts(firing_before=1_000, ended_before=11)
    assert journal.alerts() == {}


def test_what_is_remembered_survives_a_restart(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.hear([fires(5), ends(5), fires(1, subject=OTHER_VM)], 10, watchdog=True, truncated=True)
    before = journal.alerts()
    journal.close()
    again = opened(tmp_path)
    again.hear([fires(5)], 50)
    assert (again.alerts(), again.watchdog_at(), again.truncated_at()) == (before, 10.0, 10.0)
    again.close()


def test_the_watchdog_and_truncation_are_unknown_until_heard_of(journal: Journal) -> None:
    assert (journal.watchdog_at(), journal.truncated_at()) == (None, None)
    journal.hear([], 10, watchdog=True)
    assert (journal.watchdog_at(), journal.truncated_at()) == (10, None)
    journal.hear([], 20, truncated=True)
    journal.hear([], 30)
    assert (journal.watchdog_at(), journal.truncated_at()) == (10, 20)


def test_beginnings_ends_and_truncations_are_events_and_repetitions_are_none(journal: Journal) -> None:
    journal.hear([fires(1)], 10)
    journal.hear([fires(1)], 20, watchdog=True)
    journal.hear([ends(1), ends(1), fires(1)], 30, truncated=True)
    assert kinds(journal) == ["alert_fired", "alert_ended", "alerts_truncated"]


def test_a_delivery_that_cannot_be_kept_whole_is_not_kept_at_all_and_the_next_one_is(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    with pytest.raises(UnicodeEncodeError):
        journal.hear([fires(1), fires(1, name="half a character: \ud800")], 10, watchdog=True)
    assert (journal.alerts(), journal.watchdog_at(), kinds(journal)) == ({}, None, [])
    journal.hear([fires(2)], 20)
    journal.close()
    journal = opened(tmp_path)
    assert kinds(journal) == ["alert_fired"]
    journal.close()


STARTS = st.sampled_from([100.0, 105.0, 200.0, 300.0])
WORDS = st.one_of(
    st.builds(fires, STARTS, st.sampled_from(["f1", "f2"]), st.sampled_from([VM, OTHER_VM])),
    st.builds(
        ends,
        STARTS,
        st.sampled_from([None, 103.0, 150.0, 250.0, 1_000.0]),
        st.sampled_from(["f1", "f2"]),
        st.sampled_from([VM, OTHER_VM]),
    ),
)


def remembered(words: Iterable[Heard], at: float = 10) -> dict[Subject, tuple[Alert, ...]]:
    """What a list of words leads to, all heard at one time, without a journal."""
    found: dict[tuple[Subject, str, str], Memory] = {}
    for word in words:
        key = word.subject, word.name, word.fingerprint
        found[key] = recall(found.get(key), word, at)
    return merged((subject, name, memory) for (subject, name, _), memory in found.items())


def firing(alerts: dict[Subject, tuple[Alert, ...]]) -> set[tuple[Subject, str]]:
    return {
        (subject, alert.name) for subject, those in alerts.items() for alert in those if alert.ended is None
    }


@given(st.lists(WORDS, max_size=5))
def test_no_order_of_the_words_leads_to_anything_else(words: list[Heard]) -> None:
    expected = remembered(words)
    assert all(remembered(order) == expected for order in permutations(words))


@given(st.lists(WORDS, max_size=8), st.data())
def test_no_repetition_of_words_at_any_place_leads_to_anything_else(
    words: list[Heard], data: st.DataObject
) -> None:
    again = list(words)
    for word in data.draw(st.lists(st.sampled_from(words), max_size=8)) if words else []:
        again.insert(data.draw(st.integers(0, len(again))), word)
    assert remembered(again) == remembered(words)


@settings(max_examples=25, deadline=None)  # it waits for the disk
@given(st.lists(WORDS, max_size=8), st.randoms(use_true_random=False))
def test_old_words_heard_again_later_move_nothing_but_the_time_of_the_latest_word(
    words: list[Heard], dice: random.Random
) -> None:
    shuffled = list(words)
    dice.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as directory:
        journal = opened(Path(directory))
        before, told = hear(journal, WALL, *words), kinds(journal)
        after = hear(journal, WALL + 500, *shuffled)
        changed = kinds(journal) != told
        journal.close()
    assert firing(after) == firing(before)
    assert not changed
    for subject, alerts in after.items():
        assert [(one.name, one.since, one.ended) for one in alerts] == [
            (one.name, one.since, one.ended) for one in before[subject]
        ]


@settings(max_examples=25, deadline=None)  # it waits for the disk
@given(st.lists(st.lists(WORDS, max_size=4), max_size=4), st.randoms(use_true_random=False))
def test_deliveries_spread_over_time_in_another_order_leave_the_same_alerts_firing(
    deliveries: list[list[Heard]], dice: random.Random
) -> None:
    shuffled = [list(delivery) for delivery in deliveries]
    dice.shuffle(shuffled)
    found = []
    for order in (deliveries, shuffled):
        with tempfile.TemporaryDirectory() as directory:
            journal = opened(Path(directory))
            for number, delivery in enumerate(order):
                journal.hear(delivery, WALL + number * 60)
            found.append(firing(journal.alerts()))
            journal.close()
    assert found[0] == found[1]


def test_what_is_remembered_in_memory_is_what_is_on_disk(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, SystemClock(), "")
    subjects = [Subject("a" * 64, f"vm{number}") for number in range(4)]
    assert journal.alerts() == {}
    for round_, subject in enumerate(subjects * 3):
        firing = round_ % 2 == 0
        journal.hear([Heard("X", subject, f"f{round_ % 5}", float(round_), firing=firing)], 100.0 + round_)
        assert journal.alerts() == journal_view.alerts(journal._db)
    journal.forget_alerts(firing_before=105.0, ended_before=105.0)
    assert journal.alerts() == journal_view.alerts(journal._db)
    journal.close()
