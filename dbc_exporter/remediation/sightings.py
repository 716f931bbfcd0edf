"""What Alertmanager says of subjects: one word of one alert, what is remembered of it, many put together. Pure.

Words come twice, late and out of order, and Alertmanager's replicas disagree for a while. So what is remembered are
two of Prometheus' times that only grow: the latest start heard of, and the latest time up to which the alert is known
to be over. It fires if and only if it started after it was over. That does not depend on the order of the words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from dbc_exporter.remediation.model import Alert, Subject


class Heard(Struct, frozen=True):
    """One alert of a delivery. `starts_at` and `ends_at` are Prometheus' Unix times; the fingerprint is Alertmanager's.

    `ends_at` is when a resolved alert ended. Where it is not told, only episodes up to `starts_at` are over.
    """

    name: str
    subject: Subject
    fingerprint: str
    starts_at: float
    firing: bool
    ends_at: float | None = None


class Memory(Struct, frozen=True, kw_only=True):
    """What is remembered of the alert of one fingerprint.

    `starts_at` and `over` are Prometheus' Unix times, the others our steady ones: `since` when this episode was first
    heard of, `heard` the latest word of it, `ended` when we heard that it is over (`None` while it fires).
    """

    starts_at: float
    since: float
    heard: float
    over: float | None = None
    ended: float | None = None


def recall(before: Memory | None, word: Heard, at: float) -> Memory:
    """Return what is remembered after a word; the very same object when the word says nothing new."""
    return _fired(before, word, at) if word.firing else _resolved(before, word, at)


def _fired(before: Memory | None, word: Heard, at: float) -> Memory:
    if before is None:
        return Memory(starts_at=word.starts_at, since=at, heard=at)
    if before.over is not None and word.starts_at <= before.over:
        return before  # a late word of an episode that is over
    if before.ended is None and word.starts_at <= before.starts_at:
        return replace(before, heard=max(before.heard, at))
    return replace(before, starts_at=word.starts_at, since=at, heard=at, ended=None)


def _resolved(before: Memory | None, word: Heard, at: float) -> Memory:
    over = word.starts_at if word.ends_at is None else max(word.starts_at, word.ends_at)
    if before is None:
        return Memory(starts_at=word.starts_at, since=at, heard=at, over=over, ended=at)
    if before.over is not None and over <= before.over:
        return before
    if over < before.starts_at:
        return replace(before, over=over)  # the end of an earlier episode; a later one fires
    if before.ended is not None and word.starts_at <= before.starts_at:
        return replace(before, over=over)  # the same end, told by a replica that saw it later
    starts_at = max(before.starts_at, word.starts_at)
    return replace(before, starts_at=starts_at, over=over, heard=at, ended=at)


def merged(remembered: Iterable[tuple[Subject, str, Memory]]) -> dict[Subject, tuple[Alert, ...]]:
    """Put alerts of one subject and name together: firing while any of them fires, ended when the last one ended."""
    by_name: dict[tuple[Subject, str], list[Memory]] = defaultdict(list)
    for subject, name, memory in remembered:
        by_name[subject, name].append(memory)
    found: dict[Subject, list[Alert]] = defaultdict(list)
    for (subject, name), same in sorted(by_name.items()):
        firing = [memory for memory in same if memory.ended is None]
        ends = [memory.ended for memory in same if memory.ended is not None]
        told = firing or same
        since, heard = min(memory.since for memory in told), max(memory.heard for memory in told)
        found[subject].append(Alert(name, since, heard, None if firing else max(ends)))
    return {subject: tuple(alerts) for subject, alerts in found.items()}
