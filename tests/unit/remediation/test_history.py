"""What is recorded, what is told of it later, and what another policy would have done with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.explain import Explanation, recall
from dbc_exporter.remediation.history import History, Past
from dbc_exporter.remediation.model import Action, Alert, Decision, Sight, Snapshot, Verdict, View
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.replay import most_in, replay
from tests.unit.remediation import scenes
from tests.unit.remediation.scenes import NOW, PROBE, VM

ROUND = 15.0


class Recording:
    """Hours of rounds of a planner that never acts, recorded."""

    def __init__(self, directory: Path, by: Policy) -> None:
        self.directory, self.by = directory, by
        self.history = History(directory)
        self.now = NOW
        self.made: list[tuple[float, Decision]] = []

    async def rounds(self, seconds: float, *sights: Sight, **around: Any) -> None:
        end = self.now + seconds
        while self.now < end:
            seen = tuple(
                replace(
                    sight, seen=self.now, alerts=tuple(replace(one, heard=self.now) for one in sight.alerts)
                )
                for sight in sights
            )
            snapshot = scenes.snapshot(*seen, watchdog=self.now, started=NOW - 100_000, **around)
            fresh = tuple(replace(one, seen=self.now, order_seen=self.now) for one in snapshot.sights)
            snapshot = Snapshot(1.795e9 + self.now - NOW, snapshot.fleet, fresh)
            decisions = decide(snapshot, View(), self.by, self.now)
            await self.history.record(snapshot, decisions, self.now)
            self.made.extend((self.now, one) for one in decisions if one.subject == VM)
            self.now += ROUND

    async def end(self) -> None:
        await self.history.close()


def sick(since: float) -> Sight:
    return scenes.hung(alerts=(Alert(PROBE, since, since),))


async def test_any_recorded_time_is_explained_with_the_decision_made_then(tmp_path: Path) -> None:
    made = Recording(tmp_path, scenes.policy(mode="dry_run"))
    healthy = scenes.hung(alerts=())
    await made.rounds(600, healthy)
    await made.rounds(900, sick(made.now))
    await made.rounds(300, sick(NOW + 600), clients=(("one", "wedged"),))
    await made.rounds(600, healthy)
    await made.end()
    assert {decision.verdict for _, decision in made.made} >= {Verdict.WAIT, Verdict.DRY_RUN, Verdict.HEALTHY}
    for at, decision in made.made:
        recorded = recall(tmp_path, VM, at)[0][1]
        assert (recorded.verdict, recorded.reason, recorded.action) == (
            decision.verdict,
            decision.reason,
            decision.action,
        )
        failed = [check.reason for check in decision.checks]
        assert [check.reason for check in recorded.checks] == failed


async def test_of_healthy_subjects_next_to_nothing_is_written(tmp_path: Path) -> None:
    made = Recording(tmp_path, scenes.policy())
    await made.rounds(3_600)
    await made.end()
    past = Past(tmp_path)
    assert list(past.sights(NOW, made.now)) == []
    assert len(list(past.fleets(NOW, made.now))) <= 3_600 / ROUND
    past.close()


async def test_what_got_well_while_nobody_looked_is_said_to_be_well(tmp_path: Path) -> None:
    made = Recording(tmp_path, scenes.policy())
    await made.rounds(600, sick(NOW))
    await made.end()
    again = Recording(tmp_path, scenes.policy())
    again.now = NOW + 5_000
    await again.rounds(60)
    await again.end()
    past = Past(tmp_path)
    last = [change for change in past.sights(NOW, again.now) if change.subject == VM][-1]
    assert (last.at, last.sight) == (NOW + 5_000, None)
    past.close()


async def test_a_subject_is_well_from_the_end_of_its_alert_though_that_is_remembered_for_long(
    tmp_path: Path,
) -> None:
    made = Recording(tmp_path, scenes.policy(mode="off"))
    await made.rounds(1_200, sick(NOW))
    await made.rounds(7_200, scenes.hung(alerts=(Alert(PROBE, NOW, NOW, ended=made.now),)))
    await made.end()
    past = Past(tmp_path)
    last = list(past.sights(NOW, made.now))[-1]
    past.close()
    assert (last.at, last.sight) == (NOW + 1_200, None)
    [would] = replay(tmp_path, scenes.policy(mode="act"), NOW, made.now).would
    assert would.alone is not None


async def test_a_damaged_history_costs_nothing_but_explanations(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_bytes(b"no database" * 100)
    history = History(tmp_path)
    assert not history.persistent
    await history.record(scenes.snapshot(), (), NOW)
    await history.close()


def test_nothing_recorded_is_said_plainly(tmp_path: Path) -> None:
    assert recall(tmp_path, VM, NOW) == []
    assert "nothing is recorded" in Explanation(subject=VM, at=NOW, offset=0.0).text()


def test_an_explanation_names_every_gate_and_what_is_missing() -> None:
    decision = scenes.verdict(scenes.hung(node_up=None, gpus=3))
    text = Explanation(subject=VM, at=NOW, offset=0.0, decision=decision, made=NOW - 60).text()
    for check in decision.checks:
        assert check.gate in text
    assert "would be done without: node_unknown, gpus_missing" in text


async def test_replay_tells_what_a_policy_would_have_done_and_who_got_well_alone(tmp_path: Path) -> None:
    made = Recording(tmp_path, scenes.policy(mode="off"))
    await made.rounds(600)
    await made.rounds(1_200, sick(made.now))  # long enough to be acted on, and then well alone
    await made.rounds(600)
    await made.rounds(120, sick(made.now))  # a blip
    await made.rounds(600)
    await made.end()
    report = replay(tmp_path, scenes.policy(mode="act"), NOW, made.now)
    [would] = report.would
    assert (would.action, would.verdict) == (Action.RESTART, Verdict.ACT)
    assert 300 <= would.at - (NOW + 600) <= 420
    assert would.alone is not None
    assert 700 <= would.alone <= 900
    assert "got well alone within 30 min: 1 of 1" in report.text()


async def test_replay_names_what_was_bad_for_long_and_what_stood_in_the_way(tmp_path: Path) -> None:
    made = Recording(tmp_path, scenes.policy(mode="off"))
    lost = replace(sick(NOW), gpus=3)
    await made.rounds(2 * 3_600, lost)
    await made.rounds(60)
    await made.end()
    report = replay(tmp_path, scenes.policy(mode="act"), NOW, made.now)
    assert report.would == ()
    [missed] = report.missed
    assert (missed.subject, missed.reason) == (VM, Reason.GPUS_MISSING.value)
    assert missed.recovered
    assert missed.seconds >= 7_000


async def test_replay_names_what_is_still_bad_when_the_recording_ends(tmp_path: Path) -> None:
    made = Recording(tmp_path, scenes.policy(mode="off"))
    await made.rounds(2 * 3_600, replace(sick(NOW), gpus=3))
    await made.end()
    report = replay(tmp_path, scenes.policy(mode="act"), NOW, made.now)
    [missed] = report.missed
    assert (missed.subject, missed.reason) == (VM, Reason.GPUS_MISSING.value)
    assert not missed.recovered
    assert missed.seconds >= 6_000
    assert "and not recovered at the end, nothing done" in report.text()


async def test_replay_does_not_call_missed_what_is_still_bad_for_a_short_time_or_was_acted_on(
    tmp_path: Path,
) -> None:
    made = Recording(tmp_path, scenes.policy(mode="off"))
    await made.rounds(1_800, replace(sick(NOW), gpus=3))
    assert replay(tmp_path, scenes.policy(mode="act"), NOW, made.now).missed == ()
    await made.rounds(2 * 3_600, sick(NOW))
    await made.end()
    report = replay(tmp_path, scenes.policy(mode="act"), NOW, made.now)
    assert report.missed == ()
    assert report.would
    assert {one.alone for one in report.would} == {None}


async def test_replay_keeps_budgets_and_attempts(tmp_path: Path) -> None:
    made = Recording(tmp_path, scenes.policy(mode="off"))
    await made.rounds(12 * 3_600, sick(NOW))
    await made.end()
    ladder = [{"action": "restart", "evidence": [PROBE], "witness": PROBE, "attempts": 50}]
    budget = [{"scope": "fleet", "window": 3_600, "most": 1}]
    loose = scenes.policy(
        ladder=ladder, attempts_per_day=500, cooldown={"base": 1, "factor": 1}, limits={"budgets": budget}
    )
    report = replay(tmp_path, loose, NOW, made.now)
    assert 10 <= len(report.would) <= 13
    assert most_in((one.at for one in report.would), 3_600) == 1


@given(st.lists(st.floats(0, 1_000), max_size=30), st.floats(1, 500))
def test_the_most_in_any_span_is_what_looking_at_every_span_finds(times: list[float], span: float) -> None:
    times = sorted(times)
    assert most_in(times, span) == max(
        (sum(0 <= end - one < span for one in times if one <= end) for end in times), default=0
    )
