"""A compute node's configuration and its images."""

from __future__ import annotations

from typing import Any

from dbc_exporter.dbc import parse
from dbc_exporter.dbc.parse import Json, section, take, unreadable
from dbc_exporter.dbc.rows import a_list, an_object, read_rows, unambiguous
from dbc_exporter.facts import Disk, Image, ImageList, NodeConfig, TransferProgress

_KNOWN = frozenset({"version", "os", "cpu", "gpu", "mem"})
_TRANSFER_STATUSES = frozenset({"downloading", "uploading", "done"})
_NODE_TYPES = frozenset({"0", "1", "2", "3"})


def node_config(message: Any) -> NodeConfig:
    """`/mining_nodes` with one node: also the short form of a bare-metal server and older, shorter layouts."""
    answer = an_object(message, "node information")
    if _KNOWN.isdisjoint(answer):
        raise parse.malformed("node information: no known field")
    bad: list[str] = []
    cpu = section(answer, "cpu", bad)
    gpu = section(answer, "gpu", bad)
    memory = section(answer, "mem", bad)
    system_disk = section(answer, "disk_system", bad)
    return NodeConfig(
        version=take(answer, "version", parse.version, bad),
        node_type=take(answer, "node_type", _node_type, bad),
        os=take(answer, "os", parse.text, bad),
        cpu_model=take(cpu, "type", parse.text, bad, "cpu."),
        cpu_hertz=take(cpu, "hz", parse.hertz, bad, "cpu."),
        cpu_cores=take(cpu, "cores", parse.count, bad, "cpu."),
        cpu_sockets=take(cpu, "physical_cpus", parse.count, bad, "cpu."),
        cpu_usage_ratio=take(cpu, "used_usage", parse.ratio, bad, "cpu."),
        gpus=take(gpu, "gpu_count", parse.count, bad, "gpu."),
        gpus_used=take(gpu, "gpu_used", parse.count, bad, "gpu."),
        memory_size_bytes=take(memory, "size", parse.size, bad, "mem."),
        memory_free_bytes=take(memory, "free", parse.size, bad, "mem."),
        memory_usage_ratio=take(memory, "used_usage", parse.ratio, bad, "mem."),
        system_disk_medium=take(system_disk, "type", parse.medium, bad, "disk_system."),
        system_disk_size_bytes=take(system_disk, "size", parse.size, bad, "disk_system."),
        disks=_disks(answer, bad),
        images=_images_of(answer, bad),
        unreadable=unreadable(bad),
    )


def _node_type(value: Any) -> str | None:
    known = str(value) if type(value) is int else value
    return known if isinstance(known, str) and known in _NODE_TYPES else None


def _disks(answer: Json, bad: list[str]) -> tuple[Disk, ...] | None:
    """Read `disk_data`; 0.3.9.9 called it `disks`, and some versions sent one object instead of a list."""
    value = answer.get("disk_data")
    if value is None:
        value = answer.get("disks")
    if value is None:
        return None
    elements = [value] if isinstance(value, dict) else value
    if not isinstance(elements, list):
        bad.append("disk_data")
        return None
    found = read_rows(elements, "disk_data", _disk, bad)
    return unambiguous(found, lambda disk: disk.path, lambda disk: Disk(disk.path), "disk_data.path", bad)


def _disk(element: Json, bad: list[str]) -> Disk | None:
    path = parse.text(element.get("path"))
    if path is None or not path.startswith("/"):
        return None
    return Disk(
        path,
        take(element, "type", parse.medium, bad, "disk_data."),
        take(element, "size", parse.size, bad, "disk_data."),
        take(element, "free", parse.size, bad, "disk_data."),
        take(element, "used_usage", parse.ratio, bad, "disk_data."),
    )


def _images_of(answer: Json, bad: list[str]) -> tuple[Image, ...] | None:
    elements = answer.get("images")
    if elements is None:
        return None
    if not isinstance(elements, list):
        bad.append("images")
        return None
    return _images(elements, bad)


def _images(elements: list[Any], bad: list[str]) -> tuple[Image, ...]:
    objects = [{"image_name": element} if isinstance(element, str) else element for element in elements]
    found = read_rows(objects, "images", _image, bad)
    return unambiguous(
        found, lambda image: image.name, lambda image: Image(image.name), "images.image_name", bad
    )


def _image(element: Json, bad: list[str]) -> Image | None:
    """Read one image; a node's own list writes the key with a colon, versions before 0.3.9.6 sent bare names."""
    if "image_name" in element and "image_name:" in element:
        return None
    name = parse.text(element.get("image_name", element.get("image_name:")))
    return None if name is None else Image(name, take(element, "image_size", parse.size, bad, "images."))


def image_list(message: Any) -> ImageList:
    """`/images` at a node or at an image centre."""
    bad: list[str] = []
    images = _images(a_list(message, "images"), bad)
    return ImageList(images=images, unreadable=unreadable(bad))


def transfer_progress(message: Any) -> TransferProgress:
    """`/images/downloadprogress` and `uploadprogress`, as said; what it means is decided elsewhere."""
    answer = an_object(message, "progress")
    if "status" not in answer and "progress" not in answer:
        raise parse.malformed("progress: neither status nor progress")
    bad: list[str] = []
    return TransferProgress(
        status=take(answer, "status", _transfer_status, bad),
        progress_ratio=take(answer, "progress", parse.ratio, bad),
        unreadable=unreadable(bad),
    )


def _transfer_status(value: Any) -> str | None:
    return value if isinstance(value, str) and value in _TRANSFER_STATUSES else None
