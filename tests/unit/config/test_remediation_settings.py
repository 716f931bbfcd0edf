"""Remediation in the settings: what it needs, what is refused with its line, and what `check-config` says of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dbc_exporter import check_config
from dbc_exporter.config.load import Loaded, read
from dbc_exporter.config.problems import ConfigError
from dbc_exporter.config.secrets import webhook_token

NODE, SERVER = "a" * 64, "b" * 64
TOKEN = "t0ken-" + "5e" * 16
POLICY = """version: 1
rules:
  - name: vms
    kind: vm
    match: {labels: {site: "*"}}
    only_dbc_vms: true
    hold: 10m
    ladder: [{action: restart, evidence: [Hung], witness: Hung}]
"""
TARGETS = f"""targets:
  static:
    - {{id: {NODE}, credential: me, desired_state: running, expected_gpus: 4, labels: {{site: x}}}}
    - {{id: {SERVER}, kind: bare_metal_server, manager: {"c" * 64}, desired_state: "on"}}
"""


class Folder:
    """A folder with settings, a policy and secrets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("seed", "22" * 32)
        self.write("token", f"{TOKEN}\n")
        self.write("policy.yml", POLICY)

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)

    def read(self, remediation: str, more: str = "storage: {path: state}\n" + TARGETS) -> Loaded:
        self.write(
            "dbc.yml",
            "clients: [{url: 'http://127.0.0.1:1'}]\n"
            "credentials: {me: {type: wallet, seed_file: seed}}\n"
            f"remediation: {remediation}\n{more}",
        )
        return read(["check-config", "--config.file", str(self.path / "dbc.yml")], {})

    def refusals(self, remediation: str, more: str = "storage: {path: state}\n" + TARGETS) -> list[str]:
        with pytest.raises(ConfigError) as refused:
            self.read(remediation, more)
        return [str(problem).replace(f"{self.path}/", "") for problem in refused.value.problems]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


BOTH = "{policy_file: policy.yml, webhook_token_file: token, kill_file: stop}"


def test_file_names_start_at_the_settings_folder(folder: Folder) -> None:
    given = folder.read(BOTH).settings.remediation
    assert given.policy_file == folder.path / "policy.yml"
    assert given.webhook_token_file == folder.path / "token"
    assert given.kill_file == folder.path / "stop"


def test_without_a_policy_nothing_of_it_is_imported(folder: Folder) -> None:
    folder.read("{}")
    code = (
        "import sys; from dbc_exporter.cli import main; main(sys.argv[1:]);"
        "print([m for m in sys.modules if m.startswith('dbc_exporter.remediation')])"
    )
    command = [sys.executable, "-c", code, "check-config", "--config.file", str(folder.path / "dbc.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_it_needs_a_place_for_its_journal(folder: Folder) -> None:
    assert folder.refusals(BOTH, TARGETS) == [
        "remediation.policy_file: needs storage.path, where the journal of what was done is kept; set it (dbc.yml, line 3)"
    ]


def test_a_policy_that_is_not_there_is_told(folder: Folder) -> None:
    assert folder.refusals("{policy_file: nowhere.yml}") == [
        "cannot be read: No such file or directory; check path and permissions (nowhere.yml)"
    ]


def test_all_that_is_wrong_in_a_policy_is_told_with_its_own_lines(folder: Folder) -> None:
    folder.write("policy.yml", POLICY.replace("kind: vm", "kind: cat").replace("hold: 10m", "holt: 10m"))
    assert [line.rsplit("(", 1)[1] for line in folder.refusals(BOTH)] == [
        "policy.yml, line 4)",
        "policy.yml, line 7)",
    ]


def test_a_policy_that_contradicts_itself_is_refused_with_the_line(folder: Folder) -> None:
    folder.write("policy.yml", POLICY.replace("evidence: [Hung], ", ""))
    [told] = folder.refusals(BOTH)
    assert told.startswith("rules[0].ladder[0].evidence: is missing: ")
    assert told.endswith("(policy.yml, line 8)")


def test_contradictions_are_told_beside_other_problems(folder: Folder) -> None:
    folder.write("policy.yml", POLICY.replace("evidence: [Hung], ", ""))
    told = folder.refusals(BOTH, "log: {level: loud}\nstorage: {path: state}\n")
    assert [line.split(":")[0] for line in told] == ["log.level", "rules[0].ladder[0].evidence"]


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (None, "file "),
        (" \n", "is empty; put the secret there"),
        ("two-words-that-are long", "must be one word of at least 16 characters"),
        ("short", "must be one word of at least 16 characters"),
    ],
)
def test_a_token_file_without_a_token_is_told_and_what_it_holds_is_not(
    held: str | None, said: str, folder: Folder
) -> None:
    (folder.path / "token").unlink()
    if held is not None:
        folder.write("token", held)
    [told] = folder.refusals(BOTH)
    assert told.startswith(f"remediation.webhook_token_file: {said}")
    assert held is None or not held.strip() or held not in told


