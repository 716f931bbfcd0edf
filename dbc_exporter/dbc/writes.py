"""Every call that changes something. Each function builds a `WriteCall`; nothing is sent here.

An accepted write is queued, not done; a write without an answer may have happened. Ids, names and ranges are checked
first: `DbcError` (refused_locally).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from pydantic import SecretStr

from dbc_exporter.dbc import checks, outcomes
from dbc_exporter.dbc.calls import Authority, WriteCall
from dbc_exporter.dbc.outcomes import (
    Accepted,
    AddedServer,
    BootDeviceAnswer,
    CreatedVm,
    DeletedServers,
    PowerTaken,
)
from dbc_exporter.dbc.reads import API
from dbc_exporter.dbc.specs import ServerChange, ServerSpec, VmChange, VmSpec

T = TypeVar("T")
PowerCommand = Literal["on", "off", "reset"]
BootDevice = Literal["none", "pxe", "cdrom", "disk", "bios"]

_MOST_DISK_GIB = 1_000_000
_MOST_MONITOR_SERVERS = 2
_UPLOAD_IMAGE = "upload image"  # the server's kind for upload, stop and delete alike
_DOWNLOAD_IMAGE = "download image"


def _renter(
    kind: str,
    path: str,
    node_id: str,
    additional: Mapping[str, Any],
    parse: Callable[[Any], T],
) -> WriteCall[T]:
    return WriteCall(kind, f"{API}{path}", checks.node_id(node_id), additional, Authority.RENTER, parse)


def _verb(verb: str, kind: str, node_id: str, task_id: str, query: str = "") -> WriteCall[Accepted]:
    path = f"/tasks/{verb}/{checks.task_id(task_id)}{query}"
    return _renter(kind, path, node_id, {}, outcomes.accepted)


def create_vm(node_id: str, spec: VmSpec) -> WriteCall[CreatedVm]:
    """Create a VM. The node first destroys every running domain that DBC does not know."""
    return _renter("create task", "/tasks/start", node_id, spec.additional(), outcomes.created_vm)


def start(node_id: str, task_id: str) -> WriteCall[Accepted]:
    """Start a VM that is off or suspended."""
    return _verb("start", "start task", node_id, task_id)


def shutdown(node_id: str, task_id: str) -> WriteCall[Accepted]:
    """Cut a VM's power: despite its name this is no clean shutdown."""
    return _verb("shutdown", "shutdown task", node_id, task_id)


def poweroff(node_id: str, task_id: str) -> WriteCall[Accepted]:
    """Cut a VM's power, also while it is shutting down."""
    return _verb("poweroff", "stop task", node_id, task_id)


def restart(node_id: str, task_id: str, *, force: bool = False) -> WriteCall[Accepted]:
    """Ask a VM to reboot, or with `force` cut its power, wait 3 s and start it."""
    return _verb("restart", "restart task", node_id, task_id, "?force_reboot=true" if force else "")


def reset(node_id: str, task_id: str) -> WriteCall[Accepted]:
    """Press a running VM's reset button."""
    return _verb("reset", "reset task", node_id, task_id)


def delete_vm(node_id: str, task_id: str) -> WriteCall[Accepted]:
    """Destroy a VM and its disks."""
    return _verb("delete", "delete task", node_id, task_id)


def modify_vm(node_id: str, task_id: str, change: VmChange) -> WriteCall[Accepted]:
    """Change a VM's ports and sizes; `VmChange` says what becomes of its public address."""
    path = f"/tasks/modify/{checks.task_id(task_id)}"
    return _renter("modify task", path, node_id, change.additional(), outcomes.accepted)


def set_password(node_id: str, task_id: str, username: str, password: SecretStr) -> WriteCall[Accepted]:
    """Set a user's password inside a running VM."""
    if not checks.plain_text(username, "the user name"):
        raise checks.refused("the user name must not be empty")
    if not checks.plain_text(password.get_secret_value(), "the password"):
        raise checks.refused("the password must not be empty")
    additional = {"username": username, "password": password}
    path = f"/tasks/passwd/{checks.task_id(task_id)}"
    return _renter("set task user password", path, node_id, additional, outcomes.accepted)


