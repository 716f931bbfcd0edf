"""Image transfers of configured files. Authenticated.

The server says "done, 100 %" for finished, failed, stopped and unknown files alike. So a transfer is moving when it
says less than 100 %; a download is finished when we saw it moving, then done, and the node lists the file; all else is
unknown. An upload is never finished: its file was on the node before, and what an image centre lists proves nothing
either, since DBC does not say which centre it went to, nor whether the file there is an older one of that name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dbc_exporter.collectors.base import Outcome
from dbc_exporter.collectors.orders import RenterGuard
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.pool import Reader
from dbc_exporter.facts import Fact, ImageList, Transfer, TransferProgress, TransferState
from dbc_exporter.targets import Kind, Target

UPLOAD_PREFIX = "upload:"
MOVING = {"downloading": TransferState.DOWNLOADING, "uploading": TransferState.UPLOADING}


@dataclass(slots=True)
class TransfersCollector:
    """`/images/downloadprogress` (or `uploadprogress` for entries `upload:<file>`) of a target's configured files."""

    guard: RenterGuard
    name: str = "transfers"
    kinds: frozenset[Kind] = frozenset({Kind.COMPUTE})
    lane: str = "query download image progress"
    authenticated: bool = True
    calls_per_target: float = 1.0
    _seen_moving: set[tuple[str, str]] = field(default_factory=set)

    def unavailable(self, target: Target) -> str | None:
        """File names and a renter's credential are needed."""
        return self.guard.unavailable(target) if target.transfers else "not_configured"

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """Ask for each configured file; list the images once when one says done."""
        await self.guard.require_live_order(target, read)
        listed: ImageList | None = None
        objects: dict[str, Fact] = {}
        for entry in target.transfers:
            upload = entry.startswith(UPLOAD_PREFIX)
            image = entry.removeprefix(UPLOAD_PREFIX)
            call = reads.upload_progress if upload else reads.download_progress
            said = await read(call(target.id, image), target)
            seen = (target.id, entry) in self._seen_moving
            if seen and said.status == "done" and not upload and listed is None:
                listed = await read(reads.images(target.id), target)
            transfer = judge(image, said, upload=upload, seen_moving=seen, listed=listed)
            if transfer.state in MOVING.values():
                self._seen_moving.add((target.id, entry))
            elif transfer.state is TransferState.UNKNOWN:
                self._seen_moving.discard((target.id, entry))
            objects[entry] = transfer
        return Outcome(objects)


def judge(
    image: str, said: TransferProgress, *, upload: bool, seen_moving: bool, listed: ImageList | None
) -> Transfer:
    """Turn what the server said into what can be vouched for."""
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
    there = (
        not upload
        and listed is not None
        and any(row.name == image and row.size_bytes for row in listed.images)
    )
    if said.status == "done" and seen_moving and there:
        return Transfer(image=image, direction=direction, state=TransferState.FINISHED, progress_ratio=1.0)
    return Transfer(image=image, direction=direction, state=TransferState.UNKNOWN, unreadable=said.unreadable)
