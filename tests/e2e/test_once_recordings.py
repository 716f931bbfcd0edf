"""`once` against recorded answers of the real server: right values, honest unknowns, no secret anywhere."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.replay import ReplayServer
from tests.shared import CAPTURES, needs_captures

NODE = "daed3455ec543b3e059c47b251523da290476b0a6bc5721c2607425143ea2c4c"
MANAGER = "6cf01130f2c75905c9c6a0c57aa77cae2441d0234cc3221b2c2f972be371344a"
ON = "c4be4559d6db21a9e76e141d3a01d5d45825881c12d014e27f4335dfe864405d"
OFF = "44bdd9134cf5b41499492af63403da1891b7196a81b1e331a6b16ccb6fa28804"
DEAD = "9ac893a32ed780dbee62b371757edccf82cea6dbc92917cf263057b9601f357e"
BAD_PASSWORD = "aaa80d2104e184d888a0d22c7f65c4db9a2f644f0439ebd1fbbc3c578a7e0c3a"
TASK = "7CUuyQphUgu9wEFc6aZAYo"
GIB = 1024**3

# of several recordings of one question, the situation this test is about
PREFERRED = (
    "001_version_slash",
    "040_peers_active",
    "095_mining_info",
    "030_mining_nodes_one",
    "123_power_status_off",
    "129_power_wallet_auth",
    "413_task_running",
    "414_tasks_running",
    "441_downloadprogress_0",
    "087_images_downloadprogress_none",
)

pytestmark = needs_captures


def recordings() -> list[Path]:
    """Return all recordings, the preferred ones last."""
    files = sorted(CAPTURES.glob("*.txt"))
    return files + [CAPTURES / f"{name}.txt" for name in PREFERRED]


def settings(url: str, folder: Path) -> Path:
    seed = folder / "seed"
    seed.write_text("0x" + "11" * 32)
    seed.chmod(0o600)
    servers = [
        {"id": server, "kind": "bare_metal_server", "credential": "renter", "rent_order": "101"}
        for server in (ON, OFF, DEAD, BAD_PASSWORD)
    ]
    config = {
        "clients": [{"name": "recorded", "url": url}],
        "credentials": {"renter": {"type": "wallet", "seed_file": str(seed)}},
        "targets": {
            "static": [
                {
                    "id": NODE,
                    "credential": "renter",
                    "rent_order": "101",
                    "transfers": ["big-random.qcow2", "debian12-min.qcow2"],
                },
                {"id": MANAGER, "kind": "bare_metal_manager"},
                *servers,
            ]
        },
        "log": {"level": "debug"},
    }
    file = folder / "config.yml"
    file.write_text(json.dumps(config))
    return file


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Run `dbc-exporter once` as a process; return its exposition and its log at debug level."""

    async def run() -> tuple[str, str]:
        async with ReplayServer(recordings()) as url:
            file = settings(url, tmp_path_factory.mktemp("once"))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dbc_exporter", "once", f"--config.file={file}"),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await asyncio.wait_for(process.communicate(), 120)
            return out.decode(), err.decode()

    return asyncio.run(run())


@pytest.fixture(scope="module")
def values(result: tuple[str, str]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset((k, v) for k, v in sample.labels.items() if v)): sample.value
        for family in text_string_to_metric_families(result[0])
        for sample in family.samples
    }


Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def value(values: Values, name: str, **labels: str) -> float | None:
    return values.get((name, frozenset(labels.items())))


def test_node_configuration_has_the_recorded_values_in_base_units(values: Values) -> None:
    assert value(values, "dbc_node_cpu_cores", node_id=NODE) == 1
    assert value(values, "dbc_node_memory_size_bytes", node_id=NODE) == pytest.approx(23.54 * GIB)
    assert value(values, "dbc_node_memory_free_bytes", node_id=NODE) == pytest.approx(17.87 * GIB)
    assert value(values, "dbc_node_cpu_usage_ratio", node_id=NODE) == pytest.approx(0.0352)
    assert value(values, "dbc_node_memory_usage_ratio", node_id=NODE) == pytest.approx(0.241)
    assert value(values, "dbc_node_disk_size_bytes", node_id=NODE, disk="/data") == pytest.approx(
        251.97 * GIB
    )
    assert value(values, "dbc_node_disk_usage_ratio", node_id=NODE, disk="/data") == pytest.approx(0.7192)
    assert value(values, "dbc_node_gpus", node_id=NODE) == 0


