"""Which run notices which mutant. `python -m tests.simulation.search` finds runs for those that have none.

A mutant that no run notices is in `REDUNDANT`, with the reason why nothing depends on its guard alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.simulation.run import Plan
from tests.simulation.town import Size

SMALL = Plan(hours=6, calm=1, faults=250, drill=False)
CRASHES = {
    "kill": 6,
    "bad_wire": 4,
    "ambush_process_dies": 20,
    "hang": 2,
    "daemon_restarts_under_an_action": 6,
}
WIRE = {"bad_wire": 20, "hang": 2, "daemon_restarts_under_an_action": 8, "kill": 0.3}
WORDS = {"deliveries_go_wrong": 6, "prometheus_dies": 3, "alertmanager_dies": 3, "old_delivery": 6, "flap": 4}
PEOPLE = {"kill_switch": 4, "pause_of_everything": 4, "pause_of_a_node": 4, "policy_changes": 6}
PEOPLE |= {f"ambush_{name}": 6 for name in ("paused", "quarantined", "killed_by_switch", "policy_off")}
SIGHT = {
    "inventory_shrinks": 6,
    "node_left_out": 6,
    "node_garbled": 6,
    "node_freezes": 4,
    "all_clients_die": 3,
}
WORST = {
    f"ambush_{name}": 8 for name in ("owner_stops", "lease_ends", "gpu_lost", "changes_hands", "stands_still")
}
HOPELESS = {"hang": 5.0, "hang_for_good": 60.0, "policy_changes": 0.5}
PLANS: Mapping[str, Plan] = {
    "usual": Plan(drill=False),
    "approve": Plan(mode="approve"),
    "shards": replace(SMALL, shards=2),
    "crashes": replace(SMALL, mix=CRASHES, wide_an_hour=5),
    "wire": replace(SMALL, mix=WIRE, wide_an_hour=4),
    "words": replace(SMALL, mix=WORDS, wide_an_hour=3),
    "people": replace(SMALL, mix=PEOPLE, wide_an_hour=4),
    "sight": replace(SMALL, mix=SIGHT, wide_an_hour=3),
    "worst": replace(SMALL, mix=WORST, wide_an_hour=1),
    "storms": replace(SMALL, mix={"site_fails": 30, "hang": 3}, wide_an_hour=3),
    "chain": replace(SMALL, mix={"chain_silent": 40, "hang": 3}, wide_an_hour=4),
    "clocks": replace(SMALL, mix={"clock_steps": 20, "alerts_truncated": 20, "hang": 3}, wide_an_hour=5),
    "calm": replace(SMALL, mix={"hang": 5}, wide_an_hour=0.1),
    "hopeless": replace(SMALL, hours=8, calm=1, faults=40, mix=HOPELESS, only=True, drill=False),
    "disk": Plan(mix={"disk_full": 60, "hang": 4}, wide_an_hour=3),
    "servers": replace(SMALL, mode="approve", mix={"server_dies": 6, "power_fails": 6}, wide_an_hour=0.2),
    "reboots": replace(SMALL, mix={"host_reboots": 12, "owner_stops": 6}, wide_an_hour=0.5),
    "few": replace(
        SMALL, size=Size(nodes=9, vms=2, managers=1, servers=2), mix={"hang": 5}, wide_an_hour=0.5
    ),
}

KILLERS: Mapping[str, tuple[str, int]] = {}
REDUNDANT: Mapping[str, str] = {}
