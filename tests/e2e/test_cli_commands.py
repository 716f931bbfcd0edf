"""The command line as a user meets it."""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dbc_exporter import __version__, cli
from dbc_exporter.config.settings import Settings
from tests.logging_state import logging_restored

ID = "ab" * 32
CLIENT = ["--dbc.client", "http://127.0.0.1:1"]


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    with logging_restored():
        yield


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dbc_exporter", *arguments],
        capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin:/bin", **(env or {})}, check=False,
    )  # fmt: skip


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """Stand in for the application; `seen` collects what its commands are given."""
    seen: list[tuple[str, Settings]] = []

    async def serve(settings: Settings, reload: Callable[[], Settings]) -> None:
        seen.extend([("serve", settings), ("reload", reload())])

    async def once(settings: Settings) -> int:
        seen.append(("once", settings))
        return 1

    async def demo(settings: Settings) -> None:
        seen.append(("demo", settings))
        raise OSError(98, "Address already in use")

    for name, bodies in {"app": {"serve": serve, "once": once}, "demo": {"demo": demo}}.items():
        fake: Any = types.ModuleType(f"dbc_exporter.{name}")
        fake.__dict__.update(bodies)
        monkeypatch.setitem(sys.modules, f"dbc_exporter.{name}", fake)
    return types.SimpleNamespace(seen=seen)


@pytest.mark.parametrize("word", ["version", "--version"])
def test_the_version_is_told(word: str) -> None:
    done = run(word)
    assert done.returncode == 0
    assert done.stdout.startswith(f"dbc-exporter, version {__version__} ")


def test_help_lists_every_command_and_flag() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in (
        "serve",
        "once",
        "check-config",
        "healthcheck",
        "demo",
        "simulator",
        "--collector.vms.interval",
    ):
        assert word in done.stdout


def test_all_problems_are_on_standard_error_with_exit_code_2_and_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "dbc.yml"
    file.write_text("cliens: []\nlog: {level: loud}\n")
    done = run("--config.file", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "dbc-exporter: 2 problems:",
        f"  log.level: must be 'debug', 'info', 'warn' or 'error', not 'loud' ({file}, line 2)",
        f"  cliens: is no known key; did you mean clients? ({file}, line 1)",
    ]


def test_a_single_problem_is_a_single_line() -> None:
    done = run("--no-such-flag")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "dbc-exporter: unrecognized arguments: --no-such-flag; see dbc-exporter --help (command line)"
    ]


def test_check_config_says_ok_what_is_allowed_and_what_is_odd(tmp_path: Path) -> None:
    file = tmp_path / "dbc.yml"
    file.write_text(
        f"clients: [{{url: 'http://a:1'}}]\ncredentials: {{me: {{type: wallet, seed: {'5e' * 32}}}}}\n"
        f"targets: {{static: [{{id: {ID}, credential: me}}], files: [none.yml]}}\n"
    )
    done = run("check-config", "--config.file", str(file), env={"DBC_EXPORTER_TYPO": "x"})
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "warning: environment DBC_EXPORTER_TYPO: is no setting of ours; it is ignored" in lines
    assert any("credentials.me.seed: is written in the settings file" in line for line in lines)
    assert f"warning: targets.files: no file matches {tmp_path}/none.yml" in lines
    assert f"OK: {file}" in lines
    assert any(line.startswith("1 compute with wallet me: presence, configuration") for line in lines)
    assert "5e" * 32 not in done.stdout


def test_serve_is_the_default_and_gets_the_settings(app: types.SimpleNamespace) -> None:
    assert cli.main([*CLIENT, "--web.listen-address", ":1"], {}) == 0
    (command, settings), _ = app.seen
    assert (command, settings.web.listen_address) == ("serve", (":1",))


def test_a_reload_reads_the_same_sources_again(app: types.SimpleNamespace, tmp_path: Path) -> None:
    file = tmp_path / "dbc.yml"
    file.write_text("log: {level: error}")
    assert cli.main([*CLIENT, "--config.file", str(file)], {}) == 0
    (_, first), (_, again) = app.seen
    assert first == again


def test_a_secret_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "dbc.yml"
    file.write_text(f"credentials: {{me: {{type: wallet, mnemonic: {'zoo ' * 12}}}}}\n")
    done = run("check-config", *CLIENT, "--config.file", str(file))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "zoo" not in done.stderr


def test_the_exit_code_of_once_is_the_commands(app: types.SimpleNamespace) -> None:
    assert cli.main(["once", *CLIENT], {}) == 1
    assert app.seen[0][0] == "once"


def test_the_systems_refusal_is_one_line(
    app: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["demo"], {}) == 1
    assert app.seen[0][0] == "demo"
    assert capsys.readouterr().err == "dbc-exporter: Address already in use\n"


def test_an_address_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(*CLIENT, "--web.listen-address", address, "--log.level", "error")
    assert done.returncode == 1
    assert done.stderr == f"dbc-exporter: listen address '{address}': Address already in use\n"


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch, app: types.SimpleNamespace) -> None:
    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["dbc_exporter.app"], "serve", interrupted)
    assert cli.main(CLIENT, {}) == 130
    assert app.seen == []


def test_the_simulator_has_flags_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--nodes", type=int)

    fake: Any = types.ModuleType("dbc_exporter.simulator.run")
    fake.add_arguments = add_arguments
    fake.main = lambda arguments: arguments.nodes
    monkeypatch.setitem(sys.modules, "dbc_exporter.simulator.run", fake)
    assert cli.main(["simulator", "--nodes", "7"], {}) == 7
    assert cli.main(["simulator", "--nodes", "many"], {}) == 2
    assert "--nodes" in capsys.readouterr().err
