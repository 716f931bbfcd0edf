"""A virtual machine ("task"): what DBC remembers of it, what libvirt knows, and what the guest really does."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from dbc_exporter.simulator.hardware import GIB, SYSTEM_DISK
from dbc_exporter.simulator.sizes import scale_size

RUNNING, SHUT_OFF, PAUSED, CRASHED, SUSPENDED, NONE = (
    "running",
    "shut_off",
    "paused",
    "crashed",
    "suspended",
    "none",
)
_SHOWN = {
    SHUT_OFF: "closed",
    "being shutdown": "closed",
    RUNNING: "running",
    PAUSED: "running",
    "blocked": "running",
    SUSPENDED: "pmsuspend",
}
_RECONCILED = frozenset({"closed", "running", "pmsuspend"})


@dataclass(slots=True)
class Disk:
    """A VM's disk; `size` in bytes."""

    name: str
    size: int
    source_file: str


@dataclass(slots=True)
class Snapshot:
    """A snapshot of vda; `create_time` is Unix time."""

    name: str
    description: str
    file: str
    create_time: float
    status: str = "none"


@dataclass(slots=True)
class Vm:
    """One task. `domain` is libvirt's state (None: no such domain), `status` DBC's own word."""

    task_id: str
    wallet: str
    rent_order: str = ""
    os: str = "linux"
    desc: str = ""
    port: str = "22"
    """The ssh port, or the rdp port of a Windows guest."""
    vnc_port: str = "5900"
    custom_port: list[str] = field(default_factory=list)
    public_ip: str = ""
    user_name: str = ""
    login_password: str = ""
    vnc_password: str = ""
    cpu_cores: int = 1
    gpus: tuple[int, ...] = ()
    memory: int = GIB
    disks: dict[str, Disk] = field(default_factory=dict)
    create_time: float = 0.0
    status: str = "running"
    domain: str | None = RUNNING
    network_name: str = ""
    local_address: list[str] = field(default_factory=list)
    network_filters: list[str] = field(default_factory=list)
    interface: list[tuple[str, str, str]] = field(default_factory=list)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    image_name: str = ""
    bios_mode: str = "legacy"
    log: list[str] = field(default_factory=list)
    hung: bool = False
    heeds_restart: bool = False
    """While hung: the guest still carries out a restart it is asked for, which ends the hang."""
    fails: str = ""
    """A verb that libvirt will fail next (`start`, `shutdown`, `create` ...), `""` for none."""
    stuck: bool = False
    """The event thread will not get done with this VM (creating, restarting for ever)."""

    @property
    def is_windows(self) -> bool:
        """Say whether the guest is a Windows."""
        return self.os.startswith("win")

    @property
    def reachable(self) -> bool:
        """Say whether the guest answers on its ports: it runs and does not hang."""
        return self.domain == RUNNING and not self.hung and self.status != "creating"

    def hang(self, *, heeds_restart: bool = False) -> None:
        """Let the guest stop answering while everything else still says `running`."""
        self.hung = True
        self.heeds_restart = heeds_restart

    def recover(self) -> None:
        """Let the guest answer again."""
        self.hung = False

    def crash(self) -> None:
        """Let the domain crash: DBC goes on saying what it said."""
        self.domain = CRASHED

    def power(self, *, on: bool) -> None:
        """Start or stop the domain as libvirt does; a start also ends a hang."""
        self.domain = RUNNING if on else SHUT_OFF
        if on:
            self.hung = False

    def shown_status(self, *, libvirt: bool) -> str:
        """Return the status a query shows, brought in line with libvirt where DBC does that and libvirt answers."""
        if libvirt and self.status in _RECONCILED and self.domain is not None:
            self.status = _SHOWN.get(self.domain, self.status)
        return self.status

    @property
    def counts_gpus(self) -> bool:
        """Say whether this VM's GPUs count as used: unless closed or in an error."""
        return self.status != "closed" and not self.status.endswith("error")

    def write_log(self, line: str) -> None:
        """Append a line to DBC's log of this task."""
        self.log.append(line)


def new_disks(now: float, number: tuple[int, int], data_size: int, data_file: str = "") -> dict[str, Disk]:
    """Return a new VM's system and data disk; the system disk is always said to be 350G."""
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(now))
    source = f"/data/{data_file}" if data_file else f"/data/data_{number[1]}_{stamp}.qcow2"
    return {
        "vda": Disk("vda", SYSTEM_DISK, f"/data/vm_{number[0]}_{stamp}.qcow2"),
        "vdb": Disk("vdb", data_size, source),
    }


def local_time(moment: float) -> str:
    """Return a node's local time as it prints it: no zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))


def summary(vm: Vm, status: str) -> str:
    """Return a VM's element of the task list; the description is pasted raw."""
    return (
        f'{{"task_id":"{vm.task_id}", "create_time":"{local_time(vm.create_time)}", "desc":"{vm.desc}", '
        f'"status":"{status}"}}'
    )


def detail(vm: Vm, status: str, node_ip: str) -> str:
    """Return a VM's full description, secrets in clear, optional parts left out where empty."""
    user = vm.user_name or ("Administrator" if vm.is_windows else "dbc")
    parts = [
        (
            f'"task_id":"{vm.task_id}", "os":"{vm.os}", "ssh_ip":"{vm.public_ip or node_ip}", '
            f'"{"rdp" if vm.is_windows else "ssh"}_port":"{vm.port}", "user_name":"{user}", '
            f'"login_password":"{vm.login_password}", "cpu_cores":{vm.cpu_cores}, "gpu_count":{len(vm.gpus)}, '
            f'"mem_size":"{scale_size(vm.memory, "G")}", "disk_system":"350G", "vnc_port":"{vm.vnc_port}", '
            f'"vnc_password":"{vm.vnc_password}"'
        )
    ]
    if vm.network_name:
        parts.append(f'"network_name":"{vm.network_name}"')
    parts.append(f'"create_time":"{local_time(vm.create_time)}", "desc":"{vm.desc}", "status":"{status}"')
    if vm.rent_order:
        parts.append(f'"rent_order":"{vm.rent_order}"')
    if vm.local_address:
        parts.append(f'"local_address":[{_texts(vm.local_address)}]')
    if vm.disks:
        disks = ",".join(
            f'{{"name":"{disk.name}", "size":"{scale_size(disk.size, "G")}", "source_file":"{disk.source_file}"}}'
            for disk in vm.disks.values()
        )
        parts.append(f'"disks":[{disks}]')
    if vm.network_filters:
        parts.append(f'"network_filters":[{_texts(vm.network_filters)}]')
    interfaces = ",".join(
        f'{{"name":"{name}","type":"{kind}","mac_address":"{mac}"}}' for name, kind, mac in vm.interface
    )
    parts.append(f'"interface":[{interfaces}]')
    return "{" + ", ".join(parts) + "}"


def _texts(items: list[str]) -> str:
    return ",".join(f'"{item}"' for item in items)
