"""Gates about this process and the fleet as a whole. Pure."""

from __future__ import annotations

from dbc_exporter.remediation.case import PASS, Answer, Case, Surroundings
from dbc_exporter.remediation.model import Snapshot
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.problems import blind, shrank, stormy, trouble
from dbc_exporter.remediation.reasons import Reason


def journal(_case: Case, around: Surroundings) -> Answer:
    """Without its journal nothing is remembered, so nothing is done."""
    faults = around.snapshot.fleet.faults
    return (Reason.JOURNAL_UNUSABLE, "; ".join(faults)) if faults else PASS


def kill_switch(_case: Case, around: Surroundings) -> Answer:
    """Somebody threw the switch."""
    killed = around.snapshot.fleet.killed
    return (Reason.KILLED, killed) if killed else PASS


def pause(case: Case, around: Surroundings) -> Answer:
    """Somebody wants a node, or everything, left alone."""
    for one in around.view.pauses:
        meant = not one.node_id or one.node_id in (case.sight.subject.node_id, case.sight.machine)
        if meant and around.now < one.expires:
            return Reason.PAUSED, f"by {one.actor}: {one.reason}"
    return PASS


def hold_off(_case: Case, around: Surroundings) -> Answer:
    """Nothing is believed right after a start or a disturbance."""
    fleet = around.snapshot.fleet
    quiet = around.now - max(fleet.started, fleet.disturbed)
    needed = around.policy.limits.hold_off
    if quiet < needed:
        what = fleet.disturbance if fleet.disturbed > fleet.started else "start"
        return Reason.HOLDING_OFF, f"{quiet:.0f} s of {needed:.0f} s since {what}"
    return PASS


def breaker(_case: Case, around: Surroundings) -> Answer:
    """Remediation has stopped itself."""
    return (Reason.BREAKER_OPEN, around.view.breaker) if around.view.breaker else PASS


def sight(_case: Case, around: Surroundings) -> Answer:
    """Who sees too little of the fleet does not know what is normal."""
    fleet = around.snapshot.fleet
    if blind(fleet, around.policy):
        return Reason.BLIND, f"{fleet.known} of {fleet.watched} targets known"
    if shrank(fleet, around.policy):
        return Reason.FLEET_SHRANK, f"{fleet.present} of {fleet.watched} targets left in the inventory"
    return PASS


def storm(_case: Case, around: Surroundings) -> Answer:
    """One cause is behind many bad subjects, and no restart cures it."""
    found = around.trouble
    if stormy(found, around.policy):
        return Reason.STORM, f"{found.bad} of {found.of} bad, {found.new} of them newly"
    cut = around.snapshot.fleet.truncated
    if cut is not None and around.now - cut < around.policy.limits.hold_off:
        return Reason.ALERTS_TRUNCATED, f"Alertmanager left alerts out {around.now - cut:.0f} s ago"
    return PASS


def chain(_case: Case, around: Surroundings) -> Answer:
    """While DBC's chain does not answer, every signed call fails and none can be judged."""
    silent = around.snapshot.fleet.chain_silent
    if silent >= around.policy.limits.sight.chain_silent:
        return Reason.CHAIN_SILENT, f"at {silent} nodes"
    return PASS


def disturbances(snapshot: Snapshot, policy: Policy, now: float) -> tuple[str, ...]:
    """Return what goes on now that must be over for a while before anything is done."""
    going_on = {
        "blindness": blind(snapshot.fleet, policy),
        "storm": stormy(trouble(snapshot, policy, now), policy),
    }
    return tuple(what for what, true in going_on.items() if true)
