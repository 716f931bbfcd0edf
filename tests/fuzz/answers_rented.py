"""Answers about what is rented on a node: VMs, their disks, snapshots and logs, transfers, sessions."""

from __future__ import annotations

from collections import Counter
from functools import partial

from dbc_exporter.collectors import per_vm
from dbc_exporter.collectors.tasks import TasksCollector
from dbc_exporter.collectors.transfers import TransfersCollector
from dbc_exporter.dbc import reads
from dbc_exporter.facts import MonitorServers
from dbc_exporter.facts import Snapshot as SnapshotFact
from dbc_exporter.targets import Target
from tests.fuzz.good import Good, below, leaves
from tests.fuzz.made import Maker
from tests.fuzz.stage import by_collector, directly, guard_for, key_of
from tests.fuzz.tree import Arr, Leaf, Node, Obj, obj
from tests.fuzz.truth import Counts, Number, OneState, Rows, Texts, key

TASK_STATES = {
    "none": "none", "creating": "creating", "starting": "starting", "running": "running", "closed": "closed",
    "pmsuspend": "suspended", "restarting": "restarting", "resetting": "resetting", "deleting": "deleting",
    "being shutdown": "shutting_down", "being poweroff": "powering_off", "disk adding": "changing_disk",
    "snapshot creating": "snapshotting", "error": "error", "create error": "create_error",
    "start error": "start_error", "poweroff error": "stop_error", "reset error": "restart_error",
    "delete error": "delete_error", "add disk error": "disk_error", "create snapshot error": "snapshot_error",
    "a status of a later version": "unknown",
}  # fmt: skip
"""The server's words (it has more of the same) and the states they mean."""
SNAPSHOT_STATES = {"none": "idle", "creating": "creating", "uploading": "uploading"}


def _renter(make: Maker, **more: tuple[str, ...]) -> Target:
    return Target(make.hex_id(), credential="me", rent_order="101" if make.chance() else None, **more)  # type: ignore[arg-type]  # transfers only


def _row(make: Maker, task_id: str, word: str, kind: str) -> Obj:
    fields: dict[str, Node] = {"task_id": Leaf(task_id, kind), "create_time": make.time().leaf}
    if make.chance(0.9):
        fields["desc"] = make.leaf(make.text(), "text")
    return obj(fields | {"status": Leaf(word, "task_state")}, ", ")


def task_list(make: Maker) -> Good:
    """`/tasks`; where it is broken and the VMs are known already, they are asked for one by one."""
    target = _renter(make)
    words = {name: make.random.choice(list(TASK_STATES)) for name in make.distinct(5, "task")}
    rows: list[Node] = [_row(make, name, word, "word") for name, word in words.items()]
    tasks = Arr(rows)
    known = tuple(words) if make.chance() else None
    show = by_collector(lambda: TasksCollector(guard_for(target), lambda _target: known), target)
    good = Good(reads.task_list(target.id), tasks, show, ", ")
    for name, word in words.items():
        good.others[key_of(reads.vm(target.id, name))] = _row(make, name, word, "exact")
    me = {"node_id": target.id}
    good.truth[key("dbc_node_tasks_parsable", **me)] = Number(1, leaves(tasks), frozenset({0.0}))
    good.truth[key("dbc_node_tasks", **me)] = Counts(
        Counter(TASK_STATES[word] for word in words.values()), below(tasks)
    )
    for row, (name, word) in zip(rows, words.items(), strict=True):
        assert isinstance(row, Obj)
        rests_on = leaves(row["task_id"], row["status"])
        good.truth[key("dbc_vm_state", task_id=name, **me)] = OneState(TASK_STATES[word], rests_on)
    return good


