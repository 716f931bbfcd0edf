"""Families about what is rented on nodes: tasks, VMs, disks, snapshots, images and their transfers."""

from __future__ import annotations

from dbc_exporter.facts import SnapshotState, TaskState, TransferState
from dbc_exporter.metrics.family import Family, gauge

TASK_STATES = tuple(state.value for state in TaskState)
SNAPSHOT_STATES = tuple(state.value for state in SnapshotState)
TRANSFER_STATES = tuple(state.value for state in TransferState)
DIRECTIONS = ("download", "upload")

_TASKS = "/tasks"
_VM = "/tasks/<id>"
_DISKS = "/disk/list/<id>"
_SNAPSHOTS = "/snapshot/list/<id>"
_TRANSFER = "/images/downloadprogress, /images/uploadprogress, /images"

FAMILIES: tuple[Family, ...] = (
    gauge(
        "dbc_node_tasks",
        "Tasks (virtual machines) of ours on the node by state. Absent while the list cannot be read.",
        "tasks",
        _TASKS,
        "node_id state",
        enums={"state": TASK_STATES},
    ),
    gauge(
        "dbc_node_tasks_parsable",
        "Whether the node's task list could be read (1), or free text in it broke the answer and only tasks known "
        "before are asked one by one (0).",
        "tasks",
        _TASKS,
        "node_id",
    ),
    gauge(
        "dbc_vm_state",
        "State of a virtual machine as DBC says it, 1 for the present one; DBC goes on saying running while the "
        "node's libvirt is dead or the guest hangs.",
        "tasks",
        _TASKS,
        "node_id task_id state",
        enums={"state": TASK_STATES},
    ),
    gauge(
        "dbc_vm_info",
        "Texts about a virtual machine, value 1; created_local is the node's own clock without a time zone.",
        "vms",
        _VM,
        "node_id task_id os description rent_order created_local",
    ),
    gauge("dbc_vm_cpu_cores", "CPU cores of a virtual machine.", "vms", _VM, "node_id task_id"),
    gauge("dbc_vm_gpus", "GPUs of a virtual machine.", "vms", _VM, "node_id task_id"),
    gauge("dbc_vm_memory_bytes", "Memory of a virtual machine.", "vms", _VM, "node_id task_id", unit="bytes"),
    gauge(
        "dbc_vm_system_disk_bytes",
        "Size of a virtual machine's system disk.",
        "vms",
        _VM,
        "node_id task_id",
        unit="bytes",
    ),
    gauge(
        "dbc_vm_disk_size_bytes",
        "Size of a virtual machine's disk as the machine's details list it.",
        "vms",
        _VM,
        "node_id task_id disk",
        unit="bytes",
    ),
    gauge(
        "dbc_vm_network_interfaces",
        "Network interfaces of a virtual machine.",
        "vms",
        _VM,
        "node_id task_id",
    ),
    gauge(
        "dbc_vm_created_timestamp_seconds",
        "Creation time of a virtual machine as Unix time. Absent unless the nodes' time zone is configured, and in "
        "hours that a clock change makes ambiguous.",
        "vms",
        _VM,
        "node_id task_id",
        unit="seconds",
    ),
    gauge(
        "dbc_disk_size_bytes",
        "Size of a virtual machine's disk as its libvirt definition lists it now.",
        "disks",
        _DISKS,
        "node_id task_id disk",
        unit="bytes",
    ),
    gauge("dbc_vm_snapshots", "Snapshots of a virtual machine.", "snapshots", _SNAPSHOTS, "node_id task_id"),
    gauge(
        "dbc_snapshot_state",
        "State of a snapshot, 1 for the present one; idle means no work is going on.",
        "snapshots",
        _SNAPSHOTS,
        "node_id task_id snapshot state",
        enums={"state": SNAPSHOT_STATES},
    ),
    gauge(
        "dbc_image_size_bytes",
        "Size of an image file on the node.",
        "images",
        "/images at a node",
        "node_id image",
        unit="bytes",
    ),
    gauge(
        "dbc_centre_image_size_bytes",
        "Size of an image file on an image centre the client knows.",
        "centre_images",
        "/images with an image server",
        "client centre image",
        unit="bytes",
    ),
    gauge(
        "dbc_image_transfer_state",
        "State of an image transfer, 1 for the present one; finished only for a download that this exporter saw move "
        "and whose file the node lists afterwards, for DBC calls unknown and failed files done as well. An upload that "
        "ended is unknown: nothing proves that its file arrived.",
        "transfers",
        _TRANSFER,
        "node_id image direction state",
        enums={"state": TRANSFER_STATES, "direction": DIRECTIONS},
    ),
    gauge(
        "dbc_image_transfer_progress_ratio",
        "Progress of an image transfer, 0 to 1. Absent while the state is unknown.",
        "transfers",
        _TRANSFER,
        "node_id image direction",
        enums={"direction": DIRECTIONS},
        unit="ratio",
    ),
)
