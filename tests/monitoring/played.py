"""Plays rules over series of numbers with promtool, and tells which alerts fire when.

Only the rules of the alerts that are asked for are played, with those that they rest on: all would take ten times as long.

Time begins at 0 and goes on in steps of half a minute. `steps` writes values; `GONE` ends a series as a scrape does
that does not find it any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monitoring.__main__ import ROOT
from tests.monitoring.promtool import evaluate, rules

STEP = 30
"""Seconds between two scrapes, and between two evaluations of the rules."""

GONE = "gone"
RULES = sorted((ROOT / "alerts").glob("*.rules.yml"))
Labels = Mapping[str, str]
Expected = tuple[float, str, Sequence[Labels]]
"""Minutes, the name of an alert, and the labels of its firing alerts then, without name and severity."""


def steps(*parts: tuple[str, float]) -> str:
    """Write values: each for so many minutes. `0+30` grows by 30 with each step."""
    return " ".join(_part(value, round(minutes * 60 / STEP)) for value, minutes in parts)


def clock(*parts: tuple[float, float]) -> str:
    """Write times: for so many minutes, growing (1) or standing still (0) with the time."""
    written, now, reached = [], 0, 0
    for going, minutes in parts:
        count = round(minutes * 60 / STEP)
        written.append(f"{now if going else reached}{f'+{STEP}' if going else ''}x{count - 1}")
        now += count * STEP
        reached = now - STEP if going else reached
    return " ".join(written)


def play(
    directory: Path, series: Mapping[str, str], expected: Sequence[Expected], *, every: float = STEP
) -> str:
    """Return what promtool says against the expectation, "" when all is as expected.

    The rules are evaluated `every` so many seconds.
    """
    groups = rules({name for _, name, _ in expected})
    done = evaluate(directory, groups, series, [_firing(*one) for one in expected], step=STEP, every=every)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _part(value: str, count: int) -> str:
    return f"stale _x{count - 1}" if value == GONE else f"{value}x{count - 1}"


def _firing(minutes: float, name: str, labels: Sequence[Labels]) -> dict[str, Any]:
    query = f'max without (severity) (ALERTS{{alertname="{name}", alertstate="firing"}})'
    samples = [
        {"labels": _text({"alertname": name, "alertstate": "firing", **one}), "value": 1} for one in labels
    ]
    return {"expr": query, "eval_time": f"{round(minutes * 60)}s", "exp_samples": samples}


def _text(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
