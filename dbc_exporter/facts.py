"""What was seen, typed and immutable. A field is a value or `None`, and `None` always means unknown.

Facts carry no metric names and no secrets: passwords, keys, addresses and session ids are dropped while parsing.
Sizes are bytes, ratios 0..1, frequencies hertz, times Unix seconds. Every container is a tuple, so facts can be
compared, hashed and kept. `unreadable` names the fields that were present in the answer and could not be read.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Fact(Struct, frozen=True, kw_only=True):
    """Base of every fact."""

    unreadable: tuple[str, ...] = ()


class ListedNode(Struct, frozen=True):
    """One row of a client's node list (`/mining_nodes` or `/bare_metal` without a peer)."""

    node_id: str
    name: str | None = None
    version: str | None = None


class ListedAs(Fact, frozen=True, kw_only=True):
    """How a client's list names a node; kept when the node leaves the list, because a name outlives its machine."""

    name: str | None = None
    version: str | None = None


class ClientVersion(Fact, frozen=True, kw_only=True):
    """`GET /api/v1/`: the client node's own version."""

    version: str | None = None


class NodeList(Fact, frozen=True, kw_only=True):
    """Nodes a client has heard of in the last 300 s; listed does not mean alive."""

    nodes: tuple[ListedNode, ...] = ()


class Peers(Fact, frozen=True, kw_only=True):
    """`/peers/<scope>`: how many peers are listed (the server shows at most 50)."""

    count: int = 0


class Disk(Struct, frozen=True):
    """A data directory of a node. `medium` is the server's guess: SSD when it cannot tell."""

    path: str
    medium: str | None = None
    size_bytes: float | None = None
    free_bytes: float | None = None
    usage_ratio: float | None = None


class Image(Struct, frozen=True):
    """An image file on a node or an image centre."""

    name: str
    size_bytes: float | None = None


class NodeConfig(Fact, frozen=True, kw_only=True):
    """`/mining_nodes` with one compute node: its configuration and load, as DBC measures them."""

    version: str | None = None
    node_type: str | None = None
    os: str | None = None
    cpu_model: str | None = None
    cpu_hertz: float | None = None
    cpu_cores: int | None = None
    cpu_sockets: int | None = None
    cpu_usage_ratio: float | None = None
    gpus: int | None = None
    gpus_used: int | None = None
    memory_size_bytes: float | None = None
    memory_free_bytes: float | None = None
    memory_usage_ratio: float | None = None
    system_disk_medium: str | None = None
    system_disk_size_bytes: float | None = None
    disks: tuple[Disk, ...] | None = None
    images: tuple[Image, ...] | None = None


class ImageList(Fact, frozen=True, kw_only=True):
    """`/images`: the base images a node (or a centre) has."""

    images: tuple[Image, ...] = ()


class ImageServers(Fact, frozen=True, kw_only=True):
    """`/images/servers`: ids of the image centres a client knows."""

    servers: tuple[str, ...] = ()


class RentOrder(Struct, frozen=True):
    """One order of a node's cache. `renter` is kept for comparing with our wallet, never shown."""

    order_id: str
    renter: str
    status: str
    end_block: int | None = None
    gpus: int | None = None


class RentOrders(Fact, frozen=True, kw_only=True):
    """`/rent_orders`: the orders a node has been asked about, 51 at most."""

    orders: tuple[RentOrder, ...] = ()


class TaskState(StrEnum):
    """DBC's task statuses (`api.md` 5.1) as a closed set; text outside it is `unknown`."""

    NONE = "none"
    CREATING = "creating"
    STARTING = "starting"
    RUNNING = "running"
    CLOSED = "closed"
    SUSPENDED = "suspended"
    RESTARTING = "restarting"
    RESETTING = "resetting"
    SHUTTING_DOWN = "shutting_down"
    POWERING_OFF = "powering_off"
    DELETING = "deleting"
    CHANGING_DISK = "changing_disk"
    SNAPSHOTTING = "snapshotting"
    ERROR = "error"
    CREATE_ERROR = "create_error"
    START_ERROR = "start_error"
    STOP_ERROR = "stop_error"
    RESTART_ERROR = "restart_error"
    DELETE_ERROR = "delete_error"
    DISK_ERROR = "disk_error"
    SNAPSHOT_ERROR = "snapshot_error"
    UNKNOWN = "unknown"


class Task(Struct, frozen=True):
    """One row of a node's task list. `created_local` has no time zone: it is the node's own clock."""

    task_id: str
    state: TaskState
    created_local: str | None = None
    description: str | None = None


class TaskList(Fact, frozen=True, kw_only=True):
    """`/tasks`: the caller's VMs on one node.

    `parsable` is false when free text broke the list and the VMs were asked for one by one.
    """

    tasks: tuple[Task, ...] = ()
    parsable: bool = True


class VmDisk(Struct, frozen=True):
    """A VM's disk: device name and size."""

    name: str
    size_bytes: float | None = None


