"""Whether an action helped: what proves it, what proves the contrary, and what proves nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dbc_exporter.facts import PowerState, TaskState
from dbc_exporter.remediation.model import Action, Intent, IntentState, Result, Sight
from dbc_exporter.remediation.outcome import Settling
from dbc_exporter.remediation.policy import Rung
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.verify import LAST_WORDS_SECONDS, Look, outcome
from tests.unit.remediation.scenes import (
    NOW,
    PING,
    PROBE,
    alert,
    dead,
    fleet,
    hung,
    off,
    past,
    policy,
    stopped,
)

SENT = NOW - 10_000.0  # nothing known by default is newer than this but what a test says
SETTLE, STABLE = 300.0, 200.0
SPAN = SETTLE + STABLE
POLICY = policy()
RECOVERED = (Result.RECOVERED, Reason.WELL_AGAIN)
INEFFECTIVE = (Result.INEFFECTIVE, Reason.STILL_BAD)
DOUBTFUL = (Result.UNVERIFIED, Reason.STILL_BAD)
NO_WORD = (Result.UNVERIFIED, Reason.NO_WORD)
BRINGING_UP = [Action.START, Action.POWER_ON]
OTHERS = [Action.RESTART, Action.FORCE_RESTART, Action.POWER_RESET]


def rung(action: Action, witness: str | None = PROBE, stable: float = STABLE) -> Rung:
    return Rung(action=action, witness=witness, settle=SETTLE, stable=stable)


def intent(action: Action, **changes: Any) -> Intent:
    made = past(
        action, state=IntentState.SETTLING, sent=SENT, ended=None, result=None, reason=Settling.TAKEN.value
    )
    return replace(made, **changes)


def looked(action: Action, after: float, sight: Sight | None, **changes: Any) -> tuple[Result, Reason] | None:
    """Look some seconds after the send. The watchdog is heard all the time, unless a change says otherwise."""
    now = SENT + after
    step = changes.pop("step", rung(action))
    around = fleet(watchdog=changes.pop("watchdog", now - 1))
    return outcome(Look(intent(action, **changes), sight, around, POLICY, step, now))


def well(action: Action, since: float, ended: float | None, **changes: Any) -> Sight:
    """A subject in its best state since so many seconds after the send; its alert ended then, or fires."""
    word = alert(
        PROBE,
        since=SENT - 900,
        heard=SENT + 5 if ended is None else SENT + ended,
        ended=None if ended is None else SENT + ended,
    )
    made = {Action.START: stopped(), Action.POWER_ON: off(), Action.POWER_RESET: dead()}.get(action, hung())
    state = "running" if made.subject.is_vm else "on"
    return replace(
        made,
        **{"state": state, "since": SENT + since, "seen": SENT + 100_000.0, "alerts": (word,), **changes},
    )


# -- recovery


@pytest.mark.parametrize("action", Action)
def test_a_subject_has_recovered_when_its_alert_ended_and_it_stayed_well(action: Action) -> None:
    sight = well(action, since=30, ended=60)
    assert looked(action, 60 + STABLE - 1, sight) is None
    assert looked(action, 60 + STABLE, sight) == RECOVERED


@pytest.mark.parametrize("action", OTHERS)
def test_that_it_was_called_running_all_the_time_says_nothing(action: Action) -> None:
    sight = well(action, since=-900, ended=None)
    assert looked(action, STABLE + 60, sight) is None
    assert looked(action, STABLE + 60, replace(sight, alerts=())) is None


@pytest.mark.parametrize("action", OTHERS)
def test_an_alert_that_ended_before_the_send_is_no_witness_of_it(action: Action) -> None:
    sight = well(action, since=-900, ended=-1)
    assert looked(action, STABLE + 60, sight) is None
    assert looked(action, SPAN * 2, sight) == NO_WORD


@pytest.mark.parametrize("action", Action)
def test_a_state_read_before_the_send_is_no_witness_of_it(action: Action) -> None:
    sight = well(action, since=-900, ended=60, seen=SENT)
    assert looked(action, SPAN, sight) is None


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", ["unknown", "starting", "restarting", "error"])
def test_a_state_that_is_not_clearly_well_is_no_recovery(action: Action, state: str) -> None:
    sight = well(action, since=30, ended=60, state=state)
    assert looked(action, SPAN, sight) is None
    assert looked(action, SPAN * 2, sight) == NO_WORD


@pytest.mark.parametrize("action", Action)
def test_an_alert_that_ends_because_prometheus_died_is_no_witness(action: Action) -> None:
    """Its watchdog may be repeated a little longer than its other alerts live."""
    sight = well(action, since=30, ended=60)
    last = SENT + 60 + LAST_WORDS_SECONDS
    assert looked(action, 60 + STABLE, sight, watchdog=last) is None
    assert looked(action, 60 + STABLE, sight, watchdog=last + 1) == RECOVERED


@pytest.mark.parametrize("action", Action)
def test_the_watchdog_need_not_be_heard_later_than_half_a_short_stable_time(action: Action) -> None:
    sight, short = well(action, since=30, ended=60), rung(action, stable=40.0)
    assert looked(action, 100, sight, step=short, watchdog=SENT + 80) is None
    assert looked(action, 100, sight, step=short, watchdog=SENT + 81) == RECOVERED


@pytest.mark.parametrize("action", Action)
def test_the_end_of_an_alert_counts_only_while_the_watchdog_lives(action: Action) -> None:
    sight = well(action, since=30, ended=60)
    after = 200 + POLICY.alerts.max_silence
    assert looked(action, after, sight, watchdog=SENT + 199) is None
    assert looked(action, after, sight, watchdog=SENT + 200) == RECOVERED


@pytest.mark.parametrize("action", OTHERS)
def test_an_alert_about_the_whole_node_is_no_witness_of_its_vms(action: Action) -> None:
    ended, fires = well(action, since=30, ended=60), well(action, since=30, ended=None)
    of_node = [replace(sight, alerts=(replace(sight.alerts[0], of_node=True),)) for sight in (ended, fires)]
    assert [looked(action, SPAN, sight) for sight in of_node] == [None, None]


@pytest.mark.parametrize("action", OTHERS)
def test_without_a_witness_nothing_proves_that_a_hang_is_over(action: Action) -> None:
    sight = well(action, since=30, ended=60)
    step = rung(action, None)
    assert looked(action, SPAN, sight, step=step) is None
    assert looked(action, SPAN * 2, sight, step=step) == NO_WORD


@pytest.mark.parametrize("action", BRINGING_UP)
def test_what_was_off_and_stays_on_has_recovered_where_no_witness_is_named(action: Action) -> None:
    sight = well(action, since=30, ended=None)
    step = rung(action, None)
    assert looked(action, 30 + STABLE - 1, sight, step=step) is None
    assert looked(action, 30 + STABLE, sight, step=step) == RECOVERED


@pytest.mark.parametrize("action", BRINGING_UP)
def test_what_is_on_has_not_recovered_while_its_witness_fires(action: Action) -> None:
    assert looked(action, SPAN - 1, well(action, since=30, ended=None)) is None


@pytest.mark.parametrize("action", BRINGING_UP)
@pytest.mark.parametrize("quiet", [{"alerts": ()}, {}])
def test_what_is_on_has_recovered_when_its_witness_is_quiet_and_would_be_heard(
    action: Action, quiet: dict[str, Any]
) -> None:
    sight = well(action, since=30, ended=-60, **quiet)
    assert looked(action, 30 + STABLE, sight) == RECOVERED
    assert looked(action, 30 + STABLE, sight, watchdog=SENT - 1) is None


@pytest.mark.parametrize("action", BRINGING_UP)
def test_since_when_it_is_on_must_be_known(action: Action) -> None:
    assert looked(action, SPAN, replace(well(action, 30, 60), since=None)) is None


def test_the_alert_of_another_name_is_no_witness() -> None:
    sight = replace(well(Action.RESTART, -900, 60), alerts=(alert(PING, ended=SENT + 60),))
    assert looked(Action.RESTART, SPAN, sight) is None


# -- failure


@pytest.mark.parametrize("action", Action)
def test_an_alert_that_still_fires_after_settling_and_stable_time_proves_failure(action: Action) -> None:
    sight = well(action, since=30, ended=None)
    assert looked(action, SPAN - 1, sight) is None
    assert looked(action, SPAN, sight) == INEFFECTIVE


@pytest.mark.parametrize("action", Action)
def test_failure_needs_a_watchdog_heard_after_the_settling_time(action: Action) -> None:
    sight = well(action, since=30, ended=None)
    assert looked(action, SPAN, sight, watchdog=SENT + SETTLE) is None
    assert looked(action, SPAN, sight, watchdog=SENT + SETTLE + 1) == INEFFECTIVE


@pytest.mark.parametrize("action", Action)
def test_an_alert_not_heard_of_for_too_long_proves_nothing(action: Action) -> None:
    sight = well(action, since=30, ended=None)
    forgotten = replace(sight.alerts[0], heard=SENT + SPAN - POLICY.alerts.expire - 1)
    sight = replace(sight, alerts=(forgotten,))
    assert looked(action, SPAN, sight) is None
    assert looked(action, SPAN * 2, sight) == NO_WORD


@pytest.mark.parametrize(("action", "state"), [(Action.START, "closed"), (Action.POWER_ON, "off")])
def test_what_is_still_off_when_read_after_the_settling_time_proves_failure(
    action: Action, state: str
) -> None:
    sight = well(action, since=-900, ended=60, state=state)
    assert looked(action, SPAN, replace(sight, seen=SENT + SETTLE)) is None
    assert looked(action, SPAN - 1, replace(sight, seen=SENT + SETTLE + 1)) is None
    assert looked(action, SPAN, replace(sight, seen=SENT + SETTLE + 1), watchdog=None) == INEFFECTIVE


@pytest.mark.parametrize("state", ["start_error", "starting", "unknown"])
def test_a_start_that_went_wrong_in_dbcs_words_may_have_gone_well(state: str) -> None:
    sight = well(Action.START, since=30, ended=60, state=state)
    assert looked(Action.START, SPAN, sight) is None


def test_a_vm_that_somebody_stopped_after_its_restart_proves_nothing() -> None:
    sight = well(Action.RESTART, since=100, ended=60, state="closed")
    assert looked(Action.RESTART, SPAN, sight) is None
    assert looked(Action.RESTART, SPAN * 2, sight) == NO_WORD


@pytest.mark.parametrize("action", Action)
def test_an_action_that_perhaps_never_arrived_is_never_called_ineffective(action: Action) -> None:
    sight = well(action, since=30, ended=None)
    assert looked(action, SPAN, sight, reason=Settling.SPENT.value) == DOUBTFUL
    assert looked(action, 60 + STABLE, well(action, 30, 60), reason=Settling.SPENT.value) == RECOVERED


# -- no word


@pytest.mark.parametrize("action", Action)
def test_without_a_word_it_is_waited_twice_as_long_and_then_nothing_is_claimed(action: Action) -> None:
    unknown = well(action, since=-900, ended=None, state="unknown", alerts=())
    for sight in (None, unknown):
        assert looked(action, SPAN * 2 - 1, sight) is None
        assert looked(action, SPAN * 2, sight) == NO_WORD


@pytest.mark.parametrize("action", Action)
def test_a_step_that_the_policy_no_longer_has_is_waited_for_and_nothing_is_claimed(action: Action) -> None:
    sight = well(action, since=30, ended=60)
    assert looked(action, 1_199, sight, step=None) is None
    assert looked(action, 1_200, sight, step=None) == NO_WORD


@pytest.mark.parametrize("action", Action)
def test_an_action_found_to_have_arrived_late_gets_its_whole_time(action: Action) -> None:
    late = SENT + 2_000
    sight = well(action, since=30, ended=None)
    assert looked(action, 2_000 + SPAN - 1, sight, next_look=late) is None
    assert looked(action, 2_000 + SPAN, sight, next_look=late) == INEFFECTIVE
    unknown = replace(sight, state="unknown", alerts=())
    assert looked(action, 2_000 + 2 * SPAN - 1, unknown, next_look=late) is None
    assert looked(action, 2_000 + 2 * SPAN, unknown, next_look=late) == NO_WORD


# -- whatever is shown

STATES = st.sampled_from([*(state.value for state in TaskState), *(state.value for state in PowerState)])
TIMES = st.floats(-1_000, 2_000).map(lambda after: SENT + after)


class Shown(NamedTuple):
    """What may be known of a subject some seconds after the send."""

    action: Action
    state: str
    seen: float | None
    since: float | None
    ended: float | None
    watchdog: float | None
    after: float


SHOWN = st.builds(
    Shown,
    action=st.sampled_from(Action),
    state=STATES,
    seen=st.none() | TIMES,
    since=st.none() | TIMES,
    ended=st.none() | TIMES,
    watchdog=st.none() | TIMES,
    after=st.floats(0, 1_500),
)


@given(SHOWN)
def test_unknown_proves_nothing_and_every_action_comes_to_an_end(shown: Shown) -> None:
    sight = replace(well(shown.action, 0, 0), state=shown.state, seen=shown.seen, since=shown.since)
    sight = replace(sight, alerts=(replace(sight.alerts[0], ended=shown.ended),))
    found = looked(shown.action, shown.after, sight, watchdog=shown.watchdog)
    if shown.after >= SPAN * 2:
        assert found is not None
    unknown = replace(sight, state="unknown", alerts=())
    assert looked(shown.action, shown.after, unknown, watchdog=shown.watchdog) in (None, NO_WORD)
    if found == RECOVERED:
        assert shown.state in ("running", "on")
        assert shown.seen is not None
        assert shown.seen > SENT
        assert shown.after >= STABLE
