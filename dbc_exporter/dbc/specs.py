"""What is to be made or changed, typed. `additional()` checks every field and gives the body's parameters.

The server wants nearly everything as text and takes a number for absent; sizes of disks are the exception. Raises
`DbcError` (refused_locally).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import SecretStr

from dbc_exporter.dbc import checks

_MOST_PORT = 65535
_LEAST_VNC_PORT = 5900
_MOST_GIB = 1_000_000
_MOST_CORES = 4096
_MOST_GPUS = 64
_INTERFACE_MODELS = ("virtio", "e1000", "rtl8139")  # the first is the server's own choice
_OWN_TASK_ID = range(20, 23)


def _port(value: int, what: str) -> str:
    return str(checks.between(value, 1, _MOST_PORT, what))


def _vnc_port(value: int) -> str:
    return str(checks.between(value, _LEAST_VNC_PORT, _MOST_PORT, "vnc_port"))


def _gib(value: int, what: str) -> str:
    return str(checks.between(value, 1, _MOST_GIB, what))


def _rules(values: tuple[str, ...], what: str) -> list[str]:
    return [checks.rule(value, what) for value in values]


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSpec:
    """A VM to create. Sizes are GiB. Linux is reached by `ssh_port`, Windows by `rdp_port`, or by `public_ip`."""

    vnc_port: int
    cpu_cores: int
    memory_gib: int
    disk_gib: int
    gpu_count: int = 0
    image_name: str | None = None
    operation_system: Literal["linux", "windows"] = "linux"
    bios_mode: Literal["legacy", "uefi", "pxe"] = "legacy"
    ssh_port: int | None = None
    rdp_port: int | None = None
    public_ip: str | None = None
    description: str = ""
    custom_ports: tuple[str, ...] = ()
    network_filters: tuple[str, ...] = ()
    multicast: tuple[str, ...] = ()
    network_name: str | None = None
    data_file_name: str | None = None
    task_id: str | None = None
    interface_model: Literal["virtio", "e1000", "rtl8139"] = "virtio"

    def additional(self) -> dict[str, Any]:
        """Check every field and give the parameters of `/tasks/start`."""
        parameters: dict[str, Any] = {
            "desc": checks.plain_text(self.description, "the description"),
            "operation_system": checks.one_of(
                self.operation_system, ("linux", "windows"), "operation_system"
            ),
            "bios_mode": checks.one_of(self.bios_mode, ("legacy", "uefi", "pxe"), "bios_mode"),
            "vnc_port": _vnc_port(self.vnc_port),
            "gpu_count": str(checks.between(self.gpu_count, 0, _MOST_GPUS, "gpu_count")),
            "cpu_cores": str(checks.between(self.cpu_cores, 1, _MOST_CORES, "cpu_cores")),
            "mem_size": _gib(self.memory_gib, "memory_gib"),
            "disk_size": _gib(self.disk_gib, "disk_gib"),
        }
        return parameters | self._image() | self._access() | self._lists() | self._names()

    def _image(self) -> dict[str, Any]:
        if self.bios_mode == "pxe":
            if self.image_name is not None:
                raise checks.refused("a VM that boots from the network has no image_name")
            return {}
        if self.image_name is None:
            raise checks.refused("image_name is needed")
        return {"image_name": checks.file_name(self.image_name)}

    def _access(self) -> dict[str, Any]:
        needed = "ssh_port" if self.operation_system == "linux" else "rdp_port"
        if self.public_ip is None and getattr(self, needed) is None:
            raise checks.refused(f"{needed} or public_ip is needed")
        access: dict[str, Any] = {}
        if self.ssh_port is not None:
            access["ssh_port"] = _port(self.ssh_port, "ssh_port")
        if self.rdp_port is not None:
            access["rdp_port"] = _port(self.rdp_port, "rdp_port")
        if self.public_ip is not None:
            access["public_ip"] = checks.ipv4(self.public_ip, "public_ip")
        return access

    def _lists(self) -> dict[str, Any]:
        lists = {
            "custom_port": _rules(self.custom_ports, "a custom port"),
            "network_filters": _rules(self.network_filters, "a network filter"),
            "multicast": _rules(self.multicast, "a multicast address"),
        }
        return {key: values for key, values in lists.items() if values}

    def _names(self) -> dict[str, Any]:
        names: dict[str, Any] = {}
        if checks.one_of(self.interface_model, _INTERFACE_MODELS, "interface_model") != _INTERFACE_MODELS[0]:
            names["interface_model_type"] = self.interface_model
        if self.network_name is not None:
            names["network_name"] = checks.network_name(self.network_name)
        if self.data_file_name is not None:
            names["data_file_name"] = checks.file_name(self.data_file_name)
        if self.task_id is not None:
            if len(checks.task_id(self.task_id)) not in _OWN_TASK_ID or "_" in self.task_id:
                raise checks.refused("a task id of one's own is 20 to 22 letters or digits")
            names["task_id"] = self.task_id
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class VmChange:
    """A change of a VM; `None` leaves a field as it is.

    `public_ip` has no such value, because the server clears the address whenever it is not sent again: say the
    address the VM shall have afterwards, or `None` for none.
    """

    public_ip: str | None
    ssh_port: int | None = None
    rdp_port: int | None = None
    vnc_port: int | None = None
    gpu_count: int | None = None
    cpu_cores: int | None = None
    memory_gib: int | None = None
    custom_ports: tuple[str, ...] | None = None
    network_filters: tuple[str, ...] | None = None

    def additional(self) -> dict[str, Any]:
        """Check every field and give the parameters of `/tasks/modify`."""
        checked = {
            "new_public_ip": None if self.public_ip is None else checks.ipv4(self.public_ip, "public_ip"),
            "new_ssh_port": None if self.ssh_port is None else _port(self.ssh_port, "ssh_port"),
            "new_rdp_port": None if self.rdp_port is None else _port(self.rdp_port, "rdp_port"),
            "new_vnc_port": None if self.vnc_port is None else _vnc_port(self.vnc_port),
            "new_gpu_count": self._number(self.gpu_count, 0, _MOST_GPUS, "gpu_count"),
            "new_cpu_cores": self._number(self.cpu_cores, 1, _MOST_CORES, "cpu_cores"),
            "new_mem_size": self._number(self.memory_gib, 1, _MOST_GIB, "memory_gib"),
            "new_custom_port": None
            if self.custom_ports is None
            else _rules(self.custom_ports, "a custom port"),
            "new_network_filters": (
                None if self.network_filters is None else _rules(self.network_filters, "a network filter")
            ),
        }
        return {key: value for key, value in checked.items() if value is not None}

    @staticmethod
    def _number(value: int | None, low: int, high: int, what: str) -> str | None:
        return None if value is None else str(checks.between(value, low, high, what))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """A bare-metal server to add. The manager builds a shell command of the IPMI values, without quoting them."""

    uuid: str
    ip: str
    os: str
    description: str
    ipmi_hostname: str = field(repr=False)
    ipmi_username: SecretStr
    ipmi_password: SecretStr
    ipmi_port: int | None = field(default=None, repr=False)

    def additional(self) -> dict[str, Any]:
        """Check every field and give one element of `bare_metal_nodes`."""
        element: dict[str, Any] = {
            "uuid": checks.server_id(self.uuid),
            "ip": checks.ipv4(self.ip, "ip"),
            "os": checks.plain_text(self.os, "os"),
            "desc": checks.plain_text(self.description, "the description"),
            "ipmi_hostname": checks.shell_safe(self.ipmi_hostname, "ipmi_hostname"),
            "ipmi_username": checks.secret_shell_safe(self.ipmi_username, "ipmi_username"),
            "ipmi_password": checks.secret_shell_safe(self.ipmi_password, "ipmi_password"),
        }
        if self.ipmi_port is not None:
            element["ipmi_port"] = checks.between(self.ipmi_port, 1, _MOST_PORT, "ipmi_port")
        return element


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerChange:
    """A change of a bare-metal server; `None` leaves a field as it is."""

    uuid: str | None = None
    ip: str | None = None
    os: str | None = None
    description: str | None = None
    ipmi_hostname: str | None = field(default=None, repr=False)
    ipmi_username: SecretStr | None = None
    ipmi_password: SecretStr | None = None
    ipmi_port: int | None = field(default=None, repr=False)

    def additional(self) -> dict[str, Any]:
        """Check every field and give the parameters of `/bare_metal/modify`."""
        changed: dict[str, Any] = {}
        if self.uuid is not None:
            changed["uuid"] = checks.server_id(self.uuid)
        if self.ip is not None:
            changed["ip"] = checks.ipv4(self.ip, "ip")
        if self.os is not None:
            changed["os"] = checks.plain_text(self.os, "os")
        if self.description is not None:
            changed["desc"] = checks.plain_text(self.description, "the description")
        if self.ipmi_hostname is not None:
            changed["ipmi_hostname"] = checks.shell_safe(self.ipmi_hostname, "ipmi_hostname")
        if self.ipmi_username is not None:
            changed["ipmi_username"] = checks.secret_shell_safe(self.ipmi_username, "ipmi_username")
        if self.ipmi_password is not None:
            changed["ipmi_password"] = checks.secret_shell_safe(self.ipmi_password, "ipmi_password")
        if self.ipmi_port is not None:
            changed["ipmi_port"] = checks.between(self.ipmi_port, 1, _MOST_PORT, "ipmi_port")
        if not changed:
            raise checks.refused("a change changes something")
        return changed
