"""Image files on a node and their transfers to and from image centres, with the progress that hides every failure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbc_exporter.simulator.authority import Access, Refusal
from dbc_exporter.simulator.protocol import NodeRequest, node_answer
from dbc_exporter.simulator.sizes import scale_size
from dbc_exporter.simulator.vm_events import OK

if TYPE_CHECKING:
    from dbc_exporter.simulator.compute import ComputeNode

DOWNLOAD, UPLOAD = "downloading", "uploading"
DONE = '{"errcode":0,"message":{"status": "done","progress": "100%"}}'
STOPPED = '{"errcode":0,"message":"ok"}'


@dataclass(slots=True)
class Transfer:
    """One rsync child: bytes moved grow with time from `since`; a stalled one stays where it is."""

    name: str
    direction: str
    server: str
    size: int
    speed: float
    since: float
    moved_before: float = 0.0
    stalled: bool = False

    def moved(self, now: float) -> float:
        """Return the bytes moved so far."""
        if self.stalled:
            return self.moved_before
        return min(self.size, self.moved_before + (now - self.since) * self.speed)


class ImageStore:
    """The files under /data and the transfers under way."""

    def __init__(self, node: ComputeNode) -> None:
        self._node = node
        self.files: dict[str, int] = {}
        self.transfers: dict[tuple[str, str], Transfer] = {}

    def started(self) -> None:
        """Lose the rsync children of the process before; partial files are no images."""
        self.transfers.clear()

    def in_transfer(self, name: str) -> bool:
        """Say whether a file is being downloaded or uploaded."""
        self.settle()
        return (name, DOWNLOAD) in self.transfers or (name, UPLOAD) in self.transfers

    def settle(self) -> None:
        """Finish the transfers whose bytes have all moved."""
        now = self._node.host.world.now()
        for key, transfer in list(self.transfers.items()):
            if transfer.moved(now) >= transfer.size:
                self.finish(key)

    def finish(self, key: tuple[str, str]) -> None:
        """Let a transfer end well, now."""
        transfer = self.transfers.pop(key, None)
        if transfer is None:
            return
        if transfer.direction == DOWNLOAD:
            self.files[transfer.name] = transfer.size
        else:
            self._node.host.world.image_servers.setdefault(transfer.server, {})[transfer.name] = transfer.size
        self._node.record(transfer.name, f"{transfer.direction} finished", None)

    def vanish(self, key: tuple[str, str]) -> None:
        """Let a transfer fail or be stopped: nothing is left but the word `done`."""
        self.transfers.pop(key, None)

    def stall(self, key: tuple[str, str], *, stalled: bool = True) -> None:
        """Let a transfer stand still, or go on."""
        transfer = self.transfers.get(key)
        if transfer and transfer.stalled != stalled:
            now = self._node.host.world.now()
            transfer.moved_before = transfer.moved(now)
            transfer.since = now
            transfer.stalled = stalled

    def shared(self) -> Iterable[tuple[str, int]]:
        """Return the base images: qcow2 files without "data" in their name."""
        self.settle()
        return [
            (name, size)
            for name, size in sorted(self.files.items())
            if name.endswith(".qcow2") and "data" not in name
        ]

    def begin(self, name: str, direction: str, server: str, size: int) -> None:
        """Spawn a transfer."""
        world = self._node.host.world
        speed = self._node.timing.transfer_bytes_per_second / world.time_factor
        self.transfers[name, direction] = Transfer(name, direction, server, size, speed, world.now())


def list_images(node: ComputeNode, access: Access | Refusal) -> str:
    """List images, with an accepted caller's own VM disks; the key really is `image_name:`."""
    images = dict(node.images.shared())
    if isinstance(access, Access):
        for vm in node.vms.values():
            if vm.wallet == access.wallet and "vda" in vm.disks and vm.domain != "running":
                images[vm.disks["vda"].source_file.removeprefix("/data/")] = 192 * 1024
    entries = ",".join(
        f'{{"image_name:":"{name}","image_size":"{scale_size(size)}"}}'
        for name, size in sorted(images.items())
    )
    return f'{{"errcode":0, "message":[{entries}]}}'


def _name(request: NodeRequest) -> str:
    found = request.additional.get("image_filename")
    return found if isinstance(found, str) else ""


def _server(request: NodeRequest) -> str:
    found = request.additional.get("image_server")
    return found if isinstance(found, str) else ""


NO_FILENAME = node_answer("additional no image_filename", 1)


def download(node: ComputeNode, request: NodeRequest, access: Access) -> str:
    """Begin a download from an image centre."""
    name, directory = _name(request), request.additional.get("local_dir")
    if not name:
        return NO_FILENAME
    if not isinstance(directory, str) or not directory:
        return node_answer("additional no local_dir", 1)
    size = node.host.world.image_servers.get(_server(request), {}).get(name)
    if size is None:
        return node_answer(f"image:{name} not exist", 1)
    node.images.settle()
    if (name, DOWNLOAD) in node.images.transfers:
        return node_answer(f"image:{name} in downloading", 1)
    node.record(name, "download", access)
    node.images.begin(name, DOWNLOAD, _server(request), size)
    return OK


def upload(node: ComputeNode, request: NodeRequest, access: Access) -> str:
    """Begin an upload to an image centre."""
    name = _name(request)
    if not name:
        return node_answer("image_filename is empty", 1)
    if name not in node.images.files:
        return node_answer(f"image:{name} not exist", 1)
    node.images.settle()
    if (name, UPLOAD) in node.images.transfers:
        return node_answer(f"image:{name} in uploading", 1)
    node.record(name, "upload", access)
    node.images.begin(name, UPLOAD, _server(request), node.images.files[name])
    return OK


def progress(node: ComputeNode, request: NodeRequest, direction: str) -> str:
    """Tell a transfer's progress; finished, failed, stopped and unknown files are all done."""
    name = _name(request)
    if not name:
        return NO_FILENAME
    node.images.settle()
    transfer = node.images.transfers.get((name, direction))
    if transfer is None:
        return DONE
    share = int(100 * transfer.moved(node.host.world.now()) / transfer.size)
    return f'{{"errcode":0,"message":{{"status": "{direction}","progress": "{share}%"}}}}'


def stop(node: ComputeNode, request: NodeRequest, direction: str, access: Access) -> str:
    """Stop a transfer; always ok."""
    name = _name(request)
    if not name:
        return NO_FILENAME
    if (name, direction) in node.images.transfers:
        node.record(name, f"{direction} stopped", access)
        node.images.vanish((name, direction))
    return STOPPED


def delete(node: ComputeNode, request: NodeRequest, access: Access) -> str:
    """Delete an image file."""
    name = _name(request)
    if not name:
        return node_answer("image_filename is empty", 1)
    if name not in node.images.files:
        return node_answer(f"image file:{name} is not exist", 1)
    if node.images.in_transfer(name):
        return node_answer("image file is in downloading or uploading, please try again later", 1)
    del node.images.files[name]
    node.record(name, "delete image", access)
    return OK
