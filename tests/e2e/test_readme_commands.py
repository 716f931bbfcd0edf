"""The README's commands, run as written but for addresses and the folders of secrets and state."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dbc_exporter.config.flags import Command
from tests.e2e.processes import Served, free_port
from tests.e2e.simulated import Simulator

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM = ".venv/bin/python -m dbc_exporter"
SCENARIO = "{version: 1, compute: [{count: 2}]}"


def written(start: str) -> list[str]:
    """Return the README's commands that begin so, without that beginning."""
    lines = re.findall(rf"^{re.escape(start)} (.+)$", README, re.MULTILINE)
    assert lines
    return lines


def command(line: str, folder: Path, *variables: str) -> list[str]:
    """Return a line's command, to be run in a folder with environment variables."""
    here = ["env", "-C", str(folder), f"PYTHONPATH={ROOT}", *variables]
    return [*here, sys.executable, "-m", "dbc_exporter", *shlex.split(line)]


def run(line: str, folder: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(line, folder, *variables), capture_output=True, text=True, check=False)


def serving(line: str, folder: Path) -> Served:
    """Return an exporter started by a line, to be entered. It listens on loopback only."""
    port = free_port()
    return Served(command(line, folder, f"DBC_EXPORTER_WEB__LISTEN_ADDRESS=127.0.0.1:{port}"), port, folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lay out what the README's example names."""
    (text,) = re.findall(r"```yaml\n(# dbc-exporter\.yml\n.*?)```", README, re.DOTALL)
    seed = tmp_path / "renter.seed"
    seed.write_text("0x" + "22" * 32, encoding="utf-8")
    seed.chmod(0o600)
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "more.yml").write_text("[]", encoding="utf-8")
    for old, new in {
        "/etc/dbc-exporter/renter.seed": str(seed),
        "/var/lib/dbc-exporter": str(tmp_path / "state"),
    }.items():
        assert old in text
        text = text.replace(old, new)
    text, clients = re.subn(r"http://10\.0\.0\.(\d):5050", r"http://127.0.0.1:\1", text)
    assert clients == 2
    (tmp_path / "dbc-exporter.yml").write_text(text, encoding="utf-8")
    return tmp_path


def test_it_watches_every_node_of_the_client_that_the_command_line_names(tmp_path: Path) -> None:
    (line,) = [one for one in written(PROGRAM) if one.startswith("--dbc.client")]
    with Simulator(tmp_path / "simulator", SCENARIO) as simulator:
        nodes = [node["node_id"] for node in simulator.wait(lambda: simulator.state()["compute"], "nodes")]
        with serving(line.replace("http://127.0.0.1:5050", simulator.client), tmp_path) as served:
            wanted = {f'dbc_node_cpu_cores{{node_id="{node}"}}' for node in nodes}
            served.wait(
                lambda: all(one in served.get("/metrics").body for one in wanted), "data of every node"
            )


def test_the_example_is_checked_and_served(folder: Path) -> None:
    check, serve = (one for one in written(PROGRAM) if "--config.file" in one)
    checked = run(check, folder)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith("OK: ")
    with serving(serve, folder) as served:
        body = served.wait(lambda: served.get("/metrics").body, "metrics")
    assert 'label_site="frankfurt"' in body


def test_the_commands_of_remediation_are_understood(folder: Path) -> None:
    """As far as they get where no exporter answers and nothing was recorded."""
    shutil.copy(ROOT / "examples" / "remediation" / "policy.yml", folder / "new.yml")
    said = [
        run(f"remediation {line}", folder, "DBC_EXPORTER_WEB__LISTEN_ADDRESS=127.0.0.1:1").stderr
        for line in written("dbc-exporter remediation")
    ]
    assert [one.split(":")[1].partition(" http")[0].partition(" in ")[0] for one in said] == [
        " no answer from",
        " no answer from",
        " nothing is recorded",
    ]


def test_every_command_is_named() -> None:
    (listed,) = re.findall(r"^Commands: (.*?)\. ", README, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`([a-z-]+)`", listed)) == set(Command)
