"""How far a case may go, and what a person has approved. Pure."""

from __future__ import annotations

from dbc_exporter.remediation.case import PASS, Answer, Case, Surroundings
from dbc_exporter.remediation.model import Action, Approval, Fence, Mode, lowest
from dbc_exporter.remediation.reasons import Reason

_OWN_WITNESS = frozenset({Action.POWER_ON})  # the BMC itself says whether the power is on


def caps(case: Case, around: Surroundings) -> list[tuple[Mode, Reason, str]]:
    """Return everything that keeps a case below `act`, the strictest first."""
    found: list[tuple[Mode, Reason, str]] = []
    if around.snapshot.fleet.shards > 1:
        found.append((Mode.DRY_RUN, Reason.SHARDED, f"{around.snapshot.fleet.shards} shards"))
    if case.rung is None or case.rule is None:
        return found
    written = lowest(around.policy.mode, case.rule.mode, case.rung.mode)
    named = {
        Mode.OFF: Reason.MODE_OFF,
        Mode.DRY_RUN: Reason.MODE_DRY_RUN,
        Mode.APPROVE: Reason.APPROVAL_NEEDED,
    }
    if written in named:
        found.append((written, named[written], "by the policy"))
    if case.sight.fence is not Fence.NONCE:
        found.append((Mode.APPROVE, Reason.NO_FENCE, "an unclear outcome could not be cleared up"))
    if case.rung.witness is None and case.rung.action not in _OWN_WITNESS:
        found.append((Mode.APPROVE, Reason.NO_WITNESS, "nothing would prove recovery"))
    if case.sight.subject.is_vm and not case.rule.only_dbc_vms:
        found.append((Mode.APPROVE, Reason.NEIGHBOURS_UNCLAIMED, "only_dbc_vms is not vouched for"))
    return sorted(found, key=lambda cap: list(Mode).index(cap[0]))


def effective_mode(case: Case, around: Surroundings) -> Mode:
    """Return how far a case may go."""
    return lowest(Mode.ACT, *(cap[0] for cap in caps(case, around)))


def approval_for(case: Case, around: Surroundings) -> Approval | None:
    """Return the newest proposal of this very action on this very evidence."""
    action = case.rung.action if case.rung else None
    fitting = [
        one
        for one in around.view.approvals
        if one.subject == case.sight.subject
        and one.action is action
        and one.evidence == case.evidence
        and around.now < one.expires
    ]
    return max(fitting, key=lambda one: (one.created, one.id), default=None)


def mode(case: Case, around: Surroundings) -> Answer:
    """Ask whether the mode allows it, or a person approved this action on this evidence."""
    found = caps(case, around)
    if not found:
        return PASS
    strictest, reason, detail = found[0]
    if strictest is not Mode.APPROVE:
        return reason, detail
    approval = approval_for(case, around)
    if approval is not None and approval.rejected_by:
        return Reason.APPROVAL_REJECTED, f"by {approval.rejected_by}"
    mine = around.mine
    if mine is not None and mine.approved_by and mine.evidence == case.evidence:
        return PASS
    if approval is not None and approval.approved_by and not approval.used:
        return PASS
    return reason, detail
