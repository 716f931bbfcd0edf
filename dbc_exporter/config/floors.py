"""How often a collector may ask at most, and why: a DBC client and its nodes are easily hurt."""

from __future__ import annotations

FLOORS: dict[str, tuple[float, str]] = {
    "client": (5, "more often tells nothing new"),
    "node": (15, "a node answers one request at a time, 25 to 30 a second for everybody"),
    "orders": (60, "a node answers one request at a time, and orders change rarely"),
    "tasks": (60, "each authenticated call makes the node ask the chain twice"),
    "vms": (60, "each authenticated call makes the node ask the chain twice, and this one asks per VM"),
    "disks": (300, "each authenticated call makes the node ask the chain twice, and disks change rarely"),
    "snapshots": (
        300,
        "each authenticated call makes the node ask the chain twice, and snapshots change rarely",
    ),
    "images": (60, "a node answers one request at a time, and images change rarely"),
    "centre_images": (900, "the client's whole API stands still while it lists a centre"),
    "transfers": (15, "each authenticated call makes the node ask the chain twice"),
    "lan": (10, "networks change rarely"),
    "bare_metal": (60, "a manager answers one request at a time, and waits 10 s for each dead BMC"),
    "power": (30, "a manager answers one request at a time, and waits 10 s for each dead BMC"),
}
"""Shortest interval in seconds by collector, with the reason told to who wants less."""
