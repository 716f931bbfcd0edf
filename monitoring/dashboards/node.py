"""One compute node."""

from __future__ import annotations

from monitoring.dashboards.frame import Page, Row, node_variable
from monitoring.dashboards.panels import (
    ANY_IS_BAD,
    EITHER,
    NO_IS_GOOD,
    YES_NO,
    Column,
    Link,
    Query,
    alarm,
    lines,
    number,
    rows,
)
from monitoring.dashboards.selectors import events, m

NODE = "$node"


def _of(name: str) -> str:
    return m(name, node_id=NODE)


STATE = Row(
    "State",
    [
        number(
            "Answers",
            "Whether the node itself answered lately. Unknown while no healthy client can ask it.",
            f"max({_of('dbc_node_up')})",
            words=YES_NO,
            width=3,
        ),
        number(
            "Listed",
            "Whether a DBC client lists the node; it stays listed for about five minutes after it died.",
            f"max({_of('dbc_node_visible')})",
            words=YES_NO,
            width=3,
        ),
        number(
            "Suspect",
            "Whether the node failed to answer and is asked apart from the others, ever more rarely.",
            f"max({_of('dbc_node_suspect')})",
            words=NO_IS_GOOD,
            width=3,
        ),
        number(
            "Rented",
            "Whether a live rent order of ours is known for the node.",
            f"max({_of('dbc_node_order_live')})",
            words=EITHER,
            width=3,
        ),
        number(
            "Task list readable",
            "Whether the list of virtual machines could be read. Free text in it can break the node's answer.",
            f"max({_of('dbc_node_tasks_parsable')})",
            words=YES_NO,
            width=3,
        ),
        number(
            "GPUs",
            "GPUs the node counted when its daemon started.",
            f"max({_of('dbc_node_gpus')})",
            width=3,
        ),
        number(
            "GPUs missing",
            "GPUs expected in the node that it does not count.",
            f"max(clamp_min({_of('dbc_target_expected_gpus')} - {_of('dbc_node_gpus')}, 0))",
            steps=ANY_IS_BAD,
            width=3,
            none="none expected",
        ),
        number(
            "In the inventory",
            "Whether the node is a target; after it left the inventory its last words stay for a while.",
            f"max({_of('dbc_target_present')})",
            words=YES_NO,
            width=3,
        ),
        rows(
            "Who it is",
            "Name, version and texts of the node, and your own labels.",
            Column(f"max without (job, instance, manager_id) ({_of('dbc_target_info')})"),
            Column(f"max by (node_id, name) ({_of('dbc_node_listed_info')})"),
            Column(f"max by (node_id, version, os, cpu_model) ({_of('dbc_node_info')})"),
            labels={
                "name": "Node",
                "version": "Version",
                "os": "System",
                "cpu_model": "CPU model",
                "desired_state": "Desired state",
                "node_id": "Node id",
            },
            hidden=("kind",),
            height=4,
        ),
        rows(
            "Hardware",
            "What the node states about itself. DBC hides 32 GiB of the memory for the host.",
            Column(f"max by (node_id) ({_of('dbc_node_cpu_sockets')})", "CPUs", "short"),
            Column(f"max by (node_id) ({_of('dbc_node_cpu_cores')})", "Cores", "short"),
            Column(f"max by (node_id) ({_of('dbc_node_cpu_frequency_hertz')})", "CPU frequency", "hertz"),
            Column(f"max by (node_id) ({_of('dbc_node_memory_size_bytes')})", "Memory", "bytes"),
            Column(f"max by (node_id) ({_of('dbc_node_system_disk_size_bytes')})", "System disk", "bytes"),
            Column(f"max by (node_id) ({_of('dbc_node_base_images')})", "Base images", "short"),
            labels={"node_id": "Node id"},
            height=4,
        ),
    ],
)