def test_a_token_is_a_secret_without_the_space_around_it(folder: Folder) -> None:
    token = webhook_token(folder.path / "token")
    assert TOKEN not in repr(token)
    assert token.get_secret_value() == TOKEN


def test_what_does_nothing_is_warned_of(folder: Folder) -> None:
    assert folder.read("{kill_file: stop, webhook_token_file: token}").warnings == (
        "remediation.kill_file: does nothing without remediation.policy_file",
        "remediation.webhook_token_file: does nothing without remediation.policy_file",
    )
    [warning] = folder.read("{policy_file: policy.yml}").warnings
    assert "takes no alerts" in warning


# -- check-config ------------------------------------------------------------------------------------------


def about_remediation(loaded: Loaded) -> list[str]:
    lines = check_config.report(loaded).splitlines()
    [start] = [index for index, line in enumerate(lines) if line.startswith("remediation: ")]
    return lines[start:]


def test_check_config_tells_findings_worst_case_and_what_is_possible_for_whom(folder: Folder) -> None:
    folder.write("policy.yml", f"{POLICY}limits:\n  budgets:\n    - {{scope: fleet, window: 1d, most: 3}}\n")
    assert about_remediation(folder.read(BOTH)) == [
        f"remediation: {folder.path}/policy.yml, mode dry_run",
        (
            "warning: limits.breaker.least: is never reached: the budgets allow 3 in limits.breaker.window;"
            f" lower it ({folder.path}/policy.yml, line 9)"
        ),
        "worst case, were the mode act: at most 3 in 10 min, 3 in an hour, 3 in a day",
        "with mode act:",
        "1 compute with wallet me, rule vms: restart possible",
        "1 compute with wallet me, rule vms: force_restart impossible (no_rung): its ladder has no force_restart",
        "1 compute with wallet me, rule vms: start impossible (no_rung): its ladder has no start",
        "1 bare_metal_server without credential: power_on impossible (no_rule): no rule of the policy means it",
        "1 bare_metal_server without credential: power_reset impossible (no_rule): no rule of the policy means it",
    ]


def test_check_config_holds_the_policy_against_targets_and_pace(folder: Folder) -> None:
    told = about_remediation(
        folder.read(
            BOTH, f"{TARGETS}collectors: {{tasks: {{interval_seconds: 20m}}}}\nstorage: {{path: state}}\n"
        )
    )
    paths = [line.split(": ")[1] for line in told if line.startswith(("warning", "error"))]
    assert paths == ["rules[0].max_age"]


def test_check_config_shows_what_a_collector_that_is_switched_off_costs(folder: Folder) -> None:
    told = about_remediation(
        folder.read(BOTH, f"{TARGETS}collectors: {{vms: {{enabled: false}}}}\nstorage: {{path: state}}\n")
    )
    assert (
        "1 compute with wallet me, rule vms: restart impossible (gpus_unknown): the collector vms is switched off"
        in told
    )


def test_check_config_says_that_what_is_discovered_is_left_alone(folder: Folder) -> None:
    told = about_remediation(
        folder.read(
            BOTH,
            f"targets: {{static: [{{id: {NODE}, kind: bare_metal_manager}}]}}\nstorage: {{path: state}}\n",
        )
    )
    assert (
        told[-1] == "what is discovered: impossible (not_desired): name it in targets, with a desired_state"
    )
    assert not any("means none of the targets" in line for line in told)


def test_check_config_without_a_policy_says_nothing_of_remediation(folder: Folder) -> None:
    assert "remediation" not in check_config.report(folder.read("{}"))
