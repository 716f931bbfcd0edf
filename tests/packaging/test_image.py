"""The image that the Dockerfile makes, on a stand-in for its base, runs with nothing but what it needs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.processes import STOP_SECONDS, Served, free_port
from tests.packaging import base_image, engine, seccomp, unit, wheelhouse
from tests.packaging.dockerfile import LABELS
from tests.packaging.engine import Engine

ROOT = Path(__file__).resolve().parents[2]
WHY_NOT = engine.missing() or base_image.missing()
pytestmark = [pytest.mark.real, pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))]

BASE, IMAGE = "localhost/stand-in:1", "localhost/dbc-exporter:test"
OFFLINE = "[global]\nno-index = true\nfind-links = /wheelhouse\n"
STRICT = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--network=host",
)
NOBODY_LISTENS = "--dbc.client=http://127.0.0.1:1"
# what is ours of the image: a heavy new dependency should be a decision
LARGEST_MB = 110
ROOM_BYTES = 3_000_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory where there is room: thousands of small files are written and removed again."""
    memory = Path("/dev/shm")  # noqa: S108 (a folder of our own in it)
    if memory.is_dir() and shutil.disk_usage(memory).free > ROOM_BYTES:
        with tempfile.TemporaryDirectory(dir=memory) as name:
            yield Path(name)
    else:
        yield tmp_path_factory.mktemp("image")


@pytest.fixture(scope="module")
def built(folder: Path) -> Iterator[Engine]:
    base, wheels, pip = folder / "base", folder / "wheels", folder / "pip.conf"
    base.mkdir()
    wheelhouse.fill(wheels)
    pip.write_text(OFFLINE)
    base_image.pack(base / "base.tar")
    (base / "Dockerfile").write_text("FROM scratch\nADD base.tar /\nRUN true\n")
    made = Engine(folder)
    try:
        made.build(BASE, base)
    except engine.EngineError as error:
        pytest.skip(f"no image can be built on this machine: {error}")
    given = {"PYTHON_IMAGE": BASE, "VERSION": "1.2.3", "REVISION": "abc"}
    arguments = [f"--build-arg={name}={value}" for name, value in given.items()]
    mounted = [f"--volume={wheels}:/wheelhouse:ro", f"--volume={pip}:/etc/pip.conf:ro"]
    made.build(IMAGE, ROOT, *arguments, *mounted)
    yield made
    made.close()


@contextmanager
def running(made: Engine, folder: Path, *arguments: str, options: tuple[str, ...] = ()) -> Iterator[Served]:
    """Run the image on loopback as strictly as docs/install.md says; the container has the folder's name."""
    port = free_port()
    address = f"--env=DBC_EXPORTER_WEB__LISTEN_ADDRESS=127.0.0.1:{port}"
    command = made.running(folder.name, address, *STRICT, *options, IMAGE, *arguments)
    with Served(command, port, folder) as served:
        yield served


def scraped(served: Served, sample: str) -> str:
    """Return the metrics as soon as they have a sample."""
    return served.wait(lambda: body if sample in (body := served.get("/metrics").body) else None, sample)


def exit_code(served: Served) -> int:
    """Wait for the end; podman in the foreground ends as its container does."""
    return served._process.wait(STOP_SECONDS)


def test_the_image_says_what_it_is_and_how_it_is_run(built: Engine) -> None:
    config = built.image(IMAGE)["Config"]
    assert set(LABELS) <= set(config["Labels"])
    assert config["Labels"]["org.opencontainers.image.version"] == "1.2.3"
    assert config["Labels"]["org.opencontainers.image.revision"] == "abc"
    assert config["User"] == "65532:65532"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == ["/opt/dbc-exporter/bin/dbc-exporter"]


def test_the_image_adds_no_more_than_is_known_to_its_base(
    built: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, base = (built.image(name)["Size"] / 1e6 for name in (IMAGE, BASE))
    with capsys.disabled():
        print(f"\nimage: {whole:.0f} MB, of which {base:.0f} MB are its base (a stand-in)")  # noqa: T201 (for people)
    assert 20 < whole - base < LARGEST_MB


def test_with_a_read_only_root_and_no_capabilities_it_serves_is_healthy_and_ends_on_sigterm(
    built: Engine, tmp_path: Path
) -> None:
    with running(built, tmp_path, NOBODY_LISTENS) as served:
        assert 'dbc_client_up{client="127.0.0.1:1"} 0' in scraped(served, "dbc_client_up{")
        check = built.image(IMAGE)["Healthcheck"]["Test"]
        assert check[0] == "CMD"
        assert built.execute(tmp_path.name, *check[1:]).startswith("200 ")
        status = built.execute(tmp_path.name, "cat", "/proc/1/status")
        assert "CapBnd:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        assert "Uid:\t65532\t65532" in status
        with pytest.raises(engine.EngineError, match="Read-only file system"):
            built.execute(tmp_path.name, "/opt/dbc-exporter/bin/python", "-c", "open('/tmp/file', 'w')")
        built.signal(tmp_path.name, "TERM")
        assert exit_code(served) == 0
        assert "Traceback" not in served.stdout + served.stderr


def test_it_signs_with_what_the_image_has(built: Engine, tmp_path: Path) -> None:
    """The demonstration's exporter reads its simulated machines with a wallet."""
    with running(built, tmp_path, "demo") as served:
        assert "dbc_node_tasks_parsable{" in scraped(served, "dbc_node_tasks_parsable{")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_units_system_call_filter_is_not_too_strict(built: Engine, tmp_path: Path) -> None:
    profile = tmp_path / "seccomp.json"
    profile.write_text(
        json.dumps(seccomp.profile(unit.read(ROOT / "packaging/systemd/dbc-exporter.service")))
    )
    filtered = (f"--security-opt=seccomp={profile}",)
    with running(built, tmp_path, "demo", options=filtered) as served:
        scraped(served, "dbc_node_tasks_parsable{")
        built.signal(tmp_path.name, "TERM")
        assert exit_code(served) == 0


def test_a_new_volume_for_its_state_is_its_own(built: Engine, tmp_path: Path) -> None:
    """What is mounted over the image's folder takes its owner, so the unprivileged user can write there."""
    kept = ("--volume=/var/lib/dbc-exporter", "--env=DBC_EXPORTER_STORAGE__PATH=/var/lib/dbc-exporter")
    with running(built, tmp_path, NOBODY_LISTENS, options=kept) as served:
        assert "dbc_exporter_state_persistent 1" in scraped(served, "dbc_exporter_state_persistent")
