"""A lane allows one request in flight wherever that suffices, and one after trouble."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.dbc.lanes import PAUSE_LONGEST_SECONDS, Lane, width_for


def lane(pace: float, latency: float = 0.03, cap: int = 16) -> Lane:
    return Lane("query node info", cap, latency, demand={"node": pace})


@pytest.mark.parametrize(
    ("pace", "latency", "width"),
    [
        (1000 / 60, 0.03, 1),  # a thousand nodes a minute at 30 ms: half a request in flight
        (2000 / 60, 0.03, 2),
        (3000 / 900, 5.0, 16),  # more than the cap allows
        (150 / 900, 5.0, 1),  # 0.83 in flight: one after the other suffices
        (0.0, 5.0, 1),
    ],
)
def test_width_follows_littles_law_up_to_the_cap(pace: float, latency: float, width: int) -> None:
    assert width_for(pace, latency, 16) == width


@given(st.floats(0, 1e4), st.floats(0, 60), st.integers(1, 64))
def test_width_is_at_least_one_at_most_the_cap_and_keeps_the_pace_if_it_can(
    pace: float, latency: float, cap: int
) -> None:
    width = width_for(pace, latency, cap)
    assert 1 <= width <= cap
    assert width == cap or width + 1e-6 >= pace * latency


def test_two_silent_requests_close_together_bring_the_lane_down_to_one() -> None:
    wide = lane(2000 / 60, latency=0.2)
    assert wide.limit(0.0) == 8
    wide.silent(10.0)
    assert wide.limit(10.0) == 8
    wide.silent(15.0)
    assert wide.limit(15.0) == 1


def test_the_lane_widens_again_when_it_was_quiet_for_a_minute() -> None:
    wide = lane(2000 / 60, latency=0.2)
    wide.silent(10.0)
    wide.silent(15.0)
    assert wide.limit(70.0) == 1 or wide.limit(70.0) == 8
    assert wide.limit(75.1) == 8


def test_a_paused_lane_starts_nothing_until_the_pause_is_over() -> None:
    slow = lane(1.0)
    slow.slow_down(100.0)
    assert not slow.may_start(100.0)
    assert slow.may_start(slow.paused_until)


def test_pauses_grow_to_a_longest_one_and_an_answer_ends_them() -> None:
    slow = lane(1.0)
    pauses = []
    for _ in range(8):
        slow.slow_down(0.0)
        pauses.append(slow.paused_until)
    assert pauses == sorted(pauses)
    assert pauses[-1] == PAUSE_LONGEST_SECONDS
    slow.answered(0.03)
    assert slow.may_start(0.0)


def test_latency_follows_the_answers() -> None:
    learning = lane(1.0, latency=4.0)
    for _ in range(300):
        learning.answered(0.5)
    assert learning.latency_seconds == pytest.approx(0.5, rel=0.05)


def test_a_few_very_late_answers_do_not_widen_the_lane() -> None:
    steady = lane(1000 / 60)
    for n in range(500):
        steady.answered(25.0 if n % 10 == 0 else 0.03)
    assert steady.limit(0.0) == 1


def test_load_over_one_says_that_the_fleet_is_too_large_for_its_clients() -> None:
    assert lane(3000 / 900, latency=5.0).load() > 1
    assert lane(1000 / 60).load() < 0.05
