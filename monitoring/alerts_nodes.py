"""Compute nodes: for whoever can walk, or log in, to the machine.

A node's series are absent while no DBC client can be asked about it, so that client trouble raises none of these.
"""

from __future__ import annotations

from monitoring import links
from monitoring.alert import Alert, Group, Known, Record, Severity, events

NODE = "job, node_id"
LEFT = Known(NODE, "dbc_target_present == 0")
"""A target that left the inventory is nobody's business any more."""

COMPUTE = f'on ({NODE}) dbc_target_info{{kind="compute"}}'
DISK = f"{NODE}, disk"
GONE_DISK = f"(${{since}} unless on ({DISK}) dbc_node_disk_size_bytes) and on ({NODE}) dbc_node_info"
TIMEOUTS = Record(
    "node:dbc_collector_failures:timeouts1h",
    events(
        NODE,
        'dbc_collector_failures_total{collector=~"node|orders|images", reason=~"node_timeout|own_deadline"}',
        "1h",
    ),
)

MAJORITY = Record(
    "job_version:dbc_node_info:majority",
    """\
count by (job, version) (dbc_node_info{version!=""})
  / on (job) group_left () count by (job) (dbc_target_info{kind="compute"})
  > ${version_majority_ratio}""",
)
"""Of all nodes, readable or not: else the last one that can be read would be the fleet."""

COMPARABLE = f"and on (job) {MAJORITY.name}"


def _firing(alert: str) -> str:
    """Select the series of an alert that fires: a dead node is told once, by whichever alert sees it first."""
    return f'ALERTS{{alertname="{alert}", alertstate="firing"}}'


PRESENCE = (
    Alert(
        "DbcNodeNotVisible",
        Severity.PAGE,
        ids=NODE,
        record="node:dbc_node_visible:missing",
        when=f"""\
max by ({NODE}) (dbc_node_visible) == 0
and {COMPUTE}
unless on ({NODE}) {_firing("DbcNodeUnreachable")}""",
        known=(Known(NODE, "dbc_node_visible"), LEFT),
        page=links.NODE,
        summary="A node is not in the DBC network.",
        description="No DBC client lists node {{ $labels.node_id }}: its machine, its network or its DBC daemon is down.",
        paced="client",
    ),
    Alert(
        "DbcNodeUnreachable",
        Severity.PAGE,
        ids=NODE,
        record="node:dbc_node_up:silent",
        when=f"""\
(
  max by ({NODE}) (dbc_node_up) == 0
  or
  max by ({NODE}) (dbc_node_visible) == 0
  and on ({NODE}) {_firing("DbcNodeUnreachable")}
)
and {COMPUTE}
unless on ({NODE}) {_firing("DbcNodeNotVisible")}""",
        known=(Known(NODE, "dbc_node_up"), LEFT),
        page=links.NODE,
        summary="A node does not answer.",
        description="Node {{ $labels.node_id }} answers no request that a healthy client passes on to it.",
        paced="node",
    ),
    Alert(
        "DbcNodeSlow",
        Severity.TICKET,
        ids=NODE,
        record="node:dbc_collector_failures:slow",
        when=f"""\
{TIMEOUTS.name} > ${{node_timeouts}}
and on ({NODE}) dbc_node_up == 1
and {COMPUTE}
unless on (job) (
  count by (job) ({TIMEOUTS.name} > ${{node_timeouts}})
    > clamp_min(${{slow_nodes_ratio}} * count by (job) (dbc_node_up), 2)
)""",
        known=(Known(NODE, "dbc_node_up"), LEFT),
        page=links.NODE,
        summary="A node often fails to answer in time.",
        description="Node {{ $labels.node_id }} left {{ $value | humanize }} requests of the last hour unanswered, and answers others.",
        paced="node",
    ),
)

RESOURCES = (
    Alert(
        "DbcNodeCpuShort",
        Severity.INFO,
        ids=NODE,
        record="node:dbc_node_cpu_usage_ratio:short",
        when=f"max by ({NODE}) (dbc_node_cpu_usage_ratio) > ${{node_cpu_usage_ratio}}",
        known=(Known(NODE, "dbc_node_cpu_usage_ratio"), LEFT),
        page=links.NODE,
        summary="A node's CPU is busy all the time.",
        description="Node {{ $labels.node_id }} uses {{ $value | humanizePercentage }} of its CPU time.",
        paced="node",
    ),
    Alert(
        "DbcNodeMemoryShort",
        Severity.TICKET,
        ids=NODE,
        record="node:dbc_node_memory_usage_ratio:short",
        when=f"""\
max by ({NODE}) (dbc_node_memory_usage_ratio) > ${{node_memory_usage_ratio}}
and on ({NODE}) {TIMEOUTS.name} > 0""",
        known=(Known(NODE, "dbc_node_memory_usage_ratio"), LEFT),
        page=links.NODE,
        summary="A node's memory is full, and it fails to answer at times.",
        description="Node {{ $labels.node_id }} uses {{ $value | humanizePercentage }} of its memory, and left requests of the last "
        "hour unanswered. Full memory alone is normal: page cache counts as used.",
        paced="node",
    ),
    Alert(
        "DbcNodeDiskShort",
        Severity.TICKET,
        ids=DISK,
        record="node_disk:dbc_node_disk_usage_ratio:short",
        when=f"max by ({DISK}) (dbc_node_disk_usage_ratio) > ${{node_disk_usage_ratio}}",
        known=(Known(DISK, "dbc_node_disk_usage_ratio"), Known(DISK, GONE_DISK), LEFT),
        page=links.NODE,
        summary="A node's data disk is nearly full.",
        description="Disk {{ $labels.disk }} of node {{ $labels.node_id }} is {{ $value | humanizePercentage }} full.",
        paced="node",
    ),
    Alert(
        "DbcNodeGpusMissing",
        Severity.PAGE,
        ids=NODE,
        record="node:dbc_node_gpus:missing",
        when=f"max by ({NODE}) (dbc_target_expected_gpus) - on ({NODE}) max by ({NODE}) (dbc_node_gpus) > 0",
        known=(Known(NODE, "dbc_node_gpus"), LEFT),
        page=links.NODE,
        summary="A node has fewer GPUs than expected.",
        description="Node {{ $labels.node_id }} misses {{ $value }} GPU(s). Let nobody restart its VMs: they would lose them for good.",
        paced="node",
    ),
    Alert(
        "DbcNodeVersionDiffers",
        Severity.INFO,
        ids=f"{NODE}, version",
        record="node_version:dbc_node_info:differs",
        when=f"""\
max by ({NODE}, version) (dbc_node_info{{version!=""}})
unless on (job, version) job_version:dbc_node_info:majority
and on (job) job_version:dbc_node_info:majority""",
        known=(Known(NODE, f"dbc_node_info {COMPARABLE}"), LEFT),
        page=links.NODE,
        summary="A node runs another version of DBC than most of the fleet.",
        description="Node {{ $labels.node_id }} runs version {{ $labels.version }}, most nodes another one.",
        paced="node",
    ),
)

GROUP = Group(
    "dbc-nodes", "for whoever runs the compute nodes", (*PRESENCE, *RESOURCES), (MAJORITY, TIMEOUTS)
)