def vm(make: Maker) -> Good:
    """`/tasks/<id>`: a VM with its addresses, ports and passwords in clear."""
    target, task = _renter(make), make.base58(22)
    named = Leaf(task, "exact")
    me = {"node_id": target.id, "task_id": task}
    show = by_collector(lambda: per_vm.vms(guard_for(target), lambda _target: (task,)), target)
    good = Good(reads.vm(target.id, task), obj({}, ", "), show, ", ", secrets=make.secrets)
    system, description = make.leaf(make.text(), "text"), make.leaf(make.text(), "text")
    created, order = make.time(), make.leaf("101", "word")
    cores, gpus = make.count(64, text=False), make.count(8, text=False)
    memory, disk = make.size(), make.size()
    password = make.password()
    fields: dict[str, Node] = {
        "task_id": named, "os": system, "ssh_ip": make.address(), "ssh_port": Leaf("5681", "ignored"),
        "user_name": make.secret(f"user{make.base58(8)}"), "login_password": password,
        "cpu_cores": cores.leaf, "gpu_count": gpus.leaf, "mem_size": memory.leaf, "disk_system": disk.leaf,
        "vnc_port": Leaf("5901", "ignored"), "vnc_password": make.secret(password.value[:8]),
    }  # fmt: skip
    if make.chance(0.4):
        fields["network_name"] = make.secret(make.base58(10))
    fields |= {
        "create_time": created.leaf,
        "desc": description,
        "status": make.pick(list(TASK_STATES), "task_state"),
    }
    texts: dict[str, tuple[str, Leaf | None]] = {
        "os": (system.value, system),
        "description": (description.value, description),
        "created_local": (created.leaf.value, created.leaf),
        "rent_order": ("", None),
    }
    if make.chance(0.8):
        fields["rent_order"] = order
        texts["rent_order"] = (order.value, order)
    if make.chance(0.3):
        fields["local_address"] = Arr([make.address()])
    if make.chance(0.9):
        fields["disks"] = _vm_disks(make, good, me, named)
    interfaces = Arr(
        [obj({"name": Leaf("vnet0", "ignored")}) for _ in range(make.random.randint(0, 2))], counted=True
    )
    fields["interface"] = interfaces
    assert isinstance(good.message, Obj)
    good.message.members = obj(fields).members
    good.truth[key("dbc_vm_info", **me)] = Texts(texts, leaves(good.message, named))
    for family, number in (
        ("dbc_vm_cpu_cores", cores),
        ("dbc_vm_gpus", gpus),
        ("dbc_vm_memory_bytes", memory),
        ("dbc_vm_system_disk_bytes", disk),
        ("dbc_vm_created_timestamp_seconds", created),
    ):
        good.number(key(family, **me), number.value, named, number.leaf)
    good.number(key("dbc_vm_network_interfaces", **me), len(interfaces.items), named, interfaces)
    return good


def _vm_disks(make: Maker, good: Good, me: dict[str, str], named: Leaf) -> Arr:
    rows: list[Node] = []
    for name in make.distinct(4, "vd"):
        disk, size = Leaf(name, "word"), make.size()
        file = make.secret(f"/data/vm_{make.base58(10)}.qcow2")
        rows.append(obj({"name": disk, "size": size.leaf, "source_file": file}, ", "))
        good.number(key("dbc_vm_disk_size_bytes", disk=name, **me), size.value, named, disk, size.leaf)
    return Arr(rows)


def disk_list(make: Maker) -> Good:
    """`/disk/list/<task>`."""
    target, task = _renter(make), make.base58(22)
    show = by_collector(lambda: per_vm.disks(guard_for(target), lambda _target: (task,)), target)
    rows: list[Node] = []
    good = Good(reads.disk_list(target.id, task), Arr(rows), show, secrets=make.secrets)
    for name in make.distinct(5, "vd"):
        disk, size = Leaf(name, "word"), make.size()
        rows.append(obj({"name": disk, "file": make.secret(f"/data/d_{make.base58(10)}"), "size": size.leaf}))
        labels = {"node_id": target.id, "task_id": task, "disk": name}
        good.number(key("dbc_disk_size_bytes", **labels), size.value, disk, size.leaf)
    return good


def _snapshot(make: Maker, name: str, word: str | None, kind: str) -> Obj:
    fields: dict[str, Node] = {
        "snapshot_name": Leaf(name, kind),
        "description": make.leaf(make.text(), "ignored"),
        "snapshot_file": make.secret(f"{name}_{make.base58(10)}.qcow2"),
        "create_time": make.time().leaf,
    }
    if word is not None:
        fields["status"] = Leaf(word, "snapshot_state")
    return obj(fields, ", ")


