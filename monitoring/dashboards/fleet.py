"""Fleet overview: what needs a person now, then what there is."""

from __future__ import annotations

from monitoring.dashboards.frame import Page, Row
from monitoring.dashboards.panels import (
    ANY_IS_BAD,
    ANY_IS_ODD,
    EITHER,
    NO_IS_GOOD,
    STALE_INTERVALS,
    YES_NO,
    Column,
    Link,
    Query,
    alarm,
    lines,
    number,
    rows,
)
from monitoring.dashboards.selectors import m

PRESENT = f"{m('dbc_target_present')} == 1"
FIRING = 'ALERTS{alertname=~"Dbc.+", alertstate="firing", severity=~"page|ticket|info"}'
PAGING = 'ALERTS{alertname=~"Dbc.+", alertstate="firing", severity="page"}'
SWITCH = (
    'ALERTS{alertname="DbcDeadMansSwitch", alertstate="firing"}'  # always fires where our rules are loaded
)
COMPUTE = m("dbc_target_info", kind="compute")
HOSTS = f"unless on (job, instance, node_id) {m('dbc_target_info', kind='bare_metal_server')}"
"""Leaves servers out: what is said of their answers is their manager's, which would count once for each of them."""
WANTED_RUNNING = m("dbc_target_info", desired_state="running")
WANTED_ON = m("dbc_target_info", desired_state="on")
STALE = (
    f"time() - {m('dbc_collector_last_success_timestamp_seconds')} > bool {STALE_INTERVALS} * {m('dbc_collector_interval_seconds')} "
    f"unless on (job, instance, client, node_id, collector) {m('dbc_collector_unavailable')}"
)

NEEDS = Row(
    "What needs me now",
    [
        number(
            "Alerts that page",
            "Firing alerts about which a person must do something now.",
            f"count({PAGING}) or 0 * max({SWITCH})",
            steps=ANY_IS_BAD,
            none="no rules",
        ),
        number(
            "Clients in trouble",
            "DBC clients that are not usable: unreachable, isolated, wedged, at their ceiling or answering badly. "
            "Nodes behind them become unknown, not down.",
            f"sum(1 - {m('dbc_client_state', state='ok')})",
            steps=ANY_IS_BAD,
        ),
        number(
            "Nodes silent",
            "Nodes and managers that did not answer although a healthy client asked them.",
            f"sum(1 - {m('dbc_node_up')} {HOSTS})",
            steps=ANY_IS_BAD,
        ),
        number(
            "Nodes not listed",
            "Nodes that no client lists, and managers that no client knows. A dead node stays listed for about five minutes.",
            f"sum(1 - {m('dbc_node_visible')} {HOSTS})",
            steps=ANY_IS_BAD,
        ),
        number(
            "Machines unknown",
            "Targets about which nobody can tell whether they answer.",
            f"count({PRESENT}) - (count({PRESENT} and on (job, instance, node_id) {m('dbc_node_up')}) "
            f"or 0 * count({PRESENT}))",
            steps=ANY_IS_ODD,
        ),
        number(
            "GPUs missing",
            "GPUs that are expected in a node and that the node does not count. DBC counts when its daemon starts: a "
            "card that fell out since then is not seen here.",
            f"sum(clamp_min({m('dbc_target_expected_gpus')} - {m('dbc_node_gpus')}, 0))",
            steps=ANY_IS_BAD,
        ),
        number(
            "VMs in error",
            "Virtual machines in one of DBC's error states.",
            f"sum({m('dbc_vm_state', state='~.*error')})",
            steps=ANY_IS_BAD,
        ),
        number(
            "VMs stopped",
            "Virtual machines that are closed on nodes whose desired state is running.",
            f"sum({m('dbc_vm_state', state='closed')} and on (job, instance, node_id) {WANTED_RUNNING})",
            steps=ANY_IS_BAD,
        ),
        number(
            "Lists unreadable",
            "Nodes whose task list cannot be read; their known VMs are asked one by one.",
            f"sum(1 - {m('dbc_node_tasks_parsable')})",
            steps=ANY_IS_ODD,
        ),
        number(
            "Servers off, wanted on",
            "Bare-metal servers whose chassis is off although their desired state is on.",
            f"sum({m('dbc_bare_metal_power_state', state='off')} and on (job, instance, node_id) {WANTED_ON})",
            steps=ANY_IS_BAD,
            none="none wanted on",
        ),
        number(
            "BMCs unreachable",
            "Bare-metal servers whose BMC does not answer its manager; the server itself may be well.",
            f"sum(1 - {m('dbc_bare_metal_bmc_reachable')})",
            steps=ANY_IS_ODD,
        ),
        number(
            "Polls overdue",
            "Collectors whose last success is more than three of their intervals ago; what they read is withdrawn then.",
            f"sum({STALE})",
            steps=ANY_IS_ODD,
        ),
        rows(
            "Firing alerts",
            "Every alert of dbc-exporter's rules that fires, with whom it is about.",
            Column(
                f"count by (alertname, severity, client, node_id, task_id, collector) ({FIRING})",
                "Alerts",
                "short",
            ),
            labels={
                "alertname": "Alert",
                "severity": "Severity",
                "client": "Client",
                "node_id": "Node id",
                "task_id": "Task id",
                "collector": "Collector",
            },
            link=Link("Node id", "dbc-node", "This node", (("node", "Node id"),)),
            height=7,
        ),
    ],
)

