"""The verbs on VMs: accepted at once by libvirt's state, carried out later by one event thread per node."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbc_exporter.simulator.protocol import node_answer
from dbc_exporter.simulator.vm import CRASHED, NONE, PAUSED, RUNNING, SHUT_OFF, SUSPENDED, Vm

if TYPE_CHECKING:
    from dbc_exporter.simulator.authority import Access
    from dbc_exporter.simulator.compute import ComputeNode

OK = node_answer("ok")
TASK_NOT_EXIST = node_answer("task not exist", 1)
_ANY = frozenset({NONE, RUNNING, SHUT_OFF, PAUSED, CRASHED, SUSPENDED, "blocked", "being shutdown"})


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb is allowed, what DBC shows meanwhile, and what it shows when libvirt fails."""

    allowed: frozenset[str]
    meanwhile: str
    failed: str
    checks_resources: bool = False


VERBS = {
    "start": Verb(frozenset({NONE, SHUT_OFF, SUSPENDED}), "starting", "start error", checks_resources=True),
    "shutdown": Verb(_ANY - {SHUT_OFF, "being shutdown"}, "being shutdown", "shutdown error"),
    "poweroff": Verb(_ANY - {SHUT_OFF}, "being poweroff", "poweroff error"),
    "stop": Verb(_ANY - {SHUT_OFF}, "being poweroff", "poweroff error"),
    "restart": Verb(
        frozenset({NONE, SHUT_OFF, RUNNING}), "restarting", "restart error", checks_resources=True
    ),
    "reset": Verb(frozenset({RUNNING}), "resetting", "reset error"),
    "delete": Verb(_ANY, "deleting", "delete error"),
}

Event = Callable[[], Awaitable[None]]


class EventThread:
    """Carries out a node's events strictly in order; lost with the process."""

    def __init__(self, node: ComputeNode) -> None:
        self._node = node
        self._events: deque[Event] = deque()
        self._task: asyncio.Task[None] | None = None

    def started(self) -> None:
        """Forget the events of the process before."""
        self._events.clear()
        self._task = None

    def push(self, event: Event) -> None:
        """Queue an event."""
        self._events.append(event)
        if self._task is None or self._task.done():
            self._task = self._node.host.spawn(self._run())

    async def _run(self) -> None:
        events = self._events
        while events:
            await events[0]()
            events.popleft()


def accept(node: ComputeNode, verb_name: str, task_id: str, access: Access, *, force: bool = False) -> str:
    """Queue a verb, or say why not; success only means queued."""
    verb = VERBS[verb_name]
    vm = node.domain(task_id)
    if vm is None:
        return TASK_NOT_EXIST
    if verb.checks_resources and (lacking := node.lacking(vm)):
        return node_answer(lacking, 1)
    if (vm.domain or NONE) not in verb.allowed:
        return node_answer(f"task is {vm.domain or NONE}", 1)
    vm.status = verb.meanwhile
    node.events.push(lambda: carry_out(node, vm, verb_name, access, force=force))
    return OK


async def carry_out(node: ComputeNode, vm: Vm, verb_name: str, access: Access, *, force: bool) -> None:
    """Do what a queued verb asks for, with the time it takes."""
    if await _fails(node, vm, verb_name):
        return
    name = "force_reboot" if force and verb_name == "restart" else verb_name
    if name == "restart" and vm.domain not in (RUNNING, SHUT_OFF):
        return  # the real thread leaves such a VM in `restarting`
    node.record(vm.task_id, name, access)
    await _EFFECTS[name](node, vm)


async def _fails(node: ComputeNode, vm: Vm, verb_name: str) -> bool:
    while vm.stuck:
        await node.host.work(5)
    if vm.fails != verb_name and node.libvirt_alive:
        return False
    await node.host.work_slowly(node.timing.stop_vm)
    vm.status = VERBS[verb_name].failed
    vm.fails = ""
    return True


async def _start(node: ComputeNode, vm: Vm) -> None:
    await node.host.work_slowly(node.timing.start_vm)
    vm.power(on=True)
    vm.status = "running"
    await node.host.work_slowly(node.timing.after_start_vm)


async def _stop(node: ComputeNode, vm: Vm) -> None:
    await node.host.work_slowly(node.timing.stop_vm)
    vm.power(on=False)
    vm.status = "closed"


async def _restart(node: ComputeNode, vm: Vm) -> None:
    if vm.domain == SHUT_OFF:
        await _start(node, vm)
        return
    vm.status = "running"  # at once, and though the guest may ignore the request; most hung ones do
    await node.host.work_slowly(node.timing.after_start_vm)
    if vm.heeds_restart:
        vm.recover()


async def _force_reboot(node: ComputeNode, vm: Vm) -> None:
    vm.power(on=False)
    await node.host.work_slowly(node.timing.force_reboot_pause)
    await _start(node, vm)


async def _reset(node: ComputeNode, vm: Vm) -> None:
    await node.host.work_slowly(node.timing.stop_vm)
    vm.power(on=True)
    vm.status = "running"


async def _delete(node: ComputeNode, vm: Vm) -> None:
    await node.host.work_slowly(node.timing.stop_vm)
    vm.power(on=False)
    node.vms.pop(vm.task_id, None)


_EFFECTS = {
    "start": _start,
    "shutdown": _stop,
    "poweroff": _stop,
    "stop": _stop,
    "restart": _restart,
    "force_reboot": _force_reboot,
    "reset": _reset,
    "delete": _delete,
}