def resize_disk(node_id: str, task_id: str, disk: str, grow_gib: int) -> WriteCall[Accepted]:
    """Grow a disk of a stopped VM by `grow_gib`."""
    additional = {"disk": checks.name(disk, "a disk"), "size": _disk_gib(grow_gib)}
    path = f"/disk/resize/{checks.task_id(task_id)}"
    return _renter("resize disk", path, node_id, additional, outcomes.accepted)


def add_disk(node_id: str, task_id: str, size_gib: int, mount_dir: str = "/data") -> WriteCall[Accepted]:
    """Add a disk to a stopped VM; it shows up some seconds later."""
    additional = {"size": _disk_gib(size_gib), "mount_dir": checks.directory(mount_dir)}
    path = f"/disk/add/{checks.task_id(task_id)}"
    return _renter("add disk", path, node_id, additional, outcomes.accepted)


def delete_disk(node_id: str, task_id: str, disk: str) -> WriteCall[Accepted]:
    """Delete a data disk of a stopped VM."""
    additional = {"disk": checks.name(disk, "a disk")}
    path = f"/disk/delete/{checks.task_id(task_id)}"
    return _renter("delete disk", path, node_id, additional, outcomes.accepted)


def _disk_gib(value: int) -> int:
    """Check a size that goes out as a number: of a text the server reads an uninitialised integer."""
    return checks.between(value, 1, _MOST_DISK_GIB, "a disk's size in GiB")


def create_snapshot(
    node_id: str, task_id: str, name: str, image_server: str, description: str = ""
) -> WriteCall[Accepted]:
    """Make a snapshot of a stopped VM and upload it to an image centre."""
    additional = {
        "snapshot_name": checks.name(name, "a snapshot's name"),
        "desc": checks.plain_text(description, "the description"),
        "image_server": checks.name(image_server, "an image centre's id"),
    }
    path = f"/snapshot/create/{checks.task_id(task_id)}"
    return _renter("create snapshot", path, node_id, additional, outcomes.accepted)


def delete_snapshot(node_id: str, task_id: str, name: str) -> WriteCall[Accepted]:
    """Abort a snapshot's upload; that is all the server does."""
    path = f"/snapshot/delete/{checks.task_id(task_id)}/{checks.name(name, 'a snapshot name')}"
    return _renter("delete snapshot", path, node_id, {}, outcomes.accepted)


def download(
    node_id: str, image_server: str, file_name: str, local_dir: str = "/data"
) -> WriteCall[Accepted]:
    """Fetch an image from a centre to a node."""
    additional = {
        "image_server": checks.name(image_server, "an image centre's id"),
        "image_filename": checks.file_name(file_name),
        "local_dir": checks.directory(local_dir),
    }
    return _renter(_DOWNLOAD_IMAGE, "/images/download", node_id, additional, outcomes.accepted)


def stop_download(node_id: str, file_name: str) -> WriteCall[Accepted]:
    """Stop a download; the server says ok whatever it did."""
    return _image_file(_DOWNLOAD_IMAGE, "download_stop", node_id, file_name)


def upload(node_id: str, image_server: str, file_name: str) -> WriteCall[Accepted]:
    """Send an image from a node to a centre."""
    additional = _upload(image_server, file_name)
    return _renter(_UPLOAD_IMAGE, "/images/upload", node_id, additional, outcomes.accepted)


def upload_from_client(image_server: str, file_name: str) -> WriteCall[Accepted]:
    """Send an image of the client's own to a centre.

    Documented and broken: the server says ok, does nothing, or freezes its only HTTP thread.
    """
    additional = _upload(image_server, file_name)
    return WriteCall("", f"{API}/images/upload", None, additional, Authority.OPTIONAL, outcomes.accepted)


def _upload(image_server: str, file_name: str) -> dict[str, str]:
    return {
        "image_server": checks.name(image_server, "an image centre's id"),
        "image_filename": checks.file_name(file_name),
    }


def stop_upload(node_id: str, file_name: str) -> WriteCall[Accepted]:
    """Stop an upload; the server says ok whatever it did."""
    return _image_file(_UPLOAD_IMAGE, "upload_stop", node_id, file_name)


def delete_image(node_id: str, file_name: str) -> WriteCall[Accepted]:
    """Delete an image file on a node."""
    return _image_file(_UPLOAD_IMAGE, "delete", node_id, file_name)


