"""CONTRIBUTING's way to a family with panel, alert, runbook and test, gone in a copy of the checkout with a toy.

With every step done all is well; with one left out, that one is missed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

import pytest

from monitoring.__main__ import ROOT
from tests.monitoring.promtool import needs_promtool

pytestmark = [pytest.mark.real, needs_promtool]

FAMILY, ALERT = "dbc_node_gpus_idle", "DbcNodeGpusIdle"
RUNBOOK = f"docs/runbooks/{ALERT}.md"
METRICS = "tests/unit/metrics/test_metrics_catalogue.py"
RULES, PLAYED = "tests/monitoring/test_rules.py", "tests/monitoring/test_rules_played.py"
SCENARIO, SCENES = (f"tests/monitoring/behaviour/{name}.py" for name in ("scenarios_sick", "scenes"))
CASES = "tests/monitoring/behaviour/test_behaviour.py::test_every_alert_has_a_case"
DASHBOARDS = "tests/monitoring/test_dashboards.py"
EMISSION = "tests/e2e/test_catalogue_and_exposition.py"
EMITTED = f"{EMISSION}::test_every_declared_family_is_emitted[{FAMILY}]"
APPENDED = {
    "dbc_exporter/metrics/families_node.py": """
FAMILIES += (gauge("dbc_node_gpus_idle", "GPUs of the node that no VM has.", "node", _CONFIG, "node_id"),)
""",
    "dbc_exporter/metrics/render_fleet.py": """
def _idle(owner, key, fact, options):
    idle = [] if None in (fact.gpus, fact.gpus_used) else [fact.gpus - fact.gpus_used]
    return _node(owner, key, fact, options) + [
        sample("dbc_node_gpus_idle", label("node_id", owner.node_id), count) for count in idle
    ]


RENDERERS = {**RENDERERS, facts.NodeConfig: _idle}
""",
    "monitoring/dashboards/node.py": """
from dataclasses import replace
IDLE = lines("GPUs idle", "GPUs that no VM has.", Query(f"max({_of('dbc_node_gpus_idle')})", "idle"))
PAGE = replace(PAGE, rows=(*PAGE.rows, Row("Toy", [IDLE])))
""",
    "monitoring/alerts_nodes.py": """
from dataclasses import replace
IDLE = Alert(
    "DbcNodeGpusIdle",
    Severity.INFO,
    ids=NODE,
    record="node:dbc_node_gpus_idle:many",
    when=f"max by ({NODE}) (dbc_node_gpus_idle) > ${{node_gpus_idle}}",
    known=(Known(NODE, "dbc_node_gpus_idle"), LEFT),
    page=links.NODE,
    summary="A node earns less than it could.",
    description="{{ $value }} GPUs of node {{ $labels.node_id }} are idle.",
    paced="node",
)
GROUP = replace(GROUP, alerts=(*GROUP.alerts, IDLE))
""",
    "monitoring/thresholds.py": """
VALUES = {**VALUES, "node_gpus_idle": Threshold(4, "GPUs of a node that may be idle")}
HOLDS = {**HOLDS, "DbcNodeGpusIdle": Hold(3, 300, "one VM goes, the next one comes")}
""",
    RUNBOOK: """\
# DbcNodeGpusIdle

**Info.** Lower the price.

## What it means

Nobody wants them.

## First checks

1. `dbc_node_gpus_idle`
2. Look.
3. Ask.

## Likely causes

- The price.

## What remediation does

Nothing.

## How to silence

`amtool silence add alertname=DbcNodeGpusIdle`
""",
    SCENARIO: """
BUSY, KEPT = "busy", {}


def vms_are_deleted(live: Live) -> None:
    vms = live.fleet.compute[0].subject.vms
    KEPT.update(vms)
    vms.clear()


def vms_are_there_again(live: Live) -> None:
    live.fleet.compute[0].subject.vms.update(KEPT)


IDLE = Stage(
    "idle",
    fleet={
        "clients": [{"name": "only"}],
        "compute": [{"name": BUSY, "vms": {"count": 8}, "rented_by": {"wallet": "renter", "order_id": "order"}}],
    },
    cases=(
        Case(
            "DbcNodeGpusIdle",
            begin=vms_are_deleted,
            end=vms_are_there_again,
            labels=({"node_id": BUSY},),
            within=10 * MINUTE,
            ends_within=3 * MINUTE,
        ),
    ),
)
""",
    SCENES: """
