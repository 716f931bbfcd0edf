"""Every call that changes nothing. Each function builds a `ReadCall`; nothing is sent here.

Ids and names are checked first: `DbcError` (refused_locally).
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from pydantic import SecretStr

from dbc_exporter.dbc import (
    answers_bare_metal,
    answers_client,
    answers_node,
    answers_vm,
    checks,
)
from dbc_exporter.dbc.calls import Authority, ReadCall
from dbc_exporter.facts import (
    BareMetalList,
    BareMetalServer,
    ClientVersion,
    DiskList,
    ImageList,
    ImageServers,
    LanAnswer,
    LanList,
    MonitorServers,
    NodeConfig,
    NodeList,
    Peers,
    Power,
    RentOrders,
    Snapshot,
    SnapshotList,
    TaskList,
    TransferProgress,
    Vm,
)

API = "/api/v1"
_IN_MEMORY = ""
_LOG_LINES = 100
PeerScope = Literal["active", "global", "lan"]


def version() -> ReadCall[ClientVersion]:
    """Ask the client for its own version. In memory."""
    return ReadCall(
        _IN_MEMORY, f"{API}/", None, {}, Authority.NONE, answers_client.client_version, method="GET"
    )


def node_list() -> ReadCall[NodeList]:
    """Ask which compute nodes the client heard of in the last 300 s. In memory."""
    return ReadCall(_IN_MEMORY, f"{API}/mining_nodes", None, {}, Authority.NONE, answers_client.node_list)


def bare_metal_ids() -> ReadCall[NodeList]:
    """Ask which bare-metal servers the client heard of; it does not say whose they are. In memory."""
    return ReadCall(_IN_MEMORY, f"{API}/bare_metal", None, {}, Authority.NONE, answers_client.bare_metal_ids)


def peers(scope: PeerScope = "active") -> ReadCall[Peers]:
    """Ask how many peers the client has; no active one means it is alone. In memory."""
    checks.one_of(scope, ("active", "global", "lan"), "the scope of peers")
    return ReadCall(_IN_MEMORY, f"{API}/peers/{scope}", None, {}, Authority.NONE, answers_client.peers)


def lan_list() -> ReadCall[LanList]:
    """Ask for the LAN networks the client knows. In memory."""
    return ReadCall(_IN_MEMORY, f"{API}/lan", None, {}, Authority.NONE, answers_client.lan_list)


def image_servers() -> ReadCall[ImageServers]:
    """Ask for the ids of the client's image centres. In memory."""
    return ReadCall(
        _IN_MEMORY, f"{API}/images/servers", None, {}, Authority.NONE, answers_client.image_servers
    )


def node_config(node_id: str) -> ReadCall[NodeConfig]:
    """Ask a compute node (or a bare-metal server) for its configuration and load."""
    peer = checks.node_id(node_id)
    return ReadCall(
        "query node info", f"{API}/mining_nodes", peer, {}, Authority.NONE, answers_node.node_config
    )


def rent_orders(node_id: str) -> ReadCall[RentOrders]:
    """Ask a node or bare-metal server for the orders it knows."""
    peer = checks.node_id(node_id)
    return ReadCall(
        "query node rent orders",
        f"{API}/rent_orders",
        peer,
        {},
        Authority.NONE,
        answers_client.rent_orders,
    )


def lan_probe(node_id: str) -> ReadCall[LanAnswer]:
    """Ask a node anything at all: every answer of its own, also a refusal, proves it alive."""
    return ReadCall(
        "list local area network",
        f"{API}/lan",
        checks.node_id(node_id),
        {},
        Authority.NONE,
        answers_client.lan_answer,
        read_refusal=answers_client.lan_refusal,
    )


def session_id(node_id: str) -> ReadCall[SecretStr]:
    """Ask for the session id of the wallet at a node or bare-metal server; a manager never answers this."""
    return ReadCall(
        "get session_id",
        f"{API}/mining_nodes/session_id",
        checks.node_id(node_id),
        {},
        Authority.WALLET,
        answers_vm.session_id,
    )


def task_list(node_id: str) -> ReadCall[TaskList]:
    """Ask for the caller's VMs on a node."""
    peer = checks.node_id(node_id)
    return ReadCall("list task", f"{API}/tasks", peer, {}, Authority.RENTER, answers_vm.task_list)


def vm(node_id: str, task_id: str) -> ReadCall[Vm]:
    """Ask for one VM."""
    return ReadCall(
        "list task",
        f"{API}/tasks/{checks.task_id(task_id)}",
        checks.node_id(node_id),
        {},
        Authority.RENTER,
        partial(answers_vm.vm, task_id=task_id),
    )


def logs(
    node_id: str, task_id: str, *, lines: int = _LOG_LINES, head: bool = False
) -> ReadCall[tuple[SecretStr, ...]]:
    """Ask for the last (or first) lines of DBC's own log of a VM; 100 at most. They hold passwords."""
    checks.between(lines, 1, _LOG_LINES, "the number of lines")
    flag = "head" if head else "tail"
    return ReadCall(
        "task logs",
        f"{API}/tasks/logs/{checks.task_id(task_id)}?flag={flag}&line_num={lines}",
        checks.node_id(node_id),
        {},
        Authority.RENTER,
        partial(answers_vm.logs, task_id=task_id),
    )


