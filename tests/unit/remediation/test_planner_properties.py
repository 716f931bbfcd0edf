"""What holds of the planner whatever it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dbc_exporter.remediation.decide import decide
from dbc_exporter.remediation.model import (
    Action,
    Decision,
    Fence,
    Intent,
    IntentState,
    Pause,
    Result,
    Sight,
    Snapshot,
    Subject,
    Verdict,
    View,
)
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.targets import DesiredState
from tests.unit.remediation.scenes import NOW, PING, PROBE, alert, fleet, policy, well

TIMES = st.sampled_from([None, NOW - 10, NOW - 299, NOW - 300, NOW - 900, NOW - 2_000, NOW - 50_000])
ALERTS = st.lists(
    st.builds(
        alert,
        st.sampled_from([PROBE, PING, "Other"]),
        since=st.sampled_from([NOW - 10, NOW - 400, NOW - 4_000]),
        ended=st.sampled_from([None, NOW - 5]),
    ),
    max_size=2,
    unique_by=lambda one: one.name,
).map(tuple)


@st.composite
def sights(draw: st.DrawFn, number: int) -> Sight:
    vm = draw(st.booleans())
    node = f"{draw(st.integers(1, 4)):064x}"
    mostly = st.sampled_from([True, True, True, None, False])
    return Sight(
        subject=Subject(node, f"vm{number}") if vm else Subject(f"{number + 100:064x}"),
        machine=node,
        labels=draw(st.sampled_from([(("site", "north"),), (("site", "south"),), ()])),
        client=draw(st.sampled_from(["one", "two", None])),
        desired=draw(st.sampled_from([DesiredState.RUNNING if vm else DesiredState.ON, DesiredState.NONE])),
        expected_gpus=draw(st.sampled_from([4, 4, None])),
        fence=draw(st.sampled_from([Fence.NONCE, Fence.NONCE, Fence.NONE])),
        state=draw(st.sampled_from(["running", "closed", "unknown"] if vm else ["on", "off", "unknown"])),
        seen=draw(TIMES),
        since=draw(TIMES),
        samples=draw(st.integers(0, 3)),
        was_well=draw(TIMES),
        node_up=draw(mostly),
        node_listed=draw(mostly),
        node_back=draw(TIMES),
        node_away=draw(TIMES),
        order_live=draw(mostly),
        order_seen=draw(TIMES),
        gpus=draw(st.sampled_from([4, 4, 3, None])),
        vm_gpus=draw(st.sampled_from([2, 2, None])),
        alerts=draw(ALERTS),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    sick = [draw(sights(number)) for number in range(draw(st.integers(0, 5)))]
    everybody = [*sick, *(well(number + 10) for number in range(40))]
    return Snapshot(1.795e9, fleet(), tuple(sorted(everybody, key=lambda sight: sight.subject)))


def acts(decisions: tuple[Decision, ...]) -> set[tuple[Subject, Action | None]]:
    return {(one.subject, one.action) for one in decisions if one.verdict is Verdict.ACT}


LOOSE = policy(limits={"concurrency": {"fleet": 9, "client": 9}, "storm": {"new_count": 99}})


@given(snapshots())
def test_the_same_picture_gives_the_same_decisions(seen: Snapshot) -> None:
    assert decide(seen, View(), LOOSE, NOW) == decide(seen, View(), LOOSE, NOW)


@given(snapshots())
def test_the_reason_is_that_of_the_first_gate_in_the_way(seen: Snapshot) -> None:
    for decision in decide(seen, View(), LOOSE, NOW):
        first = next((check.reason for check in decision.checks if check.reason), None)
        assert decision.reason is first
        assert (decision.verdict is Verdict.ACT) is (bool(decision.checks) and first is None)


UNKNOWN: dict[str, Any] = {
    "state": "unknown",
    "seen": None,
    "client": None,
    "node_up": None,
    "node_listed": None,
    "node_back": None,
    "order_live": None,
    "gpus": None,
    "vm_gpus": None,
    "alerts": (),
    "fence": Fence.NO_CREDENTIAL,
    "desired": DesiredState.NONE,
    "labels": (),
}


@given(snapshots(), st.sampled_from(sorted(UNKNOWN)), st.integers(0, 44))
def test_knowing_less_of_a_subject_never_makes_it_the_object_of_an_action(
    seen: Snapshot, what: str, number: int
) -> None:
    place = number % len(seen.sights)
    sight = seen.sights[place]
    less = replace(sight, **{what: UNKNOWN[what]})
    poorer = replace(seen, sights=(*seen.sights[:place], less, *seen.sights[place + 1 :]))
    before, after = decide(seen, View(), LOOSE, NOW), decide(poorer, View(), LOOSE, NOW)
    mine = {subject for subject, _ in acts(after)} - {subject for subject, _ in acts(before)}
    assert sight.subject not in mine


TIGHTER: list[dict[str, Any]] = [
    {"mode": "approve"},
    {"hold": 5_000},
    {"samples": 3},
    {"max_age": 100},
    {"attempts_per_day": 1},
    {"node_settle": 60_000},
    {"blocked_by": ["Other"]},
    {"only_dbc_vms": False},
    {"limits": {"hold_off": 200_000}},
    {"limits": {"storm": {"bad_percent": 1, "bad_least": 1}}},
    {"limits": {"storm": {"new_count": 1}}},
    {"limits": {"sight": {"known_percent": 100}}},
    {"limits": {"concurrency": {"fleet": 1}}},
    {"limits": {"budgets": [{"scope": "fleet", "window": 600, "most": 1}]}},
    {"alerts": {"max_silence": 1}},
    {"alerts": {"expire": 1}},
    {"rules": []},
]


@given(snapshots(), st.sampled_from(TIGHTER))
def test_a_tighter_policy_only_takes_actions_away(seen: Snapshot, change: dict[str, Any]) -> None:
    merged = {"limits": {"concurrency": {"fleet": 9, "client": 9}, "storm": {"new_count": 99}}}
    tighter = {**merged, **change, "limits": {**merged["limits"], **change.get("limits", {})}}
    assert acts(decide(seen, View(), policy(**tighter), NOW)) <= acts(decide(seen, View(), LOOSE, NOW))


@given(snapshots(), st.data())
def test_trouble_elsewhere_and_pauses_only_take_actions_away(seen: Snapshot, data: st.DataObject) -> None:
    by = policy(limits={"concurrency": {"fleet": 99, "client": 99}, "budgets": [BIG]})
    before = acts(decide(seen, View(), by, NOW))
    neighbour = replace(data.draw(sights(77)), subject=Subject("f" * 64, "vm9"), machine="f" * 64)
    more = tuple(sorted((*seen.sights, neighbour), key=lambda sight: sight.subject))
    after = acts(decide(replace(seen, sights=more), View(), by, NOW))
    assert {one for one in after if one[0] != neighbour.subject} <= before
    node = data.draw(st.sampled_from(seen.sights)).subject.node_id
    pause = Pause(id="p", node_id=node, actor="ann", reason="", created=NOW, expires=NOW + 1)
    assert acts(decide(seen, View(pauses=(pause,)), by, NOW)) <= before


BIG = {"scope": "fleet", "window": 600, "most": 99}


@given(snapshots())
def test_an_empty_policy_does_nothing(seen: Snapshot) -> None:
    assert not acts(decide(seen, View(), policy(rules=[]), NOW))
    nobody = policy(match={})
    assert not acts(decide(seen, View(), nobody, NOW))


@given(snapshots())
def test_one_action_at_most_per_machine_and_within_all_limits(seen: Snapshot) -> None:
    by = policy(
        limits={
            "concurrency": {"fleet": 2, "client": 2},
            "budgets": [{**BIG, "most": 2}],
            "storm": {"new_count": 99},
        }
    )
    acting = [one.subject for one in decide(seen, View(), by, NOW) if one.verdict is Verdict.ACT]
    machines = [sight.machine for sight in seen.sights if sight.subject in acting]
    assert len(machines) == len(set(machines)) <= 2


@given(snapshots())
def test_who_is_sick_for_longest_comes_first(seen: Snapshot) -> None:
    one_at_a_time = policy(limits={"concurrency": {"fleet": 1, "client": 1}, "storm": {"new_count": 99}})
    allowed = acts(decide(seen, View(), LOOSE, NOW))
    chosen = acts(decide(seen, View(), one_at_a_time, NOW))
    assert len(chosen) == min(1, len(allowed))
    assert chosen <= allowed


@dataclass
class Life:
    """A hung VM that nothing cures, the planner, and a journal in memory: years pass in seconds."""

    by: Policy
    results: list[Result]
    intents: list[Intent] = field(default_factory=list)
    now: float = NOW

    def live(self, rounds: int, seconds: float) -> Decision:
        decision = Decision(subject=Subject("0"), verdict=Verdict.UNKNOWN)
        for _ in range(rounds):
            self.now += seconds
            sick = replace(
                well(0),
                alerts=(alert(since=NOW - 1_000, heard=self.now),),
                seen=self.now,
                order_seen=self.now,
            )
            everybody = (sick, *(replace(well(n), seen=self.now) for n in range(1, 40)))
            seen = Snapshot(0.0, fleet(watchdog=self.now), everybody)
            [decision] = decide(seen, View(intents=tuple(self.intents)), self.by, self.now, only=sick.subject)
            if decision.verdict is Verdict.ACT and decision.action and decision.problem:
                self._acted(decision, sick)
        return decision

    def _acted(self, decision: Decision, sick: Sight) -> None:
        assert decision.action is not None
        assert decision.problem is not None
        self.intents.append(
            Intent(
                id=str(len(self.intents)),
                subject=sick.subject,
                machine=sick.machine,
                client="one",
                action=decision.action,
                problem=decision.problem,
                state=IntentState.ENDED,
                created=self.now,
                sent=self.now,
                ended=self.now + 400,
                result=self.results[len(self.intents) % len(self.results)],
            )
        )


@given(st.lists(st.sampled_from(Result), min_size=1, max_size=5), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_what_nothing_cures_is_left_to_a_person_after_finitely_many_steps_in_order(
    results: list[Result], first: int, second: int
) -> None:
    ladder = [
        {"action": "restart", "evidence": [PROBE], "witness": PROBE, "attempts": first},
        {"action": "force_restart", "evidence": [PROBE], "witness": PROBE, "attempts": second},
    ]
    life = Life(policy(ladder=ladder, healthy_period=86_400), results)
    last = life.live(rounds=400, seconds=900.0)
    assert 1 <= len(life.intents) <= first + second
    assert last.verdict is Verdict.QUARANTINE
    actions = [intent.action for intent in life.intents]
    assert actions == sorted(actions, key=list(Action).index)
    for before, after in pairwise(life.intents):
        if before.action is not after.action:
            assert before.result is Result.INEFFECTIVE
        assert after.sent is not None
        assert before.sent is not None
        assert after.sent - before.sent >= 900


@given(st.integers(1, 3), st.sampled_from([600.0, 3_600.0]))
@settings(max_examples=20, deadline=None)
def test_no_sliding_span_ever_holds_more_than_a_budget_allows(most: int, span: float) -> None:
    ladder = [{"action": "restart", "evidence": [PROBE], "witness": PROBE, "attempts": 50}]
    by = policy(
        ladder=ladder,
        cooldown={"base": 1, "factor": 1},
        attempts_per_day=500,
        limits={"budgets": [{"scope": "fleet", "window": span, "most": most}]},
    )
    life = Life(by, [Result.INEFFECTIVE])
    life.live(rounds=300, seconds=60.0)
    sent = [intent.sent or 0.0 for intent in life.intents]
    assert len(sent) > most
    for begin in sent:
        assert sum(begin <= at < begin + span for at in sent) <= most
