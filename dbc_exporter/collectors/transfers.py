"""Image transfers of configured files. Authenticated.

The server says "done, 100 %" for finished, failed, stopped and unknown files alike. So a transfer is moving when it
says less than 100 %; a download is finished when we saw it moving, then done, and the node lists the file, which it did
not, or in another size, when the movement began; all else is unknown. An upload is never finished: its file was on the node before, and what an image centre lists proves nothing
either, since DBC does not say which centre it went to, nor whether the file there is an older one of that name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dbc_exporter.collectors.base import Outcome
from dbc_exporter.collectors.orders import CANNOT_SAY, RenterGuard
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.pool import Reader
from dbc_exporter.facts import Fact, ImageList, Transfer, TransferProgress, TransferState
from dbc_exporter.targets import Kind, Target

UPLOAD_PREFIX = "upload:"
MOVING = {"downloading": TransferState.DOWNLOADING, "uploading": TransferState.UPLOADING}


@dataclass(frozen=True, slots=True)
class Over:
    """What a download began over: the size of the file of its name, 0 if there was none, None where nobody could tell.

    `ended`: it moves no more, so that the next movement is another download's.
    """

    size_bytes: float | None
    ended: bool = False


@dataclass(slots=True)
class TransfersCollector:
    """`/images/downloadprogress` (or `uploadprogress` for entries `upload:<file>`) of a target's configured files.

    `learnt` has, by target, the downloads that were seen moving, until nothing can be vouched for any more.
    """

    guard: RenterGuard
    name: str = "transfers"
    kinds: frozenset[Kind] = frozenset({Kind.COMPUTE})
    lane: str = "query download image progress"
    authenticated: bool = True
    calls_per_target: float = 1.0
    learnt: dict[str, dict[str, Over]] = field(default_factory=dict)

    def unavailable(self, target: Target) -> str | None:
        """File names and a renter's credential are needed."""
        return self.guard.unavailable(target) if target.transfers else "not_configured"

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """Ask for each configured file; then list the images once when a download begins to move or says done."""
        await self.guard.require_live_order(target, read)
        before, after = self.learnt.get(target.id, {}), {}
        said = {entry: await _progress(target, entry, read) for entry in target.transfers}
        began = {entry for entry in said if _begins(entry, said[entry], before.get(entry))}
        done = {entry for entry in before if entry in said and said[entry].status == "done"}
        listed = await _images(target, read, needed=bool(done)) if began or done else None
        objects: dict[str, Fact] = {}
        for entry, progress in said.items():
            size = _size(listed, entry)
            over = Over(size) if entry in began else before.get(entry)
            transfer = judge(entry, progress, over, size)
            if over is not None and transfer.state is not TransferState.UNKNOWN:
                after[entry] = Over(over.size_bytes, ended=transfer.state is TransferState.FINISHED)
            objects[entry] = transfer
        self.learnt[target.id] = after
        return Outcome(objects)


def judge(entry: str, said: TransferProgress, over: Over | None, size: float | None) -> Transfer:
    """Turn what the server said into what can be vouched for; `size` is what the node lists now."""
    upload = entry.startswith(UPLOAD_PREFIX)
    image = entry.removeprefix(UPLOAD_PREFIX)
    direction = "upload" if upload else "download"
    moving = MOVING.get(said.status or "")
    if moving is not None:
        return Transfer(
            image=image,
            direction=direction,
            state=moving,
            progress_ratio=said.progress_ratio,
            unreadable=said.unreadable,
        )
    new = over is not None and over.size_bytes is not None and size and size != over.size_bytes
    if said.status == "done" and new:
        return Transfer(image=image, direction=direction, state=TransferState.FINISHED, progress_ratio=1.0)
    return Transfer(image=image, direction=direction, state=TransferState.UNKNOWN, unreadable=said.unreadable)


async def _progress(target: Target, entry: str, read: Reader) -> TransferProgress:
    if entry.startswith(UPLOAD_PREFIX):
        return await read(reads.upload_progress(target.id, entry.removeprefix(UPLOAD_PREFIX)), target)
    return await read(reads.download_progress(target.id, entry), target)


def _begins(entry: str, said: TransferProgress, over: Over | None) -> bool:
    """Tell whether a download is seen moving for the first time."""
    download = not entry.startswith(UPLOAD_PREFIX)
    return download and said.status in MOVING and (over is None or over.ended)


async def _images(target: Target, read: Reader, *, needed: bool) -> ImageList | None:
    """List a node's images; None where it cannot tell, unless that is `needed`. Raises `DbcError`."""
    try:
        return await read(reads.images(target.id), target)
    except DbcError as error:
        if needed or error.reason not in CANNOT_SAY:
            raise
        return None


def _size(listed: ImageList | None, image: str) -> float | None:
    """Return the size of a listed file, 0 where there is none, None where that cannot be told."""
    if listed is None:
        return None
    for row in listed.images:
        if row.name == image:
            return row.size_bytes
    return None if "images" in listed.unreadable else 0.0
