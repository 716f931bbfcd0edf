"""The scenario of a simulated fleet: what is in it and what happens to it, strictly validated.

A scenario is a YAML mapping with `version: 1`. `docs/simulator.md` describes every key.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dbc_exporter.simulator.scenario_values import Duration, DurationRange, Share, Size

Labels = dict[str, str]
Count = Annotated[int, Field(ge=0, le=100_000)]
GIB = 1 << 30


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest known word, or all of them."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(words)}"


class Section(BaseModel):
    """A mapping that refuses keys it does not know, by name and with the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)
    extra_keys: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        known = {field.alias or name for name, field in cls.model_fields.items()}
        for key in value:
            if key not in known and key not in cls.extra_keys:
                raise PydanticCustomError(
                    "unknown_key",
                    "unknown key {key}; {hint}",
                    {"key": repr(key), "hint": did_you_mean(str(key), known)},
                )
        return value


class Wallet(Section):
    """A renter's key pair, derived from the scenario's seed and the name unless `seed` gives it."""

    name: str
    seed: Annotated[str | None, Field(pattern="^(0x)?[0-9a-f]{64}$", repr=False)] = None


class Rental(Section):
    """Who rents each machine of a group, and how the order stands."""

    wallet: str
    status: str = "renting"
    machine_status: str = "rented"
    order_id: str | None = None
    """`{n}` becomes the machine's number; absent: a whole-machine order, whose id is the wallet."""


class Vms(Section):
    """The VMs on each compute node of a group."""

    count: Count = 1
    status: str = "running"
    description: str = "vm {n}"
    image: str = "ubuntu-22.04.qcow2"
    gpus: Count = 1
    cpu_cores: Count = 8
    memory: Size = 16 * GIB
    disk: Size = 100 * GIB


class Disk(Section):
    """A data disk of a compute node."""

    path: Annotated[str, Field(pattern="^/data")] = "/data"
    size: Size = 3600 * GIB
    free: Size = 2800 * GIB
    type: Literal["SSD", "HDD"] = "SSD"


class Image(Section):
    """A disk image, on a node or in an image centre."""

    name: str
    size: Size = 8 * GIB


class Network(Section):
    """A LAN (VXLAN) that the group's first node serves; clients know it too."""

    name: str = Field(pattern="^[A-Za-z0-9]{6,10}$")
    cidr: str = "10.10.10.0/24"


class ComputeGroup(Section):
    """Compute nodes that are alike."""

    name: str = "gpu-{n}"
    count: Count = 1
    version: str = "0.4.1.8"
    labels: Labels = {}
    os: str = "Ubuntu 22.04.4 LTS 5.15.0-105-generic GNU/Linux"
    cpu_type: str = "AMD EPYC 7543 32-Core Processor"
    cpu_hz: str = "2800MHz"
    cpu_cores: Count = 60
    cpu_usage: Share = 0.07
    sockets: Count = 1
    gpu_model: str = "NVIDIA GeForce RTX 4090"
    """A label for people: the API never tells it."""
    gpus: Count = 8
    memory: Size = 471 * GIB
    memory_free: Size = 402 * GIB
    disks: list[Disk] = [Disk()]
    images: list[Image] = [Image(name="ubuntu-22.04.qcow2")]
    networks: list[Network] = []
    vms: Vms = Vms(count=0)
    rented_by: Rental | None = None


class ServerGroup(Section):
    """Bare-metal servers of one manager that are alike."""

    name: str = "bm-{manager}-{n}"
    """The server's uuid: letters, digits and `-`."""
    count: Count = 1
    labels: Labels = {}
    os: str = "Ubuntu 22.04"
    description: str = "server {n}"
    power: Literal["on", "off"] = "on"
    bmc: Literal["ok", "dead", "bad_password"] = "ok"
    deeplink: bool = False
    rented_by: Rental | None = None


class ManagerGroup(Section):
    """Bare-metal managers that are alike, each with its own servers."""

    name: str = "manager-{n}"
    count: Count = 1
    version: str = "0.4.1.8"
    labels: Labels = {}
    servers: list[ServerGroup] = []


class Client(Section):
    """A client node: one HTTP port."""

    name: Annotated[str, Field(pattern="^[A-Za-z0-9._-]+$")] = "client"
    version: str = "0.4.1.8"


class ImageServer(Section):
    """An image centre."""

    name: str = "local01"
    images: list[Image] = []


class Transfer(Section):
    """An image transfer that runs from the start, or begins later."""

    node: str
    image: str
    server: str = "local01"
    direction: Literal["download", "upload"] = "download"
    at: Duration = 0.0


class Latency(Section):
    """How long answers take; see `Timing` for what each figure means."""

    public: Duration = 0.03
    authenticated: DurationRange = (0.0, 0.0)
    images: Duration = 0.0
    bmc: Duration = 0.04
    power_on: Duration = 20.0
    power_off: Duration = 2.0
    create_vm: DurationRange = (300.0, 900.0)
    transfer_bytes_per_second: Annotated[float, Field(gt=0)] = 50e6


class FaultEntry(Section):
    """One line of the timeline: which fault, when, on what and for how long; parameters depend on the fault."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    fault: str
    at: Duration = 0.0
    lasting: Duration | None = Field(None, alias="for")
    over: Duration = 0.0
    """Each chosen target is hit at a moment of its own within this time."""
    all: bool = False
    count: Count | None = None
    percent: Share | None = None
    ids: list[str] = []
    names: list[str] = []
    labels: Labels = {}

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, value: Any) -> Any:
        """Leave unknown keys to the fault's own parameters."""
        return value

    @property
    def parameters(self) -> dict[str, Any]:
        """The keys that belong to this kind of fault."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def selects(self) -> bool:
        """Whether the entry says what is hit."""
        given = (self.all, self.count is not None, self.percent is not None)
        return any(given) or bool(self.ids or self.names or self.labels)

    @model_validator(mode="after")
    def _one_measure(self) -> FaultEntry:
        if self.count is not None and self.percent is not None:
            raise PydanticCustomError("two_measures", "give either count or percent, not both")
        return self


class Scenario(Section):
    """A whole simulated fleet and its timeline."""

    version: Literal[1]
    seed: int = 0
    time_factor: Annotated[float, Field(gt=0, le=100)] = 1.0
    verify_signatures: bool = True
    vm_ports: bool = False
    request_timeout: Duration = 30.0
    wallets: list[Wallet] = [Wallet(name="renter")]
    clients: Annotated[list[Client], Field(min_length=1)] = [Client()]
    compute: list[ComputeGroup] = []
    managers: list[ManagerGroup] = []
    image_servers: list[ImageServer] = []
    transfers: list[Transfer] = []
    latency: Latency = Latency()
    faults: list[FaultEntry] = []

    @field_validator("version", mode="before")
    @classmethod
    def _known_version(cls, value: object) -> object:
        if value != 1 or isinstance(value, bool):
            raise PydanticCustomError(
                "version",
                "{value} is no version this program knows: write version: 1",
                {"value": repr(value)},
            )
        return value
