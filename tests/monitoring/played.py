"""Plays the shipped rules over series of numbers with promtool, and tells which alerts fire when.

Time begins at 0 and goes on in steps of half a minute. Values are written as promtool writes them: `1x10` is ten times
more the same, `0+30x9` goes on in steps of 30, `_x5` is nothing, `stale` ends a series.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.__main__ import ROOT

STEP = 30
"""Seconds between two scrapes, and between two evaluations of the rules."""

RULES = sorted((ROOT / "alerts").glob("*.rules.yml"))
Labels = Mapping[str, str]
Expected = tuple[str, str, Sequence[Labels]]
"""A time such as `10m`, the name of an alert, and the labels of its firing alerts then, without name and severity."""

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian package prometheus)"
)


def play(directory: Path, series: Mapping[str, str], expected: Sequence[Expected]) -> str:
    """Return what promtool says against the expectation, "" when all is as expected."""
    test = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {
                "interval": f"{STEP}s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [_firing(*one) for one in expected],
            }
        ],
    }
    file = directory / "test.yml"
    file.write_text(yaml.safe_dump(test, sort_keys=False), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False, timeout=120
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _firing(time: str, name: str, labels: Sequence[Labels]) -> dict[str, Any]:
    matchers = f'alertname="{name}", alertstate="firing"'
    samples = [
        {"labels": _text({"alertname": name, "alertstate": "firing", **one}), "value": 1} for one in labels
    ]
    return {
        "expr": f"max without (severity) (ALERTS{{{matchers}}})",
        "eval_time": time,
        "exp_samples": samples,
    }


def _text(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
