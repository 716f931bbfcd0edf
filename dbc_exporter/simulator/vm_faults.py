"""Trouble with a compute node's VMs, host system and image transfers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from dbc_exporter.simulator.compute import ComputeNode
from dbc_exporter.simulator.fault_registry import Undo, fault
from dbc_exporter.simulator.images import ImageStore
from dbc_exporter.simulator.scenario import Section
from dbc_exporter.simulator.vm import PAUSED, Vm

if TYPE_CHECKING:
    from dbc_exporter.simulator.fleet import Fleet

Target = tuple[ComputeNode, Vm]
TransferTarget = tuple[ImageStore, tuple[str, str]]


# -- the host


@fault("libvirt_dead", "nodes", recovers=True)
def _libvirt_dead(_fleet: Fleet, node: ComputeNode, _parameters: Any) -> Undo:
    """Let libvirt be dead: VMs keep their last status, every verb answers `task not exist`."""
    node.libvirt_alive = False

    def undo() -> None:
        node.libvirt_alive = True

    return undo


class LostGpus(Section):
    """How many."""

    gpus: int = 1


@fault("gpu_lost", "nodes", recovers=True, parameters=LostGpus)
def _gpu_lost(_fleet: Fleet, node: ComputeNode, parameters: LostGpus) -> Undo:
    """Let GPUs fall off the bus: still counted until the daemon restarts, lost to the next VM that starts."""
    before = node.hardware.lost_gpus
    node.hardware.lost_gpus = min(node.hardware.gpus, before + parameters.gpus)

    def undo() -> None:
        node.hardware.lost_gpus = before

    return undo


@fault("disk_full", "nodes", recovers=True)
def _disk_full(_fleet: Fleet, node: ComputeNode, _parameters: Any) -> Undo:
    """Fill the data disks: nothing is free, running guests are paused and still shown as running."""
    disks = [(disk, disk.available) for disk in node.hardware.disks]
    paused = [vm for vm in node.vms.values() if vm.reachable]
    for disk, _available in disks:
        disk.available = 0
    for vm in paused:
        vm.domain = PAUSED

    def undo() -> None:
        for disk, available in disks:
            disk.available = available
        for vm in paused:
            if vm.domain == PAUSED:
                vm.power(on=True)

    return undo


class Usages(Section):
    """The values that the node's measuring shows, in percent; `nan` and negative ones too."""

    cpu: float = -12.5
    memory: float = float("nan")


@fault("odd_usages", "nodes", recovers=True, parameters=Usages)
def _odd_usages(_fleet: Fleet, node: ComputeNode, parameters: Usages) -> Undo:
    """Let the node show usages that cannot be: negative, huge, nan."""
    hardware = node.hardware
    before = hardware.cpu_usage, hardware.memory_usage
    hardware.cpu_usage, hardware.memory_usage = parameters.cpu / 100, parameters.memory / 100

    def undo() -> None:
        hardware.cpu_usage, hardware.memory_usage = before

    return undo


# -- guests


class Hang(Section):
    """The mildest verb that ends it."""

    cured_by: Literal["restart", "force_restart"] = "force_restart"


@fault("hang_vms", "vms", recovers=True, parameters=Hang)
def _hang(_fleet: Fleet, target: Target, parameters: Hang) -> Undo:
    """Let the guest stop answering while its status stays `running`; a start or a forced restart ends it."""
    vm = target[1]
    vm.hang(heeds_restart=parameters.cured_by == "restart")
    return vm.recover


@fault("recover_vms", "vms")
def _recover(_fleet: Fleet, target: Target, _parameters: Any) -> None:
    """Let a hung guest answer again, without a restart."""
    target[1].recover()


@fault("crash_vms", "vms", recovers=True)
def _crash(_fleet: Fleet, target: Target, _parameters: Any) -> Undo:
    """Let the domain crash: the status stays `running`."""
    vm = target[1]
    vm.crash()
    return lambda: vm.power(on=True)


@fault("stop_vms", "vms", recovers=True)
def _stop(_fleet: Fleet, target: Target, _parameters: Any) -> Undo:
    """Stop the domain behind DBC's back: the next query shows `closed`."""
    vm = target[1]
    vm.power(on=False)
    return lambda: vm.power(on=True)


@fault("stuck_creating", "vms", recovers=True)
def _stuck_creating(_fleet: Fleet, target: Target, _parameters: Any) -> Undo:
    """Let the VM stay `creating`."""
    vm = target[1]
    vm.stuck = True
    back = _set_status(vm, "creating")

    def undo() -> None:
        vm.stuck = False
        back()

    return undo


class Status(Section):
    """The status word."""

    status: str = "start error"


@fault("vm_error", "vms", recovers=True, parameters=Status)
def _vm_error(_fleet: Fleet, target: Target, parameters: Status) -> Undo:
    """Leave the VM in an error status, which only a verb that works changes."""
    return _set_status(target[1], parameters.status)


class FailingVerb(Section):
    """Which verb."""

    verb: Literal["start", "shutdown", "poweroff", "restart", "reset", "delete"] = "start"


@fault("verb_fails", "vms", recovers=True, parameters=FailingVerb)
def _verb_fails(_fleet: Fleet, target: Target, parameters: FailingVerb) -> Undo:
    """Let libvirt fail this verb on the VM the next time: accepted, then an error status."""
    vm = target[1]
    vm.fails = parameters.verb

    def undo() -> None:
        vm.fails = ""

    return undo


@fault("quote_in_description", "vms", recovers=True)
def _quote(_fleet: Fleet, target: Target, _parameters: Any) -> Undo:
    """Put an unescaped quote into the VM's description: its wallet's whole list becomes invalid JSON."""
    vm, before = target[1], target[1].desc
    vm.desc = f'{before} "prod"'

    def undo() -> None:
        vm.desc = before

    return undo


def _set_status(vm: Vm, status: str) -> Undo:
    before = vm.status
    vm.status = status

    def undo() -> None:
        if vm.status == status:
            vm.status = before

    return undo


# -- transfers


@fault("stall_transfer", "transfers", recovers=True)
def _stall(_fleet: Fleet, target: TransferTarget, _parameters: Any) -> Undo:
    """Let the transfer stand still."""
    store, key = target
    store.stall(key)
    return lambda: store.stall(key, stalled=False)


@fault("vanish_transfer", "transfers")
def _vanish(_fleet: Fleet, target: TransferTarget, _parameters: Any) -> None:
    """Let the transfer fail: its progress says done, the file never appears."""
    store, key = target
    store.vanish(key)


@fault("finish_transfer", "transfers")
def _finish(_fleet: Fleet, target: TransferTarget, _parameters: Any) -> None:
    """Let the transfer end well, now."""
    store, key = target
    store.finish(key)
