"""Contradictions a policy is refused for, and what is allowed but hardly meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbc_exporter.config.settings import CollectorsSettings
from dbc_exporter.remediation.lint import lint, report
from dbc_exporter.remediation.model import Action, Mode
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.policy_file import load, parse
from dbc_exporter.targets import DesiredState, Target
from tests.unit.remediation.policies import (
    BUDGET,
    FORCE,
    MANAGER,
    NODE,
    PING,
    POWER_ON,
    PROBE,
    RESET,
    RESTART,
    SERVER,
    SERVERS,
    START,
    VMS,
    made,
    many,
)

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "remediation" / "policy.yml"
WATCHDOG = "DbcRemediationWatchdog"
INTERVALS = {name: one.interval_seconds for name, one in CollectorsSettings().by_name().items()}
NIGHT = {"name": "night", "begin": "01:00", "end": "05:00"}
AT_NIGHT = {**VMS, "ladder": [{**RESTART, "windows": ["night"]}]}


def found(policy: Policy, *targets: Target, **more: Any) -> list[tuple[str, str]]:
    return [(one.severity.value, one.path) for one in lint(policy, targets, **more)]


def with_rung(rung: dict[str, Any], **changes: Any) -> Policy:
    return made({**VMS, "ladder": [{**rung, **changes}]})


def limited(*budgets: dict[str, Any], **limits: Any) -> Policy:
    return made(limits={"budgets": [BUDGET, *budgets], **limits})


# -- what is sound -----------------------------------------------------------------------------------------


def test_the_example_contradicts_nothing_also_when_its_mode_is_raised() -> None:
    policy = load(EXAMPLE).policy
    assert policy.mode is Mode.DRY_RUN
    for mode in Mode:
        assert lint(policy.model_copy(update={"mode": mode}), intervals=INTERVALS) == ()


def test_the_example_suits_targets_that_have_what_it_asks_for() -> None:
    node = replace(NODE, labels=(("remediation", "vms"),))
    server = replace(SERVER, labels=(("remediation", "servers"),))
    assert lint(load(EXAMPLE).policy, [node, server, MANAGER], intervals=INTERVALS) == ()


def test_the_examples_alerts_are_those_of_its_rules() -> None:
    """One that the operator must add is named as such."""
    policy = load(EXAMPLE).policy
    rules = (EXAMPLE.parent / "rules.yml").read_text()
    named = {name for rule in policy.rules for rung in rule.ladder for name in rung.evidence}
    missing = {name for name in {*named, policy.alerts.watchdog} if f"alert: {name}\n" not in rules}
    assert missing == {"DbcServerNoPing"}


def test_a_sound_policy_has_no_findings() -> None:
    assert found(made()) == []
    assert found(made(), NODE, SERVER) == []


# -- errors ------------------------------------------------------------------------------------------------

ERRORS: dict[str, tuple[Policy, str]] = {
    "rules of one name": (made(VMS, {**VMS, "match": {"ids": ["a" * 64]}}), "rules[1].name"),
    "a rule that names nobody": (made({**VMS, "match": {}}), "rules[0].match"),
    "a rule that excepts all it means": (made({**VMS, "never": VMS["match"]}), "rules[0].never"),
    "VMs of servers": (made({**SERVERS, "match": {"tasks": ["x"]}}), "rules[0].match.tasks"),
    "an action twice": (made({**VMS, "ladder": [RESTART, RESTART]}), "rules[0].ladder"),
    "an action on servers for VMs": (made({**VMS, "ladder": [POWER_ON]}), "rules[0].ladder"),
    "an action on VMs for servers": (made({**SERVERS, "ladder": [RESTART]}), "rules[0].ladder"),
    "the stronger first": (made({**VMS, "ladder": [FORCE, RESTART]}), "rules[0].ladder"),
    "the stronger first, with another between": (
        made({**VMS, "ladder": [FORCE, START, RESTART]}),
        "rules[0].ladder",
    ),
    "the stronger alone": (made({**VMS, "ladder": [FORCE]}), "rules[0].ladder"),
    "a hang without evidence": (with_rung(RESTART, evidence=[]), "rules[0].ladder[0].evidence"),
    "a dead server without evidence": (
        made({**SERVERS, "ladder": [{**RESET, "evidence": []}]}),
        "rules[0].ladder[0].evidence",
    ),
    "a reset by itself on one alert": (
        made({**SERVERS, "ladder": [{**RESET, "mode": "act", "evidence": [PING]}]}),
        "rules[0].ladder[0].evidence",
    ),
    "a reset by itself on one alert named twice": (
        made({**SERVERS, "ladder": [{**RESET, "mode": "act", "evidence": [PING, PING]}]}),
        "rules[0].ladder[0].evidence",
    ),
    "the watchdog as evidence": (with_rung(RESTART, evidence=[WATCHDOG]), "rules[0].ladder[0].evidence"),
    "the watchdog as witness": (with_rung(START, witness=WATCHDOG), "rules[0].ladder[0].witness"),
    "the watchdog in the way": (made({**VMS, "blocked_by": [WATCHDOG]}), "rules[0].blocked_by"),
    "evidence in its own way": (made({**VMS, "blocked_by": [PROBE]}), "rules[0].blocked_by"),
    "a window that is none": (made(AT_NIGHT), "rules[0].ladder[0].windows"),
    "windows of one name": (made(AT_NIGHT, windows=[NIGHT, NIGHT]), "windows[1].name"),
    "a window without length": (made(AT_NIGHT, windows=[{**NIGHT, "end": "01:00"}]), "windows[0]"),
    "a window after the day": (
        made(AT_NIGHT, windows=[{**NIGHT, "begin": "24:00", "end": "00:00"}]),
        "windows[0]",
    ),
    "a cool-down within the settling": (with_rung(RESTART, settle=900), "rules[0].ladder[0].settle"),
    "a settling longer than doubt lasts": (
        made({**VMS, "cooldown": {"base": "2h"}, "ladder": [{**RESTART, "settle": "1h"}]}),
        "rules[0].ladder[0].settle",
    ),
    "a cool-down that shrinks": (made({**VMS, "cooldown": {"longest": 600}}), "rules[0].cooldown.longest"),
    "an episode forgotten between two tries": (
        made({**VMS, "healthy_period": 1_800}),
        "rules[0].healthy_period",
    ),
    "a witness forgotten before it spoke": (
        made(alerts={"tombstone": 1_200}),
        "rules[0].ladder[0].witness",
    ),
    "alerts forgotten while they fire": (made(alerts={"expire": 60}), "alerts.expire"),
    "no budget for the fleet": (
        made(limits={"budgets": [{"scope": "node", "window": 60, "most": 1}]}),
        "limits.budgets",
    ),
    "a domain without label": (limited({"scope": "domain", "window": 600, "most": 1}), "limits.budgets[1]"),
    "a label without domain": (
        limited({"scope": "node", "label": "site", "window": 600, "most": 1}),
        "limits.budgets[1]",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_contradiction_is_an_error_that_names_its_place(name: str) -> None:
    policy, path = ERRORS[name]
    assert ("error", path) in found(policy)
    assert report(policy)[1] == 2


def test_contradictions_are_told_before_the_mode_is_raised() -> None:
    policy, path = ERRORS["a reset by itself on one alert"]
    assert ("error", path) in found(policy.model_copy(update={"mode": Mode.DRY_RUN}))


# -- warnings ----------------------------------------------------------------------------------------------

WARNINGS: dict[str, tuple[Policy, str]] = {
    "a hard restart by itself": (
        made({**VMS, "ladder": [RESTART, {**FORCE, "mode": "act"}]}),
        "rules[0].ladder[1].mode",
    ),
    "a hard reset by itself": (
        made({**SERVERS, "ladder": [{**RESET, "mode": "act"}]}),
        "rules[0].ladder[0].mode",
    ),
    "no witness": (with_rung(START, witness=None), "rules[0].ladder[0].witness"),
    "a witness that need not have fired": (with_rung(RESTART, witness=PING), "rules[0].ladder[0].witness"),
    "hosts not vouched for": (made({**VMS, "only_dbc_vms": False}), "rules[0].only_dbc_vms"),
    "a ladder longer than the day": (made({**VMS, "attempts_per_day": 1}), "rules[0].attempts_per_day"),
    "a window that confines nothing": (made(windows=[NIGHT]), "windows[0]"),
    "a budget implied by a longer one": (
        limited({"scope": "fleet", "window": 3_600, "most": 4}),
        "limits.budgets[0]",
    ),
    "a budget implied by a shorter one": (
        limited({"scope": "fleet", "window": 3_600, "most": 24}),
        "limits.budgets[1]",
    ),
    "a budget of nodes implied by the fleet's": (
        limited({"scope": "node", "window": 600, "most": 4}),
        "limits.budgets[1]",
    ),
    "a budget twice": (limited(BUDGET), "limits.budgets[1]"),
    "a percentage implied by another": (
        made(limits={"budgets": [{**BUDGET, "percent": 10}, {**BUDGET, "most": 9, "percent": 20}]}),
        "limits.budgets[1]",
    ),
    "more at once through a client than in all": (
        limited(concurrency={"fleet": 1, "client": 2}),
        "limits.concurrency.client",
    ),
    "a breaker that never has enough to judge": (
        made(limits={"budgets": [{"scope": "fleet", "window": "1d", "most": 3}]}),
        "limits.breaker.least",
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_allowed_but_hardly_meant_is_a_warning(name: str) -> None:
    policy, path = WARNINGS[name]
    assert found(policy) == [("warning", path)]
    assert report(policy)[1] == 0


def test_budgets_that_bind_in_some_fleet_are_not_called_superfluous() -> None:
    assert found(limited({"scope": "fleet", "window": 3_600, "most": 23})) == []
    assert found(limited({"scope": "fleet", "window": 3_600, "most": 24, "percent": 1})) == []
    assert found(limited({"scope": "node", "window": 3_600, "most": 4})) == []
    assert found(limited({"scope": "client", "window": 600, "most": 3})) == []


def test_a_person_who_must_approve_anyway_is_not_warned_of_what_needs_approval() -> None:
    unwitnessed = [{**RESTART, "witness": None}, {**FORCE, "witness": None}]
    assert found(made({**VMS, "mode": "approve", "only_dbc_vms": False, "ladder": unwitnessed})) == []


# -- with what is configured beside it ---------------------------------------------------------------------


def test_times_that_do_not_fit_how_often_is_polled_are_warned_of() -> None:
    assert found(made(), intervals={"tasks": 151.0}) == [("warning", "rules[0].hold")]
    assert found(made(), intervals={"tasks": 150.0}) == []
    assert found(made(), intervals={"power": 900.0}) == [
        ("warning", "rules[1].hold"),
        ("warning", "rules[1].max_age"),
    ]
    assert found(made(), intervals={"tasks": 60.0, "orders": 900.0}) == [("warning", "rules[0].max_age")]


def test_rules_that_mean_the_same_target_are_named_once_with_it() -> None:
    again = {**VMS, "name": "again", "match": {"labels": {"site": "north"}}}
    policy = made(VMS, SERVERS, again)
    [finding] = lint(policy, [*many(NODE, 1_000), SERVER])
    assert (finding.severity.value, finding.path) == ("error", "rules[2].match")
    assert finding.text.startswith(f"vms and again mean {0:064x} and 999 more")
    assert found(policy, replace(NODE, labels=(("site", "south"),)), SERVER) == [
        ("warning", "rules[2].match")
    ]


def test_rules_that_part_the_vms_of_a_node_do_not_overlap() -> None:
    web = {**VMS, "name": "web", "match": {"tasks": ["web-*"]}}
    rest = {**VMS, "name": "rest", "never": {"tasks": ["web-*"]}}
    assert found(made(web, rest), NODE) == []
    assert found(made(web, VMS), NODE) == [("error", "rules[1].match")]


def test_a_rule_that_means_no_target_is_warned_of_unless_more_are_to_come() -> None:
    assert found(made(), NODE) == [("warning", "rules[1].match")]
    assert found(made(), NODE, complete=False) == []
    assert found(made(), NODE, replace(SERVER, labels=())) == [("warning", "rules[1].match")]


@pytest.mark.parametrize("lacking", [{"desired_state": DesiredState.NONE}, {"expected_gpus": None}])
def test_targets_that_would_be_left_alone_are_told_once(lacking: dict[str, Any]) -> None:
    targets = [replace(target, **lacking) for target in many(NODE, 100)]
    [finding] = lint(made(VMS), targets)
    assert (finding.severity.value, finding.path) == ("warning", "rules[0].match")
    assert f"{0:064x} and 99 more" in finding.text


def test_a_percentage_of_a_small_fleet_that_is_no_action_is_an_error() -> None:
    policy = made(SERVERS, limits={"budgets": [{**BUDGET, "percent": 10}]})
    assert ("error", "limits.budgets[0].percent") in found(policy, *many(SERVER, 9))
    assert found(policy, *many(SERVER, 10)) == []
    assert found(policy, *many(SERVER, 9), complete=False) == []


def test_the_budgets_of_a_policy_that_names_none_let_the_smallest_fleet_be_helped() -> None:
    assert found(made(SERVERS, limits={}), SERVER) == []


def test_how_many_vms_were_reckoned_with_is_told() -> None:
    policy = made(VMS, limits={"budgets": [{**BUDGET, "percent": 10}]})
    [finding] = lint(policy, many(NODE, 9))
    assert "reckoning one VM a node" in finding.text


def test_a_storm_of_one_is_an_error() -> None:
    storm = {"bad_least": 1, "bad_percent": 15}
    assert found(made(SERVERS, limits={"storm": storm}), *many(SERVER, 6)) == [
        ("error", "limits.storm.bad_least")
    ]
    assert found(made(SERVERS, limits={"storm": storm}), *many(SERVER, 7)) == []


# -- for people --------------------------------------------------------------------------------------------


def test_the_report_has_each_finding_with_its_line_and_the_worst_case() -> None:
    loaded = parse(
        "version: 1\nalerts:\n  expire: 1m\nrules:\n  - name: a\n    kind: server\n    match: {ids: []}\n"
        "    ladder: [{action: power_on}]\n",
        "policy.yml",
    )
    said, code = report(loaded.policy, where=loaded.where)
    assert code == 2
    assert said.splitlines() == [
        "error: alerts.expire: must be more than max_silence, or alerts are forgotten while they fire; raise it (policy.yml, line 3)",
        "error: rules[0].match: means nobody; name ids, tasks or labels (policy.yml, line 7)",
        "worst case, were the mode act: at most 2 in 10 min, 5 in an hour, 20 in a day",
    ]


def test_a_sound_policy_is_told_to_be_one() -> None:
    said, code = report(made(), [SERVER, NODE])
    assert said.startswith("OK: nothing contradicts itself\nworst case")
    assert code == 0


def test_the_worst_case_of_servers_alone_knows_how_many_they_are() -> None:
    assert "worst case for 3 subjects" in report(made(SERVERS), many(SERVER, 3))[0]
    assert "worst case, " in report(made(SERVERS), many(SERVER, 3), complete=False)[0]


# -- whatever it is shown ----------------------------------------------------------------------------------

SECONDS = st.sampled_from([0.001, 1.0, 599.0, 600.0, 3_600.0, 86_400.0, 1e9])
DAYS = st.sampled_from([0.001, 600.0, 86_400.0])
COUNTS = st.sampled_from([1, 2, 3, 10_000])
NAMES = st.sampled_from([PROBE, PING, WATCHDOG, "x", ""])
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "ids": st.lists(st.sampled_from(["a" * 64, "b" * 64]), max_size=2),
        "tasks": st.lists(st.sampled_from(["*", "web-*", "?", "[a-c]*", ""]), max_size=2),
        "labels": st.dictionaries(st.sampled_from(["site", "rack"]), st.sampled_from(["*", "north"])),
    },
)
RUNGS = st.fixed_dictionaries(
    {"action": st.sampled_from(list(Action))},
    optional={
        "mode": st.sampled_from(list(Mode)),
        "evidence": st.lists(NAMES, max_size=3),
        "witness": NAMES,
        "attempts": COUNTS,
        "settle": SECONDS,
        "stable": SECONDS,
        "windows": st.lists(NAMES, max_size=2),
    },
)
RULES = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b"]),
        "kind": st.sampled_from(["vm", "server"]),
        "match": MATCHES,
        "ladder": st.lists(RUNGS, min_size=1, max_size=4),
    },
    optional={
        "never": MATCHES,
        "mode": st.sampled_from(list(Mode)),
        "hold": SECONDS,
        "max_age": SECONDS,
        "attempts_per_day": COUNTS,
        "healthy_period": DAYS,
        "blocked_by": st.lists(NAMES, max_size=2),
        "only_dbc_vms": st.booleans(),
        "cooldown": st.fixed_dictionaries(
            {}, optional={"base": SECONDS, "factor": st.floats(1, 10), "longest": DAYS}
        ),
    },
)
LIMITS = st.fixed_dictionaries(
    {
        "budgets": st.lists(
            st.fixed_dictionaries(
                {
                    "scope": st.sampled_from(["fleet", "client", "node", "domain"]),
                    "window": DAYS,
                    "most": COUNTS,
                },
                optional={"label": st.just("site"), "percent": st.floats(0.001, 100)},
            ),
            min_size=1,
            max_size=3,
        )
    }
)
WINDOWS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", PROBE]),
        "begin": st.sampled_from(["0:00", "01:00", "24:00"]),
        "end": st.sampled_from(["0:00", "01:00", "24:00"]),
    }
)
POLICIES = st.builds(
    lambda rules, limits, windows, tombstone: Policy.model_validate(
        {
            "version": "1",
            "rules": rules,
            "limits": limits,
            "windows": windows,
            "alerts": {"tombstone": tombstone},
        }
    ),
    st.lists(RULES, max_size=3),
    LIMITS,
    st.lists(WINDOWS, max_size=2),
    SECONDS,
)
TARGETS = st.lists(
    st.sampled_from([NODE, SERVER, MANAGER, replace(NODE, credential=None), replace(SERVER, manager=None)]),
    max_size=4,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(POLICIES, TARGETS, st.booleans())
def test_every_valid_policy_can_be_judged_and_each_finding_has_a_place_and_a_remedy(
    policy: Policy, targets: list[Target], complete: bool
) -> None:
    for finding in lint(policy, targets, complete=complete, intervals=INTERVALS):
        assert finding.path.startswith(("rules", "limits", "alerts", "windows"))
        assert len(finding.text) > 10
    report(policy, targets, complete=complete)


@settings(deadline=None)
@given(POLICIES)
def test_a_window_that_is_not_refused_holds_at_some_time(policy: Policy) -> None:
    refused = {finding.at for finding in lint(policy) if finding.severity.value == "error"}
    for index, window in enumerate(policy.windows):
        if ("windows", index) not in refused:
            assert any(window.holds(1_795_000_000.0 + minute * 60) for minute in range(24 * 60))
