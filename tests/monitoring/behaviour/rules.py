"""Which alerts fire when, by promtool: it evaluates the rules over series, and is asked at the end what has fired."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from monitoring.files import GROUPS
from monitoring.promql import examine
from monitoring.rules import SWITCH, group, switch

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


def rules(names: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Return the groups of rules of the alerts of these names, or of all, with the dead man's switch."""
    kept = [
        replace(one, alerts=tuple(alert for alert in one.alerts if names is None or alert.name in names))
        for one in GROUPS
    ]
    return [*(group(one) for one in kept), switch()]


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
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{step:.0f}s",
        "tests": [
            {
                "interval": f"{step:.0f}s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {"expr": question, "eval_time": f"{end:.0f}s", "exp_samples": []}
                    for question in questions
                ],
            }
        ],
    }
    (directory / "rules.yml").write_text(yaml.dump({"groups": list(groups)}, Dumper=yaml.CSafeDumper))
    file = directory / "test.yml"
    file.write_text(yaml.dump(test, Dumper=yaml.CSafeDumper, width=1 << 30, sort_keys=False))
    # nothing is expected, so that promtool says all it got: the dead man's switch at least
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False, timeout=600
    )
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
