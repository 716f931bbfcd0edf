"""Gates about one subject: what the policy says of it, and what is seen of it. Pure."""

from __future__ import annotations

from dbc_exporter.facts import ClientState
from dbc_exporter.remediation.case import PASS, Answer, Case, Surroundings
from dbc_exporter.remediation.model import Action, Fence, Problem
from dbc_exporter.remediation.problems import CLOSED, OFF, ON, RUNNING, UNKNOWN, fires, firing
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.targets import DesiredState

_STATE_OF = {Problem.HUNG: RUNNING, Problem.STOPPED: CLOSED, Problem.OFF: OFF, Problem.DEAD: ON}
_NEEDS_GPUS = frozenset({Action.RESTART, Action.FORCE_RESTART, Action.START})


def rule(case: Case, _around: Surroundings) -> Answer:
    """Exactly one rule must mean the subject."""
    if not case.rules:
        return Reason.NO_RULE, ""
    if len(case.rules) > 1:
        return Reason.TWO_RULES, ", ".join(one.name for one in case.rules)
    return PASS


def ladder(case: Case, _around: Surroundings) -> Answer:
    """Ask for a step of the rule against the problem."""
    return PASS if case.rung else (Reason.NO_RUNG, f"nothing against {case.problem}")


def credential(case: Case, _around: Surroundings) -> Answer:
    """Without a renter's credential nothing can be done."""
    missing = case.sight.fence is Fence.NO_CREDENTIAL
    return (Reason.NO_CREDENTIAL, "") if missing else PASS


def quarantine(case: Case, around: Surroundings) -> Answer:
    """Wait for a person where one must look first."""
    why = around.view.quarantined.get(case.sight.subject)
    return PASS if why is None else (Reason.QUARANTINED, why)


def desired_state(case: Case, _around: Surroundings) -> Answer:
    """Only what its operator declares as wanted up is brought up: an owner may have switched it off."""
    wanted = DesiredState.RUNNING if case.sight.subject.is_vm else DesiredState.ON
    if case.sight.desired is wanted:
        return PASS
    return Reason.NOT_DESIRED, f"desired_state is {case.sight.desired}"


def client(case: Case, around: Surroundings) -> Answer:
    """Ask for a sound client: one in trouble makes machines unknown, not down."""
    state = dict(around.snapshot.fleet.clients).get(case.sight.client or "")
    return PASS if state == ClientState.OK.value else (Reason.CLIENT_UNUSABLE, state or "no client")


def node(case: Case, around: Surroundings) -> Answer:
    """Ask for a machine that is there, and has been for a while: DBC restores its VMs itself after a restart."""
    seen = case.sight
    if seen.node_up is False or seen.node_listed is False:
        return Reason.NODE_AWAY, ""
    if not seen.node_up or seen.node_back is None:
        return Reason.NODE_UNKNOWN, ""
    back = around.now - seen.node_back
    needed = case.rule.node_settle if case.rule else 0.0
    if back < needed:
        return Reason.NODE_JUST_BACK, f"back for {back:.0f} s of {needed:.0f} s"
    return PASS


def freshness(case: Case, around: Surroundings) -> Answer:
    """Old and unknown states trigger nothing."""
    seen = case.sight
    if seen.state == UNKNOWN:
        return Reason.STATE_UNKNOWN, ""
    oldest = case.rule.max_age if case.rule else 0.0
    if seen.seen is None or around.now - seen.seen > oldest:
        age = "never" if seen.seen is None else f"{around.now - seen.seen:.0f} s ago"
        return Reason.STATE_STALE, f"read {age}, at most {oldest:.0f} s"
    return PASS


def evidence(case: Case, around: Surroundings) -> Answer:
    """Ask that all alerts of the step fire and are alive, and that nothing seen contradicts them."""
    wanted = _STATE_OF[case.problem]
    if case.sight.state not in (wanted, UNKNOWN):
        return Reason.STATE_CONTRADICTS, f"state is {case.sight.state}"
    if case.rung is None:
        return PASS
    heard, alerts = around.snapshot.fleet.watchdog, around.policy.alerts
    if case.rung.evidence or case.rung.witness:
        if heard is None or around.now - heard > alerts.max_silence:
            return Reason.WATCHDOG_SILENT, f"no word of {alerts.watchdog} for {alerts.max_silence:.0f} s"
        if firing(case.sight, case.rung.evidence, around.now, alerts.expire) is None:
            return Reason.EVIDENCE_MISSING, f"needs all of {', '.join(case.rung.evidence)}"
    return PASS


def hold(case: Case, around: Surroundings) -> Answer:
    """Ask for a problem that lasts: a blip is none."""
    if case.rule is None:
        return PASS
    held = around.now - case.since
    if held < case.rule.hold:
        return Reason.HELD_TOO_SHORT, f"for {held:.0f} s of {case.rule.hold:.0f} s"
    needed = case.rule.samples if case.problem in (Problem.STOPPED, Problem.OFF) else 1
    if case.sight.samples < needed:
        return Reason.TOO_FEW_SAMPLES, f"{case.sight.samples} of {needed}"
    return PASS


def order(case: Case, around: Surroundings) -> Answer:
    """Only under a live order of ours. Of a server it is asked right before the action, not while planning."""
    seen = case.sight
    planning = around.mine is None
    if seen.order_live is False:
        return Reason.NO_LIVE_ORDER, ""
    if planning and not seen.subject.is_vm:
        return PASS
    oldest = case.rule.max_age if case.rule else 0.0
    if seen.order_live is None or seen.order_seen is None or around.now - seen.order_seen > oldest:
        return Reason.ORDER_UNKNOWN, ""
    return PASS


def host_cause(case: Case, _around: Surroundings) -> Answer:
    """Ask why a VM is off: where its node stayed, somebody switched it off; only a lost node excuses a start."""
    if case.problem is not Problem.STOPPED:
        return PASS
    well, away = case.sight.was_well, case.sight.node_away
    if well is None or away is None or away < well:
        return Reason.NO_HOST_CAUSE, "its node was not away between its last running and now"
    return PASS


def gpus(case: Case, _around: Surroundings) -> Answer:
    """Count GPUs: a start or restart while one is missing takes it from the VM's definition for good."""
    if case.rung is None or case.rung.action not in _NEEDS_GPUS:
        return PASS
    seen = case.sight
    if seen.expected_gpus is None or seen.gpus is None or seen.vm_gpus is None:
        return Reason.GPUS_UNKNOWN, "expected_gpus, the node's and the VM's GPUs must be known"
    if seen.gpus < seen.expected_gpus:
        return Reason.GPUS_MISSING, f"the node has {seen.gpus} of {seen.expected_gpus}"
    if seen.vm_gpus < (seen.vm_gpus_most or 0):
        return Reason.GPUS_MISSING, f"the VM has {seen.vm_gpus} of {seen.vm_gpus_most}"
    return PASS


def busy(case: Case, around: Surroundings) -> Answer:
    """Nothing is done beside a transfer or a snapshot, or while an alert says that the host is unsound."""
    if case.sight.busy:
        return Reason.NODE_BUSY, case.sight.busy
    blocking = case.rule.blocked_by if case.rule else ()
    now, expire = around.now, around.policy.alerts.expire
    for alert in case.sight.alerts:
        if alert.name in blocking and fires(alert, now, expire):
            return Reason.BLOCKED_BY_ALERT, alert.name
    return PASS
