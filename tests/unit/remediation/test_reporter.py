"""What is told of remediation: metrics and log events, each change once, and never a secret."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from dbc_exporter.metrics import families_remediation as declared
from dbc_exporter.metrics.catalogue import FAMILIES
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.own_remediation import RemediationMetrics
from dbc_exporter.remediation.alerts import Delivery
from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.model import (
    Action,
    Decision,
    Intent,
    IntentState,
    Mode,
    Problem,
    Result,
    Sight,
    Subject,
    Verdict,
    View,
)
from dbc_exporter.remediation.policy import Policy, Scope
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.reporter import RemediationReporter, TimedJournal
from dbc_exporter.remediation.sightings import Heard
from tests.unit.remediation import scenes
from tests.unit.remediation.journals import HandClock, approval
from tests.unit.remediation.scenes import NOW, VM, hung, past, policy, stopped

SHIFT = 5_000.0  # of Unix time against steady time


class Told:
    """A reporter, its metrics as they would be scraped, and its log events."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.clock = HandClock(unix=NOW + SHIFT)
        self.own = OwnMetrics(version="1", python="3")
        self.metrics = RemediationMetrics(self.own)
        self.reporter = RemediationReporter(self.metrics, lambda: self.clock.unix - SHIFT, self.clock)
        self._log = caplog

    @property
    def now(self) -> float:
        return self.clock.unix - SHIFT

    def samples(self) -> dict[str, float]:
        """Return remediation's samples by their names and labels, the `dbc_remediation_` left out."""
        lines = self.own.lines(lambda family: family.collector == "remediation")
        pairs = (line.decode().rsplit(" ", 1) for family in lines.values() for line in family)
        return {name.removeprefix("dbc_remediation_"): float(value) for name, value in pairs}

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            (record.getMessage(), {k: v for k, v in vars(record)["dbc_fields"].items() if v is not None})
            for record in self._log.records
        ]

    def round(
        self, *sights: Sight, view: View | None = None, by: Policy | None = None, **changes: Any
    ) -> tuple[Decision, ...]:
        """Go round as the loop does."""
        journal, rules = view or View(), by or policy()
        around = scenes.snapshot(*sights, **{"watchdog": self.now, **changes})
        decisions = decide(around, journal, rules, self.now)
        before = getattr(self, "_before", {})
        for decision in decisions:
            if before.get(decision.subject) != (decision.verdict, decision.reason):
                self.reporter.decision(decision)
        self._before = {one.subject: (one.verdict, one.reason) for one in decisions}
        self.reporter.round(around, journal, rules, decisions)
        return decisions


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    caplog.set_level(logging.DEBUG, "dbc_exporter.remediation.reporter")
    return Told(caplog)


# -- what is declared


@pytest.mark.parametrize(
    ("values", "enum"),
    [
        (declared.MODES, Mode),
        (declared.ACTIONS, Action),
        (declared.PROBLEMS, Problem),
        (declared.VERDICTS, Verdict),
        (declared.RESULTS, Result),
        (declared.SCOPES, Scope),
    ],
)
def test_declared_values_are_exactly_those_of_the_model(values: tuple[str, ...], enum: Any) -> None:
    assert list(values) == [one.value for one in enum]


def test_declared_reasons_are_exactly_the_reason_codes() -> None:
    assert sorted(declared.REASONS) == sorted(reason.value for reason in Reason)


def test_counters_begin_at_zero_for_every_value_of_a_small_closed_set(told: Told) -> None:
    found = told.samples()
    small = (
        "invariant_violations_total",
        "would_act_total",
        "actions_total",
        "webhook_requests_total",
        "webhook_alerts_total",
    )
    for name in small:
        count = 1
        for values in FAMILIES[f"dbc_remediation_{name}"].enums.values():
            count *= len(values)
        assert [value for key, value in found.items() if key.startswith(f"{name}{{")] == [0.0] * count


def test_without_remediation_there_is_no_family_of_it() -> None:
    assert OwnMetrics(version="1", python="3").lines(lambda family: family.collector == "remediation") == {}


