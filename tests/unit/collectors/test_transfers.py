"""A download is finished only when it was seen moving, then done, then listed anew; an upload never is."""

from __future__ import annotations

import pytest

from dbc_exporter.collectors.orders import OrderBook, RenterGuard
from dbc_exporter.collectors.transfers import TransfersCollector
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.facts import Image, ImageList, RentOrders, Transfer, TransferProgress, TransferState
from dbc_exporter.targets import Target
from tests.unit.collectors.answers import NODE, RENTED, WALLET, Answers, HandClock

FILE = "big.qcow2"
TARGET = Target(NODE, credential="renter", rent_order="101", transfers=(FILE,))
MOVING = TransferProgress(status="downloading", progress_ratio=0.39)
DONE = TransferProgress(status="done", progress_ratio=1.0)
LISTED = ImageList(images=(Image(FILE, 600.0),))


def collector() -> TransfersCollector:
    return TransfersCollector(RenterGuard(OrderBook(HandClock(), {"renter": frozenset({WALLET})})))


async def play(*steps: tuple[TransferProgress, ImageList]) -> list[Transfer]:
    """Poll once per step and return what is shown each time."""
    follow, shown = collector(), []
    for said, images in steps:
        reader = Answers({"rent_orders": RentOrders(), "images/downloadprogress": said, "images": images})
        fact = (await follow.fetch(TARGET, reader)).objects[FILE]
        assert isinstance(fact, Transfer)
        shown.append(fact)
    return shown


async def states(*steps: tuple[TransferProgress, ImageList]) -> list[TransferState]:
    return [fact.state for fact in await play(*steps)]


async def test_done_that_was_never_seen_moving_is_unknown_and_has_no_ratio() -> None:
    (fact,) = await play((DONE, LISTED))
    assert fact.state is TransferState.UNKNOWN
    assert fact.progress_ratio is None


async def test_moving_then_done_then_listed_is_finished() -> None:
    facts = await play((MOVING, ImageList()), (DONE, LISTED))
    assert [fact.state for fact in facts] == [TransferState.DOWNLOADING, TransferState.FINISHED]
    assert [fact.progress_ratio for fact in facts] == [0.39, 1.0]


async def test_moving_then_done_but_not_listed_is_unknown() -> None:
    assert await states((MOVING, ImageList()), (DONE, ImageList())) == [
        TransferState.DOWNLOADING,
        TransferState.UNKNOWN,
    ]


async def test_a_file_listed_without_a_readable_size_is_not_finished() -> None:
    listed = ImageList(images=(Image(FILE, None),))
    assert (await states((MOVING, listed), (DONE, listed)))[-1] is TransferState.UNKNOWN


async def test_finished_stays_as_long_as_the_file_is_listed() -> None:
    assert await states((MOVING, ImageList()), (DONE, LISTED), (DONE, LISTED), (DONE, ImageList())) == [
        TransferState.DOWNLOADING,
        TransferState.FINISHED,
        TransferState.FINISHED,
        TransferState.UNKNOWN,
    ]


async def test_after_unknown_only_a_new_movement_can_finish() -> None:
    steps = ((MOVING, ImageList()), (DONE, ImageList()), (DONE, LISTED))
    assert (await states(*steps))[-1] is TransferState.UNKNOWN


def sized(size: float | None) -> ImageList:
    return ImageList(images=(Image("other.qcow2", 1.0), Image(FILE, size)))


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (sized(600.0), sized(600.0), TransferState.UNKNOWN),
        (sized(600.0), sized(700.0), TransferState.FINISHED),
        (sized(600.0), sized(None), TransferState.UNKNOWN),
        (sized(None), sized(700.0), TransferState.UNKNOWN),
        (ImageList(unreadable=("images",)), sized(700.0), TransferState.UNKNOWN),
        (ImageList(unreadable=("images.image_size",)), sized(700.0), TransferState.FINISHED),
    ],
)
async def test_a_download_over_a_file_of_the_same_name_is_finished_once_the_size_is_another(
    before: ImageList, after: ImageList, shown: TransferState
) -> None:
    """One that failed leaves the old file there."""
    assert (await states((MOVING, before), (MOVING, after), (DONE, after), (DONE, after)))[2:] == [shown] * 2


