"""`dbc-exporter remediation …` against a real server, and on files."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import bcrypt
import pytest
from msgspec.structs import replace

from dbc_exporter import cli
from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.history import History
from dbc_exporter.remediation.model import View
from dbc_exporter.web.remediation_types import RefusedError
from dbc_exporter.web.server import WebServer
from tests.logging_state import logging_restored
from tests.unit.remediation import journals, scenes
from tests.unit.remediation.scenes import NOW
from tests.unit.web.desk_fakes import SERVER, VM, FakeDesk, busy
from tests.unit.web.web_certificates import authority, localhost
from tests.unit.web.web_fakes import FakeClock, Fleet, node_id

USERS = "basic_auth_users: {anna: " + bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode() + "}\n"
POLICY = """
version: "1"
rules:
  - name: vms
    kind: vm
    match: {labels: {site: "*"}}
    ladder: [{action: restart, evidence: [VmUnresponsive], witness: VmUnresponsive}]
"""


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    with logging_restored():
        yield


class Shell:
    """A running exporter's pages, and a shell in which its operator types."""

    def __init__(self, folder: Path, web: str, prefix: str = "") -> None:
        self.folder = folder
        self.desk = FakeDesk(shown=busy())
        (folder / "web.yml").write_text(web)
        (folder / "password").write_text("right\n")
        self.server = WebServer(
            Fleet(desk=self.desk).sources(), FakeClock(), config_file=folder / "web.yml", prefix=prefix
        )

    async def open(self) -> None:
        (self.address,) = await self.server.start("127.0.0.1:0")
        self.url = f"{self.server.scheme}://127.0.0.1:{self.address.port}"

    async def type(self, *words: str) -> int:
        """Run a command beside the server and return its exit code."""
        return await asyncio.to_thread(cli.main, ["remediation", *words], {})

    async def as_anna(self, *words: str) -> int:
        login = ("--user", "anna", "--password-file", str(self.folder / "password"))
        return await self.type(*words, "--url", self.url, *login)


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    made = Shell(tmp_path, USERS)
    await made.open()
    yield made
    await made.server.stop()