def test_after_a_day_with_everything_every_family_is_there_with_its_labels(told: Told) -> None:
    told.metrics.set_policy("abc")
    told.reporter.delivered(Delivery(watchdog=True))
    told.reporter.answered(202)
    open_one = past(id="1", state=IntentState.SETTLING, ended=None, result=None)
    told.round(hung(), stopped(replace(VM, task_id="vm2")), view=View(intents=(open_one,)))
    told.reporter.intent(past(ended=told.now, sent=told.now - 60))
    lines = told.own.lines(lambda family: family.collector == "remediation")
    assert set(lines) == {family.name for family in declared.FAMILIES}
    for name, written in lines.items():
        family = FAMILIES[name]
        for line in written:
            inner = line.decode().partition("{")[2].partition("}")[0]
            labels = dict(part.split("=", 1) for part in inner.split(",") if part)
            assert set(labels) - {"le"} == set(family.labels)
            for label, allowed in family.enums.items():
                assert labels[label].strip('"') in allowed


# -- rounds


def test_armed_and_healthy_is_all_zeroes_but_the_healthy(told: Told) -> None:
    told.round()
    found = told.samples()
    assert (found["armed"], found["journal_ok"], found["storm"], found["blind"]) == (1, 1, 0, 0)
    assert (found['mode{mode="act"}'], found['mode{mode="off"}']) == (1, 0)
    assert found['targets{kind="vm",health="healthy"}'] == 40
    assert found['incidents_open{problem="hung"}'] == 0
    assert {value for name, value in found.items() if name.startswith("disarmed{")} == {0}
    assert found["last_round_timestamp_seconds"] == NOW + SHIFT
    assert found["watchdog_last_heard_timestamp_seconds"] == NOW + SHIFT


def test_what_disarms_is_shown_by_reason(told: Told) -> None:
    told.round(view=View(breaker="nothing helped"), by=policy(mode="dry_run"), known=0, faults=("disk full",))
    found = told.samples()
    shown = {name for name, value in found.items() if name.startswith("disarmed{") and value}
    assert shown == {
        'disarmed{reason="journal_unusable"}',
        'disarmed{reason="breaker_open"}',
        'disarmed{reason="blind"}',
        'disarmed{reason="mode_dry_run"}',
    }
    assert (found["armed"], found["journal_ok"], found["blind"], found["breaker_open"]) == (0, 0, 1, 1)


def test_sick_unknown_and_healthy_subjects_are_counted_apart(told: Told) -> None:
    told.round(hung(), hung(replace(VM, task_id="vm9"), state="unknown", alerts=()), scenes.off())
    found = told.samples()
    assert found['targets{kind="vm",health="sick"}'] == 1
    assert found['targets{kind="vm",health="unknown"}'] == 1
    assert found['targets{kind="server",health="sick"}'] == 1
    assert (found['incidents_open{problem="hung"}'], found['incidents_open{problem="off"}']) == (1, 1)


def test_open_intents_show_their_number_and_the_oldest_ones_unix_time_until_none_is_open(told: Told) -> None:
    ambiguous = past(id="1", state=IntentState.AMBIGUOUS, created=NOW - 90, ended=None, result=None)
    told.round(view=View(intents=(ambiguous, past(id="2", created=NOW - 9))))
    found = told.samples()
    assert found["ambiguous_open"] == 1
    assert found["oldest_open_intent_timestamp_seconds"] == NOW - 90 + SHIFT
    told.round()
    assert "oldest_open_intent_timestamp_seconds" not in told.samples()


def test_budgets_show_their_used_share_and_those_of_an_old_policy_are_gone(told: Told) -> None:
    done = View(intents=(past(sent=NOW - 100, created=NOW - 110),))
    by = {"budgets": [{"scope": "fleet", "window": 600, "most": 4}]}
    told.round(view=done, by=policy(limits=by))
    used = {name: value for name, value in told.samples().items() if name.startswith("budget_used")}
    assert used == {'budget_used_ratio{scope="fleet",window="10m"}': 0.25}
    by = {
        "budgets": [{"scope": "fleet", "window": 7200, "most": 2}, {"scope": "node", "window": 90, "most": 1}]
    }
    told.round(view=done, by=policy(limits=by))
    used = {name: value for name, value in told.samples().items() if name.startswith("budget_used")}
    assert used == {
        'budget_used_ratio{scope="fleet",window="2h"}': 0.5,
        'budget_used_ratio{scope="node",window="90s"}': 0.0,
    }


