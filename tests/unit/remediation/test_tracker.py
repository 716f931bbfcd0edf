"""What only time tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.remediation.tracker import DAY, Most, Presence, Run

GAP = 900.0


def run_of(*readings: tuple[str, float]) -> Run:
    run = Run()
    for state, at in readings:
        run.read(state, at, GAP)
    return run


class TestARun:
    def test_begins_with_its_first_reading(self) -> None:
        run = run_of(("closed", 100.0))
        assert (run.state, run.since, run.seen, run.samples) == ("closed", 100.0, 100.0, 1)

    def test_goes_on_while_the_state_stays(self) -> None:
        run = run_of(("closed", 100.0), ("closed", 400.0), ("closed", 700.0))
        assert (run.since, run.seen, run.samples) == (100.0, 700.0, 3)

    def test_counts_no_reading_twice(self) -> None:
        assert run_of(("closed", 100.0), ("closed", 100.0)).samples == 1

    def test_begins_anew_with_another_state(self) -> None:
        run = run_of(("closed", 100.0), ("running", 400.0), ("closed", 700.0))
        assert (run.since, run.samples) == (700.0, 1)

    def test_bears_the_longest_gap(self) -> None:
        assert run_of(("closed", 100.0), ("closed", 100.0 + GAP)).samples == 2

    def test_begins_anew_after_a_longer_gap(self) -> None:
        run = run_of(("closed", 100.0), ("closed", 101.0 + GAP))
        assert (run.since, run.samples) == (101.0 + GAP, 1)

    def test_ends_when_the_state_is_known_no_more(self) -> None:
        run = run_of(("closed", 100.0), ("closed", 400.0))
        run.unknown(500.0)
        assert (run.state, run.since, run.seen, run.samples) == ("unknown", 500.0, 400.0, 0)

    def test_begins_anew_after_an_unknown(self) -> None:
        run = run_of(("closed", 100.0))
        run.unknown(200.0)
        run.read("closed", 300.0, GAP)
        assert (run.state, run.since, run.samples) == ("closed", 300.0, 1)

    def test_stays_unknown_since_when_it_became_so(self) -> None:
        run = Run()
        run.unknown(100.0)
        run.unknown(200.0)
        assert run.since == 100.0

    @pytest.mark.parametrize("well", ["running", "on"])
    def test_remembers_when_it_was_last_well(self, well: str) -> None:
        run = run_of((well, 100.0), (well, 400.0), ("closed", 700.0))
        run.unknown(800.0)
        assert run.was_well == 400.0

    def test_of_something_never_well_does_not_claim_it(self) -> None:
        assert run_of(("closed", 100.0), ("restarting", 200.0)).was_well is None

    @given(st.lists(st.tuples(st.sampled_from(["closed", "running", "unknown"]), st.integers(1, 1_500))))
    def test_never_counts_more_than_was_read_in_a_row(self, steps: list[tuple[str, int]]) -> None:
        run, at, row = Run(), 0, 0
        before: str | None = None
        for state, pause in steps:
            at += pause
            if state == "unknown":
                run.unknown(float(at))
                row = 0
            else:
                row = row + 1 if state == before and pause <= GAP else 1
                run.read(state, float(at), GAP)
            before = state
            assert (run.state, run.samples) == (state, row)
            assert run.since is not None
            assert run.since <= at


class TestPresence:
    def test_of_a_machine_heard_of_for_the_first_time_counts_as_just_back(self) -> None:
        presence = Presence()
        presence.note(True, 100.0)
        assert (presence.back, presence.away) == (100.0, None)

    def test_that_lasts_moves_nothing(self) -> None:
        presence = Presence()
        for at in (100.0, 200.0, 300.0):
            presence.note(True, at)
        assert presence.back == 100.0

    def test_ends_when_an_absence_begins(self) -> None:
        presence = Presence()
        for up, at in ((True, 100.0), (False, 200.0), (False, 300.0)):
            presence.note(up, at)
        assert (presence.back, presence.away) == (100.0, 200.0)

    def test_begins_anew_after_an_absence(self) -> None:
        presence = Presence()
        for up, at in ((True, 100.0), (False, 200.0), (True, 300.0)):
            presence.note(up, at)
        assert (presence.back, presence.away) == (300.0, 200.0)

    def test_begins_anew_when_nobody_knew_for_a_while(self) -> None:
        presence = Presence()
        for up, at in ((True, 100.0), (None, 200.0), (True, 300.0)):
            presence.note(up, at)
        assert (presence.back, presence.away) == (300.0, None)

    def test_an_absence_goes_on_while_nobody_knows(self) -> None:
        presence = Presence()
        for up, at in ((False, 100.0), (None, 200.0), (False, 300.0)):
            presence.note(up, at)
        assert presence.away == 100.0

    def test_a_second_absence_begins_after_a_sign_of_life(self) -> None:
        presence = Presence()
        for up, at in ((False, 100.0), (True, 200.0), (None, 250.0), (False, 300.0)):
            presence.note(up, at)
        assert presence.away == 300.0


class TestTheMostOfADay:
    def test_is_not_forgotten_when_the_number_shrinks(self) -> None:
        most = Most()
        assert [most.note(number, at) for number, at in ((3, 0.0), (5, 10.0), (2, 20.0))] == [3, 5, 5]

    def test_is_forgotten_after_the_day(self) -> None:
        most = Most()
        most.note(5, 0.0)
        assert most.note(2, DAY) == 5
        assert most.note(2, DAY + 1) == 2

    def test_counts_from_when_it_was_last_so_many(self) -> None:
        most = Most()
        most.note(5, 0.0)
        most.note(5, DAY - 1)
        assert most.note(2, DAY + 1) == 5

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60_000)), min_size=1))
    def test_is_what_a_look_at_the_whole_day_finds(self, steps: list[tuple[int, int]]) -> None:
        most, at = Most(), 0
        noted: list[tuple[int, int]] = []
        for number, pause in steps:
            at += pause
            noted.append((at, number))
            assert most.note(number, float(at)) == max(n for when, n in noted if at - when <= DAY)
