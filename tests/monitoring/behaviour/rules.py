"""Which alerts fire when, by promtool: it evaluates the rules over series, and is asked at the end what has fired."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitoring.promql import examine
from monitoring.rules import SWITCH
from tests.monitoring.promtool import evaluate

_FIRING = 'max without (severity, alertstate) (timestamp(ALERTS{alertstate="firing"}))'
_QUESTIONS = ("min_over_time", "max_over_time", "count_over_time")
_GOT = re.compile(r"^\s*got:\s*(.*)$", re.MULTILINE)
_SAMPLE = re.compile(r"\{([^{}]*)\} ([0-9.E+-]+)")
_LABEL = re.compile(r'(\w+)=\\?"(.*?)\\?"(?:, |$)')


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert with its labels but for the severity: when it fired first and last (seconds), and at how many evaluations."""

    alert: str
    labels: Mapping[str, str]
    first: float
    last: float
    times: int

    def throughout(self, step: float) -> bool:
        """Tell whether it fired at every evaluation from the first to the last."""
        return self.times == round((self.last - self.first) / step) + 1


def metrics(groups: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the names of the samples that rules select."""
    found = (examine(rule["expr"]).metrics() for one in groups for rule in one["rules"])
    return frozenset().union(*found)


def fired(
    directory: Path,
    groups: Sequence[Mapping[str, Any]],
    series: Mapping[str, str],
    *,
    step: float,
    end: float,
) -> list[Firing]:
    """Evaluate rules every `step` seconds until `end`, and return what fired."""
    questions = [f"{question}(({_FIRING})[{end + step:.0f}s:{step:.0f}s])" for question in _QUESTIONS]
    # nothing is expected, so that promtool says all it got: the dead man's switch at least
    asked = [{"expr": question, "eval_time": f"{end:.0f}s", "exp_samples": []} for question in questions]
    done = evaluate(directory, groups, series, asked, step=step, patience=600)
    answers = [_samples(got) for got in _GOT.findall(done.stdout + done.stderr)]
    if len(answers) != len(questions):
        raise AssertionError(done.stdout + done.stderr)
    first, last, times = answers
    found = [
        Firing(dict(labels)["alertname"], _own(labels), first[labels], last[labels], round(times[labels]))
        for labels in first
    ]
    (always,) = (one for one in found if one.alert == SWITCH)
    assert (always.first, always.last) == (0, end), always
    assert always.throughout(step), always
    return [one for one in found if one is not always]


def _own(labels: frozenset[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in sorted(labels) if name != "alertname"}


def _samples(got: str) -> dict[frozenset[tuple[str, str]], float]:
    return {frozenset(_LABEL.findall(labels)): float(value) for labels, value in _SAMPLE.findall(got)}
