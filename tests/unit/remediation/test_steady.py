"""Steady time goes on, whatever happens to process, machine and wall clock."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.remediation.steady import Steady, boot_id
from tests.unit.remediation.journals import WALL, HandClock

SECONDS = st.floats(0, 1e6, allow_nan=False)
STEPS = st.floats(-1e7, 1e7, allow_nan=False)


def test_the_first_ever_is_the_wall_clocks() -> None:
    assert Steady(HandClock(unix=WALL), "boot").now() == WALL


def test_a_step_of_the_wall_clock_moves_nothing() -> None:
    clock = HandClock()
    steady = Steady(clock, "boot")
    clock.unix += 3_600
    clock.mono += 5
    assert steady.now() == WALL + 5


def test_in_the_same_boot_the_time_while_we_were_down_counts_by_the_monotonic_clock() -> None:
    clock = HandClock(mono=50)
    saved = Steady(clock, "boot").moment()
    clock.mono, clock.unix = 350, WALL - 86_400
    assert Steady(clock, "boot", saved).now() == WALL + 300


def test_after_another_boot_the_time_while_we_were_down_counts_by_the_wall_clock() -> None:
    clock = HandClock(mono=5_000)
    saved = Steady(clock, "boot").moment()
    clock.mono, clock.unix = 10, WALL + 120
    assert Steady(clock, "another boot", saved).now() == WALL + 120


def test_after_another_boot_with_a_wall_clock_set_back_it_goes_on_where_it_was() -> None:
    clock = HandClock(mono=5_000)
    saved = Steady(clock, "boot").moment()
    clock.mono, clock.unix = 10, WALL - 3_600
    assert Steady(clock, "another boot", saved).now() == WALL


def test_a_wall_clock_that_is_wrong_at_the_boot_is_believed_for_good() -> None:
    """The limit that the module's text states, and why the systemd unit begins after time-sync.target."""
    clock = HandClock(mono=5_000)
    saved = Steady(clock, "boot").moment()
    clock.mono, clock.unix = 10, WALL + 120 + 30 * 86_400
    steady = Steady(clock, "another boot", saved)
    clock.unix -= 30 * 86_400
    assert steady.now() == WALL + 120 + 30 * 86_400


def test_where_the_system_names_no_boot_no_boot_is_taken_for_the_same() -> None:
    clock = HandClock(mono=50)
    saved = Steady(clock, "").moment()
    clock.mono, clock.unix = 10_000, WALL + 7
    assert Steady(clock, "", saved).now() == WALL + 7


def test_a_monotonic_clock_that_went_back_belongs_to_another_boot() -> None:
    clock = HandClock(mono=50)
    saved = Steady(clock, "boot").moment()
    clock.mono, clock.unix = 49, WALL + 7
    assert Steady(clock, "boot", saved).now() == WALL + 7


@given(st.floats(0, 1e7), st.lists(SECONDS, min_size=1))
def test_in_one_boot_it_goes_exactly_as_the_monotonic_clock_over_any_number_of_restarts(
    begin: float, spans: list[float]
) -> None:
    clock = HandClock(mono=begin)
    steady = Steady(clock, "boot")
    first = steady.now()
    for span in spans:
        saved = steady.moment()
        clock.mono += span
        steady = Steady(clock, "boot", saved)
    gone = clock.mono - begin
    assert abs((steady.now() - first) - gone) <= 1e-6 * (1 + len(spans)) + gone * 1e-9


@dataclass(frozen=True)
class Event:
    kind: str
    seconds: float
    step: float


EVENTS = st.builds(Event, st.sampled_from(["goes on", "restart", "reboot"]), SECONDS, STEPS)


@given(st.lists(EVENTS, max_size=30))
def test_it_never_goes_back_over_restarts_reboots_and_steps_of_the_wall_clock(events: list[Event]) -> None:
    clock, boot = HandClock(mono=123.456), 0
    steady = Steady(clock, f"{boot}")
    latest = steady.now()
    for event in events:
        saved = steady.moment()
        clock.pass_by(event.seconds)
        clock.unix += event.step
        if event.kind == "reboot":
            boot, clock.mono = boot + 1, event.seconds % 60
        if event.kind != "goes on":
            steady = Steady(clock, f"{boot}", saved)
        assert steady.now() >= latest
        assert steady.moment().steady == steady.now()
        latest = steady.now()


def test_this_system_names_its_boot_the_same_each_time() -> None:
    assert boot_id() == boot_id()
