"""Evaluates our rules over series of numbers with promtool."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.files import GROUPS
from monitoring.rules import group, switch

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian package prometheus)"
)


def rules(names: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Return the groups of rules of the alerts of these names, or of all, with the dead man's switch."""
    kept = [
        replace(one, alerts=tuple(alert for alert in one.alerts if names is None or alert.name in names))
        for one in GROUPS
    ]
    return [*(group(one) for one in kept), switch()]


def evaluate(
    directory: Path,
    groups: Sequence[Mapping[str, Any]],
    series: Mapping[str, str],
    questions: Sequence[Mapping[str, Any]],
    *,
    step: float,
    every: float | None = None,
    patience: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Evaluate rules every `step` seconds over series with as much between their values, and ask the questions.

    Where scrapes and evaluations do not fall together, the latter come `every` so many seconds. A question is an entry of `promql_expr_test` in promtool's own form. It may take `patience` seconds.
    """
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{every or step:.0f}s",
        "tests": [
            {
                "interval": f"{step:.0f}s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": list(questions),
            }
        ],
    }
    (directory / "rules.yml").write_text(yaml.dump({"groups": list(groups)}, Dumper=yaml.CSafeDumper))
    file = directory / "test.yml"
    file.write_text(yaml.dump(test, Dumper=yaml.CSafeDumper, width=1 << 30, sort_keys=False))
    return subprocess.run(
        ["promtool", "test", "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=patience,
    )
