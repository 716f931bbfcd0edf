"""Virtual machines and who rents them."""

from __future__ import annotations

from monitoring.dashboards.frame import Page, Row, node_variable, query_variable
from monitoring.dashboards.panels import (
    EITHER,
    PRESENT,
    Column,
    Link,
    Query,
    lines,
    number,
    rows,
    states,
)
from monitoring.dashboards.selectors import m

NODE, VM = "$node", "$vm"


def _of(name: str, **labels: str) -> str:
    return m(name, node_id=NODE, task_id=VM, **labels)


MACHINE = Row(
    "The virtual machine",
    [
        states(
            "State",
            "State over time, as DBC says it: it goes on saying running while the node's libvirt is dead or the guest "
            "hangs. Gaps: nobody could tell, or the answer is too old.",
            Query(f"max by (state) ({_of('dbc_vm_state')} == 1)", "{{state}}"),
            words=PRESENT,
        ),
        number("GPUs", "GPUs of the virtual machine.", f"max({_of('dbc_vm_gpus')})"),
        number("CPU cores", "CPU cores of the virtual machine.", f"max({_of('dbc_vm_cpu_cores')})"),
        number(
            "Memory", "Memory of the virtual machine.", f"max({_of('dbc_vm_memory_bytes')})", unit="bytes"
        ),
        number(
            "System disk",
            "Size of the virtual machine's system disk.",
            f"max({_of('dbc_vm_system_disk_bytes')})",
            unit="bytes",
        ),
        number(
            "Network interfaces",
            "Network interfaces of the virtual machine.",
            f"max({_of('dbc_vm_network_interfaces')})",
        ),
        number(
            "Age",
            "Time since the virtual machine was created. Unknown unless the nodes' time zone is configured.",
            f"time() - max({_of('dbc_vm_created_timestamp_seconds')})",
            unit="dtdurations",
        ),
        rows(
            "Texts",
            "Texts about the virtual machine. The creation time is the node's own clock without a time zone.",
            Column(
                f"max by (task_id, description, os, rent_order, created_local, node_id) ({_of('dbc_vm_info')})",
            ),
            labels={
                "task_id": "Task id",
                "description": "Description",
                "os": "System",
                "rent_order": "Rent order",
                "created_local": "Created",
                "node_id": "Node id",
            },
            height=4,
        ),
        rows(
            "Disks",
            "Disks as the machine's details list them, and as its libvirt definition lists them now.",
            Column(f"max by (disk) ({_of('dbc_vm_disk_size_bytes')})", "In its details", "bytes"),
            Column(f"max by (disk) ({_of('dbc_disk_size_bytes')})", "In libvirt", "bytes"),
            labels={"disk": "Disk"},
            width=8,
            height=8,
        ),
        number(
            "Snapshots",
            "Snapshots of the virtual machine.",
            f"max({_of('dbc_vm_snapshots')})",
            width=4,
            height=8,
        ),
        states(
            "Snapshots' states",
            "State of each snapshot; idle means that no work is going on.",
            Query(f"max by (snapshot, state) ({_of('dbc_snapshot_state')} == 1)", "{{snapshot}}: {{state}}"),
            words=PRESENT,
            width=12,
            height=8,
        ),
    ],
)

RENTER = Row(
    "Its renter and its neighbours",
    [
        number(
            "Node rented",
            "Whether a live rent order of ours is known for the node.",
            f"max({m('dbc_node_order_live', node_id=NODE)})",
            words=EITHER,
            height=8,
        ),
        lines(
            "Rent orders of the node",
            "Rent orders in the node's cache by status.",
            Query(f"max by (status) ({m('dbc_node_rent_orders', node_id=NODE)})", "{{status}}"),
            stacked=True,
            width=8,
        ),
        lines(
            "Virtual machines of the node",
            "Virtual machines of ours on the node by state.",
            Query(f"max by (state) ({m('dbc_node_tasks', node_id=NODE)}) > 0", "{{state}}"),
            stacked=True,
            width=12,
        ),
        rows(
            "All virtual machines",
            "Every virtual machine of the fleet with its rent order and state: sort or filter by a column.",
            Column(f"max by (node_id, task_id, description, rent_order) ({m('dbc_vm_info')})"),
            Column(f"max by (node_id, task_id, state) ({m('dbc_vm_state')} == 1)"),
            Column(f"max by (node_id, task_id) ({m('dbc_vm_gpus')})", "GPUs", "short"),
            Column(f"max by (node_id, task_id) ({m('dbc_vm_memory_bytes')})", "Memory", "bytes"),
            labels={
                "rent_order": "Rent order",
                "task_id": "Task id",
                "description": "Description",
                "state": "State",
                "node_id": "Node id",
            },
            link=Link("Task id", "dbc-vm", "This virtual machine", (("node", "Node id"), ("vm", "Task id"))),
            height=12,
        ),
    ],
)

PAGE = Page(
    "dbc-vm",
    "DBC / VM and renter",
    "One virtual machine: its state over time, its parts, its node's rent orders; and the list of all.",
    (MACHINE, RENTER),
    variables=(
        node_variable("compute", "Node"),
        query_variable(
            "vm",
            "Virtual machine",
            f"label_values({m('dbc_vm_state', node_id=NODE)}, task_id)",
            about="A task id of the node.",
        ),
    ),
)