async def test_the_next_download_of_a_finished_file_is_over_that_one() -> None:
    steps = ((MOVING, ImageList()), (DONE, sized(600.0)), (MOVING, sized(600.0)), (DONE, sized(600.0)))
    assert (await states(*steps))[1::2] == [TransferState.FINISHED, TransferState.UNKNOWN]


async def test_the_images_are_listed_when_a_movement_begins_and_when_it_ends() -> None:
    follow, listed = collector(), []
    for said in (DONE, MOVING, MOVING, DONE, MOVING):
        images = ImageList() if said is MOVING else LISTED
        reader = Answers({"rent_orders": RentOrders(), "images/downloadprogress": said, "images": images})
        await follow.fetch(TARGET, reader)
        listed.append(reader.asked.count("images"))
    assert listed == [0, 1, 0, 1, 1]


async def test_a_node_that_cannot_list_its_images_still_tells_progress_and_nothing_is_vouched_for() -> None:
    follow = collector()
    table = {"rent_orders": RentOrders(), "images": DbcError(Reason.REFUSED_BY_NODE)}
    fact = (await follow.fetch(TARGET, Answers({**table, "images/downloadprogress": MOVING}))).objects[FILE]
    assert isinstance(fact, Transfer)
    assert (fact.state, fact.progress_ratio) == (TransferState.DOWNLOADING, 0.39)
    with pytest.raises(DbcError):
        await follow.fetch(TARGET, Answers({**table, "images/downloadprogress": DONE}))
    reader = Answers({**table, "images/downloadprogress": DONE, "images": LISTED})
    fact = (await follow.fetch(TARGET, reader)).objects[FILE]
    assert isinstance(fact, Transfer)
    assert fact.state is TransferState.UNKNOWN


async def test_a_node_that_is_silent_when_its_images_are_asked_for_fails_the_poll() -> None:
    silent = DbcError(Reason.NODE_TIMEOUT)
    reader = Answers({"rent_orders": RentOrders(), "images/downloadprogress": MOVING, "images": silent})
    with pytest.raises(DbcError):
        await collector().fetch(TARGET, reader)


async def test_a_status_nobody_knows_is_unknown() -> None:
    odd = TransferProgress(status="paused", progress_ratio=0.5)
    assert await states((MOVING, LISTED), (odd, LISTED)) == [
        TransferState.DOWNLOADING,
        TransferState.UNKNOWN,
    ]


async def test_an_upload_is_asked_for_by_its_own_call() -> None:
    said = TransferProgress(status="uploading", progress_ratio=0.1)
    reader = Answers({"rent_orders": RentOrders(), "images/uploadprogress": said})
    target = Target(NODE, credential="renter", rent_order="101", transfers=(f"upload:{FILE}",))
    fact = (await collector().fetch(target, reader)).objects[f"upload:{FILE}"]
    assert fact == Transfer(image=FILE, direction="upload", state=TransferState.UPLOADING, progress_ratio=0.1)


@pytest.mark.parametrize("images", [LISTED, ImageList()])
async def test_an_upload_that_ended_is_unknown_whatever_the_node_lists(images: ImageList) -> None:
    """The node has the file since before the upload began, and also after one that failed."""
    target = Target(NODE, credential="renter", rent_order="101", transfers=(f"upload:{FILE}",))
    follow, shown = collector(), []
    for said in (TransferProgress(status="uploading", progress_ratio=0.39), DONE, DONE):
        reader = Answers({"rent_orders": RentOrders(), "images/uploadprogress": said, "images": images})
        shown.append((await follow.fetch(target, reader)).objects[f"upload:{FILE}"])
        assert "images" not in reader.asked
    ended = Transfer(image=FILE, direction="upload", state=TransferState.UNKNOWN)
    assert shown[1:] == [ended, ended]


def test_a_target_without_files_is_not_configured() -> None:
    assert collector().unavailable(RENTED) == "not_configured"
    assert collector().unavailable(Target(NODE, transfers=(FILE,))) == "no_credential"
