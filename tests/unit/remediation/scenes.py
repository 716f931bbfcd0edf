"""Sick subjects that are allowed everything, for tests to take one thing away from."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.model import (
    Action,
    Alert,
    Decision,
    Fence,
    Fleet,
    Intent,
    IntentState,
    Problem,
    Result,
    Sight,
    Snapshot,
    Subject,
    View,
)
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.targets import DesiredState

NOW = 1_000_000.0
WALL = 1_795_000_000.0
NODE, OTHER_NODE, SERVER, MANAGER = "a" * 64, "b" * 64, "c" * 64, "d" * 64
VM = Subject(NODE, "vm1")
MACHINE = Subject(SERVER)
PROBE, PING = "VmUnresponsive", "ServerNoPing"


def policy(**changes: Any) -> Policy:
    """A policy that allows every action on everything; `changes` go to the rules or, where they fit, to the top."""
    vm = {
        "name": "vms",
        "kind": "vm",
        "match": {"labels": {"site": "*"}},
        "only_dbc_vms": True,
        "attempts_per_day": 9,
        "ladder": [
            {"action": "restart", "evidence": [PROBE], "witness": PROBE},
            {"action": "force_restart", "evidence": [PROBE], "witness": PROBE},
            {"action": "start", "witness": PROBE},
        ],
    }
    server = {
        "name": "servers",
        "kind": "server",
        "match": {"labels": {"site": "*"}},
        "attempts_per_day": 9,
        "ladder": [
            {"action": "power_on"},
            {"action": "power_reset", "evidence": [PROBE, PING], "witness": PING},
        ],
    }
    top = {"version": "1", "mode": "act", "rules": [vm, server]}
    for name, value in changes.items():
        if name in Policy.model_fields:
            top[name] = value
        else:
            vm[name] = server[name] = value
    return Policy.model_validate(top)


def alert(name: str = PROBE, **changes: Any) -> Alert:
    return replace(Alert(name, since=NOW - 2_000, heard=NOW - 10), **changes)


_SEEN: dict[str, Any] = {
    "labels": (("site", "north"),),
    "client": "one",
    "fence": Fence.NONCE,
    "seen": NOW - 60,
    "since": NOW - 2_000,
    "samples": 9,
    "node_up": True,
    "node_listed": True,
    "node_back": NOW - 50_000,
    "order_live": True,
    "order_seen": NOW - 60,
}
_VM: dict[str, Any] = {
    **_SEEN,
    "desired": DesiredState.RUNNING,
    "expected_gpus": 4,
    "gpus": 4,
    "vm_gpus": 2,
    "vm_gpus_most": 2,
    "was_well": NOW - 3_000,
}


def hung(subject: Subject = VM, **changes: Any) -> Sight:
    """A VM that DBC calls running and that a probe finds dead."""
    sight = Sight(subject=subject, machine=subject.node_id, state="running", alerts=(alert(),), **_VM)
    return replace(sight, **changes)


def stopped(subject: Subject = VM, **changes: Any) -> Sight:
    """A VM that is off since its node was away."""
    sight = Sight(subject=subject, machine=subject.node_id, state="closed", node_away=NOW - 2_900, **_VM)
    return replace(sight, **changes)


def off(subject: Subject = MACHINE, **changes: Any) -> Sight:
    """A server whose power is off."""
    sight = Sight(subject=subject, machine=MANAGER, state="off", desired=DesiredState.ON, **_SEEN)
    return replace(sight, **{"order_live": None, "order_seen": None, **changes})


def dead(subject: Subject = MACHINE, **changes: Any) -> Sight:
    """A server whose power is on and that two probes find dead."""
    alerts = (alert(), alert(PING))
    sight = Sight(
        subject=subject, machine=MANAGER, state="on", desired=DesiredState.ON, alerts=alerts, **_SEEN
    )
    return replace(sight, **changes)


def well(number: int = 0) -> Sight:
    """One of the many VMs that nothing is wrong with."""
    subject = Subject(f"{number + 1:064x}", "vm1")
    return hung(subject, alerts=())


def fleet(**changes: Any) -> Fleet:
    return replace(
        Fleet(
            started=NOW - 100_000,
            clients=(("one", "ok"), ("two", "ok")),
            watched=40,
            present=40,
            known=40,
            watchdog=NOW - 30,
        ),
        **changes,
    )


def snapshot(*sights: Sight, healthy: int = 40, wall: float = WALL, **changes: Any) -> Snapshot:
    """Some subjects among many healthy ones."""
    everybody = [*sights, *(well(number) for number in range(healthy))]
    return Snapshot(wall, fleet(**changes), tuple(sorted(everybody, key=lambda sight: sight.subject)))


def past(action: Action = Action.RESTART, sight: Sight | None = None, **changes: Any) -> Intent:
    """An action of an hour ago that had no effect."""
    seen = sight or hung()
    intent = Intent(
        id="earlier",
        subject=seen.subject,
        machine=seen.machine,
        client=seen.client or "",
        action=action,
        problem=Problem.HUNG,
        state=IntentState.ENDED,
        created=NOW - 3_610,
        sent=NOW - 3_601,
        ended=NOW - 3_000,
        result=Result.INEFFECTIVE,
        domains=seen.labels,
    )
    return replace(intent, **changes)


def verdict(sight: Sight, by: Policy | None = None, view: View | None = None, **changes: Any) -> Decision:
    """Decide about one subject among healthy ones."""
    seen = snapshot(sight, **changes)
    [decision] = decide(seen, view or View(), by or policy(), NOW, only=sight.subject)
    return decision