def snapshot_list(make: Maker) -> Good:
    """`/snapshot/list/<task>`; a status that the server does not know is left out."""
    target, task = _renter(make), make.base58(22)
    words = {name: make.random.choice([*SNAPSHOT_STATES, None]) for name in make.distinct(4, "snap")}
    rows = [_snapshot(make, name, word, "name") for name, word in words.items()]
    snapshots = Arr(list(rows))
    show = by_collector(lambda: per_vm.snapshots(guard_for(target), lambda _target: (task,)), target)
    good = Good(reads.snapshot_list(target.id, task), snapshots, show, ", ", secrets=make.secrets)
    me = {"node_id": target.id, "task_id": task}
    good.truth[key("dbc_vm_snapshots", **me)] = Number(len(rows), below(snapshots))
    for row, (name, word) in zip(rows, words.items(), strict=True):
        state = SNAPSHOT_STATES[word] if word else "unknown"
        good.truth[key("dbc_snapshot_state", snapshot=name, **me)] = OneState(state, below(row))
    return good


def snapshot_details(make: Maker) -> Good:
    """`/snapshot/list/<task>/<name>`."""
    target, task, name = _renter(make), make.base58(22), f"snap{make.base58(6)}"
    word = make.random.choice(list(SNAPSHOT_STATES))
    row = _snapshot(make, name, word, "exact")
    call = reads.snapshot_details(target.id, task, name)

    def say(fact: SnapshotFact) -> dict[tuple[str, tuple[tuple[str, str], ...]], Rows]:
        return {key("snapshot", name=fact.name): {(("state", fact.state.value),): 1.0}}

    good = Good(call, row, directly(call, say), ", ", secrets=make.secrets)
    good.truth[key("snapshot", name=name)] = OneState(SNAPSHOT_STATES[word], below(row))
    return good


def _progress(make: Maker, *, upload: bool) -> Good:
    image = f"os-{make.base58(6)}.qcow2"
    target = Target(make.hex_id(), credential="me", transfers=(f"upload:{image}" if upload else image,))
    moving = make.chance(0.8)
    word = ("uploading" if upload else "downloading") if moving else "done"
    percent = make.random.randint(0, 99) if moving else 100
    status, progress = Leaf(word, "transfer_state"), Leaf(f"{percent}%", "ratio")
    call = (reads.upload_progress if upload else reads.download_progress)(target.id, image)
    show = by_collector(lambda: TransfersCollector(guard_for(target)), target)
    answer = Obj(obj({"status": status, "progress": progress}).members, ",", ": ")
    good = Good(call, answer, show)
    good.others[key_of(reads.images(target.id))] = Arr([])  # asked for when a download begins to move
    me = {"node_id": target.id, "image": image, "direction": "upload" if upload else "download"}
    state = word if moving else "unknown"
    good.truth[key("dbc_image_transfer_state", **me)] = OneState(state, leaves(answer, status, progress))
    if moving:
        good.number(key("dbc_image_transfer_progress_ratio", **me), percent / 100, status, progress)
    return good


download_progress = partial(_progress, upload=False)
upload_progress = partial(_progress, upload=True)


def logs(make: Maker) -> Good:
    """`/tasks/logs/<id>`: lines full of passwords, of which nothing is shown."""
    target, task = _renter(make), make.base58(22)
    lines: list[Node] = []
    for _ in range(make.random.randint(0, 5)):
        password = make.password()
        password.value = f"{make.text()} | vnc port: 5901, password: {password.value}"
        lines.append(password)
    answer = obj({"task_id": Leaf(task, "exact"), "log_content": Arr(lines)}, ", ")
    call = reads.logs(target.id, task)
    return Good(call, answer, directly(call, lambda _fact: {}), ", ", secrets=make.secrets)


def session_id(make: Maker) -> Good:
    """`/mining_nodes/session_id`."""
    node = make.hex_id()
    answer = obj({"session_id": make.secret(make.base58(55))})
    call = reads.session_id(node)
    return Good(call, answer, directly(call, lambda _fact: {}), ", ", secrets=make.secrets)


def monitor_servers(make: Maker) -> Good:
    """`/monitor`: addresses of the renter's own."""
    node = make.hex_id()
    servers = Arr([make.address() for _ in range(make.random.randint(0, 2))], counted=True)
    call = reads.monitor_servers(node)

    def say(fact: MonitorServers) -> dict[tuple[str, tuple[tuple[str, str], ...]], Rows]:
        return {key("monitor servers"): {(): fact.count}}

    good = Good(call, obj({"servers": servers}), directly(call, say), ", ", secrets=make.secrets)
    good.truth[key("monitor servers")] = Number(len(servers.items), below(servers))
    return good