from tests.monitoring.behaviour.scenarios_sick import IDLE
STAGES = (*STAGES, IDLE)
""",
    PLAYED: """

def test_idle_gpus_are_told(tmp_path: Path) -> None:
    series = fleet() | {f"dbc_node_gpus_idle{{{NODE}}}": steps(("5", 20), ("4", 10))}
    alert = "DbcNodeGpusIdle"
    assert not play(tmp_path, series, [(4.5, alert, []), (5, alert, [AT_NODE]), (20, alert, [])])
""",
}
"""What each step appends to which file, in CONTRIBUTING's order."""
MAKE = "make monitoring docs"
CLEAN = f"{RULES}::test_the_rules_are_clean"
MISSED: Mapping[str, tuple[str, str]] = {
    "dbc_exporter/metrics/families_node.py": (CLEAN, f"{FAMILY} is no metric of ours"),
    "dbc_exporter/metrics/render_fleet.py": (EMITTED, f"FAILED {EMITTED}"),
    "monitoring/dashboards/node.py": (
        f"{DASHBOARDS}::test_nothing_is_wrong_with_them",
        f"{FAMILY} stands on no panel and is not waived",
    ),
    "monitoring/alerts_nodes.py": (CLEAN, f"the runbook {ALERT} has no alert"),
    "monitoring/thresholds.py": (CLEAN, "KeyError: 'node_gpus_idle'"),
    RUNBOOK: (CLEAN, f"{ALERT} has no runbook"),
    SCENES: (CASES, f"'{ALERT}'"),
    PLAYED: (f"{RULES}::test_every_alert_is_played", f"'{ALERT}'"),
    MAKE: (f"{METRICS}::test_the_page_of_metrics_matches_the_catalogue", "docs/metrics.md does not match"),
}
"""By the step that is left out: the test that fails, and what it says."""


class Checkout:
    """A copy of this checkout."""

    def __init__(self, root: Path) -> None:
        self._root = root
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        self._append(EMISSION, "\nEND_SECONDS = 60.0  # not the whole hour: every node has been polled\n")

    def go(self, without: str | None = None) -> None:
        """Go the way, but for a step."""
        for name, text in APPENDED.items():
            if name != without:
                self._append(name, text)
        if without != MAKE:
            self._run("make", "-o", "setup-dev", f"PY={sys.executable}", *MAKE.split()[1:])

    def test(self, *names: str) -> tuple[int, str]:
        """Run tests; return pytest's exit code and what it said."""
        return self._run(sys.executable, "-m", "pytest", *names)

    def play(self, stage: str) -> tuple[int, str]:
        """Play one stage; return whether all was as promised, and what was said."""
        return self._run(sys.executable, "-m", "tests.monitoring.behaviour.one", stage)

    def _append(self, name: str, text: str) -> None:
        with (self._root / name).open("a", encoding="utf-8") as file:
            file.write(text)

    def _run(self, *command: str) -> tuple[int, str]:
        done = subprocess.run(command, cwd=self._root, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def test_the_way_is_the_one_that_contributing_tells() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    way = text.partition("## How to add a family")[2].partition("\n## ")[0]
    told = re.sub(r"<[^>]*>", "*", way)
    assert [
        name for name in APPENDED if not any(fnmatch(name, one) for one in re.findall(r"`([^`]+)`", told))
    ] == []
    assert f"`{MAKE}`" in way


def test_with_every_step_done_all_is_well(checkout: Checkout) -> None:
    checkout.go()
    code, said = checkout.test(
        METRICS, RULES, DASHBOARDS, EMITTED, CASES, f"{PLAYED}::test_idle_gpus_are_told"
    )
    assert code == 0, said
    code, said = checkout.play("idle")
    assert code == 0, said


@pytest.mark.parametrize("step", MISSED)
def test_a_step_that_is_left_out_is_missed(checkout: Checkout, step: str) -> None:
    checkout.go(without=step)
    test, words = MISSED[step]
    code, said = checkout.test(test)
    assert code != 0
    assert words in said
