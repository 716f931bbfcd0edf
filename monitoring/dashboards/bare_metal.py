"""Bare-metal managers and their servers."""

from __future__ import annotations

from monitoring.dashboards.frame import Page, Row, node_variable
from monitoring.dashboards.panels import (
    ANY_IS_BAD,
    ANY_IS_ODD,
    NO_IS_GOOD,
    YES_NO,
    Column,
    Query,
    lines,
    number,
    rows,
    states,
)
from monitoring.dashboards.selectors import events, m, named

MANAGER = "~$manager"
SERVERS = m("dbc_target_info", kind="bare_metal_server", manager_id=MANAGER)
MANAGERS = m("dbc_target_info", kind="bare_metal_manager", node_id=MANAGER)
POWER = "dbc_bare_metal_power_state"
REACHABLE = m("dbc_bare_metal_bmc_reachable", manager_id=MANAGER)

STATE = Row(
    "Now",
    [
        number(
            "Servers on",
            "Servers whose chassis is on.",
            f"sum({m(POWER, manager_id=MANAGER, state='on')})",
        ),
        number(
            "Servers off",
            "Servers whose chassis is off; that may be as it should be.",
            f"sum({m(POWER, manager_id=MANAGER, state='off')})",
        ),
        number(
            "Power unknown",
            "Servers of which nobody can tell: the BMC failed, or its answer was neither on nor off.",
            f"sum({m(POWER, manager_id=MANAGER, state='unknown')})",
            steps=ANY_IS_ODD,
        ),
        number(
            "Off, wanted on",
            "Servers that are off although their desired state is on.",
            f"sum({m(POWER, manager_id=MANAGER, state='off')} and on (job, instance, node_id) "
            f"{m('dbc_target_info', kind='bare_metal_server', desired_state='on')})",
            steps=ANY_IS_BAD,
            none="none wanted on",
        ),
        number(
            "BMCs unreachable",
            "Servers whose BMC failed to answer its manager; the server itself may be well.",
            f"sum(1 - {REACHABLE})",
            steps=ANY_IS_ODD,
        ),
        number(
            "Lists full",
            "Managers that list their maximum of 51 servers: configure the others by id.",
            f"sum({m('dbc_bare_metal_list_full', node_id=MANAGER)})",
            steps=ANY_IS_ODD,
        ),
        rows(
            "Managers",
            "Every manager, whether it answers, and what it lists. Your own labels are columns of their own.",
            Column(f"max without (job, instance, manager_id, desired_state) ({MANAGERS})"),
            Column(
                f"max by (node_id) ({m('dbc_node_up', node_id=MANAGER)} and on (node_id) {MANAGERS})",
                "Answers",
                words=YES_NO,
            ),
            Column(
                f"max by (node_id) ({m('dbc_node_visible', node_id=MANAGER)} and on (node_id) {MANAGERS})",
                "Listed",
                words=YES_NO,
            ),
            Column(f"max by (node_id) ({m('dbc_bare_metal_servers', node_id=MANAGER)})", "Servers", "short"),
            Column(
                f"max by (node_id) ({m('dbc_bare_metal_list_full', node_id=MANAGER)})",
                "List full",
                words=NO_IS_GOOD,
            ),
            Column(
                "time() - max by (node_id) ("
                + m("dbc_collector_last_success_timestamp_seconds", node_id=MANAGER, collector="bare_metal")
                + ")",
                "Last list before",
                "s",
            ),
            labels={"node_id": "Manager id"},
            hidden=("kind",),
            height=6,
        ),
        rows(
            "Servers",
            "Every server with its texts, power and BMC.",
            Column(f"max by (node_id, manager_id, desired_state) ({SERVERS})"),
            Column(
                "max by (node_id, uuid, os, description) ("
                + m("dbc_bare_metal_server_info", manager_id=MANAGER)
                + ")"
            ),
            Column(f"max by (node_id, state) ({m(POWER, manager_id=MANAGER)} == 1)"),
            Column(f"max by (node_id) ({REACHABLE})", "BMC reachable", words=YES_NO),
            labels={
                "uuid": "Server",
                "description": "Description",
                "os": "System",
                "state": "Power",
                "desired_state": "Desired state",
                "node_id": "Server id",
                "manager_id": "Manager id",
            },
            height=10,
        ),
    ],
)

HISTORY = Row(
    "Over time",
    [
        lines(
            "Power",
            "Servers by chassis power.",
            Query(f"sum by (state) ({m(POWER, manager_id=MANAGER)})", "{{state}}"),
            stacked=True,
        ),
        lines(
            "Failed looks at power",
            "Polls of servers' power and of managers' lists that failed, by reason, in each five minutes. A dead BMC "
            "keeps its whole manager busy for ten seconds at each look.",
            Query(
                events("dbc_collector_failures_total", "collector, reason", collector="~bare_metal|power"),
                "{{collector}}: {{reason}}",
            ),
            stacked=True,
        ),
        states(
            "BMCs",
            "Whether each server's BMC answered its manager, the twenty worst of the time shown.",
            Query(
                f"max by (node_id) ({REACHABLE}) and bottomk(20, "
                f"avg by (node_id) (avg_over_time({m('dbc_bare_metal_bmc_reachable', '$__range', manager_id=MANAGER)} @ end())))",
                "{{node_id}}",
            ),
            words=YES_NO,
            height=9,
        ),
        lines(
            "Servers listed",
            "Servers that each manager lists, 51 at most.",
            Query(named(f"max by (node_id) ({m('dbc_bare_metal_servers', node_id=MANAGER)})"), "{{name}}"),
            width=24,
            height=6,
        ),
    ],
)

PAGE = Page(
    "dbc-bare-metal",
    "DBC / Bare metal",
    "Bare-metal managers and servers: chassis power, BMCs, lists.",
    (STATE, HISTORY),
    variables=(node_variable("bare_metal_manager", "Manager", multi=True, name="manager"),),
)