def _image_file(kind: str, word: str, node_id: str, file_name: str) -> WriteCall[Accepted]:
    additional = {"image_filename": checks.file_name(file_name)}
    return _renter(kind, f"/images/{word}", node_id, additional, outcomes.accepted)


def create_lan(node_id: str, name: str, ip_cidr: str) -> WriteCall[Accepted]:
    """Make a VXLAN network between the caller's VMs."""
    additional = {"network_name": checks.network_name(name), "ip_cidr": checks.network(ip_cidr, "ip_cidr")}
    return _renter("create local area network", "/lan/create", node_id, additional, outcomes.accepted)


def delete_lan(node_id: str, name: str) -> WriteCall[Accepted]:
    """Delete a VXLAN network without members."""
    path = f"/lan/delete/{checks.network_name(name)}"
    return _renter("delete local area network", path, node_id, {}, outcomes.accepted)


def set_monitor_servers(node_id: str, servers: Sequence[str]) -> WriteCall[Accepted]:
    """Set where a node pushes the telemetry of the caller's VMs: two "address:port" at most, none clears."""
    if isinstance(servers, str) or len(servers) > _MOST_MONITOR_SERVERS:
        raise checks.refused("at most two monitoring servers, as a list")
    additional = {"servers": [checks.endpoint(server, "a monitoring server") for server in servers]}
    return _renter("set monitor server", "/monitor/set", node_id, additional, outcomes.accepted)


def free_memory(node_id: str) -> WriteCall[Accepted]:
    """Make a node drop its page cache; it does nothing else meanwhile."""
    return _renter("free memory", "/mining_nodes/free_memory", node_id, {}, outcomes.accepted)


def _manager(
    kind: str, path: str, manager: str, additional: Mapping[str, Any], parse: Callable[[Any], T]
) -> WriteCall[T]:
    return WriteCall(kind, f"{API}{path}", checks.node_id(manager), additional, Authority.MANAGER, parse)


def add_servers(manager: str, servers: Sequence[ServerSpec]) -> WriteCall[tuple[AddedServer, ...]]:
    """Add bare-metal servers to a manager; it makes a node id and a key for each."""
    if not servers:
        raise checks.refused("at least one server is needed")
    additional = {"bare_metal_nodes": [server.additional() for server in servers]}
    return _manager("add bare metal", "/bare_metal/add", manager, additional, outcomes.added_servers)


def delete_servers(manager: str, server_ids: Sequence[str]) -> WriteCall[DeletedServers]:
    """Delete bare-metal servers, and with them the only copies of their keys."""
    if isinstance(server_ids, str) or not server_ids:
        raise checks.refused("at least one server is needed, as a list")
    additional = {"bare_metal_node_ids": [checks.node_id(server_id) for server_id in server_ids]}
    return _manager("delete bare metal", "/bare_metal/delete", manager, additional, outcomes.deleted_servers)


def modify_server(manager: str, server_id: str, change: ServerChange) -> WriteCall[Accepted]:
    """Change what a manager knows of a server."""
    path = f"/bare_metal/modify/{checks.node_id(server_id)}"
    return _manager("modify bare metal", path, manager, change.additional(), outcomes.accepted)


def power(server_id: str, command: PowerCommand) -> WriteCall[PowerTaken]:
    """Switch a rented bare-metal server on or off, or reset it; off is a hard cut."""
    checks.one_of(command, ("on", "off", "reset"), "a power command")
    parse = partial(outcomes.power_taken, command=command)
    return _renter("bare metal power", "/bare_metal/power", server_id, {"command": command}, parse)


def boot_device(server_id: str, device: BootDevice) -> WriteCall[BootDeviceAnswer]:
    """Set a bare-metal server's next boot device; the server does so and then reports a failure."""
    checks.one_of(device, ("none", "pxe", "cdrom", "disk", "bios"), "a boot device")
    return WriteCall(
        "bare metal bootdev",
        f"{API}/bare_metal/bootdev",
        checks.node_id(server_id),
        {"device": device},
        Authority.RENTER,
        outcomes.boot_device,
        read_refusal=outcomes.boot_device_refusal,
    )
