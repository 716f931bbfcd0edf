"""docs/install.md, run as written: a Debian machine gets the exporter, and it runs as the unit says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.processes import STOP_SECONDS, Served, free_port
from tests.packaging import recipe, wheelhouse

WHY_NOT = recipe.missing()
pytestmark = [pytest.mark.real, pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))]

VENV, SERVICE, BESIDE = "A virtual environment", "As a systemd service", "Beside a DBC client"
AS_SYSTEMD = Path(__file__).with_name("as_systemd.py")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    wheelhouse.fill(folder)
    return folder


def check_command() -> str:
    """Return the page's command that checks the settings as the service's user, with a tool for `sudo -u`."""
    (line,) = [line for line in recipe.PAGE.splitlines() if "check-config --config.file" in line]
    return line.replace(
        "sudo -u dbc-exporter", "setpriv --reuid=dbc-exporter --regid=dbc-exporter --clear-groups"
    )


def process_status(served: Served) -> dict[str, str]:
    """Return what the kernel says of the service's process."""
    lines = Path(f"/proc/{served._process.pid}/status").read_text(encoding="utf-8").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_followed_as_written_the_page_gives_a_service_that_is_checked_serves_keeps_its_state_and_ends_well(
    tmp_path: Path, wheels: Path
) -> None:
    port, scratch = free_port(), tmp_path / "scratch"
    scratch.mkdir()
    blocks = [recipe.block(VENV), recipe.block(SERVICE), check_command(), recipe.block(BESIDE)]
    address = f"DBC_EXPORTER_WEB__LISTEN_ADDRESS=127.0.0.1:{port}"
    start = f"{wheelhouse.PYTHON} {AS_SYSTEMD} {recipe.UNIT} {address}"
    with Served(recipe.command(blocks, start, scratch, wheels), port, tmp_path) as served:
        body = served.wait(
            lambda: text if "dbc_client_up{" in (text := served.get("/metrics").body) else None, "metrics"
        )
        assert 'dbc_client_up{client="local"}' in body  # the settings for a client's machine are in force
        assert "dbc_exporter_state_persistent 1" in body
        status = process_status(served)
        assert status["NoNewPrivs"] == "1"
        assert status["CapEff"] == status["CapBnd"] == "0" * 16
        assert "0" not in status["Uid"].split() + status["Gid"].split()
        served._process.terminate()
        assert served._process.wait(STOP_SECONDS) == 0
    assert "dbc-exporter, version" in served.stdout
    assert "OK: /etc/dbc-exporter/dbc-exporter.yml" in served.stdout
    assert "systemctl enable --now dbc-exporter" in served.stdout  # told by what stands in for it
    assert "Traceback" not in served.stdout + served.stderr
