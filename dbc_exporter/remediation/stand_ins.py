"""Subjects that stand for those of configured targets: of a node it is not known here which VMs run on it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dbc_exporter.remediation.model import Fence, Sight, Subject
from dbc_exporter.remediation.policy import Policy, Rule
from dbc_exporter.targets import Kind, Target

_ANY_VM = "vm"
_FENCES = {"wallet": Fence.NONCE, "multisig": Fence.NONE, "session": Fence.NONE}


def stand_ins(target: Target, policy: Policy, form: str | None = None) -> tuple[Sight, ...]:
    """Return subjects a target may have, one at least for each way in which rules tell VMs apart; none of a manager.

    Nothing is wrong with what surrounds them. `form` is the form of the target's credential: wallet, multisig, session
    or manager.
    """
    if target.kind is Kind.MANAGER:
        return ()
    tasks = _task_ids(policy.rules) if target.kind is Kind.COMPUTE else ("",)
    return tuple(
        Sight(
            subject=Subject(target.id, task),
            machine=target.manager or target.id,
            labels=target.labels,
            desired=target.desired_state,
            fence=_FENCES.get(form or "", Fence.NO_CREDENTIAL),
            expected_gpus=target.expected_gpus,
            gpus=target.expected_gpus,
            vm_gpus=target.expected_gpus,
        )
        for task in tasks
    )


def alike(targets: Iterable[Target], policy: Policy) -> Iterator[tuple[Target, int]]:
    """Yield one target of each sort that the policy's rules can tell apart, with how many there are of it."""
    parts = [part for rule in policy.rules for part in (rule.match, rule.never)]
    labels = {name for part in parts for name in part.labels}
    ids = {node_id for part in parts for node_id in part.ids}
    sorts: dict[object, list[Target]] = {}
    for target in targets:
        sort = (
            target.kind,
            target.credential,
            target.desired_state,
            target.expected_gpus is None,
            target.manager is None,
            tuple(label for label in target.labels if label[0] in labels),
            target.id if target.id in ids else "",
        )
        sorts.setdefault(sort, []).append(target)
    for same in sorts.values():
        yield same[0], len(same)


def fewest_subjects(targets: Iterable[Target]) -> int:
    """Return how many subjects there are when each node with a credential runs one VM."""
    return sum(target.kind is Kind.SERVER or _with_vms(target) for target in targets)


def most_subjects(targets: Sequence[Target]) -> int | None:
    """Return how many subjects there can be, `None` where a node may run any number of VMs."""
    return None if any(map(_with_vms, targets)) else fewest_subjects(targets)


def _with_vms(target: Target) -> bool:
    return target.kind is Kind.COMPUTE and target.credential is not None


def _task_ids(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Return ids of VMs that the patterns of rules tell apart, and the id of one that no pattern names."""
    parts = [part for rule in rules for part in (rule.match, rule.never)]
    bare = [one.replace("*", "").replace("?", "x") or _ANY_VM for part in parts for one in part.tasks]
    return tuple(dict.fromkeys((_ANY_VM, *bare)))