def test_a_frequency_the_node_does_not_know_is_absent(values: Values) -> None:
    assert value(values, "dbc_node_cpu_frequency_hertz", node_id=NODE) is None


def test_one_task_runs_and_has_its_disks(values: Values) -> None:
    assert value(values, "dbc_node_tasks", node_id=NODE, state="running") == 1
    assert value(values, "dbc_vm_state", node_id=NODE, task_id=TASK, state="running") == 1
    assert value(values, "dbc_vm_state", node_id=NODE, task_id=TASK, state="closed") == 0
    assert value(values, "dbc_vm_cpu_cores", node_id=NODE, task_id=TASK) == 1
    assert value(values, "dbc_vm_memory_bytes", node_id=NODE, task_id=TASK) == GIB
    assert value(values, "dbc_vm_disk_size_bytes", node_id=NODE, task_id=TASK, disk="vda") == 350 * GIB
    assert value(values, "dbc_vm_disk_size_bytes", node_id=NODE, task_id=TASK, disk="vdb") == 2 * GIB


@pytest.mark.parametrize(
    ("server", "state", "reachable"),
    [(ON, "on", 1), (OFF, "off", 1), (DEAD, "unknown", 0), (BAD_PASSWORD, "unknown", 0)],
)
def test_power_is_on_off_or_unknown_per_machine(
    values: Values, server: str, state: str, reachable: int
) -> None:
    shown = {
        dict(labels)["state"]: one
        for (name, labels), one in values.items()
        if name == "dbc_bare_metal_power_state" and dict(labels)["node_id"] == server
    }
    assert shown == {"on": 0, "off": 0, "unknown": 0} | {state: 1}
    reachables = [
        one
        for (name, labels), one in values.items()
        if name == "dbc_bare_metal_bmc_reachable" and dict(labels)["node_id"] == server
    ]
    assert reachables == [reachable]


def test_a_moving_transfer_shows_its_ratio(values: Values) -> None:
    labels = {"node_id": NODE, "image": "big-random.qcow2", "direction": "download"}
    assert value(values, "dbc_image_transfer_progress_ratio", **labels) == pytest.approx(0.39)
    assert value(values, "dbc_image_transfer_state", state="downloading", **labels) == 1


def test_done_without_having_been_seen_moving_is_unknown_and_has_no_ratio(values: Values) -> None:
    labels = {"node_id": NODE, "image": "debian12-min.qcow2", "direction": "download"}
    assert value(values, "dbc_image_transfer_state", state="unknown", **labels) == 1
    assert value(values, "dbc_image_transfer_state", state="finished", **labels) == 0
    assert value(values, "dbc_image_transfer_progress_ratio", **labels) is None


def secrets() -> set[str]:
    """Collect every password, key, signature, nonce and session id of the recordings."""
    pattern = re.compile(
        r'"(?:login_password|vnc_password|node_private_key|ipmi_password|sign|session_id|session_id_sign|nonce)"'
        r'\s*:\s*"([^"]{6,})"'
    )
    found = {
        secret
        for file in CAPTURES.glob("*.txt")
        for secret in pattern.findall(file.read_text(encoding="utf-8", errors="replace"))
    }
    return {secret for secret in found if set(secret) != {"*"}}


def test_no_secret_of_the_recordings_is_shown_or_logged(result: tuple[str, str]) -> None:
    hidden = secrets()
    assert len(hidden) > 50
    out, err = result
    assert not [secret for secret in hidden if secret in out or secret in err]
    assert "11" * 32 not in out + err
