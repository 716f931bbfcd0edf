"""Every reason why nothing is done: a subject that would be acted on, and the one thing that stands in the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.gates import GATES
from dbc_exporter.remediation.model import (
    Action,
    Approval,
    Fence,
    IntentState,
    Pause,
    Result,
    Sight,
    Subject,
    Verdict,
    View,
)
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.reasons import Gate, Reason
from dbc_exporter.targets import DesiredState
from tests.unit.remediation.scenes import (
    NODE,
    NOW,
    OTHER_NODE,
    PROBE,
    VM,
    alert,
    dead,
    fleet,
    hung,
    off,
    past,
    policy,
    snapshot,
    stopped,
    verdict,
)

NEIGHBOUR = Subject(NODE, "vm2")
ELSEWHERE = Subject(OTHER_NODE, "vm1")
PAUSE = Pause(id="p", node_id="", actor="ann", reason="works", created=NOW - 5, expires=NOW + 5)
PROPOSAL = Approval(
    id="a",
    subject=VM,
    action=Action.RESTART,
    evidence="",
    created=NOW - 5,
    expires=NOW + 5,
    rejected_by="ann",
)


@dataclass
class Case:
    """One thing that stands in the way."""

    reason: Reason
    gate: Gate
    sight: Sight = field(default_factory=hung)
    policy: Policy = field(default_factory=policy)
    view: View = field(default_factory=View)
    fleet: dict[str, Any] = field(default_factory=dict)
    verdict: Verdict = Verdict.WAIT


def open_intent(**changes: Any) -> View:
    return View(intents=(past(state=IntentState.SETTLING, result=None, ended=None, **changes),))


def limits(**changes: Any) -> Policy:
    return policy(limits=changes)


def ladder(**changes: Any) -> Policy:
    return policy(ladder=[{"action": "restart", "evidence": [PROBE], "witness": PROBE, **changes}])


def rejected() -> View:
    decision = verdict(hung(), policy(mode="approve"))
    return View(approvals=(Approval(**{**_fields(PROPOSAL), "evidence": decision.evidence}),))


def _fields(approval: Approval) -> dict[str, Any]:
    return {name: getattr(approval, name) for name in approval.__struct_fields__}


REFUSE, OPEN, QUARANTINE = Verdict.REFUSE, Verdict.OPEN, Verdict.QUARANTINE
PROPOSE, DRY_RUN = Verdict.PROPOSE, Verdict.DRY_RUN
R, G = Reason, Gate
CLOSED_WINDOW = [{"name": "never_now", "begin": "00:00", "end": "00:01"}]
NIGHT = policy(
    windows=CLOSED_WINDOW,
    ladder=[{"action": "restart", "evidence": [PROBE], "witness": PROBE, "windows": ["never_now"]}],
)
TWICE = policy()
TWICE = TWICE.model_copy(
    update={"rules": (*TWICE.rules, TWICE.rules[0].model_copy(update={"name": "again"}))}
)
SPENT = past(sight=hung(ELSEWHERE), sent=NOW - 500, created=NOW - 510)

CASES = [
    Case(R.JOURNAL_UNUSABLE, G.JOURNAL, fleet={"faults": ("disk full",)}, verdict=REFUSE),
    Case(R.KILLED, G.KILL_SWITCH, fleet={"killed": "/run/stop exists"}, verdict=REFUSE),
    Case(R.PAUSED, G.PAUSE, view=View(pauses=(PAUSE,)), verdict=REFUSE),
    Case(R.HOLDING_OFF, G.HOLD_OFF, fleet={"started": NOW - 299}),
    Case(R.HOLDING_OFF, G.HOLD_OFF, fleet={"disturbed": NOW - 299, "disturbance": "clock step"}),
    Case(R.BREAKER_OPEN, G.BREAKER, view=View(breaker="no effect"), verdict=REFUSE),
    Case(R.BLIND, G.SIGHT, fleet={"known": 31}),
    Case(R.BLIND, G.SIGHT, fleet={"clients": (("one", "wedged"),)}),
    Case(R.BLIND, G.SIGHT, fleet={"watched": 0, "present": 0, "known": 0}),
    Case(R.FLEET_SHRANK, G.SIGHT, fleet={"present": 31}, verdict=REFUSE),
    Case(R.STORM, G.STORM, policy=limits(storm={"new_count": 1, "new_window": 9_999})),
    Case(R.STORM, G.STORM, policy=limits(storm={"bad_percent": 1, "bad_least": 1})),
    Case(R.ALERTS_TRUNCATED, G.STORM, fleet={"truncated": NOW - 299}),
    Case(R.CHAIN_SILENT, G.CHAIN, fleet={"chain_silent": 3}),
    Case(R.NO_RULE, G.RULE, hung(labels=()), verdict=REFUSE),
    Case(R.TWO_RULES, G.RULE, policy=TWICE, verdict=REFUSE),
    Case(R.NO_RUNG, G.LADDER, stopped(), policy=ladder(), verdict=REFUSE),
    Case(R.NO_CREDENTIAL, G.CREDENTIAL, hung(fence=Fence.NO_CREDENTIAL), verdict=REFUSE),
    Case(R.QUARANTINED, G.QUARANTINE, view=View(quarantined={VM: "used up"}), verdict=REFUSE),
    Case(R.NOT_DESIRED, G.DESIRED_STATE, hung(desired=DesiredState.NONE), verdict=REFUSE),
    Case(R.CLIENT_UNUSABLE, G.CLIENT, hung(client=None)),
    Case(
        R.CLIENT_UNUSABLE,
        G.CLIENT,
        hung(client="two"),
        fleet={"clients": (("one", "ok"), ("two", "troubled"))},
    ),
    Case(R.NODE_AWAY, G.NODE, hung(node_up=False), verdict=REFUSE),
    Case(R.NODE_AWAY, G.NODE, hung(node_listed=False), verdict=REFUSE),
    Case(R.NODE_UNKNOWN, G.NODE, hung(node_up=None)),
    Case(R.NODE_UNKNOWN, G.NODE, hung(node_back=None)),
    Case(R.NODE_JUST_BACK, G.NODE, hung(node_back=NOW - 899)),
    Case(R.STATE_UNKNOWN, G.FRESHNESS, hung(state="unknown")),
    Case(R.STATE_STALE, G.FRESHNESS, hung(seen=NOW - 901)),
    Case(R.STATE_STALE, G.FRESHNESS, hung(seen=None)),
    Case(R.STATE_CONTRADICTS, G.EVIDENCE, hung(state="restarting"), verdict=REFUSE),
    Case(R.WATCHDOG_SILENT, G.EVIDENCE, fleet={"watchdog": NOW - 601}),
    Case(R.WATCHDOG_SILENT, G.EVIDENCE, stopped(), fleet={"watchdog": None}),
    Case(
        R.EVIDENCE_MISSING,
        G.EVIDENCE,
        policy=policy(
            ladder=[
                {"action": "restart", "evidence": [PROBE, "Second"], "witness": PROBE},
                {"action": "force_restart", "evidence": [PROBE], "witness": PROBE},
            ]
        ),
        verdict=REFUSE,
    ),
    Case(R.HELD_TOO_SHORT, G.HOLD, hung(alerts=(alert(since=NOW - 299),))),
    Case(R.HELD_TOO_SHORT, G.HOLD, stopped(since=NOW - 299)),
    Case(R.TOO_FEW_SAMPLES, G.HOLD, stopped(samples=1)),
    Case(R.ORDER_UNKNOWN, G.ORDER, hung(order_live=None)),
    Case(R.ORDER_UNKNOWN, G.ORDER, hung(order_seen=NOW - 901)),
    Case(R.NO_LIVE_ORDER, G.ORDER, hung(order_live=False), verdict=REFUSE),
    Case(R.NO_LIVE_ORDER, G.ORDER, off(order_live=False), verdict=REFUSE),
    Case(R.NO_HOST_CAUSE, G.HOST_CAUSE, stopped(node_away=None), verdict=REFUSE),
    Case(R.NO_HOST_CAUSE, G.HOST_CAUSE, stopped(was_well=None), verdict=REFUSE),
    Case(R.NO_HOST_CAUSE, G.HOST_CAUSE, stopped(node_away=NOW - 3_001), verdict=REFUSE),
    Case(R.GPUS_UNKNOWN, G.GPUS, hung(expected_gpus=None), verdict=REFUSE),
    Case(R.GPUS_UNKNOWN, G.GPUS, hung(gpus=None), verdict=REFUSE),
    Case(R.GPUS_UNKNOWN, G.GPUS, hung(vm_gpus=None), verdict=REFUSE),
    Case(R.GPUS_MISSING, G.GPUS, hung(gpus=3), verdict=REFUSE),
    Case(R.GPUS_MISSING, G.GPUS, stopped(vm_gpus=1), verdict=REFUSE),
    Case(R.NODE_BUSY, G.BUSY, hung(busy="transfer")),
    Case(
        R.BLOCKED_BY_ALERT,
        G.BUSY,
        hung(alerts=(alert(), alert("GpuLost"))),
        policy=policy(blocked_by=["GpuLost"]),
        verdict=REFUSE,
    ),
    Case(R.OPEN_INTENT, G.SINGLE_FLIGHT, view=open_intent(), verdict=OPEN),
    Case(R.MACHINE_IN_USE, G.SINGLE_FLIGHT, view=open_intent(sight=hung(NEIGHBOUR))),
    Case(R.MACHINE_IN_USE, G.SINGLE_FLIGHT, off(), view=open_intent(sight=dead(Subject("e" * 64)))),
    Case(R.COOLING_DOWN, G.COOLDOWN, view=View(intents=(past(sent=NOW - 899),))),
    Case(
        R.COOLING_DOWN,
        G.COOLDOWN,
        view=View(
            intents=(past(id="1", sent=NOW - 5_000), past(Action.FORCE_RESTART, id="2", sent=NOW - 1_799))
        ),
        policy=policy(
            ladder=[
                {"action": "restart", "evidence": [PROBE], "witness": PROBE},
                {"action": "force_restart", "evidence": [PROBE], "witness": PROBE, "attempts": 2},
            ]
        ),
    ),
    Case(
        R.ATTEMPTS_USED_UP,
        G.ATTEMPTS,
        view=View(intents=(past(),)),
        policy=policy(attempts_per_day=1),
        verdict=QUARANTINE,
    ),
    Case(R.LADDER_EXHAUSTED, G.ATTEMPTS, view=View(intents=(past(),)), policy=ladder(), verdict=QUARANTINE),
    Case(
        R.LADDER_EXHAUSTED,
        G.ATTEMPTS,
        view=View(intents=(past(result=Result.UNVERIFIED),)),
        verdict=QUARANTINE,
    ),
    Case(
        R.LADDER_EXHAUSTED,
        G.ATTEMPTS,
        view=View(intents=(past(),), cleared={VM: NOW - 5_000}),
        policy=ladder(),
        verdict=QUARANTINE,
    ),
    Case(R.OUT_OF_WINDOW, G.WINDOW, policy=NIGHT),
    Case(
        R.TOO_MANY_AT_ONCE,
        G.CONCURRENCY,
        policy=limits(concurrency={"fleet": 1, "client": 9}),
        view=open_intent(sight=hung(ELSEWHERE), client="two"),
    ),
    Case(R.TOO_MANY_AT_ONCE, G.CONCURRENCY, view=open_intent(sight=hung(ELSEWHERE))),
    Case(
        R.BUDGET_SPENT,
        G.BUDGET,
        policy=limits(budgets=[{"scope": "fleet", "window": 600, "most": 1}]),
        view=View(intents=(SPENT,)),
    ),
    Case(
        R.BUDGET_SPENT,
        G.BUDGET,
        policy=limits(budgets=[{"scope": "client", "window": 600, "most": 1}]),
        view=View(intents=(SPENT,)),
    ),
    Case(
        R.BUDGET_SPENT,
        G.BUDGET,
        policy=limits(budgets=[{"scope": "domain", "label": "site", "window": 600, "most": 1}]),
        view=View(intents=(SPENT,)),
    ),
    Case(
        R.BUDGET_SPENT,
        G.BUDGET,
        policy=limits(budgets=[{"scope": "node", "window": 600, "most": 1}]),
        view=View(intents=(past(sight=hung(NEIGHBOUR), sent=NOW - 500),)),
    ),
    Case(
        R.BUDGET_SPENT,
        G.BUDGET,
        policy=limits(budgets=[{"scope": "fleet", "window": 600, "most": 9, "percent": 2}]),
    ),
    Case(R.MODE_OFF, G.MODE, policy=policy(mode="off"), verdict=REFUSE),
    Case(R.MODE_DRY_RUN, G.MODE, policy=policy(mode="dry_run"), verdict=DRY_RUN),
    Case(R.SHARDED, G.MODE, fleet={"shards": 2}, verdict=DRY_RUN),
    Case(R.APPROVAL_NEEDED, G.MODE, policy=policy(mode="approve"), verdict=PROPOSE),
    Case(R.APPROVAL_REJECTED, G.MODE, policy=policy(mode="approve"), view=rejected(), verdict=REFUSE),
    Case(R.NO_FENCE, G.MODE, hung(fence=Fence.NONE), verdict=PROPOSE),
    Case(R.NO_WITNESS, G.MODE, policy=ladder(witness=None), verdict=PROPOSE),
    Case(R.NEIGHBOURS_UNCLAIMED, G.MODE, policy=policy(only_dbc_vms=False), verdict=PROPOSE),
]
AFTER_PLANNING = {
    R.NOT_OURS,
    R.CANARY_FAILED,
    R.FRESH_READ_FAILED,
    R.ALREADY_WELL,
    R.SUPERSEDED,
    R.NOT_SENT,
    R.LIBVIRT_DEAD,
    R.REFUSED_BY_NODE,
    R.BMC_REFUSED,
    R.NEVER_ARRIVED,
    R.PROCESS_RESTARTED,
    R.AMBIGUOUS_FOR_GOOD,
    R.STILL_BAD,
    R.WELL_AGAIN,
    R.NO_WORD,
}


@pytest.mark.parametrize(
    ("sight", "action"),
    [
        (hung(), Action.RESTART),
        (stopped(), Action.START),
        (off(), Action.POWER_ON),
        (dead(), Action.POWER_RESET),
    ],
    ids=str,
)
def test_a_sick_subject_that_nothing_forbids_is_acted_on(sight: Sight, action: Action) -> None:
    decision = verdict(sight)
    assert (decision.verdict, decision.action, decision.reason) == (Verdict.ACT, action, None)
    assert [check.gate for check in decision.checks] == [gate.gate for gate in GATES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reason.value)
def test_each_reason_stands_in_the_way(case: Case) -> None:
    decision = verdict(case.sight, case.policy, case.view, **case.fleet)
    failed = [(check.gate, check.reason) for check in decision.checks if check.reason]
    assert (case.gate, case.reason) in failed
    assert decision.reason is case.reason
    assert decision.verdict is case.verdict


@pytest.mark.parametrize(
    ("sight", "fine"),
    [
        (hung(alerts=(alert(since=NOW - 300),)), {}),
        (hung(seen=NOW - 900, order_seen=NOW - 900, node_back=NOW - 900), {}),
        (hung(), {"started": NOW - 300}),
        (hung(), {"known": 32}),
        (hung(), {"present": 32}),
        (hung(), {"watchdog": NOW - 600}),
        (hung(), {"truncated": NOW - 300}),
        (hung(), {"chain_silent": 2}),
        (stopped(samples=2, since=NOW - 300, node_away=NOW - 3_000), {}),
    ],
    ids=str,
)
def test_exactly_at_a_limit_nothing_stands_in_the_way(sight: Sight, fine: dict[str, Any]) -> None:
    assert verdict(sight, **fine).verdict is Verdict.ACT


def test_a_person_who_clears_a_subject_lets_its_ladder_begin_anew_but_not_its_cool_down() -> None:
    used_up = View(intents=(past(),), cleared={VM: NOW - 300})
    assert verdict(hung(), ladder(), used_up).verdict is Verdict.ACT
    assert verdict(hung(), policy(attempts_per_day=1), used_up).verdict is Verdict.ACT
    resting = policy(cooldown={"base": 3_700, "factor": 1}, attempts_per_day=1)
    assert verdict(hung(), resting, used_up).reason is R.COOLING_DOWN


def test_what_a_decision_rests_on_are_the_alerts_of_its_step_alone() -> None:
    others = (alert("DbcNodeSlow", of_node=True), alert("Unrelated"))
    old = alert(heard=NOW - 90_000)
    assert verdict(hung(alerts=(alert(), *others))).evidence == verdict(hung()).evidence
    assert verdict(hung(alerts=(old,))).evidence != verdict(hung()).evidence


def test_the_next_step_comes_only_after_one_that_was_seen_to_fail() -> None:
    for result in Result:
        view = View(intents=(past(result=result),))
        decision = verdict(hung(), view=view)
        wanted = Action.FORCE_RESTART if result is Result.INEFFECTIVE else None
        assert (decision.action if decision.verdict is Verdict.ACT else None) is wanted, result


def test_a_long_healthy_time_ends_an_episode() -> None:
    long_ago = past(created=NOW - 30_010, sent=NOW - 30_000, ended=NOW - 29_000, result=Result.RECOVERED)
    assert verdict(hung(), view=View(intents=(long_ago,))).action is Action.RESTART
    assert verdict(hung(), view=View(intents=(long_ago,))).verdict is Verdict.ACT


def test_an_approval_counts_for_the_same_evidence_only_and_once() -> None:
    careful = policy(mode="approve")
    asked = verdict(hung(), careful)
    assert asked.verdict is Verdict.PROPOSE
    given = Approval(
        **{**_fields(PROPOSAL), "evidence": asked.evidence, "rejected_by": "", "approved_by": "ann"}
    )
    assert verdict(hung(), careful, View(approvals=(given,))).verdict is Verdict.ACT
    other_trouble = hung(alerts=(alert(since=NOW - 1_000),))
    assert verdict(other_trouble, careful, View(approvals=(given,))).verdict is Verdict.PROPOSE
    used = Approval(**{**_fields(given), "used": True})
    assert verdict(hung(), careful, View(approvals=(used,))).verdict is Verdict.PROPOSE
    late = Approval(**{**_fields(given), "expires": NOW})
    assert verdict(hung(), careful, View(approvals=(late,))).verdict is Verdict.PROPOSE


def test_a_node_is_paused_alone() -> None:
    other = Pause(id="p", node_id=OTHER_NODE, actor="ann", reason="works", created=NOW - 5, expires=NOW + 5)
    assert verdict(hung(), view=View(pauses=(other,))).verdict is Verdict.ACT


def test_every_reason_of_the_planner_is_shown_here() -> None:
    assert {case.reason for case in CASES} == set(Reason) - AFTER_PLANNING


def test_every_gate_is_asked_once_and_shown_here() -> None:
    assert [gate.gate for gate in GATES] == list(dict.fromkeys(gate.gate for gate in GATES))
    assert {gate.gate for gate in GATES} == set(Gate) == {case.gate for case in CASES}


def test_healthy_and_unknown_subjects_are_left_alone() -> None:
    assert verdict(hung(alerts=())).verdict is Verdict.HEALTHY
    assert verdict(hung(alerts=(), state="unknown")).verdict is Verdict.UNKNOWN
    assert verdict(stopped(desired=DesiredState.NONE)).verdict is Verdict.HEALTHY
    assert fleet().watched == 40


def test_an_alert_about_a_whole_node_is_no_evidence_about_its_vms_but_may_forbid_an_action() -> None:
    of_node = alert(of_node=True)
    assert verdict(hung(alerts=(of_node,))).verdict is Verdict.HEALTHY
    forbidding = policy(blocked_by=["GpuLost"])
    assert (
        verdict(hung(alerts=(alert(), alert("GpuLost", of_node=True))), forbidding).reason
        is R.BLOCKED_BY_ALERT
    )


def test_unknown_subjects_do_not_dilute_a_storm() -> None:
    by = limits(storm={"bad_percent": 20, "bad_least": 1})
    assert verdict(hung(), by, healthy=10).verdict is Verdict.ACT
    unknown = [hung(Subject(f"{n + 100:064x}", "vm"), alerts=(), state="unknown") for n in range(10)]
    seen = snapshot(hung(), *unknown, healthy=3)
    [decision] = decide(seen, View(), by, NOW, only=VM)
    assert decision.reason is R.STORM