class Vm(Fact, frozen=True, kw_only=True):
    """`/tasks/<id>`: one VM, without its addresses, ports, user and passwords."""

    task_id: str
    state: TaskState
    os: str | None = None
    description: str | None = None
    rent_order: str | None = None
    created_local: str | None = None
    cpu_cores: int | None = None
    gpus: int | None = None
    memory_bytes: float | None = None
    system_disk_bytes: float | None = None
    disks: tuple[VmDisk, ...] | None = None
    network_interfaces: int | None = None
    credentials_set: bool | None = None


class DiskList(Fact, frozen=True, kw_only=True):
    """`/disk/list/<task>`: the disks of one VM as its definition lists them now."""

    disks: tuple[VmDisk, ...] = ()


class SnapshotState(StrEnum):
    """Snapshot statuses; `none` in DBC's words means no work is going on."""

    IDLE = "idle"
    CREATING = "creating"
    UPLOADING = "uploading"
    UNKNOWN = "unknown"


class Snapshot(Fact, frozen=True, kw_only=True):
    """A snapshot of a VM."""

    name: str
    state: SnapshotState = SnapshotState.UNKNOWN
    created_local: str | None = None


class SnapshotList(Fact, frozen=True, kw_only=True):
    """`/snapshot/list/<task>`."""

    snapshots: tuple[Snapshot, ...] = ()


class TransferProgress(Fact, frozen=True, kw_only=True):
    """`/images/downloadprogress` and `uploadprogress`, as said: `done` and 100 % may mean anything."""

    status: str | None = None
    progress_ratio: float | None = None


class TransferState(StrEnum):
    """A transfer's state after the lies are taken out of the server's answer."""

    DOWNLOADING = "downloading"
    UPLOADING = "uploading"
    FINISHED = "finished"
    UNKNOWN = "unknown"


class Transfer(Fact, frozen=True, kw_only=True):
    """An image transfer as we can vouch for it. `progress_ratio` is `None` unless it is moving or finished."""

    image: str
    direction: str
    state: TransferState
    progress_ratio: float | None = None


class LanNetwork(Struct, frozen=True):
    """A VXLAN network; its name and addresses are private and not kept."""

    vni: str
    members: int | None = None


class LanList(Fact, frozen=True, kw_only=True):
    """`/lan` without a peer: the networks a client knows."""

    networks: tuple[LanNetwork, ...] = ()


class PowerState(StrEnum):
    """Chassis power; anything but a clear "power is on" or "power is off" is unknown."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class BareMetalServer(Fact, frozen=True, kw_only=True):
    """One server of a manager's list, without its keys and BMC access data.

    `power_said`: the answer has a power status, readable or not. A manager leaves it out when the BMC did not answer.
    """

    node_id: str
    uuid: str | None = None
    os: str | None = None
    description: str | None = None
    power: PowerState = PowerState.UNKNOWN
    power_said: bool = False


class BareMetalList(Fact, frozen=True, kw_only=True):
    """`/bare_metal` at a manager: its servers, the first 51 by id."""

    servers: tuple[BareMetalServer, ...] = ()


class Power(Fact, frozen=True, kw_only=True):
    """Power of one bare-metal server. `bmc_reachable` is `None` when nobody can tell."""

    state: PowerState
    bmc_reachable: bool | None = None


class MonitorServers(Fact, frozen=True, kw_only=True):
    """`/monitor`: how many monitoring servers the renter's wallet has set on a node (2 at most)."""

    count: int = 0


class LanAnswer(Fact, frozen=True, kw_only=True):
    """`/lan` at a node: any answer of the node proves it alive; the content is not used."""


class ClientState(StrEnum):
    """What a DBC client is good for right now, as our gate sees it."""

    OK = "ok"
    UNREACHABLE = "unreachable"
    ISOLATED = "isolated"
    WEDGED = "wedged"
    CEILING = "ceiling"
    TROUBLED = "troubled"
    UNKNOWN = "unknown"


class ClientStatus(Fact, frozen=True, kw_only=True):
    """A DBC client after a look at its in-memory answers."""

    state: ClientState
    version: str | None = None
    visible_nodes: int | None = None
    visible_servers: int | None = None
    peers_active: int | None = None
    peers_global: int | None = None


class Reachability(Fact, frozen=True, kw_only=True):
    """What we know of a node's being there.

    `visible` is `None` when no healthy client could be asked; `up` is `None` when nothing recent is known, `False`
    only after the node itself stayed silent towards a healthy client.
    """

    visible: bool | None = None
    up: bool | None = None
    suspect: bool = False


class OrderStatus(Fact, frozen=True, kw_only=True):
    """Whether a live rent order of ours is known for a node, and the node's orders by status.

    `live` is `None` when that cannot be told: nobody here rents, or the order that could not be read may be ours.
    """

    live: bool | None = None
    by_status: tuple[tuple[str, int], ...] = ()


def lost_orders(fact: RentOrders | OrderStatus) -> bool:
    """Tell whether orders are missing from a fact because they could not be read, or contradicted each other."""
    return not {"rent_orders", "rent_orders.id"}.isdisjoint(fact.unreadable)
