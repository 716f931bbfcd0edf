"""What Alertmanager's webhook brings: a body of untrusted bytes, read as evidence and nothing else.

No label or annotation ever names an action. Format: Alertmanager's webhook payload, version 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from dbc_exporter.remediation.model import Subject
from dbc_exporter.remediation.sightings import Heard

MOST_ALERTS = 1_000
_NODE_ID = re.compile(r"[0-9a-f]{64}")
_TASK_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_FINGERPRINT = re.compile(r"[0-9a-f]{1,32}")
_LONGEST_NAME = 200


class BadDeliveryError(ValueError):
    """The body is no delivery of Alertmanager; the text names the field."""


class _Alert(msgspec.Struct, rename="camel"):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    starts_at: datetime
    fingerprint: str


class _Payload(msgspec.Struct, rename="camel"):
    version: str
    alerts: list[_Alert]
    truncated_alerts: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery. `unmapped` counts alerts about nobody we watch."""

    heard: tuple[Heard, ...] = ()
    watchdog: bool = False
    unmapped: int = 0
    truncated: bool = False


_DECODER = msgspec.json.Decoder(_Payload)


def parse(body: bytes, watchdog: str, watched: Callable[[str], bool]) -> Delivery:
    """Read a delivery. `watchdog` is the name of the alert that always fires, `watched` tells our node ids.

    Raises `BadDeliveryError`.
    """
    try:
        payload = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadDeliveryError(f"is no delivery of Alertmanager: {error}") from None
    if payload.version != "4":
        raise BadDeliveryError("version: only version 4 is understood")
    if len(payload.alerts) > MOST_ALERTS:
        raise BadDeliveryError(f"alerts: more than {MOST_ALERTS}; group them by node_id")
    heard, beat, unmapped = [], False, 0
    for alert in payload.alerts:
        if alert.labels.get("alertname") == watchdog:
            beat = beat or alert.status == "firing"
            continue
        one = _heard(alert, watched)
        if one is None:
            unmapped += 1
        else:
            heard.append(one)
    return Delivery(tuple(heard), beat, unmapped, payload.truncated_alerts > 0)


def _heard(alert: _Alert, watched: Callable[[str], bool]) -> Heard | None:
    name = alert.labels.get("alertname", "")
    node_id, task_id = alert.labels.get("node_id", ""), alert.labels.get("task_id", "")
    if not _FINGERPRINT.fullmatch(alert.fingerprint) or not 0 < len(name) <= _LONGEST_NAME:
        raise BadDeliveryError("alerts: each needs an alertname and a hexadecimal fingerprint")
    if not _NODE_ID.fullmatch(node_id) or not watched(node_id):
        return None
    if task_id and not _TASK_ID.fullmatch(task_id):
        return None
    starts = alert.starts_at if alert.starts_at.tzinfo else alert.starts_at.replace(tzinfo=UTC)
    return Heard(
        name, Subject(node_id, task_id), alert.fingerprint, starts.timestamp(), alert.status == "firing"
    )
