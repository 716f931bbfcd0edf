"""What can be done for whom follows from credential, record, rule and what is collected, as the planner's gates say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dbc_exporter.remediation.model import Action
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.possible import ACTIONS, Extent, Row, lines, possible
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.targets import DesiredState, Kind, Target
from tests.unit.remediation.policies import (
    FORCE,
    FORMS,
    MANAGER,
    NODE,
    POWER_ON,
    RESET,
    RESTART,
    SERVER,
    SERVERS,
    START,
    VMS,
    made,
    many,
)

UNVOUCHED = made({**VMS, "only_dbc_vms": False})


def judged(policy: Policy | None, target: Target, action: Action, *off: str) -> Row:
    [row] = [row for row in possible(policy, [target], FORMS, off) if row.action is action]
    return row


@pytest.mark.parametrize(("target", "action"), [(NODE, Action.RESTART), (NODE, Action.START)])
def test_a_wallet_a_witness_and_a_rule_that_acts_make_it_possible(target: Target, action: Action) -> None:
    row = judged(made(), target, action)
    assert (row.extent, row.reason, row.rule) == (Extent.POSSIBLE, None, "vms")


def test_power_on_needs_no_alert_because_the_bmc_is_its_witness() -> None:
    assert judged(made(), SERVER, Action.POWER_ON).extent is Extent.POSSIBLE


def test_a_server_without_manager_is_read_as_its_renter() -> None:
    row = judged(made(), replace(SERVER, manager=None), Action.POWER_ON)
    assert row.extent is Extent.POSSIBLE
    assert "as its renter" in row.words


@pytest.mark.parametrize(
    ("policy", "target", "action", "reason"),
    [
        (made(), replace(NODE, credential="s"), Action.RESTART, Reason.NO_FENCE),
        (made(), replace(NODE, credential="m"), Action.RESTART, Reason.NO_FENCE),
        (made(), replace(SERVER, credential="s"), Action.POWER_ON, Reason.NO_FENCE),
        (made({**VMS, "ladder": [{**RESTART, "witness": None}]}), NODE, Action.RESTART, Reason.NO_WITNESS),
        (UNVOUCHED, NODE, Action.RESTART, Reason.NEIGHBOURS_UNCLAIMED),
        (UNVOUCHED, NODE, Action.START, Reason.NEIGHBOURS_UNCLAIMED),
        (made(), NODE, Action.FORCE_RESTART, Reason.APPROVAL_NEEDED),
        (made(mode="approve"), NODE, Action.RESTART, Reason.APPROVAL_NEEDED),
    ],
)
def test_what_lacks_a_fence_a_witness_or_a_word_for_the_host_is_for_a_person_to_approve(
    policy: Policy, target: Target, action: Action, reason: Reason
) -> None:
    row = judged(policy, target, action)
    assert (row.extent, row.reason) == (Extent.APPROVE_ONLY, reason)


def test_everything_that_keeps_a_step_at_approve_is_told() -> None:
    row = judged(
        made({**VMS, "only_dbc_vms": False, "ladder": [{**RESTART, "witness": None}]}),
        replace(NODE, credential="s"),
        Action.RESTART,
    )
    for word in ("unclear outcome", "recovery", "DBC does not know"):
        assert word in row.words


@pytest.mark.parametrize(
    ("policy", "target", "action", "reason"),
    [
        (made(), replace(NODE, credential=None), Action.RESTART, Reason.NO_CREDENTIAL),
        (made(), replace(SERVER, credential="k"), Action.POWER_ON, Reason.NO_CREDENTIAL),
        (made(), MANAGER, Action.POWER_ON, Reason.NO_CREDENTIAL),
        (made(), replace(NODE, desired_state=DesiredState.NONE), Action.RESTART, Reason.NOT_DESIRED),
        (made(), replace(NODE, expected_gpus=None), Action.RESTART, Reason.GPUS_UNKNOWN),
        (made(), replace(NODE, labels=()), Action.RESTART, Reason.NO_RULE),
        (made(VMS), SERVER, Action.POWER_ON, Reason.NO_RULE),
        (None, NODE, Action.RESTART, Reason.NO_RULE),
        (made(VMS, {**VMS, "name": "again"}), NODE, Action.RESTART, Reason.TWO_RULES),
        (made({**VMS, "ladder": [RESTART]}), NODE, Action.START, Reason.NO_RUNG),
        (made(mode="dry_run"), NODE, Action.RESTART, Reason.MODE_DRY_RUN),
        (made({**VMS, "mode": "off"}), NODE, Action.RESTART, Reason.MODE_OFF),
    ],
)
def test_what_can_never_be_done_says_why(
    policy: Policy | None, target: Target, action: Action, reason: Reason
) -> None:
    row = judged(policy, target, action)
    assert (row.extent, row.reason) == (Extent.IMPOSSIBLE, reason)
    assert row.words


@pytest.mark.parametrize(
    ("target", "action", "collector", "reason"),
    [
        (NODE, Action.START, "tasks", Reason.STATE_UNKNOWN),
        (NODE, Action.START, "orders", Reason.ORDER_UNKNOWN),
        (NODE, Action.RESTART, "node", Reason.GPUS_UNKNOWN),
        (NODE, Action.RESTART, "vms", Reason.GPUS_UNKNOWN),
        (SERVER, Action.POWER_ON, "power", Reason.STATE_UNKNOWN),
    ],
)
def test_what_is_not_collected_is_not_known_and_not_acted_on(
    target: Target, action: Action, collector: str, reason: Reason
) -> None:
    row = judged(made(), target, action, collector)
    assert (row.extent, row.reason) == (Extent.IMPOSSIBLE, reason)
    assert collector in row.words


def test_rules_for_some_vms_of_a_node_are_told_apart() -> None:
    web = {**VMS, "name": "web", "match": {"tasks": ["web-*"]}, "ladder": [RESTART]}
    rest = {**VMS, "never": {"tasks": ["web-*"]}, "ladder": [{**RESTART, "mode": "approve"}]}
    rows = [row for row in possible(made(web, rest), [NODE], FORMS) if row.action is Action.RESTART]
    assert {(row.rule, row.extent) for row in rows} == {
        ("web", Extent.POSSIBLE),
        ("vms", Extent.APPROVE_ONLY),
    }


def test_a_rule_for_some_vms_of_a_node_is_not_hidden_by_those_it_leaves_alone() -> None:
    web = {**VMS, "match": {"tasks": ["web-*"]}}
    assert judged(made(web), NODE, Action.RESTART).extent is Extent.POSSIBLE


def test_each_action_on_each_target_is_judged() -> None:
    targets = [NODE, SERVER, MANAGER]
    rows = [(row.target, row.action) for row in possible(made(), targets, FORMS)]
    assert rows == [(target, action) for target in targets for action in ACTIONS[target.kind]]
    assert {action for kind in Kind for action in ACTIONS[kind]} == set(Action)


# -- for people --------------------------------------------------------------------------------------------


def test_what_is_alike_is_said_once_however_large_the_fleet() -> None:
    labels = [(("site", "north"), ("machine", str(number))) for number in range(1_000)]
    targets = [replace(one, labels=own) for one, own in zip(many(NODE, 1_000), labels, strict=True)]
    assert list(lines(made(), targets, FORMS)) == [
        "1000 compute with wallet w, rule vms: restart possible",
        "1000 compute with wallet w, rule vms: force_restart approve only (approval_needed): a person must approve (by the policy)",
        "1000 compute with wallet w, rule vms: start possible",
    ]


def test_a_policy_that_begins_with_dry_run_shows_what_acting_would_allow() -> None:
    assert list(lines(made(mode="dry_run"), [NODE], FORMS)) == list(lines(made(), [NODE], FORMS))


def test_targets_that_differ_in_what_matters_are_told_apart() -> None:
    targets = [
        NODE,
        replace(NODE, id="e" * 64, expected_gpus=None),
        replace(NODE, id="f" * 64, credential=None),
    ]
    said = [line for line in lines(made(), targets, FORMS) if " restart " in line]
    assert [line.split(" (")[0] for line in said] == [
        "1 compute with wallet w, rule vms: restart possible",
        "1 compute with wallet w, rule vms: restart impossible",
        "1 compute without credential, rule vms: restart impossible",
    ]


def rung(action: Action) -> dict[str, Any]:
    return {one["action"]: one for one in (RESTART, FORCE, START, POWER_ON, RESET)}[action.value]


@pytest.mark.parametrize("action", [Action.POWER_ON, Action.POWER_RESET])
def test_each_step_of_a_rule_is_found_wherever_it_stands(action: Action) -> None:
    policy = made({**SERVERS, "ladder": [rung(action)]})
    assert judged(policy, SERVER, action).extent is not Extent.IMPOSSIBLE
