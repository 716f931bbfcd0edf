"""What comes of a stage: it is played whole, until its exporter vanishes, and until its DBC clients die."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.monitoring.behaviour.player import play
from tests.monitoring.behaviour.rules import fired, metrics
from tests.monitoring.behaviour.stage import HOUR, Stage
from tests.monitoring.behaviour.table import Outcome, Vanished
from tests.monitoring.promtool import rules

STEP = 60
"""Seconds between two scrapes, and between two evaluations: Prometheus' own defaults."""

ALL = rules()
METRICS = metrics(ALL)


def outcomes(stage: Stage, directory: Path) -> tuple[Outcome, list[Outcome]]:
    """Play a stage; return what came of it, and of it with DBC clients that die at its end, where they can."""
    blinded = []
    if stage.clients_matter and not stage.client_trouble:
        blinded.append(_outcome(stage.blinded(), _fresh(directory, "blind")))
    return _outcome(stage, _fresh(directory, "stage"), blinded), blinded


def _outcome(stage: Stage, directory: Path, blinded: Sequence[Outcome] = ()) -> Outcome:
    """Play a stage; and, unless its end is blind itself, what is left of it when the exporter vanishes before it."""
    recording = play(stage, directory, METRICS, step=STEP)
    vanished = [Vanished(one.fired, one.stage.length) for one in blinded]
    if stage.clients_die is None:
        last = stage.ends - STEP
        series = recording.series.written(round(last / STEP) + 1)
        own = rules({case.alert for case in stage.cases})
        end = last + HOUR
        vanished.append(Vanished(fired(directory, own, series, step=STEP, end=end), end))
    whole = fired(directory, ALL, recording.series.written(), step=STEP, end=stage.length)
    return Outcome(stage, recording.ids, STEP, whole, vanished)


def _fresh(directory: Path, name: str) -> Path:
    found = directory / name
    found.mkdir(parents=True)
    return found
