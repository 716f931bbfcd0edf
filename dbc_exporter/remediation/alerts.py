"""What Alertmanager's webhook brings: a body of untrusted bytes, read as evidence and nothing else.

No label or annotation ever names an action. Format: Alertmanager's webhook payload, version 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec

from dbc_exporter.remediation.model import Subject
from dbc_exporter.remediation.sightings import Heard

MOST_ALERTS = 1_000
_LONGEST_NAME = 200
_NODE_ID = re.compile(r"[0-9a-f]{64}")
_TASK_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_FIRING = {"firing": True, "resolved": False}

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Fingerprint = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{1,32}\Z")]


class BadDeliveryError(ValueError):
    """The body is no delivery of Alertmanager. The text names the field and quotes nothing."""


class TooManyAlertsError(BadDeliveryError):
    """The delivery holds more alerts than are taken from one. That there were so many is evidence all the same."""


class _Alert(msgspec.Struct, rename="camel"):
    status: str
    labels: dict[str, str]
    starts_at: _Moment
    fingerprint: _Fingerprint
    ends_at: _Moment | None = None


class _Payload(msgspec.Struct, rename="camel"):
    version: str
    alerts: list[_Alert]
    truncated_alerts: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery. `unmapped` counts alerts about nobody we watch, `truncated` says that alerts were left out.

    Ends of alerts are heard of everybody: a target that is out of the inventory now may come back tomorrow, and its
    alert must not fire for ever then.

    An alert that names a node and no VM is heard of the node itself. `watchdog` tells that the alert that always fires
    did; it is neither heard nor unmapped.
    """

    heard: tuple[Heard, ...] = ()
    watchdog: bool = False
    unmapped: int = 0
    truncated: bool = False


_DECODER = msgspec.json.Decoder(_Payload)


def parse(body: bytes, watchdog: str, watched: Callable[[str], bool]) -> Delivery:
    """Read a delivery. `watchdog` is the name of the alert that always fires, `watched` tells our node ids.

    Raises `BadDeliveryError`, of which `TooManyAlertsError` is one.
    """
    payload = _decoded(body)
    heard: list[Heard] = []
    beat, unmapped = False, 0
    for place, alert in enumerate(payload.alerts):
        firing = _FIRING.get(alert.status)
        if firing is None:
            raise BadDeliveryError(f"alerts[{place}].status: neither firing nor resolved")
        name, subject = alert.labels.get("alertname", ""), _subject(alert.labels)
        if name == watchdog:
            beat = beat or firing
        elif (
            subject is not None
            and 0 < len(name) <= _LONGEST_NAME
            and _concerns(subject, watched, firing=firing)
        ):
            heard.append(_heard(alert, name, subject, firing=firing))
        else:
            unmapped += 1
    return Delivery(tuple(heard), beat, unmapped, payload.truncated_alerts > 0)


def _decoded(body: bytes) -> _Payload:
    try:
        payload = _DECODER.decode(body.decode())
    except msgspec.ValidationError as error:
        raise BadDeliveryError(f"is no delivery of Alertmanager: {error}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadDeliveryError("is no JSON in UTF-8") from None
    if payload.version != "4":
        raise BadDeliveryError("version: only version 4 is understood")
    if len(payload.alerts) > MOST_ALERTS:
        raise TooManyAlertsError(f"alerts: more than {MOST_ALERTS}; group them by node_id")
    return payload


def _subject(labels: dict[str, str]) -> Subject | None:
    """Return whom an alert is about, if its labels name somebody."""
    node_id, task_id = labels.get("node_id", ""), labels.get("task_id", "")
    if not _NODE_ID.fullmatch(node_id):
        return None
    if task_id and not _TASK_ID.fullmatch(task_id):
        return None
    return Subject(node_id, task_id)


def _concerns(subject: Subject, watched: Callable[[str], bool], *, firing: bool) -> bool:
    return not firing or watched(subject.node_id)


def _heard(alert: _Alert, name: str, subject: Subject, *, firing: bool) -> Heard:
    ends = None if firing or alert.ends_at is None else alert.ends_at.timestamp()
    return Heard(name, subject, alert.fingerprint, alert.starts_at.timestamp(), firing, ends)
