"""What in a policy contradicts the targets it is for. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dbc_exporter.remediation.findings import Finding, error, warning
from dbc_exporter.remediation.gates_history import allowance
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.problems import Trouble, stormy
from dbc_exporter.remediation.stand_ins import alike, fewest_subjects, most_subjects, stand_ins
from dbc_exporter.targets import DesiredState, Kind, Target


def against_targets(policy: Policy, targets: Sequence[Target], *, complete: bool = True) -> Iterator[Finding]:
    """Find what contradicts targets. `complete` is false where more of them are discovered later."""
    yield from _rules(policy, targets, complete=complete)
    if complete:
        yield from _limits(policy, targets)


@dataclass(slots=True)
class _Some:
    """Targets of which the same is to be said: the first one, and how many."""

    first: str = ""
    count: int = 0

    def add(self, target: Target, count: int) -> None:
        self.first = self.first or target.id
        self.count += count

    def __str__(self) -> str:
        return self.first if self.count == 1 else f"{self.first} and {self.count - 1} more"


def _rules(policy: Policy, targets: Sequence[Target], *, complete: bool) -> Iterator[Finding]:
    """Find rules that overlap, mean nobody, or mean what would be left alone anyway; targets alike are told once."""
    meant: set[int] = set()
    overlaps: dict[tuple[int, ...], _Some] = defaultdict(_Some)
    futile: dict[tuple[int, str], _Some] = defaultdict(_Some)
    for target, count in alike(targets, policy):
        fitting = _fitting(target, policy)
        for rules in fitting:
            meant.update(rules)
            if len(rules) > 1:
                overlaps[rules].add(target, count)
        why = _left_alone(target)
        for index in {index for rules in fitting for index in rules} if why else ():
            futile[index, why].add(target, count)
    for rules, some in sorted(overlaps.items()):
        names = " and ".join(policy.rules[index].name for index in rules)
        yield error(
            ("rules", rules[-1], "match"), f"{names} mean {some}, so nothing would be done; narrow them"
        )
    for (index, why), some in sorted(futile.items()):
        text = f"means {some} {why}, so nothing would be done; set it on the target"
        yield warning(("rules", index, "match"), text)
    for index in range(len(policy.rules)):
        if complete and index not in meant:
            yield warning(("rules", index, "match"), "means none of the targets; correct or remove the rule")


def _fitting(target: Target, policy: Policy) -> set[tuple[int, ...]]:
    """Return which rules mean a subject of the target, for each subject it may have."""
    place = {id(rule): index for index, rule in enumerate(policy.rules)}
    return {tuple(place[id(rule)] for rule in policy.rules_for(sight)) for sight in stand_ins(target, policy)}


def _left_alone(target: Target) -> str:
    """Say what a target's record lacks, "" for nothing."""
    if target.desired_state is DesiredState.NONE:
        return "without a desired_state"
    if target.kind is Kind.COMPUTE and target.expected_gpus is None:
        return "without expected_gpus"
    return ""


def _limits(policy: Policy, targets: Sequence[Target]) -> Iterator[Finding]:
    """Find limits that let nothing be done in a fleet as small as this."""
    fleet = fewest_subjects(targets)
    if not fleet:
        return
    reckoned = "" if most_subjects(targets) == fleet else ", reckoning one VM a node"
    for index, budget in enumerate(policy.limits.budgets):
        if allowance(budget, fleet) == 0:
            text = (
                f"of {fleet} subjects is less than one action, so nothing would be done{reckoned}; raise it"
            )
            yield error(("limits", "budgets", index, "percent"), text)
    if stormy(Trouble(bad=1, new=0, of=fleet), policy):
        text = f"lets one bad subject of {fleet} be a storm, so nothing would be done{reckoned}; raise it"
        yield error(("limits", "storm", "bad_least"), text)