def test_a_new_policy_takes_the_place_of_the_old_one(told: Told) -> None:
    told.metrics.set_policy("abc")
    told.metrics.set_policy("def")
    found = told.samples()
    assert 'policy_info{hash="abc"}' not in found
    assert found['policy_info{hash="def"}'] == 1


# -- changes


def test_decisions_are_counted_by_verdict_and_reason(told: Told) -> None:
    told.round(hung(), by=policy(mode="dry_run"))
    found = told.samples()
    assert found['decisions_total{verdict="healthy",reason="none"}'] == 40
    assert found['decisions_total{verdict="dry_run",reason="mode_dry_run"}'] == 1
    assert found['would_act_total{action="restart"}'] == 1


def test_a_decision_about_a_problem_is_one_log_event_and_about_health_none(told: Told) -> None:
    told.round(hung())
    told.round(hung())
    decided = [fields for event, fields in told.events() if event == "remediation_decision"]
    assert decided == [
        {"target": VM, "verdict": "act", "problem": "hung", "action": "restart", "rule": "vms"}
    ]


def test_a_decision_in_the_way_of_which_something_stands_says_what_with_its_numbers(told: Told) -> None:
    told.round(hung(gpus=None))
    [fields] = [fields for event, fields in told.events() if event == "remediation_decision"]
    assert (fields["verdict"], fields["reason"]) == ("refuse", "gpus_unknown")


def test_the_end_of_a_problem_is_told_too(told: Told) -> None:
    told.round(hung())
    told.round(hung(alerts=()))
    verdicts = [fields["verdict"] for event, fields in told.events() if event == "remediation_decision"]
    assert verdicts == ["act", "healthy"]


def recover(told: Told, *intents: Intent, state: str = "running") -> dict[str, float]:
    told.round(hung())
    told.clock.pass_by(700)
    told.round(hung(alerts=(), state=state), view=View(intents=intents))
    return {
        name: value
        for name, value in told.samples().items()
        if name.startswith(("time_to_recover_seconds_sum", "time_to_recover_seconds_count")) and value
    }


def test_recovery_after_an_action_is_ours(told: Told) -> None:
    assert recover(told, past(sent=NOW + 60, ended=None, result=None, state=IntentState.SETTLING)) == {
        'time_to_recover_seconds_count{by="auto"}': 1,
        'time_to_recover_seconds_sum{by="auto"}': 700,
    }


def test_recovery_without_an_action_is_spontaneous_whatever_was_done_earlier_or_elsewhere(told: Told) -> None:
    elsewhere = past(id="2", subject=Subject("e" * 64, "vm1"), sent=NOW + 60)
    assert recover(told, past(sent=NOW - 60), elsewhere) == {
        'time_to_recover_seconds_count{by="spontaneous"}': 1,
        'time_to_recover_seconds_sum{by="spontaneous"}': 700,
    }


def test_becoming_unknown_is_no_recovery(told: Told) -> None:
    assert recover(told, state="unknown") == {}


def test_an_ended_action_is_counted_by_its_result_with_its_duration(told: Told) -> None:
    told.reporter.intent(past(sent=NOW, ended=NOW + 420, result=Result.RECOVERED))
    found = told.samples()
    assert found['actions_total{action="restart",result="recovered"}'] == 1
    assert found['action_duration_seconds_sum{action="restart"}'] == 420


def test_an_action_given_up_before_it_was_sent_has_no_duration(told: Told) -> None:
    told.reporter.intent(past(sent=None, ended=NOW + 1, result=Result.CANCELLED))
    found = told.samples()
    assert found['actions_total{action="restart",result="cancelled"}'] == 1
    assert found['action_duration_seconds_count{action="restart"}'] == 0


