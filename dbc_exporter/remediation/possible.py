"""What remediation can do for each target with what is configured, and why not more. Pure.

The planner's own gates are asked, about subjects with which everything else is well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from dbc_exporter.remediation import gates_mode, gates_subject
from dbc_exporter.remediation.case import Case, Surroundings
from dbc_exporter.remediation.model import CURES, Action, Fleet, Mode, Sight, Snapshot, View
from dbc_exporter.remediation.past import Past
from dbc_exporter.remediation.policy import Policy, Rule
from dbc_exporter.remediation.problems import NEVER, Trouble
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.stand_ins import alike, stand_ins
from dbc_exporter.remediation.words import in_words
from dbc_exporter.targets import Kind, Target

ACTIONS = {
    Kind.COMPUTE: (Action.RESTART, Action.FORCE_RESTART, Action.START),
    Kind.SERVER: (Action.POWER_ON, Action.POWER_RESET),
    Kind.MANAGER: (Action.POWER_ON, Action.POWER_RESET),
}
_ASKED = (
    gates_subject.rule,
    gates_subject.ladder,
    gates_subject.credential,
    gates_subject.desired_state,
    gates_subject.gpus,
)
_WITHOUT_MANAGER = "its power is read as its renter until a manager lists it"
# what is never known while a collector is switched off
_LOST = {
    Kind.COMPUTE: {
        "tasks": Reason.STATE_UNKNOWN,
        "orders": Reason.ORDER_UNKNOWN,
        "node": Reason.GPUS_UNKNOWN,
        "vms": Reason.GPUS_UNKNOWN,
    },
    Kind.SERVER: {"power": Reason.STATE_UNKNOWN},
    Kind.MANAGER: {},
}


class Extent(StrEnum):
    """How far an action is possible."""

    POSSIBLE = "possible"
    APPROVE_ONLY = "approve only"
    IMPOSSIBLE = "impossible"


class Row(NamedTuple):
    """One action on one target, under one rule where rules tell its VMs apart. `words` say what `reason` means here."""

    target: Target
    action: Action
    extent: Extent
    reason: Reason | None
    rule: str
    words: str = ""


def possible(
    policy: Policy | None, targets: Iterable[Target], forms: Mapping[str, str], off: Collection[str] = ()
) -> Iterator[Row]:
    """Yield what is possible for each target; without a policy nothing is.

    `forms` has the form of each credential by name: wallet, multisig, session or manager. `off` names the collectors
    that are switched off.
    """
    by_rules = policy or Policy(version="1")
    for target in targets:
        judged = (row for action in ACTIONS[target.kind] for row in _of(target, action, by_rules, forms, off))
        yield from dict.fromkeys(judged)


def _of(
    target: Target, action: Action, policy: Policy, forms: Mapping[str, str], off: Collection[str]
) -> Iterator[Row]:
    if target.kind is Kind.MANAGER:
        words = "a manager's key allows nothing to its servers, which are targets of their own"
        yield Row(target, action, Extent.IMPOSSIBLE, Reason.NO_CREDENTIAL, "", words)
        return
    lost = [name for name in _LOST[target.kind] if name in off]
    rows = [
        _judge(target, action, sight, policy)
        for sight in stand_ins(target, policy, forms.get(target.credential or ""))
    ]
    # where a rule means some VMs of a node, that it does not mean the others is no news
    named = [row for row in rows if row.reason is not Reason.NO_RULE]
    for row in named or rows:
        if lost and row.extent is not Extent.IMPOSSIBLE:
            reason, words = _LOST[target.kind][lost[0]], f"the collector {lost[0]} is switched off"
            yield row._replace(extent=Extent.IMPOSSIBLE, reason=reason, words=words)
        else:
            yield row


def _judge(target: Target, action: Action, sight: Sight, policy: Policy) -> Row:
    rules = policy.rules_for(sight)
    case = _case(sight, action, rules)
    around = _around(policy)
    name = " and ".join(rule.name for rule in rules)
    for ask in _ASKED:
        reason, detail = ask(case, around)
        if reason is not None:
            words = f"its ladder has no {action}" if reason is Reason.NO_RUNG else _words(reason, detail)
            return Row(target, action, Extent.IMPOSSIBLE, reason, name, words)
    caps = gates_mode.caps(case, around)
    if not caps:
        return Row(target, action, Extent.POSSIBLE, None, name, _WITHOUT_MANAGER if target.unmanaged else "")
    strictest, first, _ = caps[0]
    extent = Extent.APPROVE_ONLY if strictest is Mode.APPROVE else Extent.IMPOSSIBLE
    words = "; ".join(_words(reason, detail) for mode, reason, detail in caps if mode is strictest)
    return Row(target, action, extent, first, name, words)


def _words(reason: Reason, detail: str) -> str:
    return f"{in_words(reason)} ({detail})" if detail else in_words(reason)


def _case(sight: Sight, action: Action, rules: tuple[Rule, ...]) -> Case:
    ladder = rules[0].ladder if rules else ()
    return Case(
        sight=sight,
        problem=CURES[action],
        rules=rules,
        rung=next((rung for rung in ladder if rung.action is action), None),
        since=NEVER,
        tried=(),
        counted=(),
        tries=0,
        used_up=False,
        evidence="",
    )


def _around(policy: Policy) -> Surroundings:
    return Surroundings(
        snapshot=Snapshot(0.0, Fleet(started=NEVER), ()),
        view=View(),
        policy=policy,
        now=0.0,
        trouble=Trouble(),
        past=Past((), policy.limits.budgets, 0.0),
        mine=None,
    )


def lines(
    policy: Policy, targets: Iterable[Target], forms: Mapping[str, str], off: Collection[str] = ()
) -> Iterator[str]:
    """Say it for people, with targets that are alike told once. The policy's mode is taken for `act`, to show more."""
    acting = policy.model_copy(update={"mode": Mode.ACT})
    counts: Counter[tuple[str, Action, Extent, Reason | None, str]] = Counter()
    for target, count in alike(targets, policy):
        form = forms.get(target.credential or "")
        whom = (
            f"{target.kind} with {form} {target.credential}" if form else f"{target.kind} without credential"
        )
        for row in possible(acting, [target], forms, off):
            by = f", rule {row.rule}" if row.rule else ""
            counts[f"{whom}{by}", row.action, row.extent, row.reason, row.words] += count
    for (whom, action, extent, reason, words), count in counts.items():
        why = f" ({reason}): {words}" if reason else f": {words}" if words else ""
        yield f"{count} {whom}: {action} {extent}{why}"
