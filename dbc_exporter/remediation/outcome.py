"""What the end of the one request means: certainly not sent, refused, taken, or nobody knows. Pure.

Only the node's and the BMC's own words from closed lists are a refusal. Everything else after the bytes left stays
open, also what the DBC client says of itself: a copy of the request may still be on its way, and only the fence keeps
it out.
"""

from __future__ import annotations

import re
from enum import StrEnum

from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.dbc.failures import chain_silent, not_rented
from dbc_exporter.dbc.outcomes import PowerTaken
from dbc_exporter.remediation.model import Result
from dbc_exporter.remediation.reasons import Reason

_REFUSED_BY_NODE = re.compile(
    r"task is (?:none|running|blocked|paused|being shutdown|shut_off|crashed|suspended)"
    r"|check (?:cpu|gpu|memory|ssh_port|rdp_port|vnc_port) failed|cpu count exceeds the maximum"
    r"|get cpu tune failed|gpu \S+ is already in use|gpu device \S+ not found in system|public ip being used"
    r"|(?:start|restart) task failed, please try again in a minute"
    r"|not supported|bare metal nodes are not supported|invalid command|bare metal node id \S+ not existed"
    r"|check authority failed: (?:session_id is invalid|not in verify time)",
    re.IGNORECASE,
)
# ipmitool had no session, or the BMC said so; no response, a timeout and "unknown" are not here
_REFUSED_BY_BMC = re.compile(
    r"unable to establish (?:lan|ipmi) |activate session command failed|ipmitool: (?:command )?not found"
    r"|unsupported command|set chassis power control to \S+ failed: "
    r"(?:command not supported|insufficient privilege|invalid command|node busy|bmc initialization)",
    re.IGNORECASE,
)
_NO_SUCH_DOMAIN = "task not exist"  # libvirt is dead: a moment before, the node's own list had the VM
_POWER_DONE = (
    "chassis power control: "  # ipmitool's word of success, here beside a complaint about something else
)


class Settling(StrEnum):
    """How it is known that the request arrived, whose effect is awaited."""

    TAKEN = "taken"  # the node said so
    UNACKNOWLEDGED = "unacknowledged"  # a power command was answered in words that say neither yes nor no
    ARRIVED = "arrived"  # its nonce was found spent
    SPENT = "spent"  # so it was, but perhaps by our own inquiry: it may never have been carried out


def of_failure(error: DbcError) -> tuple[Result, Reason] | None:
    """Return how a failed sending ends an intent, `None` where nobody knows whether it arrived.

    A node whose chain is silent, and one that is not rented, refuse before they look at the nonce.
    """
    if not error.sent:
        return Result.NOT_EXECUTED, Reason.NOT_SENT
    reason = _refusal(error)
    return None if reason is None else (Result.REFUSED, reason)


def _refusal(error: DbcError) -> Reason | None:
    if chain_silent(error):
        return Reason.CHAIN_SILENT
    if not_rented(error):
        return Reason.NO_LIVE_ORDER
    if error.reason is Failure.BMC:
        refused = _REFUSED_BY_BMC.search(error.said) and _POWER_DONE not in error.said.lower()
        return Reason.BMC_REFUSED if refused else None
    if error.reason is Failure.NOT_FOUND and error.said == _NO_SUCH_DOMAIN:
        return Reason.LIBVIRT_DEAD
    own_words = error.reason in (Failure.REFUSED_BY_NODE, Failure.NOT_FOUND, Failure.AUTHORITY)
    return Reason.REFUSED_BY_NODE if own_words and _REFUSED_BY_NODE.fullmatch(error.said) else None


def of_answer(answer: object) -> Settling:
    """Return what a success says: that the order was taken, never that it was carried out."""
    unclear = isinstance(answer, PowerTaken) and not answer.acknowledged
    return Settling.UNACKNOWLEDGED if unclear else Settling.TAKEN
