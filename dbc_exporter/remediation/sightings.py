"""What Alertmanager says of subjects: one word of one alert, and many of them put together. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from dbc_exporter.remediation.model import Alert, Subject


class Heard(Struct, frozen=True):
    """One alert of a delivery. `starts_at` is Prometheus' Unix time; the fingerprint is Alertmanager's."""

    name: str
    subject: Subject
    fingerprint: str
    starts_at: float
    firing: bool


def merged(rows: Iterable[Any]) -> dict[Subject, tuple[Alert, ...]]:
    """Put alerts of one name and subject together: firing while any of them fires, ended when the last one ended.

    Each row has `name`, `subject` as text, `since`, `heard` and `ended`.
    """
    by_name: dict[tuple[Subject, str], list[Any]] = defaultdict(list)
    for row in rows:
        node_id, _, task_id = row["subject"].partition("/")
        by_name[Subject(node_id, task_id), row["name"]].append(row)
    found: dict[Subject, list[Alert]] = defaultdict(list)
    for (subject, name), same in sorted(by_name.items()):
        firing = [row for row in same if row["ended"] is None] or same
        ended = None if firing[0]["ended"] is None else max(row["ended"] for row in firing)
        since, heard = min(row["since"] for row in firing), max(row["heard"] for row in firing)
        found[subject].append(Alert(name, since, heard, ended))
    return {subject: tuple(alerts) for subject, alerts in found.items()}