async def test_the_status_is_plain_text(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert await shell.as_anna("status") == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert lines[:5] == [
        "mode act, not armed",
        "  killed: the kill switch is thrown (/etc/stop exists)",
        "kill switch: /etc/stop exists",
        "breaker: 3 of the last 4 actions had no effect",
        "policy: 0123456789abcdef",
    ]
    for line in (
        "targets: 40 healthy, 2 unknown, 2 sick, 1 in quarantine",
        f"  p1  force_restart {VM}, expires in 14 min; hung force_restart VmUnresponsive@1.000",
        f"  {VM} hung since 20 min ago, wait restart: cooling_down: the last action was too short a time ago (9 s)",
        "  z1  everything by anna, ends in 1 h: moving racks",
        f"  {SERVER}: ladder_exhausted (every step was tried without success)",
        f"  2026-09-21 13:13:20Z  restart {VM}: recovered (well_again: it is well again, says its witness)",
        "  fleet in any 10 min: 1 of 2",
    ):
        assert line in lines


async def test_the_status_is_json_for_machines(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert await shell.as_anna("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["pauses"][0]["actor"] == "anna"


async def test_an_explanation_is_its_text(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert await shell.as_anna("explain", VM, "--at", "2026-09-21T14:13:20+00:00") == 0
    assert capsys.readouterr().out == f"{VM} is well\n"
    assert shell.desk.said == [("explain", VM, 1_790_000_000.0)]


async def test_every_change_is_made_as_the_user_and_told_in_a_line(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    node = node_id(1)
    for words in (
        ["approve", "p1"],
        ["reject", "p2"],
        ["pause", "--for", "2h", "--reason", "racks"],
        ["pause", "--node", node, "--for", "90s", "--reason", "fans"],
        ["resume"],
        ["resume", "z7"],
        ["clear", VM],
        ["clear", "breaker"],
    ):
        assert await shell.as_anna(*words) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"approved: force_restart of {VM}",
        f"rejected: force_restart of {VM}",
        "paused everything for 2 h; end it with: resume z9",
        f"paused {node} for 1 min 30 s; end it with: resume z9",
        "ended: z1",
        "ended: z7",
        f"cleared: {VM}",
        "cleared: breaker",
    ]
    assert shell.desk.said == [
        ("answer", "p1", True, "anna"),
        ("answer", "p2", False, "anna"),
        ("pause", "", 7200.0, "racks", "anna"),
        ("pause", node, 90.0, "fans", "anna"),
        ("resume", None, "anna"),
        ("resume", "z7", "anna"),
        ("clear", VM, "anna"),
        ("clear_breaker", "anna"),
    ]


async def test_what_the_exporter_refuses_is_one_line_and_exit_code_1(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.desk.error = RefusedError("p1 waits for no answer: bert rejected it")
    assert await shell.as_anna("approve", "p1") == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "dbc-exporter: p1 waits for no answer: bert rejected it\n")


async def test_who_does_not_say_who_asks_is_told_how(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await shell.type("status", "--url", shell.url) == 1
    assert "give --user and --password-file" in capsys.readouterr().err


async def test_a_wrong_password_is_never_shown(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    (shell.folder / "password").write_text("wr0ng-secret")
    assert await shell.as_anna("status") == 1
    said = capsys.readouterr()
    assert "wr0ng" not in said.out + said.err


async def test_where_remediation_is_off_or_nobody_logs_in_the_reason_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_shell = Shell(tmp_path, "")
    await open_shell.open()
    assert await open_shell.type("resume", "--url", open_shell.url) == 1
    assert "demands neither users nor client certificates" in capsys.readouterr().err
    await open_shell.server.stop()


async def test_without_a_url_the_settings_say_where_the_exporter_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path, "", "/dbc")
    await shell.open()
    file = tmp_path / "dbc.yml"
    addresses = f"['unix:///run/x.sock', ':{shell.address.port}']"
    file.write_text(f"web: {{listen_address: {addresses}, config_file: web.yml, route_prefix: /dbc}}\n")
    assert await shell.type("status", "--config.file", str(file)) == 0
    assert capsys.readouterr().out.startswith("mode act, not armed\n")
    await shell.server.stop()


async def test_over_tls_the_password_goes_only_to_whom_the_authority_vouches_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signer = authority()
    localhost(signer).write(tmp_path, "server")
    (tmp_path / "ca.crt").write_bytes(signer.issued.cert_pem)
    shell = Shell(tmp_path, "tls_server_config: {cert_file: server.crt, key_file: server.key}\n" + USERS)
    await shell.open()
    assert await shell.as_anna("resume") == 1
    assert "is not trusted" in capsys.readouterr().err
    assert shell.desk.said == []
    assert await shell.as_anna("resume", "--ca-file", str(tmp_path / "ca.crt")) == 0
    assert shell.desk.said == [("resume", None, "anna")]
    assert await shell.as_anna("resume", "--ca-file", str(tmp_path / "none.crt")) == 1
    assert "--ca-file" in capsys.readouterr().err
    await shell.server.stop()


def test_where_nobody_listens_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["remediation", "status", "--url", "http://127.0.0.1:1"], {}) == 1
    assert capsys.readouterr().err == (
        "dbc-exporter: no answer from http://127.0.0.1:1: [Errno 111] Connection refused\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: verb"),
        (["quit"], "invalid choice: 'quit'"),
        (["pause", "--for", "soon", "--reason", "x"], "'soon' is not a duration"),
        (["pause", "--for", "0s", "--reason", "x"], "must be more than nothing"),
        (["pause", "--for", "2h"], "required: --reason"),
        (["pause", "--reason", "x"], "required: --for"),
        (["approve"], "required: id"),
        (["status", "--url", "ftp://x"], "must be http://host:port"),
        (["status", "--url", "http://anna:right@x:1"], "without a user"),
        (["status", "--user", "anna"], "--user and --password-file belong together"),
        (["status", "--password-file", "x"], "--user and --password-file belong together"),
        (["status", "--user", "a", "--password-file", "/nowhere"], "/nowhere"),
        (["replay"], "required: --policy"),
        (["lint", "--policy", "/nowhere.yml"], "/nowhere.yml"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["remediation", *words], {}) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_an_exporter_on_another_address_must_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "dbc.yml"
    file.write_text("web: {listen_address: ['192.0.2.1:1', 'unix:///run/x.sock']}\n")
    assert cli.main(["remediation", "status", "--config.file", str(file)], {}) == 2
    assert "give --url" in capsys.readouterr().err


def test_other_flags_come_after_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--log.level", "info", "remediation"], {}) == 2
    assert "has flags of its own; write it first" in capsys.readouterr().err


def test_asking_a_running_exporter_needs_nothing_of_remediation_itself() -> None:
    code = (
        "import sys, dbc_exporter.remediation_cli;"
        "print([m for m in sys.modules if m.startswith('dbc_exporter.remediation.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# -- on files


def test_a_sound_policy_lints_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policy.yml"
    file.write_text(POLICY)
    assert cli.main(["remediation", "lint", "--policy", str(file)], {}) == 0
    assert "error" not in capsys.readouterr().out


def test_with_the_settings_their_policy_is_held_against_their_targets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.yml").write_text(POLICY)
    file = tmp_path / "dbc.yml"
    file.write_text(
        "clients: [{url: 'http://127.0.0.1:1'}]\nstorage: {path: state}\n"
        "remediation: {policy_file: policy.yml}\n"
        f"targets: {{static: [{{id: {node_id(1)}, labels: {{site: north}}}}]}}\n"
    )
    cli.main(["remediation", "lint", "--config.file", str(file)], {})
    assert "desired_state" in capsys.readouterr().out
    file.write_text("clients: [{url: 'http://127.0.0.1:1'}]\n")
    assert cli.main(["remediation", "lint", "--config.file", str(file)], {}) == 2
    assert "the settings name no policy" in capsys.readouterr().err


def test_a_contradiction_is_printed_with_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "policy.yml"
    file.write_text(POLICY.replace("evidence: [VmUnresponsive], ", ""))
    assert cli.main(["remediation", "lint", "--policy", str(file)], {}) == 2
    assert "rules[0].ladder[0]" in capsys.readouterr().out


async def record(directory: Path) -> None:
    """Let a VM hang for half an hour, and something be done about it once."""
    history = History(directory)
    sick = scenes.hung(alerts=(scenes.alert("VmUnresponsive", since=NOW, heard=NOW + 1800),), since=NOW - 600)
    for minute in range(0, 1800, 60):
        seen = scenes.snapshot(
            replace(sick, seen=NOW + minute, order_seen=NOW + minute),
            wall=scenes.WALL + minute,
            watchdog=NOW + minute,
        )
        decided = decide(seen, View(), scenes.policy(), NOW + minute)
        await history.record(seen, decided, NOW + minute)
    await history.close()
    journal = journals.opened(directory, journals.HandClock(unix=NOW))
    journal.intend(journals.intent(created=NOW + 600), NOW + 600)
    journal.close()


async def test_replaying_a_history_says_what_the_policy_would_have_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await record(tmp_path)
    file = tmp_path / "policy.yml"
    file.write_text(
        POLICY.replace("rules:", "mode: act\nrules:").replace("kind: vm", "kind: vm\n    only_dbc_vms: true")
    )
    words = ["remediation", "replay", "--policy", str(file), "--storage.path", str(tmp_path), "--since", "7d"]
    assert await asyncio.to_thread(cli.main, words, {}) == 0
    said = capsys.readouterr().out
    assert "would have done: 1 x restart" in said
    assert "from 2026-11-18" in said
    assert await asyncio.to_thread(cli.main, [*words, "--json"], {}) == 0
    [would] = json.loads(capsys.readouterr().out)["would"]
    assert would["action"] == "restart"


def test_replaying_without_a_history_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policy.yml"
    file.write_text(POLICY)
    words = ["remediation", "replay", "--policy", str(file), "--storage.path", str(tmp_path), "--since", "7d"]
    assert cli.main(words, {}) == 2
    assert f"nothing is recorded in {tmp_path}" in capsys.readouterr().err
