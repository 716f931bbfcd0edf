"""What the end of the one request means: taken, refused, certainly not sent, or nobody knows. Pure.

Only the node's own words from a closed list are a refusal; whatever else comes back leaves it open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.dbc.failures import chain_silent, kept_by_client, nonce_refused, not_rented
from dbc_exporter.remediation.reasons import Reason

_NO = re.compile(
    r"task is (?:none|running|blocked|paused|being shutdown|shut_off|crashed|suspended)$"
    r"|check (?:cpu|gpu|memory|ssh_port|rdp_port|vnc_port) failed$|cpu count exceeds the maximum$"
    r"|get cpu tune failed$|gpu \S+ is already in use$|gpu device \S+ not found in system$|public ip being used$"
    r"|(?:start|restart) task failed, please try again in a minute$|not supported$",
    re.IGNORECASE,
)


class End(StrEnum):
    """How the sending ended."""

    REFUSED = "refused"  # the node said no
    NOT_SENT = "not_sent"  # it never reached the node, and never will
    OPEN = "open"  # it may have been carried out, or may still be


@dataclass(frozen=True, slots=True)
class Outcome:
    """An end and its reason; `said` is what the other side said, redacted already."""

    end: End
    reason: Reason
    said: str


def of_failure(error: DbcError) -> Outcome:
    """Judge a failed sending."""
    return Outcome(*_judged(error), error.said)


def _judged(error: DbcError) -> tuple[End, Reason]:
    if not error.sent or kept_by_client(error):
        return End.NOT_SENT, Reason.NOT_SENT
    if nonce_refused(error):  # a fresh nonce of ours is known there: a copy of this request came first
        return End.OPEN, Reason.NO_WORD
    if chain_silent(error):
        return End.REFUSED, Reason.CHAIN_SILENT
    if not_rented(error):
        return End.REFUSED, Reason.NO_LIVE_ORDER
    if error.reason is Failure.NOT_FOUND:
        return End.REFUSED, Reason.LIBVIRT_DEAD
    if error.reason is Failure.BMC:
        return End.REFUSED, Reason.BMC_REFUSED
    if error.reason is Failure.REFUSED_BY_NODE and _NO.match(error.said):
        return End.REFUSED, Reason.REFUSED_BY_NODE
    return End.OPEN, Reason.NO_WORD
