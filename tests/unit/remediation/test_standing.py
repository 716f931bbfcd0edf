"""What keeps remediation from acting on anything, and how much of its budgets is used."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from dbc_exporter.metrics import families_remediation as declared
from dbc_exporter.remediation.model import IntentState, Pause, View
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.standing import obstacles, uses
from dbc_exporter.remediation.words import WORDS, in_words
from tests.unit.remediation.scenes import MACHINE, NODE, NOW, hung, past, policy, snapshot, well


def found(view: View | None = None, by: Any = None, **changes: Any) -> dict[Reason | None, str]:
    """Return the reasons and details in a fleet of healthy subjects."""
    checks = obstacles(snapshot(**changes), view or View(), by or policy(), NOW)
    return {check.reason: check.detail for check in checks}


def pause(node_id: str = "", expires: float = NOW + 60) -> Pause:
    return Pause(id="z", node_id=node_id, actor="anna", reason="racks", created=NOW - 60, expires=expires)


def test_with_a_healthy_fleet_and_the_mode_act_it_is_armed() -> None:
    assert found() == {}
    assert found(by=policy(mode="approve")) == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"faults": ("disk full",)}, Reason.JOURNAL_UNUSABLE),
        ({"killed": "/stop exists"}, Reason.KILLED),
        ({"started": NOW - 10}, Reason.HOLDING_OFF),
        ({"disturbed": NOW - 10, "disturbance": "clock step"}, Reason.HOLDING_OFF),
        ({"known": 3}, Reason.BLIND),
        ({"present": 3}, Reason.FLEET_SHRANK),
        ({"truncated": NOW - 10}, Reason.ALERTS_TRUNCATED),
        ({"chain_silent": 3}, Reason.CHAIN_SILENT),
        ({"watchdog": None}, Reason.WATCHDOG_SILENT),
        ({"watchdog": NOW - 10_000}, Reason.WATCHDOG_SILENT),
        ({"shards": 2}, Reason.SHARDED),
    ],
)
def test_each_trouble_of_the_whole_is_named(changes: dict[str, Any], reason: Reason) -> None:
    assert list(found(**changes)) == [reason]


def test_a_storm_is_named() -> None:
    sick = [hung(replace(hung().subject, task_id=f"vm{number}")) for number in range(30)]
    checks = obstacles(snapshot(*sick), View(), policy(), NOW)
    assert [check.reason for check in checks] == [Reason.STORM]


def test_an_open_breaker_is_named_with_its_reason() -> None:
    assert found(View(breaker="nothing helped")) == {Reason.BREAKER_OPEN: "nothing helped"}


def test_a_pause_of_everything_disarms_and_one_of_a_node_does_not() -> None:
    assert list(found(View(pauses=(pause(),)))) == [Reason.PAUSED]
    assert found(View(pauses=(pause(NODE),))) == {}
    assert found(View(pauses=(pause(expires=NOW - 1),))) == {}


@pytest.mark.parametrize(("mode", "reason"), [("off", Reason.MODE_OFF), ("dry_run", Reason.MODE_DRY_RUN)])
def test_a_mode_that_never_acts_is_named(mode: str, reason: Reason) -> None:
    assert list(found(by=policy(mode=mode))) == [reason]


def test_a_policy_without_rules_does_nothing() -> None:
    assert list(found(by=policy(rules=[]))) == [Reason.NO_RULE]


def test_silence_of_the_watchdog_is_no_matter_to_a_policy_that_needs_no_alert() -> None:
    power = {"name": "power", "kind": "server", "match": {"labels": {"site": "*"}}}
    by = policy(rules=[{**power, "ladder": [{"action": "power_on"}]}])
    assert found(by=by, watchdog=None) == {}


def test_several_troubles_are_all_named() -> None:
    reasons = found(View(breaker="x"), policy(mode="dry_run"), killed="y", known=0)
    assert set(reasons) == {Reason.KILLED, Reason.BREAKER_OPEN, Reason.BLIND, Reason.MODE_DRY_RUN}


BUDGETS = {
    "budgets": [
        {"scope": "fleet", "window": 3600, "most": 4, "percent": 5},
        {"scope": "client", "window": 3600, "most": 3},
        {"scope": "node", "window": 86_400, "most": 1},
        {"scope": "domain", "label": "site", "window": 86_400, "most": 2},
    ]
}


def test_budgets_unused_are_at_zero_and_a_percentage_rounds_down() -> None:
    assert [(use.used, use.most, use.of) for use in uses(View(), policy(limits=BUDGETS), 59, NOW)] == [
        (0, 2, ""),
        (0, 3, ""),
        (0, 1, ""),
        (0, 2, ""),
    ]


def test_of_budgets_for_each_something_the_fullest_is_told_and_whose_it_is() -> None:
    done = [
        past(id="1", sent=NOW - 7200, created=NOW - 7210),
        past(id="2", sent=NOW - 100, created=NOW - 110),
        past(id="3", sent=NOW - 50, created=NOW - 60, sight=well(3)),
        past(id="4", state=IntentState.INTENDED, created=NOW - 1, sent=None, ended=None, result=None),
    ]
    found = uses(View(intents=tuple(done)), policy(limits=BUDGETS), 200, NOW)
    assert [(use.used, use.of) for use in found] == [(3, ""), (3, "one"), (3, NODE), (4, "north")]
    assert [use.ratio for use in found] == [0.75, 1.0, 3.0, 2.0]


def test_a_budget_that_allows_nothing_is_used_up() -> None:
    fleet, *_ = uses(View(), policy(limits=BUDGETS), 10, NOW)
    assert (fleet.most, fleet.ratio) == (0, 1.0)


def test_every_reason_has_words_of_its_own() -> None:
    assert set(WORDS) == set(Reason)
    assert len(set(WORDS.values())) == len(WORDS)
    assert in_words("blind") == WORDS[Reason.BLIND]
    assert in_words("interrupted") == "interrupted"


def test_whatever_can_disarm_is_declared_as_a_metric_value() -> None:
    view = View(breaker="x", pauses=(pause(),))
    sick = [hung(replace(MACHINE, task_id=f"vm{number}")) for number in range(30)]
    everything: set[str] = set()
    for by in (policy(mode="off"), policy(mode="dry_run"), policy(rules=[])):
        for changes in (
            {"faults": ("f",), "killed": "k", "started": NOW, "known": 0, "chain_silent": 9},
            {"present": 0, "truncated": NOW, "watchdog": None, "shards": 2},
        ):
            for sights in ((), sick):
                checks = obstacles(snapshot(*sights, **changes), view, by, NOW)
                everything |= {check.reason.value for check in checks if check.reason}
    assert everything == set(declared.DISARMING)
