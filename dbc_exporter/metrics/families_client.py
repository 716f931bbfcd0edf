"""Families about DBC clients, LAN networks and bare metal."""

from __future__ import annotations

from dbc_exporter.dbc.errors import Reason
from dbc_exporter.facts import ClientState, PowerState
from dbc_exporter.metrics.family import Family, MetricType, gauge, ours

CLIENT_STATES = tuple(state.value for state in ClientState)
POWER_STATES = tuple(state.value for state in PowerState)
REASONS = tuple(reason.value for reason in Reason)
SCOPES = ("active", "global")

_LIST = "/bare_metal at a manager"
_POWER = "/bare_metal/<id> at a manager"

FAMILIES: tuple[Family, ...] = (
    gauge(
        "dbc_client_up",
        "Whether the DBC client answers HTTP (1) or not (0); dbc_client_state says what it is good for. Absent "
        "while unknown.",
        "client",
        "/api/v1/",
        "client",
    ),
    gauge("dbc_client_info", "Version of the DBC client, value 1.", "client", "/api/v1/", "client version"),
    gauge(
        "dbc_client_state",
        "What the DBC client is good for, 1 for the present state: ok, unreachable, isolated from its peers, wedged "
        "(needs a restart), ceiling (too many unanswered requests), troubled (bad answers), unknown.",
        "client",
        "the request gate",
        "client state",
        enums={"state": CLIENT_STATES},
    ),
    gauge(
        "dbc_client_visible_nodes",
        "Compute nodes the client lists; it lists a node for about five minutes after its death.",
        "client",
        "/mining_nodes without a peer",
        "client",
    ),
    gauge(
        "dbc_client_visible_bare_metal_servers",
        "Bare-metal servers the client lists.",
        "client",
        "/bare_metal without a peer",
        "client",
    ),
    gauge(
        "dbc_client_peers",
        "Peers the client lists, 50 at most; without active peers it can reach no node.",
        "client",
        "/peers/active, /peers/global",
        "client scope",
        enums={"scope": SCOPES},
    ),
    ours(
        "dbc_client_requests_total",
        "Requests sent to the DBC client by kind.",
        "exporter",
        "client kind",
        type_=MetricType.COUNTER,
    ),
    ours(
        "dbc_client_request_failures_total",
        "Requests to the DBC client that brought no facts, by kind and reason.",
        "exporter",
        "client kind reason",
        type_=MetricType.COUNTER,
        enums={"reason": REASONS},
    ),
    ours(
        "dbc_client_request_duration_seconds",
        "Time from sending a request to the DBC client to its answer.",
        "exporter",
        "client kind",
        type_=MetricType.HISTOGRAM,
        unit="seconds",
    ),
    ours("dbc_client_in_flight", "Requests waiting for an answer, by kind.", "exporter", "client kind"),
    ours(
        "dbc_client_in_flight_limit",
        "Requests of a kind that may wait for an answer at present.",
        "exporter",
        "client kind",
    ),
    ours(
        "dbc_client_pace_load_ratio",
        "Share of what may be in flight of a kind that the configured intervals need; over 1 the fleet is too large "
        "for its DBC clients, and intervals stretch.",
        "exporter",
        "client kind",
        unit="ratio",
    ),
    ours(
        "dbc_client_unanswered",
        "Requests never answered since the DBC client last started; each holds one of its 1,024 sessions.",
        "exporter",
        "client",
    ),
    ours(
        "dbc_client_unanswered_ceiling",
        "Unanswered requests at which nothing more is forwarded through the DBC client.",
        "exporter",
        "client",
    ),
    ours(
        "dbc_client_restarts_total",
        "Restarts of the DBC client that were noticed.",
        "exporter",
        "client",
        type_=MetricType.COUNTER,
    ),
    gauge(
        "dbc_lan_networks", "LAN networks (VXLAN) the client knows.", "lan", "/lan without a peer", "client"
    ),
    gauge(
        "dbc_lan_network_members",
        "Members of a LAN network by its VXLAN number.",
        "lan",
        "/lan without a peer",
        "client vni",
    ),
    gauge(
        "dbc_bare_metal_servers",
        "Bare-metal servers the manager (node_id) lists, 51 at most.",
        "bare_metal",
        _LIST,
        "node_id",
    ),
    gauge(
        "dbc_bare_metal_list_full",
        "Whether the manager's list holds its maximum of 51 servers (1), so that there may be more, or not (0).",
        "bare_metal",
        _LIST,
        "node_id",
    ),
    gauge(
        "dbc_bare_metal_server_info",
        "Texts about a bare-metal server, value 1.",
        "bare_metal",
        _LIST,
        "node_id manager_id uuid os description",
    ),
    gauge(
        "dbc_bare_metal_power_state",
        "Chassis power of a bare-metal server, 1 for the present state; anything but a clear on or off is unknown.",
        "power",
        _POWER,
        "node_id manager_id state",
        enums={"state": POWER_STATES},
    ),
    gauge(
        "dbc_bare_metal_bmc_reachable",
        "Whether the server's BMC answered its manager (1) or failed (0). Absent while nobody can tell.",
        "power",
        _POWER,
        "node_id manager_id",
    ),
)
