"""Which run notices which mutant. `python -m tests.simulation.search` finds runs for those that have none.

One that no run notices is in `REDUNDANT`, with the reason why nothing depends on its guard alone.
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
FEW = Size(nodes=9, vms=2, managers=1, servers=2)


def only(faults: int, hours: float = 6, wide_an_hour: float = 0.5, **mix: float) -> Plan:
    """Make a plan of few kinds of troubles."""
    return replace(SMALL, faults=faults, hours=hours, mix=mix, only=True, wide_an_hour=wide_an_hour)


PLANS: Mapping[str, Plan] = {
    "usual": Plan(drill=False),
    "approve": replace(SMALL, mode="approve"),
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
    "disk": replace(SMALL, mix={"disk_full": 60, "hang": 4}, wide_an_hour=3),
    "servers": replace(SMALL, mode="approve", mix={"server_dies": 6, "power_fails": 6}, wide_an_hour=0.2),
    "reboots": replace(SMALL, mix={"host_reboots": 12, "owner_stops": 6}, wide_an_hour=0.5),
    "few": replace(SMALL, size=FEW, mix={"hang": 5}, wide_an_hour=0.5),
    "hopeless": only(40, hang_for_good=60, hours=8),
    "nearly hopeless": only(40, hang_for_good=50, hang_again=10, hours=8),
    "again": only(24, hang_again=1, hours=16),
    "machines": only(30, all_of_a_machine_hang=1),
    "burst": only(12, four_hang_at_once=1),
    "evening": only(200, hang=1, hours=11),
    "lossy": only(200, bad_wire=60, hang=1.5, wide_an_hour=6),
    "swamp": only(220, hang=1),
    "swamp of few": replace(only(90, hang=1), size=FEW),
    "unheard": only(120, many_are_unheard_of=1, hang=0.2),
    "shrinking": only(150, inventory_shrinks=4, hang=2, wide_an_hour=6),
    "silence": only(150, alertmanager_dies=20, prometheus_dies=10, hang=2, wide_an_hour=5),
    "no watchdog": only(150, watchdog_is_lost=20, hang=2),
    "half dead": only(60, no_ping=1),
    "clients": only(200, client_dies=20, client_isolated=10, client_wedged=10, hang=2, wide_an_hour=8),
    "leases": only(200, ambush_lease_ends=40, hang=1),
    "hands": only(200, ambush_changes_hands=40, hang=1),
    "still": only(200, ambush_stands_still=40, hang=1),
    "dies": only(250, ambush_process_dies=12, hang=1.5, bad_wire=2, wide_an_hour=2),
    "rivals": only(250, rival_planner=60, hang=1.5),
    "rollback": only(100, journal_rolled_back=40, hang=1, wide_an_hour=3),
    "lost": only(250, ambush_daemon_restarts=60, hang=1.5, bad_wire=6, wide_an_hour=3),
    "done": only(200, done_and_forgotten=60, hang=1.5),
    "burnt": only(200, lost_and_burnt=60, hang=1.5),
    "long dead": only(100, node_dies_for_long_under_an_action=20, hang=1),
    "slow disk": only(200, disk_is_slow_after_the_yes=40, hang=1),
    "slow turn": only(200, poll_comes_before_the_action=40, hang=1),
    "chain and clocks": only(200, chain_silent=20, clock_steps=10, hang=3, wide_an_hour=6),
    "forgotten": only(60, alertmanager_forgets=20, hang=0.5, hours=10, wide_an_hour=0.35),
}

KILLERS: Mapping[str, tuple[str, int]] = {
    "gate journal": ("disk", 1),
    "gate kill_switch": ("usual", 1),
    "gate pause": ("crashes", 1),
    "gate hold_off": ("usual", 1),
    "gate breaker": ("hopeless", 1),
    "gate sight": ("shrinking", 1),
    "gate storm": ("approve", 1),
    "gate chain": ("chain", 1),
    "gate rule": ("usual", 2),
    "gate ladder": ("reboots", 3),
    "gate credential": ("usual", 1),
    "gate quarantine": ("lost", 1),
    "gate desired_state": ("usual", 1),
    "gate client": ("clients", 3),
    "gate node": ("usual", 2),
    "gate freshness": ("usual", 1),
    "gate evidence": ("usual", 2),
    "gate hold": ("usual", 1),
    "gate order": ("leases", 1),
    "gate host_cause": ("usual", 1),
    "gate gpus": ("usual", 1),
    "gate busy": ("usual", 1),
    "gate single_flight": ("machines", 1),
    "gate cooldown": ("hopeless", 1),
    "gate attempts": ("again", 1),
    "gate window": ("evening", 1),
    "gate concurrency": ("usual", 1),
    "gate budget": ("usual", 1),
    "gate mode": ("usual", 1),
    "hold quartered": ("usual", 1),
    "samples one less": ("usual", 1),
    "max_age four times": ("usual", 1),
    "cooldown quartered": ("hopeless", 1),
    "cooldown does not grow": ("nearly hopeless", 1),
    "attempts one more": ("usual", 1),
    "attempts_per_day one more": ("again", 1),
    "healthy_period quartered": ("words", 1),
    "node_settle quartered": ("wire", 1),
    "settle quartered": ("swamp", 1),
    "stable quartered": ("swamp", 1),
    "budget of the fleet in 10 min one more": ("usual", 1),
    "budget of the fleet in 1 h one more": ("people", 1),
    "budget of a node one more": ("machines", 1),
    "budget of a domain one more": ("words", 1),
    "budget of a client one more": ("swamp", 1),
    "concurrency of the fleet one more": ("burst", 1),
    "concurrency of a client one more": ("burst", 2),
    "storm share twice": ("swamp", 1),
    "storm least four times": ("swamp of few", 1),
    "storm count twice": ("storms", 1),
    "storm span quartered": ("storms", 1),
    "known share halved": ("unheard", 1),
    "shrunk share twice": ("shrinking", 1),
    "chain count twice": ("chain", 1),
    "hold_off quartered": ("usual", 1),
    "approval_ttl four times": ("approve", 1),
    "ambiguous_hold quartered": ("long dead", 1),
    "ambiguous_hold four times": ("long dead", 1),
    "breaker least twice": ("hopeless", 1),
    "breaker share raised": ("nearly hopeless", 1),
    "breaker ambiguous twice": ("done", 1),
    "breaker window quartered": ("hopeless", 1),
    "watchdog silence four times": ("no watchdog", 1),
    "alert expiry four times": ("forgotten", 1),
    "modes one step higher": ("approve", 1),
    "exceptions of rules left out": ("usual", 1),
    "neighbours vouched for": ("crashes", 1),
    "window all day": ("evening", 1),
    "one alert of two is enough": ("half dead", 1),
    "actuator: nobody is asked again": ("usual", 1),
    "actuator: no last look": ("usual", 2),
    "actuator: a last look never grows old": ("still", 1),
    "actuator: a yes never grows old": ("slow disk", 1),
    "actuator: asked before its turn": ("slow turn", 2),
    "actuator: not written ahead": ("usual", 1),
    "actuator: no canary": ("usual", 1),
    "actuator: sent once more after a deadline": ("usual", 5),
    "outcome: a deadline is a failure": ("wire", 4),
    "outcome: any words are a refusal": ("lossy", 2),
    "fence: the canary is not asked": ("done", 1),
    "fence: burns are not counted": ("burnt", 1),
    "fence: silence means never arrived": ("lossy", 2),
    "verify: words from before the send": ("usual", 1),
    "verify: silence is failure": ("silence", 1),
    "verify: nobody has to be alive": ("silence", 2),
    "webhook: late words of what is over": ("usual", 1),
    "webhook: every delivery is a sign of life": ("no watchdog", 1),
    "webhook: ends are lost while a target is away": ("shrinking", 1),
    "journal: no unique indexes": ("rivals", 1),
    "journal: what was being sent counts as unsent": ("dies", 1),
    "journal: what was being sent counts as lost": ("dies", 1),
    "journal: no mark": ("rollback", 1),
    "journal: no lock": ("usual", 1),
    "journal: any answer to a proposal": ("usual", 1),
    "journal: approvals are not used up": ("approve", 1),
    "planner: approvals of anything": ("approve", 1),
    "evidence: readings may be far apart": ("usual", 1),
    "evidence: unknown ends nothing": ("wire", 1),
    "evidence: nobody was ever away": ("usual", 1),
    "evidence: clocks may step": ("words", 1),
    "evidence: the chain's silence by the wall clock": ("chain and clocks", 4),
    "loop: storms and blindness leave no trace": ("approve", 2),
    "loop: the end of a pause leaves no trace": ("usual", 1),
    "loop: the kill file is not looked for": ("people", 1),
    "loop: the breaker never trips": ("hopeless", 1),
    "loop: outcomes nobody knows are told late": ("lost", 2),
    "loop: outcomes nobody knows are forgotten": ("lost", 1),
}
REDUNDANT: Mapping[str, str] = {
    "actuator: other people's VMs": "the read of the VM's details, which follows, finds no VM of somebody else either"
    " (test_actuator_in_a_world.py)",
}
