"""Imports point down only, and nothing that polls can reach a call that writes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "dbc_exporter"

# what each part may import of the package; parts not named here are the application and may import everything
ALLOWED = {
    "clock": set(),
    "facts": set(),
    "targets": set(),
    "logs": set(),
    "dbc": {"clock", "facts", "targets", "dbc"},
    "collectors": {"clock", "facts", "targets", "dbc", "collectors"},
    "metrics": {"clock", "facts", "targets", "metrics", "dbc.errors"},
    "state": {"metrics"},
    "sweep": {"clock", "facts", "targets", "logs", "dbc", "collectors", "metrics"},
    "poller": {"clock", "facts", "targets", "logs", "dbc", "collectors", "metrics", "scheduler", "sweep"},
    "web": {"clock", "logs", "web", "metrics", "facts"},
    "remediation": {"clock", "facts", "targets", "logs", "config", "dbc", "metrics", "sweep", "remediation"},
    "simulator": {"clock", "simulator"},
}
WRITING = {"dbc_exporter.dbc.writes"}
SENDING = "dbc_exporter.dbc.actuation"


def imports(file: Path) -> set[str]:
    """Return the modules of the package that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("dbc_exporter.")}


def modules(part: str) -> list[Path]:
    folder = PACKAGE / part
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{part}.py"]


@pytest.mark.parametrize("part", sorted(ALLOWED))
def test_imports_point_down_only(part: str) -> None:
    known = {file.stem for file in PACKAGE.glob("*.py")} | {d.name for d in PACKAGE.iterdir() if d.is_dir()}
    for file in modules(part):
        for name in imports(file):
            below = name.removeprefix("dbc_exporter.")
            if below.split(".")[0] not in known:
                continue  # a name of dbc_exporter itself, such as its version
            assert any(below == one or below.startswith(f"{one}.") for one in ALLOWED[part]), (
                f"{file.relative_to(ROOT)} imports {name}"
            )


PURE = {
    "breaker",
    "case",
    "decide",
    "gates",
    "gates_fleet",
    "gates_history",
    "gates_mode",
    "gates_subject",
    "ladder",
}
PURE |= {"model", "past", "policy", "problems", "reasons", "verify"}
WITHOUT_IO = ("facts", "targets", "config.section", "remediation")


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_planner_can_reach_no_clock_and_nothing_outside(name: str) -> None:
    for imported in imports(PACKAGE / "remediation" / f"{name}.py"):
        below = imported.removeprefix("dbc_exporter.")
        if below.startswith("remediation."):
            module = below.split(".")[1]
            assert module in PURE | {"outcome"}, imported
        else:
            assert below.startswith(WITHOUT_IO), imported


def test_only_the_library_itself_and_the_actuator_import_calls_that_write() -> None:
    builders = {PACKAGE / "dbc" / name for name in ("writes.py", "inventory.py")}
    builders.add(PACKAGE / "remediation" / "actuator.py")
    for file in PACKAGE.rglob("*.py"):
        if file not in builders:
            assert not imports(file) & WRITING, file


def test_only_remediation_imports_what_sends_writes() -> None:
    for file in PACKAGE.rglob("*.py"):
        if not file.is_relative_to(PACKAGE / "remediation"):
            assert SENDING not in imports(file), file


def test_nothing_else_that_sends_knows_calls_that_write() -> None:
    takers = {
        file.name
        for file in (PACKAGE / "dbc").glob("*.py")
        if "dbc_exporter.dbc.calls.WriteCall" in imports(file)
    }
    building, packing = {"writes.py", "inventory.py"}, {"envelope.py", "request.py"}
    assert takers == building | packing | {"actuation.py"}


def test_a_running_exporter_has_neither_writes_nor_signing_nor_a_simulator_loaded() -> None:
    code = (
        "import sys, dbc_exporter.app;"
        "print([m for m in sys.modules if m.startswith(('dbc_exporter.dbc.writes',"
        " 'dbc_exporter.dbc.actuation', 'dbc_exporter.simulator', 'dbc_exporter.remediation',"
        " 'substrateinterface', 'scalecodec'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
