from __future__ import annotations

import json
from typing import Any

import pytest

from dbc_exporter.simulator.hardware import GIB, DataDisk, Hardware, configuration
from dbc_exporter.simulator.sizes import percent, scale_size

KIB, TIB = 1024, 1024**4


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0K"),
        (192 * KIB, "192K"),
        (600 * KIB * KIB, "600M"),
        (int(23.54 * GIB), "23.54G"),
        (int(3519.7 * GIB), "3.44T"),
        (int(1.5 * TIB), "1T"),
        (int(1.25 * TIB) + KIB, "1.25T"),
    ],
)
def test_sizes_are_printed_with_the_nodes_own_rounding_and_its_32_bit_slip(size: int, text: str) -> None:
    assert scale_size(size) == text


def test_memory_and_disks_never_go_beyond_gigabytes() -> None:
    assert scale_size(int(3519.7 * GIB), "G") == "3519.7G"
    assert scale_size(2_000_000 * GIB + KIB, "G") == "2e+06G"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0352, "3.52%"),
        (0, "0%"),
        (1, "100%"),
        (-0.6031, "-60.31%"),
        (float("nan"), "nan%"),
        (4e9, "4e+11%"),
    ],
)
def test_usages_may_be_anything(share: float, text: str) -> None:
    assert percent(share) == text


def shown(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        configuration(Hardware(**changes), "0.4.1.8", 3, [("a.qcow2", 192 * KIB)])
    )
    return found


def test_a_large_machine_hides_32_gib_of_its_memory_a_small_one_none() -> None:
    assert shown(memory=512 * GIB, memory_free=100 * GIB)["mem"] == {
        "size": "480G",
        "free": "68G",
        "used_usage": "85.83%",
    }
    assert shown(memory=64 * GIB, memory_free=16 * GIB)["mem"]["size"] == "64G"


def test_the_gpu_count_does_not_notice_a_lost_gpu() -> None:
    assert shown(gpus=8, lost_gpus=2)["gpu"] == {"gpu_count": "8", "gpu_used": "3"}


def test_data_keeps_350_gib_for_the_system_other_disks_do_not() -> None:
    disks = [
        DataDisk(size=1000 * GIB, available=900 * GIB),
        DataDisk("/data1", size=1000 * GIB, available=900 * GIB),
        DataDisk("/data2", size=0, available=0),
    ]
    told = shown(disks=disks)["disk_data"]
    assert [disk["free"] for disk in told] == ["650G", "900G", "0K"]
    assert [disk["used_usage"] for disk in told] == ["10%", "10%", "nan%"]


def test_the_address_is_masked() -> None:
    assert shown(public_ip="10.20.30.40")["ip"] == "*.20.*.40"
    assert shown(public_ip="")["ip"] == "*"


def test_older_versions_lack_what_was_added_later() -> None:
    old: dict[str, Any] = json.loads(configuration(Hardware(), "0.3.9.3", 0, [("a.qcow2", 1024)]))
    assert old["images"] == ["a.qcow2"]
    assert "node_type" not in old
    assert "physical_cpus" not in old["cpu"]
    newer: dict[str, Any] = json.loads(configuration(Hardware(), "0.4.1.4", 0, []))
    assert newer["node_type"] == "1"
    assert "physical_cpus" not in newer["cpu"]
