"""What the alerts do when a simulated fleet falls ill, recovers, vanishes or stays well: the real exporter's expositions,
in virtual time, become the series over which promtool evaluates the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from dbc_exporter.metrics.catalogue import family_of
from monitoring.files import ALERTS
from monitoring.rules import SWITCH
from tests.monitoring.behaviour.outcomes import ALL, METRICS, outcomes
from tests.monitoring.behaviour.player import play
from tests.monitoring.behaviour.rules import Firing, fired
from tests.monitoring.behaviour.scenes import STAGES
from tests.monitoring.behaviour.table import Outcome, as_promised, row, written
from tests.monitoring.behaviour.week import STEP as WEEK_STEP
from tests.monitoring.behaviour.week import TICK, WEEK
from tests.monitoring.promtool import needs_promtool

pytestmark = [pytest.mark.real, needs_promtool]

OF_TROUBLE = {
    "dbc_collector_failures_total",
    "dbc_parse_failures_total",
    "dbc_remediation_oldest_open_intent_timestamp_seconds",
}
"""Metrics that have no series where nothing fails and nothing is done."""

OF_SHARDS = {"dbc_target_elsewhere"}
"""Metrics that an exporter has only where several share the fleet."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was played."""

    outcomes: Sequence[Outcome]
    blinded: Sequence[Outcome]
    """The stages whose DBC clients die at the end of it all."""
    week: Sequence[Firing]
    week_metrics: set[str]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    played = [outcomes(stage, tmp_path_factory.mktemp("stage")) for stage in STAGES]
    week = tmp_path_factory.mktemp("week")
    recording = play(WEEK, week, METRICS, step=WEEK_STEP, tick=TICK)
    series = recording.series.written()
    silent = fired(week, ALL, series, step=WEEK_STEP, end=WEEK.length)
    blinded = [one for _, dark in played for one in dark]
    return Seen([one for one, _ in played], blinded, silent, {name.partition("{")[0] for name in series})


def test_the_table(seen: Seen, capsys: pytest.CaptureFixture[str]) -> None:
    troubles = [*(one for one in seen.outcomes if one.stage.client_trouble), *seen.blinded]
    rows = [
        row(case, outcome, troubles, seen.week) for outcome in seen.outcomes for case in outcome.stage.cases
    ]
    with capsys.disabled():
        print(f"\n{written(rows)}\n{len({one[0] for one in rows})} of {len(ALERTS)} alerts")  # noqa: T201 (the table is to be seen)
        print(f"{SWITCH} fired at every evaluation of all that was played")  # noqa: T201 (`fired` looks at it)
    assert as_promised(rows)


def test_nothing_fires_but_what_is_expected(seen: Seen) -> None:
    assert {one.stage.name: one.surplus() for one in (*seen.outcomes, *seen.blinded) if one.surplus()} == {}


def test_nothing_fires_in_a_healthy_week_though_all_is_there_that_could(seen: Seen) -> None:
    assert seen.week == []
    assert {name for name in METRICS if family_of(name)} - seen.week_metrics == OF_TROUBLE | OF_SHARDS


def test_every_alert_has_a_case() -> None:
    assert {case.alert for stage in STAGES for case in stage.cases} == {alert.name for alert in ALERTS}
