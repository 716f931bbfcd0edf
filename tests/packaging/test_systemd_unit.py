"""The unit is one that systemd understands, gives up what it does not need, and fits what is installed with it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dbc_exporter.config.load import read as read_settings
from tests.packaging import recipe, unit

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "packaging" / "systemd"
SERVICE = FILES / "dbc-exporter.service"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian: systemd)"
)
SCORED_BY = "252"  # other versions look at other things


def _version() -> str | None:
    if shutil.which("systemd-analyze") is None:
        return None
    told = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    return told.split()[1]


RISKS = {  # what is left, and why
    "IPAddressDeny": "its clients may be anywhere",
    "PrivateNetwork": "it talks over the network",
    "RestrictAddressFamilies_AF_INET_INET6": "it talks over the network",
    "RestrictAddressFamilies_AF_UNIX": "resolvers and the journal are asked over it",
    "RootDirectoryOrRootImage": "Python is the system's",
    "ProcSubset": "the boot's id and time are read",
    "DeviceAllow": "systemd's own, for ProtectClock=",
}


@pytest.mark.real
@needs_systemd
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    """On a copy: the program is not installed here."""
    program = tmp_path / "dbc-exporter"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / "dbc-exporter.service"
    copy.write_text(SERVICE.read_text().replace("/opt/dbc-exporter/bin/dbc-exporter", str(program)))
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(copy)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.real
@needs_systemd
@pytest.mark.skipif(_version() != SCORED_BY, reason=f"the score is stated for systemd {SCORED_BY}")
def test_what_it_keeps_of_the_machine_is_known_and_the_page_states_the_score(
    capsys: pytest.CaptureFixture[str],
) -> None:
    security = ["systemd-analyze", "security", "--offline=true"]
    told = subprocess.run([*security, str(SERVICE)], capture_output=True, text=True, check=True).stdout
    listed = subprocess.run(
        [*security, "--json=short", str(SERVICE)], capture_output=True, text=True, check=True
    ).stdout
    exposed = {row["json_field"] for row in json.loads(listed) if row["set"] is False and row["exposure"]}
    assert exposed == RISKS.keys()
    found = re.search(r"exposure level for dbc-exporter.service: ([\d.]+ \w+)", told)
    assert found is not None
    with capsys.disabled():
        print(f"\nsystemd-analyze security: {found[1]}")  # noqa: T201 (for people)
    score, word = found[1].split()
    assert f"{score} (`{word}`)" in recipe.PAGE


def test_the_program_is_where_the_recipe_puts_it() -> None:
    program = unit.read(SERVICE).value("Service", "ExecStart")
    assert program == "/opt/dbc-exporter/bin/dbc-exporter"
    assert f"{program} version" in recipe.block("A virtual environment")


def test_its_user_is_the_one_that_is_made() -> None:
    service = unit.read(SERVICE)
    made = [
        line.split()[1]
        for line in (FILES / "dbc-exporter.sysusers").read_text().splitlines()
        if line[0] == "u"
    ]
    assert made == [service.value("Service", "User")] == [service.value("Service", "Group")]


def test_it_begins_after_the_clock_is_right_which_it_does_not_demand() -> None:
    """Where nothing synchronises the clock it begins all the same: `Wants=` would not change that."""
    service = unit.read(SERVICE)
    assert "time-sync.target" in service.value("Unit", "After").split()
    assert service.value("Unit", "Wants").split() == ["network-online.target"]


def test_wrong_settings_are_not_tried_again() -> None:
    """Exit code 2 of the program; tests/e2e shows when it says that."""
    assert unit.read(SERVICE).value("Service", "RestartPreventExitStatus") == "2"


def test_every_file_of_the_folder_is_installed_by_the_recipe() -> None:
    for file in FILES.iterdir():
        assert f"packaging/systemd/{file.name}" in recipe.PAGE, file.name
        assert file.read_text().startswith(("# /etc/", "# /usr/lib/")), (
            f"{file.name} does not say where it belongs"
        )


def test_the_environment_file_names_settings_that_exist() -> None:
    lines = (FILES / "dbc-exporter.default").read_text().splitlines()
    given = dict(line[1:].split("=", 1) for line in lines if re.match(r"#?\w+=", line))
    assert len(given) == 2
    loaded = read_settings(["--dbc.client=http://127.0.0.1:5050"], given)
    assert loaded.settings.web.listen_address == ("127.0.0.1:10177",)
    assert loaded.warnings == ()


def test_the_settings_for_a_clients_machine_are_accepted() -> None:
    loaded = read_settings([f"--config.file={FILES / 'client-host.yml'}"], {})
    assert [str(client.url) for client in loaded.settings.clients] == ["http://127.0.0.1:5050"]
    assert loaded.settings.targets.discover.enabled
