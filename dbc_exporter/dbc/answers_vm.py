"""VMs ("tasks"), their disks, snapshots and logs. Addresses, ports, users and passwords stay behind."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from dbc_exporter.dbc import parse
from dbc_exporter.dbc.parse import Json, take, unreadable
from dbc_exporter.dbc.rows import a_list, an_object, read_rows, unambiguous
from dbc_exporter.facts import (
    DiskList,
    Snapshot,
    SnapshotList,
    SnapshotState,
    Task,
    TaskList,
    TaskState,
    Vm,
    VmDisk,
)

_STATES = {
    "none": TaskState.NONE,
    "creating": TaskState.CREATING,
    "starting": TaskState.STARTING,
    "running": TaskState.RUNNING,
    "closed": TaskState.CLOSED,
    "pmsuspend": TaskState.SUSPENDED,
    "restarting": TaskState.RESTARTING,
    "resetting": TaskState.RESETTING,
    "being shutdown": TaskState.SHUTTING_DOWN,
    "being poweroff": TaskState.POWERING_OFF,
    "deleting": TaskState.DELETING,
    "disk resizing": TaskState.CHANGING_DISK,
    "disk adding": TaskState.CHANGING_DISK,
    "disk deleting": TaskState.CHANGING_DISK,
    "snapshot creating": TaskState.SNAPSHOTTING,
    "error": TaskState.ERROR,
    "create error": TaskState.CREATE_ERROR,
    "start error": TaskState.START_ERROR,
    "shutdown error": TaskState.STOP_ERROR,
    "poweroff error": TaskState.STOP_ERROR,
    "restart error": TaskState.RESTART_ERROR,
    "reset error": TaskState.RESTART_ERROR,
    "delete error": TaskState.DELETE_ERROR,
    "resize disk error": TaskState.DISK_ERROR,
    "add disk error": TaskState.DISK_ERROR,
    "delete disk error": TaskState.DISK_ERROR,
    "create snapshot error": TaskState.SNAPSHOT_ERROR,
}
_SNAPSHOT_STATES = {
    "none": SnapshotState.IDLE,
    "creating": SnapshotState.CREATING,
    "uploading": SnapshotState.UPLOADING,
}


def task_state(value: Any) -> TaskState | None:
    """Give the state a status text names, `None` for any other text."""
    return _STATES.get(value) if isinstance(value, str) else None


def task_list(message: Any) -> TaskList:
    """`/tasks`: a task said twice with different words is there, in an unknown state."""
    bad: list[str] = []
    found = read_rows(a_list(message, "tasks"), "tasks", _task, bad)
    tasks = unambiguous(
        found,
        lambda task: task.task_id,
        lambda task: Task(task.task_id, TaskState.UNKNOWN),
        "tasks.task_id",
        bad,
    )
    return TaskList(tasks=tasks, unreadable=unreadable(bad))


def _task(element: Json, bad: list[str]) -> Task | None:
    task_id = parse.word(element.get("task_id"))
    if task_id is None:
        return None
    return Task(
        task_id,
        take(element, "status", task_state, bad, "tasks.") or TaskState.UNKNOWN,
        take(element, "create_time", parse.local_time, bad, "tasks."),
        take(element, "desc", parse.text, bad, "tasks."),
    )


def vm(message: Any, task_id: str) -> Vm:
    """`/tasks/<id>`; an answer about another task is malformed."""
    answer = an_object(message, "task")
    if answer.get("task_id") != task_id:
        raise parse.malformed("task: not the task asked for")
    bad: list[str] = []
    return Vm(
        task_id=task_id,
        state=take(answer, "status", task_state, bad) or TaskState.UNKNOWN,
        os=take(answer, "os", parse.text, bad),
        description=take(answer, "desc", parse.text, bad),
        rent_order=take(answer, "rent_order", parse.word, bad),
        created_local=take(answer, "create_time", parse.local_time, bad),
        cpu_cores=take(answer, "cpu_cores", parse.count, bad),
        gpus=take(answer, "gpu_count", parse.count, bad),
        memory_bytes=take(answer, "mem_size", parse.size, bad),
        system_disk_bytes=take(answer, "disk_system", parse.size, bad),
        disks=_vm_disks(answer, bad),
        network_interfaces=take(answer, "interface", _length, bad),
        credentials_set=_credentials_set(answer),
        unreadable=unreadable(bad),
    )


def _credentials_set(answer: Json) -> bool | None:
    """Tell whether the guest agent took the password: "N/A" says it did not."""
    password = answer.get("login_password")
    if not isinstance(password, str) or not password:
        return None
    return password != "N/A"  # noqa: S105 - the server's word for "not set"


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def _vm_disks(answer: Json, bad: list[str]) -> tuple[VmDisk, ...] | None:
    elements = answer.get("disks")
    if elements is None:
        return None
    if not isinstance(elements, list):
        bad.append("disks")
        return None
    return _disks(elements, bad)


def _disks(elements: list[Any], bad: list[str]) -> tuple[VmDisk, ...]:
    def row(element: Json, bad: list[str]) -> VmDisk | None:
        name = parse.word(element.get("name"))
        return None if name is None else VmDisk(name, take(element, "size", parse.size, bad, "disks."))

    found = read_rows(elements, "disks", row, bad)
    return unambiguous(found, lambda disk: disk.name, lambda disk: VmDisk(disk.name), "disks.name", bad)


def disk_list(message: Any) -> DiskList:
    """`/disk/list/<task>`."""
    bad: list[str] = []
    disks = _disks(a_list(message, "disks"), bad)
    return DiskList(disks=disks, unreadable=unreadable(bad))


def snapshot_list(message: Any) -> SnapshotList:
    """`/snapshot/list/<task>`; each snapshot names its own unreadable fields."""
    bad: list[str] = []
    found = read_rows(
        a_list(message, "snapshots"), "snapshots", lambda element, _bad: _snapshot(element), bad
    )
    snapshots = unambiguous(
        found, lambda one: one.name, lambda one: Snapshot(name=one.name), "snapshots.snapshot_name", bad
    )
    return SnapshotList(snapshots=snapshots, unreadable=unreadable(bad))


def snapshot_details(message: Any, name: str) -> Snapshot:
    """`/snapshot/list/<task>/<name>`; an answer about another snapshot is malformed."""
    snapshot = _snapshot(an_object(message, "snapshot"))
    if snapshot is None or snapshot.name != name:
        raise parse.malformed("snapshot: not the snapshot asked for")
    return snapshot


def _snapshot(element: Json) -> Snapshot | None:
    name = parse.text(element.get("snapshot_name"))
    if name is None:
        return None
    bad: list[str] = []
    return Snapshot(
        name=name,
        state=take(element, "status", _snapshot_state, bad) or SnapshotState.UNKNOWN,
        created_local=take(element, "create_time", parse.local_time, bad),
        unreadable=unreadable(bad),
    )


def _snapshot_state(value: Any) -> SnapshotState | None:
    return _SNAPSHOT_STATES.get(value) if isinstance(value, str) else None


def logs(message: Any, task_id: str) -> tuple[SecretStr, ...]:
    """`/tasks/logs/<id>`: lines oldest first, kept secret because DBC writes passwords into them."""
    answer = an_object(message, "logs")
    lines = a_list(answer.get("log_content"), "log_content")
    if answer.get("task_id") != task_id or not all(isinstance(line, str) for line in lines):
        raise parse.malformed("logs: not the lines asked for")
    return tuple(SecretStr(line) for line in lines)


def session_id(message: Any) -> SecretStr:
    """`/mining_nodes/session_id`: a bearer token together with its signature, so it stays a secret."""
    value = parse.word(an_object(message, "session").get("session_id"))
    if value is None:
        raise parse.malformed("session: no session_id")
    return SecretStr(value)
