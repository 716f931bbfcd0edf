"""Bare metal: for whoever can reach the servers' power or their managers."""

from __future__ import annotations

from monitoring import links
from monitoring.alert import Alert, Group, Known, Severity
from monitoring.alerts_nodes import LEFT, NODE

GROUP = Group(
    "dbc-bare-metal",
    "for whoever runs bare-metal servers",
    (
        Alert(
            "DbcServerOff",
            Severity.PAGE,
            ids=NODE,
            record="server:dbc_bare_metal_power_state:off",
            when=f"""\
max by ({NODE}) (dbc_bare_metal_power_state{{state="off"}}) == 1
and on ({NODE}) dbc_target_info{{desired_state="on"}}""",
            known=(Known(NODE, 'dbc_bare_metal_power_state{state="unknown"} == 0'), LEFT),
            page=links.BARE_METAL,
            summary="A bare-metal server that should be on is off.",
            description="The power of server {{ $labels.node_id }} is off, and its desired state is on.",
            paced="power",
        ),
        Alert(
            "DbcServerBmcUnreachable",
            Severity.TICKET,
            ids=NODE,
            record="server:dbc_bare_metal_bmc_reachable:unreachable",
            when=f"max by ({NODE}) (dbc_bare_metal_bmc_reachable) == 0",
            known=(Known(NODE, "dbc_bare_metal_bmc_reachable"), LEFT),
            page=links.BARE_METAL,
            summary="A server's BMC does not answer its manager.",
            description="The BMC of server {{ $labels.node_id }} does not answer: its power is unknown and cannot be switched.",
            paced="power",
        ),
        Alert(
            "DbcManagerDeaf",
            Severity.TICKET,
            ids=NODE,
            record="manager:dbc_node_up:deaf",
            when=f"""\
(max by ({NODE}) (dbc_node_up) == 0 or max by ({NODE}) (dbc_node_visible) == 0)
and on ({NODE}) dbc_target_info{{kind="bare_metal_manager"}}""",
            known=(Known(NODE, "dbc_node_up == 1"), LEFT),
            page=links.BARE_METAL,
            summary="A bare-metal manager does not answer.",
            description="Manager {{ $labels.node_id }} does not answer: the power of its servers is unknown and cannot be switched.",
            paced="bare_metal",
        ),
    ),
)
