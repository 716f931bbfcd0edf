from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dbc_exporter.simulator.images import DOWNLOAD
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.simulator.vm import SHUT_OFF
from tests.unit.simulator.lab import A, Answer, Lab
from tests.virtual import virtually

MIB = 1024**2
DONE = {"status": "done", "progress": "100%"}
BIG = {"image_server": "centre", "image_filename": "big.qcow2", "local_dir": "/data"}


def build(clock: LoopClock) -> Lab:
    lab = Lab.build(clock)
    lab.world.timing.transfer_bytes_per_second = 10 * MIB
    lab.world.image_servers["centre"] = {"big.qcow2": 1000 * MIB}
    lab.nodes[A].images.files["base.qcow2"] = 192 * 1024
    return lab


async def progress(lab: Lab, name: str = "big.qcow2", way: str = "download") -> Any:
    return (await lab.call(f"/images/{way}progress", additional={"image_filename": name})).message


async def names(lab: Lab) -> list[str]:
    return [image["image_name:"] for image in (await lab.call("/images")).message]


def test_a_download_progresses_with_time_and_is_listed_only_when_done() -> None:
    async def test(clock: LoopClock) -> None:
        lab = build(clock)
        assert (await lab.call("/images/download", additional=BIG)).told == (200, 0, "ok")
        again = await lab.call("/images/download", additional=BIG)
        assert again.told == (200, 1, "image:big.qcow2 in downloading")
        await asyncio.sleep(40)
        assert await progress(lab) == {"status": "downloading", "progress": "40%"}
        assert await names(lab) == ["base.qcow2"]
        await asyncio.sleep(60)
        assert await progress(lab) == DONE
        assert await names(lab) == ["base.qcow2", "big.qcow2"]

    virtually(test)


def test_finished_failed_stopped_and_unknown_transfers_are_all_done() -> None:
    async def test(clock: LoopClock) -> None:
        lab = build(clock)
        assert await progress(lab, "never heard of") == DONE
        assert await progress(lab, "never heard of", "upload") == DONE
        await lab.call("/images/download", additional=BIG)
        stopped = await lab.call("/images/download_stop", additional=BIG)
        assert stopped.told == (200, 0, "ok")
        assert (await lab.call("/images/download_stop", additional=BIG)).message == "ok"
        assert await progress(lab) == DONE
        await lab.call("/images/download", additional=BIG)
        lab.nodes[A].images.vanish(("big.qcow2", DOWNLOAD))
        assert await progress(lab) == DONE
        assert await names(lab) == ["base.qcow2"]

    virtually(test)


def test_a_stalled_transfer_stands_still_and_goes_on() -> None:
    async def test(clock: LoopClock) -> None:
        lab = build(clock)
        await lab.call("/images/download", additional=BIG)
        await asyncio.sleep(30)
        lab.nodes[A].images.stall(("big.qcow2", DOWNLOAD))
        await asyncio.sleep(500)
        assert (await progress(lab))["progress"] == "30%"
        lab.nodes[A].images.stall(("big.qcow2", DOWNLOAD), stalled=False)
        await asyncio.sleep(30)
        assert (await progress(lab))["progress"] == "60%"

    virtually(test)


def test_an_upload_ends_at_the_centre() -> None:
    async def test(clock: LoopClock) -> None:
        lab = build(clock)
        lab.nodes[A].images.files["own.qcow2"] = 100 * MIB
        own = {"image_server": "centre", "image_filename": "own.qcow2"}
        assert (await lab.call("/images/upload", additional=own)).told == (200, 0, "ok")
        busy = await lab.call("/images/delete", additional=own)
        assert busy.message == "image file is in downloading or uploading, please try again later"
        await asyncio.sleep(10)
        assert await progress(lab, "own.qcow2", "upload") == DONE
        assert lab.world.image_servers["centre"]["own.qcow2"] == 100 * MIB
        assert (await lab.call("/images/delete", additional=own)).message == "ok"
        assert await names(lab) == ["base.qcow2"]

    virtually(test)


@pytest.mark.parametrize(
    ("path", "additional", "text"),
    [
        (
            "/images/download",
            {"image_server": "centre", "local_dir": "/data"},
            "additional no image_filename",
        ),
        ("/images/download", {"image_server": "centre", "image_filename": "x"}, "additional no local_dir"),
        ("/images/download", BIG | {"image_filename": "x"}, "image:x not exist"),
        ("/images/downloadprogress", {}, "additional no image_filename"),
        ("/images/upload", {"image_server": "centre"}, "image_filename is empty"),
        ("/images/upload", {"image_server": "centre", "image_filename": "x"}, "image:x not exist"),
        ("/images/delete", {"image_filename": "x"}, "image file:x is not exist"),
    ],
)
def test_what_cannot_be_transferred_is_refused_in_the_nodes_words(
    path: str, additional: dict[str, str], text: str
) -> None:
    async def test(clock: LoopClock) -> Answer:
        return await build(clock).call(path, additional=additional)

    assert virtually(test).told == (200, 1, text)


def test_without_credentials_only_base_images_are_listed_with_them_the_disks_of_closed_vms_too() -> None:
    async def test(clock: LoopClock) -> None:
        lab = build(clock)
        lab.nodes[A].images.files["data_1.qcow2"] = MIB
        lab.add_vm(domain=SHUT_OFF)
        lab.add_vm("running")
        public = await lab.post("/images", [A])
        assert public.message == [{"image_name:": "base.qcow2", "image_size": "192K"}]
        assert await names(lab) == ["base.qcow2", "vm_1_19700101000000.qcow2"]

    virtually(test)


def test_the_configuration_lists_images_under_the_right_key() -> None:
    async def test(clock: LoopClock) -> None:
        told = await build(clock).post("/mining_nodes", [A])
        assert told.message["images"] == [{"image_name": "base.qcow2", "image_size": "192K"}]

    virtually(test)