LOAD = Row(
    "Load",
    [
        lines(
            "CPU",
            "Used share of the node's CPU time.",
            Query(f"max({_of('dbc_node_cpu_usage_ratio')})", "used"),
            unit="percentunit",
            steps=alarm("node_cpu_usage_ratio"),
            full=1,
            width=8,
        ),
        lines(
            "Memory",
            "Memory of the node. Page cache does not count as free, so little of it free is normal.",
            Query(f"max({_of('dbc_node_memory_size_bytes')})", "size"),
            Query(f"max({_of('dbc_node_memory_free_bytes')})", "free"),
            unit="bytes",
            width=8,
        ),
        lines(
            "Memory used",
            "Used share of the node's memory; page cache counts as used, so 90 % and more is normal.",
            Query(f"max({_of('dbc_node_memory_usage_ratio')})", "used"),
            unit="percentunit",
            full=1,
            width=8,
        ),
        lines(
            "Disks",
            "Used share of each data disk.",
            Query(f"max by (disk) ({_of('dbc_node_disk_usage_ratio')})", "{{disk}}"),
            unit="percentunit",
            steps=alarm("node_disk_usage_ratio"),
            full=1,
            width=8,
        ),
        rows(
            "Data disks",
            "Data disks by mount path. The medium is DBC's guess: SSD when it cannot tell.",
            Column(f"max by (disk, medium) ({_of('dbc_node_disk_info')})"),
            Column(f"max by (disk) ({_of('dbc_node_disk_size_bytes')})", "Size", "bytes"),
            Column(f"max by (disk) ({_of('dbc_node_disk_free_bytes')})", "Free", "bytes"),
            Column(
                f"max by (disk) ({_of('dbc_node_disk_usage_ratio')})",
                "Used",
                "percentunit",
                alarm("node_disk_usage_ratio"),
            ),
            labels={"disk": "Disk", "medium": "Medium"},
            width=8,
            height=8,
        ),
        lines(
            "GPUs in virtual machines",
            "GPUs the node counts, and how many of them are given to virtual machines.",
            Query(f"max({_of('dbc_node_gpus')})", "all"),
            Query(f"max({_of('dbc_node_gpus_used')})", "given to VMs"),
            width=8,
        ),
    ],
)

RENTED = Row(
    "What runs here",
    [
        lines(
            "Virtual machines",
            "Virtual machines on the node by state, as DBC says it.",
            Query(f"max by (state) ({_of('dbc_node_tasks')}) > 0", "{{state}}"),
            stacked=True,
            width=8,
        ),
        lines(
            "Rent orders",
            "Rent orders in the node's cache by status; it holds 51 at most and keeps expired ones for a while.",
            Query(f"max by (status) ({_of('dbc_node_rent_orders')})", "{{status}}"),
            stacked=True,
            width=8,
        ),
        rows(
            "Images",
            "Image files on the node.",
            Column(f"max by (image) ({_of('dbc_image_size_bytes')})", "Size", "bytes"),
            labels={"image": "Image"},
            width=8,
            height=8,
        ),
        rows(
            "Virtual machines here",
            "Every virtual machine of ours on the node with its state.",
            Column(f"max by (node_id, task_id, state) ({_of('dbc_vm_state')} == 1)"),
            Column(f"max by (node_id, task_id, description, rent_order) ({_of('dbc_vm_info')})"),
            Column(f"max by (node_id, task_id) ({_of('dbc_vm_gpus')})", "GPUs", "short"),
            labels={
                "task_id": "Task id",
                "state": "State",
                "description": "Description",
                "rent_order": "Rent order",
                "node_id": "Node id",
            },
            link=Link("Task id", "dbc-vm", "This virtual machine", (("node", "Node id"), ("vm", "Task id"))),
            height=7,
        ),
    ],
)

FRESHNESS = Row(
    "How fresh this is",
    [
        rows(
            "Collectors",
            "How old the values of each collector are. Three intervals after the last success they are withdrawn. A "
            "reason says why a collector cannot work here; that is no failure.",
            Column(
                f"time() - max by (collector) ({_of('dbc_collector_last_success_timestamp_seconds')})",
                "Last success before",
                "s",
            ),
            Column(
                f"time() - max by (collector) ({_of('dbc_collector_last_attempt_timestamp_seconds')})",
                "Last attempt before",
                "s",
            ),
            Column(f"max by (collector) ({_of('dbc_collector_interval_seconds')})", "Interval", "s"),
            Column(f"max by (collector, reason) ({_of('dbc_collector_unavailable')})"),
            labels={"collector": "Collector", "reason": "Not possible because of"},
            width=12,
        ),
        lines(
            "Failed polls",
            "Polls of the node that failed, by reason, in each five minutes.",
            Query(
                events("dbc_collector_failures_total", "collector, reason", node_id=NODE),
                "{{collector}}: {{reason}}",
            ),
            stacked=True,
            width=12,
            height=10,
        ),
    ],
)

PAGE = Page(
    "dbc-node",
    "DBC / Node",
    "One compute node: whether it answers, its load and disks, its virtual machines, and how fresh all that is.",
    (STATE, LOAD, RENTED, FRESHNESS),
    variables=(node_variable("compute", "Node"),),
)
