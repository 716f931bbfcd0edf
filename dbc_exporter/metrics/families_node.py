"""Families about compute nodes: reachability, configuration, load, orders."""

from __future__ import annotations

from dbc_exporter.metrics.family import Family, gauge

RENT_STATUSES = ("renting", "waiting_verifying", "expired", "other")

_CONFIG = "/mining_nodes of one node"
_REACH = "the request gate"

FAMILIES: tuple[Family, ...] = (
    gauge(
        "dbc_node_visible",
        "Whether a DBC client lists the node (1) or not (0); a node stays listed for about five minutes after it "
        "dies. Absent while no healthy client can be asked.",
        "reachability",
        "/mining_nodes and /bare_metal without a peer",
        "node_id",
    ),
    gauge(
        "dbc_node_up",
        "Whether the node itself answered lately (1) or stayed silent towards a healthy client (0). A bare-metal server's "
        "is its manager's. Absent while unknown.",
        "reachability",
        _REACH,
        "node_id",
    ),
    gauge(
        "dbc_node_suspect",
        "Whether the node failed to answer and is asked apart from the others, with back-off (1), or not (0).",
        "reachability",
        _REACH,
        "node_id",
    ),
    gauge(
        "dbc_node_listed_info",
        "Name and version under which a DBC client lists the node, also after it left the list, value 1.",
        "reachability",
        "/mining_nodes and /bare_metal without a peer",
        "node_id name version",
    ),
    gauge(
        "dbc_node_info",
        "Texts about the node, value 1.",
        "node",
        _CONFIG,
        "node_id version os cpu_model",
    ),
    gauge("dbc_node_cpu_cores", "CPU cores of the node.", "node", _CONFIG, "node_id"),
    gauge("dbc_node_cpu_sockets", "Physical CPUs of the node.", "node", _CONFIG, "node_id"),
    gauge(
        "dbc_node_cpu_frequency_hertz",
        "CPU frequency the node states.",
        "node",
        _CONFIG,
        "node_id",
        unit="hertz",
    ),
    gauge(
        "dbc_node_cpu_usage_ratio",
        "Used share of the node's CPU time, 0 to 1.",
        "node",
        _CONFIG,
        "node_id",
        unit="ratio",
    ),
    gauge(
        "dbc_node_gpus",
        "GPUs of the node, counted when its daemon started: a card that fell out later is still counted.",
        "node",
        _CONFIG,
        "node_id",
    ),
    gauge("dbc_node_gpus_used", "GPUs given to virtual machines.", "node", _CONFIG, "node_id"),
    gauge(
        "dbc_node_memory_size_bytes",
        "Memory of the node; DBC hides 32 GiB of it for the host.",
        "node",
        _CONFIG,
        "node_id",
        unit="bytes",
    ),
    gauge(
        "dbc_node_memory_free_bytes",
        "Free memory of the node; page cache does not count as free, and 32 GiB are hidden.",
        "node",
        _CONFIG,
        "node_id",
        unit="bytes",
    ),
    gauge(
        "dbc_node_memory_usage_ratio",
        "Used share of the node's memory, 0 to 1; page cache counts as used, and 32 GiB are hidden.",
        "node",
        _CONFIG,
        "node_id",
        unit="ratio",
    ),
    gauge(
        "dbc_node_system_disk_size_bytes",
        "Size of the node's system disk.",
        "node",
        _CONFIG,
        "node_id",
        unit="bytes",
    ),
    gauge(
        "dbc_node_disk_info",
        "A data disk of the node by mount path, value 1; the medium is a guess of DBC: SSD when it cannot tell.",
        "node",
        _CONFIG,
        "node_id disk medium",
    ),
    gauge(
        "dbc_node_disk_size_bytes",
        "Size of a data disk of the node.",
        "node",
        _CONFIG,
        "node_id disk",
        unit="bytes",
    ),
    gauge(
        "dbc_node_disk_free_bytes",
        "Free space on a data disk of the node.",
        "node",
        _CONFIG,
        "node_id disk",
        unit="bytes",
    ),
    gauge(
        "dbc_node_disk_usage_ratio",
        "Used share of a data disk of the node, 0 to 1.",
        "node",
        _CONFIG,
        "node_id disk",
        unit="ratio",
    ),
    gauge(
        "dbc_node_base_images",
        "Base images the node's configuration names.",
        "node",
        _CONFIG,
        "node_id",
    ),
    gauge(
        "dbc_node_order_live",
        "Whether a live rent order of ours is known for the node (1) or none is (0). Absent while unknown.",
        "orders",
        "/rent_orders",
        "node_id",
    ),
    gauge(
        "dbc_node_rent_orders",
        "Rent orders in the node's cache by status; the cache holds 51 at most and keeps expired ones for a while.",
        "orders",
        "/rent_orders",
        "node_id status",
        enums={"status": RENT_STATUSES},
    ),
)
