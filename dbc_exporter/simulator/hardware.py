"""A compute node's machine, and the configuration text that the node makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from dbc_exporter.simulator.sizes import percent, scale_size

GIB = 1024**3
SYSTEM_DISK = 350 * GIB
RESERVED_ABOVE = 64 * GIB
RESERVED_MEMORY = 32 * GIB

IMAGES_WITH_SIZES, WITH_NODE_TYPE, WITH_PHYSICAL_CPUS = (0, 3, 9, 6), (0, 4, 1, 3), (0, 4, 1, 6)


@lru_cache(maxsize=256)
def version_number(version: str) -> tuple[int, ...]:
    """Return a DBC version as numbers, the newest for a text that is none."""
    parts = version.split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else (99,)


@dataclass(slots=True)
class DataDisk:
    """A directory `/data*`; sizes in bytes. `usage` (a share) overrides what follows from the sizes."""

    path: str = "/data"
    size: int = 3519 * GIB
    available: int = 2810 * GIB
    rotating: bool = False
    usage: float | None = None


@dataclass(slots=True)
class Hardware:
    """What the machine has and how busy it is. Sizes in bytes, usages as shares (negative, huge or nan allowed)."""

    os: str = "Ubuntu 20.04.6 LTS (Focal Fossa) 5.4.0-125-generic GNU/Linux"
    public_ip: str = "203.0.113.9"
    cpu_type: str = "Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz"
    cpu_hz: str = "3000MHz"
    cpu_cores: int = 92
    sockets: int = 2
    cpu_usage: float = 0.035
    gpus: int = 8
    lost_gpus: int = 0
    """GPUs that fell off the bus since the daemon's start: still counted in `gpu_count`."""
    memory: int = 503 * GIB
    memory_free: int = 434 * GIB
    memory_usage: float | None = None
    disks: list[DataDisk] = field(default_factory=lambda: [DataDisk()])

    @property
    def memory_shown(self) -> int:
        """Memory without the part the daemon keeps for the host."""
        return max(0, self.memory - self._reserved)

    @property
    def memory_free_shown(self) -> int:
        """Free memory without the same part."""
        return max(0, self.memory_free - self._reserved)

    @property
    def _reserved(self) -> int:
        return RESERVED_MEMORY if self.memory > RESERVED_ABOVE else 0

    def masked_ip(self) -> str:
        """Return the public address with two octets hidden, as the node tells it."""
        octets = self.public_ip.split(".")
        if len(octets) != 4:  # noqa: PLR2004 - not an IPv4 address
            return "*"
        return f"*.{octets[1]}.*.{octets[3]}"


def configuration(hardware: Hardware, version: str, gpu_used: int, images: Iterable[tuple[str, int]]) -> str:
    """Return the `message` object of `/mining_nodes` for one node; free text is pasted raw.

    Older versions lack `node_type` and `physical_cpus` and list images by name only.
    """
    hw, known = hardware, version_number(version)
    size, free = hw.memory_shown, hw.memory_free_shown
    usage = hw.memory_usage if hw.memory_usage is not None else _share(size - free, size)
    system = "HDD" if hw.disks and hw.disks[0].rotating else "SSD"
    disks = ",".join(_disk(disk) for disk in hw.disks)
    if known >= IMAGES_WITH_SIZES:
        listed = ",".join(
            f'{{"image_name":"{name}","image_size":"{scale_size(size)}"}}' for name, size in images
        )
    else:
        listed = ",".join(f'"{name}"' for name, _ in images)
    node_type = ',"node_type":"1"' if known >= WITH_NODE_TYPE else ""
    sockets = f',"physical_cpus":"{hw.sockets}"' if known >= WITH_PHYSICAL_CPUS else ""
    return (
        f'{{"version":"{version}"{node_type},"ip":"{hw.masked_ip()}","os":"{hw.os}",'
        f'"cpu":{{"type":"{hw.cpu_type}","hz":"{hw.cpu_hz}","cores":"{hw.cpu_cores}",'
        f'"used_usage":"{percent(hw.cpu_usage)}"{sockets}}},'
        f'"gpu":{{"gpu_count":"{hw.gpus}","gpu_used":"{gpu_used}"}},'
        f'"mem":{{"size":"{scale_size(size, "G")}","free":"{scale_size(free, "G")}","used_usage":"{percent(usage)}"}},'
        f'"disk_system":{{"type":"{system}","size":"350G"}},"disk_data":[{disks}],"images":[{listed}]}}'
    )


def _disk(disk: DataDisk) -> str:
    kind = "HDD" if disk.rotating else "SSD"
    free = disk.available
    if (
        disk.path == "/data" and disk.size >= SYSTEM_DISK
    ):  # on a smaller disk the node's subtraction wraps round
        free = min(disk.size - SYSTEM_DISK, disk.available)
    usage = disk.usage if disk.usage is not None else _share(disk.size - disk.available, disk.size)
    return (
        f'{{"path":"{disk.path}","type":"{kind}","size":"{scale_size(disk.size, "G")}",'
        f'"free":"{scale_size(free, "G")}","used_usage":"{percent(usage)}"}}'
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def resources_left(hardware: Hardware, gpus_used: int, cores_used: int) -> Mapping[str, int]:
    """Return what is left for new VMs."""
    return {
        "gpu": hardware.gpus - hardware.lost_gpus - gpus_used,
        "cpu": hardware.cpu_cores - cores_used,
        "memory": hardware.memory_free_shown,
        "disk": max(0, hardware.disks[0].available - SYSTEM_DISK) if hardware.disks else 0,
    }