def test_an_action_under_way_is_told_and_not_counted(told: Told) -> None:
    told.reporter.intent(past(state=IntentState.SETTLING, ended=None, result=None))
    assert [fields["state"] for _, fields in told.events()] == ["settling"]
    assert {value for name, value in told.samples().items() if name.startswith("actions_total")} == {0}


def test_what_ended_before_this_process_began_was_told_by_the_one_before(told: Told) -> None:
    told.reporter.intent(past(ended=NOW - 1))
    assert told.events() == []
    assert {value for name, value in told.samples().items() if name.startswith("actions_total")} == {0}


def test_nonces_and_evidence_hashes_of_an_intent_reach_no_log(told: Told) -> None:
    told.reporter.intent(past(ended=NOW + 1, nonce="n0nce-secret", canary="c4nary-secret"))
    assert "secret" not in repr(told.events())


def test_worrying_ends_are_warnings(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    for number, result in enumerate(Result):
        told.reporter.intent(past(id=str(number), ended=NOW + 1, result=result))
    warned = {
        vars(record)["dbc_fields"]["result"] for record in caplog.records if record.levelno == logging.WARNING
    }
    assert warned == {"unresolved", "ineffective", "refused", "unverified"}


def test_arming_and_disarming_are_told_once_each(told: Told) -> None:
    for killed in ("", "", "/stop exists", "/stop exists", ""):
        told.round(killed=killed)
    assert [event for event, _ in told.events()] == [
        "remediation_armed",
        "remediation_disarmed",
        "remediation_armed",
    ]


def test_a_proposal_a_quarantine_and_the_breaker_are_told_once_each(told: Told) -> None:
    view = View(
        approvals=(
            approval(expires=NOW + 900),
            approval(id="proposal-2", expires=NOW + 900, approved_by="anna"),
            approval(id="proposal-3", expires=NOW),
        ),
        quarantined={VM: "ladder_exhausted"},
        breaker="nothing helped",
    )
    told.round(view=view)
    told.round(view=view)
    found = told.samples()
    assert (found["proposals_open"], found["quarantined"]) == (1, 1)
    assert [
        (event, fields.get("id") or fields.get("reason"))
        for event, fields in told.events()
        if event in ("remediation_proposal", "remediation_quarantine", "remediation_breaker_open")
    ] == [
        ("remediation_proposal", "proposal-1"),
        ("remediation_quarantine", "ladder_exhausted"),
        ("remediation_breaker_open", "nothing helped"),
    ]


def test_a_violation_is_counted_and_an_error(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    told.reporter.violation("round_failed")
    assert told.samples()['invariant_violations_total{what="round_failed"}'] == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


# -- the webhook and the journal


def test_a_delivery_is_counted_by_what_its_alerts_are_to_us(told: Told) -> None:
    heard = [Heard("A", VM, fingerprint, 1.0, firing) for fingerprint, firing in (("1", True), ("2", False))]
    told.reporter.delivered(Delivery(tuple(heard), watchdog=True, unmapped=3))
    found = told.samples()
    assert {name: value for name, value in found.items() if name.startswith("webhook_alerts_total")} == {
        'webhook_alerts_total{disposition="firing"}': 1,
        'webhook_alerts_total{disposition="resolved"}': 1,
        'webhook_alerts_total{disposition="watchdog"}': 1,
        'webhook_alerts_total{disposition="unmapped"}': 3,
    }
    assert found["webhook_last_received_timestamp_seconds"] == NOW + SHIFT


def test_answers_of_the_webhook_are_counted_by_status(told: Told) -> None:
    for code in (202, 202, 503):
        told.reporter.answered(code)
    found = told.samples()
    assert (found['webhook_requests_total{code="202"}'], found['webhook_requests_total{code="503"}']) == (
        2,
        1,
    )


async def test_every_piece_of_work_on_the_journal_is_timed_also_one_that_fails(told: Told) -> None:
    async def runner(work: Callable[[Journal], Any]) -> Any:
        return work(None)  # type: ignore[arg-type] # no work of this test looks at it

    timed = TimedJournal(runner, told.metrics)
    assert await timed(lambda _: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await timed(lambda _: 1 // 0)
    assert told.samples()["journal_work_duration_seconds_count"] == 2