def disk_list(node_id: str, task_id: str) -> ReadCall[DiskList]:
    """Ask for the disks of a VM."""
    return ReadCall(
        "list disk",
        f"{API}/disk/list/{checks.task_id(task_id)}",
        checks.node_id(node_id),
        {},
        Authority.RENTER,
        answers_vm.disk_list,
    )


def snapshot_list(node_id: str, task_id: str) -> ReadCall[SnapshotList]:
    """Ask for the snapshots of a VM."""
    return ReadCall(
        "list snapshot",
        f"{API}/snapshot/list/{checks.task_id(task_id)}",
        checks.node_id(node_id),
        {},
        Authority.RENTER,
        answers_vm.snapshot_list,
    )


def snapshot_details(node_id: str, task_id: str, name: str) -> ReadCall[Snapshot]:
    """Ask for one snapshot of a VM."""
    checks.name(name, "a snapshot's name")
    return ReadCall(
        "list snapshot",
        f"{API}/snapshot/list/{checks.task_id(task_id)}/{name}",
        checks.node_id(node_id),
        {},
        Authority.RENTER,
        partial(answers_vm.snapshot_details, name=name),
    )


def images(node_id: str) -> ReadCall[ImageList]:
    """Ask for a node's base images; a renter's credential adds the wallet's own VM disks."""
    peer = checks.node_id(node_id)
    return ReadCall("list images", f"{API}/images", peer, {}, Authority.OPTIONAL, answers_node.image_list)


def images_with_centre(node_id: str, server: str) -> ReadCall[ImageList]:
    """Ask for a node's images together with those of a centre: the node runs rsync for it, slowly."""
    additional = {"image_server": checks.name(server, "an image centre's id")}
    return ReadCall(
        "list images",
        f"{API}/images",
        checks.node_id(node_id),
        additional,
        Authority.OPTIONAL,
        answers_node.image_list,
    )


def centre_images(server: str) -> ReadCall[ImageList]:
    """Ask for a centre's images. Dangerous: the client runs rsync in its only HTTP thread, up to 600 s."""
    additional = {"image_server": checks.name(server, "an image centre's id")}
    return ReadCall(_IN_MEMORY, f"{API}/images", None, additional, Authority.NONE, answers_node.image_list)


def download_progress(node_id: str, file_name: str) -> ReadCall[TransferProgress]:
    """Ask how far a download is; "done" is also said of failed, stopped and unknown files."""
    return _progress("query download image progress", "downloadprogress", node_id, file_name)


def upload_progress(node_id: str, file_name: str) -> ReadCall[TransferProgress]:
    """Ask how far an upload is; "done" is also said of failed, stopped and unknown files."""
    return _progress("query upload image progress", "uploadprogress", node_id, file_name)


def _progress(kind: str, word: str, node_id: str, file_name: str) -> ReadCall[TransferProgress]:
    return ReadCall(
        kind,
        f"{API}/images/{word}",
        checks.node_id(node_id),
        {"image_filename": checks.file_name(file_name)},
        Authority.RENTER,
        answers_node.transfer_progress,
    )


def monitor_servers(node_id: str) -> ReadCall[MonitorServers]:
    """Ask how many monitoring servers the caller's wallet has set on a node."""
    return ReadCall(
        "list monitor server",
        f"{API}/monitor",
        checks.node_id(node_id),
        {},
        Authority.RENTER,
        answers_client.monitor_servers,
    )


def bare_metal_list(manager: str) -> ReadCall[BareMetalList]:
    """Ask a manager for its servers, 51 at most. Never signed: signed, the answer holds every key in clear."""
    return ReadCall(
        "list bare metal",
        f"{API}/bare_metal",
        checks.node_id(manager),
        {},
        Authority.NONE,
        answers_bare_metal.bare_metal_list,
    )


def bare_metal_server(manager: str, server: str) -> ReadCall[BareMetalServer | None]:
    """Ask a manager for one server by node id or uuid, with its power: the manager asks the BMC for it."""
    return ReadCall(
        "list bare metal",
        f"{API}/bare_metal/{checks.server_id(server)}",
        checks.node_id(manager),
        {},
        Authority.NONE,
        partial(answers_bare_metal.one_server, wanted=server),
    )


def bare_metal_info(server_id: str) -> ReadCall[BareMetalServer]:
    """Ask a rented bare-metal server about itself, with its power."""
    return ReadCall(
        "list bare metal",
        f"{API}/bare_metal",
        checks.node_id(server_id),
        {},
        Authority.RENTER,
        partial(answers_bare_metal.server_info, server_id=server_id),
    )


def power_status(server_id: str) -> ReadCall[Power]:
    """Ask for the power of a rented bare-metal server; a dead BMC takes 10 s and ends in `DbcError` (bmc)."""
    return ReadCall(
        "bare metal power",
        f"{API}/bare_metal/power",
        checks.node_id(server_id),
        {"command": "status"},
        Authority.RENTER,
        answers_bare_metal.power,
    )
