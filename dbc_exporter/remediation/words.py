"""Every reason code in words, for people: on the page, in `status`, in `explain`."""

from __future__ import annotations

from dbc_exporter.remediation.reasons import Reason

WORDS: dict[Reason, str] = {
    Reason.JOURNAL_UNUSABLE: "the journal cannot be used, so nothing would be remembered",
    Reason.KILLED: "the kill switch is thrown",
    Reason.PAUSED: "somebody paused it",
    Reason.HOLDING_OFF: "it is quiet for a while after a start or a disturbance",
    Reason.BREAKER_OPEN: "remediation stopped itself; a person must look and clear the breaker",
    Reason.BLIND: "too little of the fleet is seen",
    Reason.FLEET_SHRANK: "too many targets left the inventory within a day",
    Reason.WATCHDOG_SILENT: "the alert that always fires was not heard lately, so alerts cannot be trusted",
    Reason.STORM: "so many are bad that one cause must be behind them",
    Reason.ALERTS_TRUNCATED: "Alertmanager left alerts out of a delivery",
    Reason.CHAIN_SILENT: "DBC's chain does not answer, so no signed call can be judged",
    Reason.NO_RULE: "no rule of the policy means it",
    Reason.TWO_RULES: "two rules of the policy mean it, which is a contradiction",
    Reason.NO_RUNG: "the rule has no step against this problem",
    Reason.LADDER_EXHAUSTED: "every step was tried without success",
    Reason.OUT_OF_WINDOW: "it is outside the maintenance windows",
    Reason.MODE_OFF: "the mode is off",
    Reason.MODE_DRY_RUN: "the mode is dry_run: it only says what it would do",
    Reason.SHARDED: "several shards cannot keep one budget, so nothing is done",
    Reason.NO_FENCE: "with this credential an unclear outcome stays unclear, so a person must approve",
    Reason.NO_WITNESS: "no alert proves recovery, so a person must approve",
    Reason.APPROVAL_NEEDED: "a person must approve",
    Reason.APPROVAL_REJECTED: "a person rejected it",
    Reason.NO_CREDENTIAL: "no credential allows it",
    Reason.QUARANTINED: "a person must look at it first",
    Reason.NOT_DESIRED: "its record does not say that it should be up",
    Reason.CLIENT_UNUSABLE: "its DBC client is in trouble",
    Reason.NODE_AWAY: "its machine is away",
    Reason.NODE_UNKNOWN: "nobody knows whether its machine is there",
    Reason.NODE_JUST_BACK: "its machine has just come back, and DBC restores what ran there by itself",
    Reason.STATE_STALE: "its state was read too long ago",
    Reason.STATE_UNKNOWN: "its state is unknown",
    Reason.STATE_CONTRADICTS: "its state contradicts the problem",
    Reason.EVIDENCE_MISSING: "not every alert that must fire does",
    Reason.HELD_TOO_SHORT: "the problem has not lasted long enough",
    Reason.TOO_FEW_SAMPLES: "too few readings in a row show it",
    Reason.ORDER_UNKNOWN: "nobody knows whether its rent order is live",
    Reason.NO_LIVE_ORDER: "its rent order is not live",
    Reason.NO_HOST_CAUSE: "its machine was never away, so its owner may have stopped it",
    Reason.GPUS_UNKNOWN: "nobody knows whether all GPUs are there",
    Reason.GPUS_MISSING: "a GPU is missing, and a start would take it from the VM for good",
    Reason.NEIGHBOURS_UNCLAIMED: "the host may run VMs that DBC does not know, and it would destroy all",
    Reason.NODE_BUSY: "DBC is at work on its machine",
    Reason.BLOCKED_BY_ALERT: "an alert on its machine forbids it",
    Reason.OPEN_INTENT: "an action on it is under way",
    Reason.MACHINE_IN_USE: "another action on its machine is under way",
    Reason.COOLING_DOWN: "the last action was too short a time ago",
    Reason.ATTEMPTS_USED_UP: "its attempts of the day are used up",
    Reason.TOO_MANY_AT_ONCE: "enough actions are under way",
    Reason.BUDGET_SPENT: "a budget is spent",
    Reason.NOT_OURS: "it is not in our own list any more",
    Reason.CANARY_FAILED: "the last look at it right before sending failed",
    Reason.FRESH_READ_FAILED: "it could not be read afresh right before sending",
    Reason.ALREADY_WELL: "it was well again right before sending",
    Reason.SUPERSEDED: "it was no longer right, right before sending",
    Reason.NOT_SENT: "it could not be sent, and surely did not leave",
    Reason.LIBVIRT_DEAD: "the node does not know a VM that it lists: its libvirt seems dead",
    Reason.REFUSED_BY_NODE: "the node refused",
    Reason.BMC_REFUSED: "the BMC refused",
    Reason.NEVER_ARRIVED: "it never arrived, and never can any more",
    Reason.PROCESS_RESTARTED: "the node's service restarted and forgot whether it arrived",
    Reason.AMBIGUOUS_FOR_GOOD: "nobody can tell any more whether it arrived",
    Reason.STILL_BAD: "it was done and did not help",
    Reason.WELL_AGAIN: "it is well again, says its witness",
    Reason.NO_WORD: "no witness could be heard, so nothing is proved",
}


def in_words(code: str) -> str:
    """Return a reason's words; a code that is none stands for itself."""
    try:
        return WORDS[Reason(code)]
    except ValueError:
        return code
