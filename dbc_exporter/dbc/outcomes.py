"""What a write brings back: that it was taken. Whether it was carried out is seen only by reading again."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from msgspec import Struct

from dbc_exporter.dbc import parse
from dbc_exporter.dbc.answers_vm import task_state
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.redact import quote
from dbc_exporter.dbc.rows import an_object, list_in, read_rows
from dbc_exporter.facts import TaskState

_NEXT_BOOT = "some changes will take effect on the next boot"
_DELETED = re.compile(r"([0-9]{1,6}) were successfully deleted, ([0-9]{1,6}) failed")
_BOOTDEV_EXECUTED = "bare metal client not existed"
_POWER_TAKEN = {
    "on": "chassis power control: up/on",
    "off": "chassis power control: down/off",
    "reset": "chassis power control: reset",
}
_POWER_FAILED = re.compile(
    r"fail|unable|not found|not support|unsupported|error|denied|invalid", re.IGNORECASE
)


class Accepted(Struct, frozen=True):
    """The order was queued or done. `at_next_boot`: part of a change waits for the VM's next start."""

    at_next_boot: bool = False


class CreatedVm(Struct, frozen=True):
    """A VM that is being made; it may still end in an error."""

    task_id: str
    state: TaskState


class AddedServer(Struct, frozen=True):
    """A bare-metal server's new node id."""

    node_id: str
    uuid: str | None = None


class DeletedServers(Struct, frozen=True):
    """How many servers were deleted, and how many were not."""

    deleted: int
    failed: int


class PowerTaken(Struct, frozen=True):
    """A power command's answer. `acknowledged` is true when the BMC said so in its own words."""

    acknowledged: bool


class BootDeviceAnswer(StrEnum):
    """The server reports every boot device as failed, also those it has set."""

    EXECUTED_UNCONFIRMED = "executed_unconfirmed"
    ACCEPTED = "accepted"


def accepted(message: Any) -> Accepted:
    """Read "ok" and its like; the text of a success is free."""
    if not isinstance(message, str):
        raise parse.malformed("no text")
    return Accepted(at_next_boot=message == _NEXT_BOOT)


def created_vm(message: Any) -> CreatedVm:
    """`/tasks/start` without an id."""
    answer = an_object(message, "created task")
    task_id = parse.word(answer.get("task_id"))
    if task_id is None:
        raise parse.malformed("created task: no task_id")
    return CreatedVm(task_id, task_state(answer.get("status")) or TaskState.UNKNOWN)


def added_servers(message: Any) -> tuple[AddedServer, ...]:
    """`/bare_metal/add`; an unreadable row is left out, the list tells the truth afterwards."""
    rows = read_rows(list_in(message, "bare_metal_nodes"), "bare_metal_nodes", _added, [])
    return tuple(rows)


def _added(element: parse.Json, bad: list[str]) -> AddedServer | None:
    node_id = parse.node_id(element.get("node_id"))
    return None if node_id is None else AddedServer(node_id, parse.take(element, "uuid", parse.word, bad))


def deleted_servers(message: Any) -> DeletedServers:
    """`/bare_metal/delete`: success as soon as one server was deleted."""
    match = _DELETED.fullmatch(message) if isinstance(message, str) else None
    if match is None:
        raise parse.malformed("deleted servers: no numbers")
    return DeletedServers(int(match[1]), int(match[2]))


def power_taken(message: Any, command: str) -> PowerTaken:
    """`/bare_metal/power`: ipmitool's failures arrive as successes, known by their words (`DbcError`, bmc)."""
    if not isinstance(message, str):
        raise parse.malformed("power: no text")
    if message.strip().lower() == _POWER_TAKEN[command]:
        return PowerTaken(acknowledged=True)
    if _POWER_FAILED.search(message):
        raise DbcError(Reason.BMC, quote(message))
    return PowerTaken(acknowledged=False)


def boot_device(message: Any) -> BootDeviceAnswer:
    """`/bare_metal/bootdev` of a server that lost the bug."""
    accepted(message)
    return BootDeviceAnswer.ACCEPTED


def boot_device_refusal(said: str) -> BootDeviceAnswer | None:
    """Read the refusal the server gives after it has executed the command."""
    return BootDeviceAnswer.EXECUTED_UNCONFIRMED if said == _BOOTDEV_EXECUTED else None