CLIENTS = Row(
    "DBC clients",
    [
        rows(
            "Clients",
            "Every DBC client, what it is good for and what it sees.",
            Column(f"max by (client, version) ({m('dbc_client_info')})"),
            Column(f"max by (client) ({m('dbc_client_up')})", "Answers", words=YES_NO),
            Column(f"max by (client) ({m('dbc_client_state', state='ok')})", "Usable", words=YES_NO),
            Column(f"max by (client) ({m('dbc_client_visible_nodes')})", "Nodes", "short"),
            Column(f"max by (client) ({m('dbc_client_visible_bare_metal_servers')})", "Bare metal", "short"),
            Column(f"max by (client) ({m('dbc_client_peers', scope='active')})", "Active peers", "short"),
            Column(f"max by (client) ({m('dbc_lan_networks')})", "LAN networks", "short"),
            labels={"client": "Client", "version": "Version"},
            width=16,
            height=7,
        ),
        lines(
            "LAN network members",
            "Members of each LAN network (VXLAN) that the clients know.",
            Query(f"max by (vni) ({m('dbc_lan_network_members')})", "{{vni}}"),
            width=8,
            height=7,
        ),
    ],
)

FLEET = Row(
    "The fleet",
    [
        lines(
            "Targets",
            "Targets in the inventory by kind.",
            Query(f"sum by (kind) ({m('dbc_exporter_targets')})", "{{kind}}"),
            stacked=True,
            width=8,
        ),
        lines(
            "Machines",
            "Nodes and managers by what is known of them. What is neither answering nor silent is unknown.",
            Query(f"sum({m('dbc_node_up')} {HOSTS})", "answering"),
            Query(f"sum(1 - {m('dbc_node_up')} {HOSTS})", "silent"),
            Query(f"sum({m('dbc_node_suspect')} {HOSTS})", "suspect"),
            Query(f"sum({m('dbc_node_visible')} {HOSTS})", "listed"),
            width=8,
        ),
        lines(
            "GPUs",
            "GPUs of all nodes, and how many of them are given to virtual machines.",
            Query(f"sum({m('dbc_node_gpus')})", "all"),
            Query(f"sum({m('dbc_node_gpus_used')})", "given to VMs"),
            Query(f"sum({m('dbc_target_expected_gpus')})", "expected"),
            width=8,
        ),
        lines(
            "Virtual machines",
            "Virtual machines by state, as DBC says it. DBC goes on saying running while a guest hangs.",
            Query(f"sum by (state) ({m('dbc_node_tasks')}) > 0", "{{state}}"),
            stacked=True,
            width=8,
        ),
        lines(
            "Rent orders",
            "Rent orders in the nodes' caches by status; expired ones stay for a while.",
            Query(f"sum by (status) ({m('dbc_node_rent_orders')})", "{{status}}"),
            stacked=True,
            width=8,
        ),
        lines(
            "Versions",
            "Machines by the version of DBC that a client lists for them.",
            Query(
                f"count by (version) (max by (node_id, version) ({m('dbc_node_listed_info')}))", "{{version}}"
            ),
            stacked=True,
            width=8,
        ),
    ],
)

NODES = Row(
    "Compute nodes",
    [
        rows(
            "Nodes",
            "Every compute node. An empty cell is unknown. Your own labels are columns of their own.",
            Column(f"max without (job, instance, manager_id) ({COMPUTE})"),
            Column(f"max by (node_id, name, version) ({m('dbc_node_listed_info')})"),
            Column(f"max by (node_id) ({m('dbc_node_up')})", "Answers", words=YES_NO),
            Column(f"max by (node_id) ({m('dbc_node_visible')})", "Listed", words=YES_NO),
            Column(f"max by (node_id) ({m('dbc_node_suspect')})", "Suspect", words=NO_IS_GOOD),
            Column(f"max by (node_id) ({m('dbc_node_order_live')})", "Rented", words=EITHER),
            Column(f"max by (node_id) ({m('dbc_target_expected_gpus')})", "GPUs expected", "short"),
            Column(f"max by (node_id) ({m('dbc_node_gpus')})", "GPUs", "short"),
            Column(f"max by (node_id) ({m('dbc_node_gpus_used')})", "GPUs in VMs", "short"),
            Column(
                f"max by (node_id) ({m('dbc_node_cpu_usage_ratio')})",
                "CPU",
                "percentunit",
                alarm("node_cpu_usage_ratio"),
            ),
            Column(f"max by (node_id) ({m('dbc_node_memory_usage_ratio')})", "Memory", "percentunit"),
            Column(
                f"max by (node_id) ({m('dbc_node_disk_usage_ratio')})",
                "Fullest disk",
                "percentunit",
                alarm("node_disk_usage_ratio"),
            ),
            labels={
                "name": "Node",
                "version": "Version",
                "desired_state": "Desired state",
                "node_id": "Node id",
            },
            hidden=("kind",),
            link=Link("Node", "dbc-node", "This node", (("node", "Node id"),)),
            height=14,
        ),
    ],
)

PAGE = Page(
    "dbc-fleet",
    "DBC / Fleet overview",
    "What needs a person now, and the state of all DBC clients, nodes, virtual machines and servers.",
    (NEEDS, CLIENTS, FLEET, NODES),
)
