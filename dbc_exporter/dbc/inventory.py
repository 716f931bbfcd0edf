"""All calls of the API by the names its documentation gives them, each with example arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from dbc_exporter.dbc import reads, writes
from dbc_exporter.dbc.calls import ReadCall, WriteCall
from dbc_exporter.dbc.specs import ServerChange, ServerSpec, VmChange, VmSpec

EXAMPLE_NODE = "11" * 32
EXAMPLE_MANAGER = "22" * 32
EXAMPLE_SERVER = "33" * 32
EXAMPLE_TASK = "ExampleTask1234567890"
EXAMPLE_FILE = "ubuntu.qcow2"
EXAMPLE_CENTRE = "centre01"

AnyCall = ReadCall[Any] | WriteCall[Any]


@dataclass(frozen=True, slots=True)
class DocumentedCall:
    """One call of the documentation. `forms` has one example per documented form; `extra` is beyond it."""

    name: str
    forms: tuple[AnyCall, ...]
    extra: bool = False

    @property
    def call(self) -> AnyCall:
        """The usual form."""
        return self.forms[0]


def all_calls() -> tuple[DocumentedCall, ...]:
    """Give the 37 documented calls, then what the server has beyond the document."""
    documented = _nodes() + _vms() + _disks() + _snapshots() + _images() + _networks() + _bare_metal()
    return documented + _extras()


def _one(name: str, *forms: AnyCall) -> DocumentedCall:
    return DocumentedCall(name, forms)


def _nodes() -> tuple[DocumentedCall, ...]:
    return (
        _one("node configuration", reads.node_config(EXAMPLE_NODE)),
        _one("session id", reads.session_id(EXAMPLE_NODE)),
    )


def _vms() -> tuple[DocumentedCall, ...]:
    node, task = EXAMPLE_NODE, EXAMPLE_TASK
    spec = VmSpec(
        image_name=EXAMPLE_FILE, ssh_port=5681, vnc_port=5901, cpu_cores=4, memory_gib=16, disk_gib=100
    )
    return (
        _one("VM create", writes.create_vm(node, spec)),
        _one("VM details", reads.vm(node, task)),
        _one("VM list", reads.task_list(node)),
        _one("VM shutdown", writes.shutdown(node, task)),
        _one("VM poweroff", writes.poweroff(node, task)),
        _one("VM start", writes.start(node, task)),
        _one("VM delete", writes.delete_vm(node, task)),
        _one("VM restart", writes.restart(node, task), writes.restart(node, task, force=True)),
        _one("VM logs", reads.logs(node, task)),
        _one("VM modify", writes.modify_vm(node, task, VmChange(public_ip=None, cpu_cores=8))),
        _one("VM passwd", writes.set_password(node, task, "dbc", SecretStr("example"))),
    )


def _disks() -> tuple[DocumentedCall, ...]:
    node, task = EXAMPLE_NODE, EXAMPLE_TASK
    return (
        _one("disk list", reads.disk_list(node, task)),
        _one("disk resize", writes.resize_disk(node, task, "vdb", 10)),
        _one("disk add", writes.add_disk(node, task, 10)),
        _one("disk delete", writes.delete_disk(node, task, "vdc")),
    )


def _snapshots() -> tuple[DocumentedCall, ...]:
    node, task = EXAMPLE_NODE, EXAMPLE_TASK
    return (
        _one("snapshot list", reads.snapshot_list(node, task)),
        _one("snapshot details", reads.snapshot_details(node, task, "before-update")),
        _one("snapshot create", writes.create_snapshot(node, task, "before-update", EXAMPLE_CENTRE)),
        _one("snapshot delete", writes.delete_snapshot(node, task, "before-update")),
    )


def _images() -> tuple[DocumentedCall, ...]:
    node, centre, file = EXAMPLE_NODE, EXAMPLE_CENTRE, EXAMPLE_FILE
    return (
        _one("image servers", reads.image_servers()),
        _one(
            "image list",
            reads.images(node),
            reads.images_with_centre(node, centre),
            reads.centre_images(centre),
        ),
        _one("image upload", writes.upload(node, centre, file), writes.upload_from_client(centre, file)),
        _one("image download", writes.download(node, centre, file)),
        _one("image download progress", reads.download_progress(node, file)),
        _one("image upload progress", reads.upload_progress(node, file)),
        _one("image stop download", writes.stop_download(node, file)),
        _one("image stop upload", writes.stop_upload(node, file)),
        _one("image delete", writes.delete_image(node, file)),
    )


def _networks() -> tuple[DocumentedCall, ...]:
    return (
        _one("LAN create", writes.create_lan(EXAMPLE_NODE, "network1", "192.168.7.0/24")),
        _one("LAN delete", writes.delete_lan(EXAMPLE_NODE, "network1")),
    )


def _bare_metal() -> tuple[DocumentedCall, ...]:
    added = ServerSpec(
        uuid="rack1-server1",
        ip="192.0.2.11",
        os="Ubuntu 22.04",
        description="example",
        ipmi_hostname="192.0.2.12",
        ipmi_username=SecretStr("example"),
        ipmi_password=SecretStr("example"),
        ipmi_port=623,
    )
    return (
        _one("bare metal list", reads.bare_metal_list(EXAMPLE_MANAGER), reads.bare_metal_ids()),
        _one("bare metal add", writes.add_servers(EXAMPLE_MANAGER, [added])),
        _one("bare metal delete", writes.delete_servers(EXAMPLE_MANAGER, [EXAMPLE_SERVER])),
        _one(
            "bare metal power",
            reads.power_status(EXAMPLE_SERVER),
            writes.power(EXAMPLE_SERVER, "on"),
            writes.power(EXAMPLE_SERVER, "off"),
            writes.power(EXAMPLE_SERVER, "reset"),
        ),
        _one("bare metal bootdev", writes.boot_device(EXAMPLE_SERVER, "pxe")),
    )


def _extras() -> tuple[DocumentedCall, ...]:
    node = EXAMPLE_NODE
    extras: tuple[tuple[str, AnyCall], ...] = (
        ("version", reads.version()),
        ("node list", reads.node_list()),
        ("peers", reads.peers()),
        ("monitor get", reads.monitor_servers(node)),
        ("monitor set", writes.set_monitor_servers(node, ["192.0.2.20:10051"])),
        ("rent orders", reads.rent_orders(node)),
        ("bare metal by uuid", reads.bare_metal_server(EXAMPLE_MANAGER, "rack1-server1")),
        ("bare metal server", reads.bare_metal_info(EXAMPLE_SERVER)),
        (
            "bare metal modify",
            writes.modify_server(EXAMPLE_MANAGER, EXAMPLE_SERVER, ServerChange(os="Debian 12")),
        ),
        ("LAN list", reads.lan_list()),
        ("LAN probe", reads.lan_probe(node)),
        ("VM reset", writes.reset(node, EXAMPLE_TASK)),
        ("free memory", writes.free_memory(node)),
    )
    return tuple(DocumentedCall(name, (call,), extra=True) for name, call in extras)
