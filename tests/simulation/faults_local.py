"""Troubles of one guest or one node, and of what is seen and heard of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from dbc_exporter.remediation.journal import IntentRefusedError, JournalError
from dbc_exporter.remediation.model import Intent, IntentState
from dbc_exporter.simulator.compute import ComputeNode
from tests.simulation.faults import OWNER_LOOKS_AFTER, after, fault, hanging_vms, some_server, some_vm
from tests.simulation.wires import Killed

if TYPE_CHECKING:
    from tests.simulation.run import Run


# -- guests


@fault(30)
def hang(run: Run) -> None:
    guest = some_vm(run)
    assert guest.vm
    guest.vm.hang(heeds_restart=run.dice.random() < 0.6)
    alone = run.dice.random() < 0.3
    low, high = (30.0, 900.0) if alone else OWNER_LOOKS_AFTER
    after(run, low, high, guest.vm.recover)


@fault(8)
def flap(run: Run) -> None:
    guest = some_vm(run)
    vm = guest.vm
    assert vm
    for number in range(run.dice.randint(2, 5)):
        after(run, number * 120 + 1, number * 120 + 60, vm.hang)
        after(run, number * 120 + 61, number * 120 + 119, vm.recover)


@fault(6)
def owner_stops(run: Run) -> None:
    guest = some_vm(run)
    vm = guest.vm
    assert vm
    vm.power(on=False)
    after(run, 600, 7200, lambda: vm.power(on=True))


@fault(4)
def owner_stops_what_hangs(run: Run) -> None:
    hanging = hanging_vms(run)
    if hanging:
        vm = run.dice.choice(hanging).vm
        assert vm
        after(run, 0, 300, lambda: vm.power(on=False))
        after(run, 2000, 7200, lambda: vm.power(on=True))


@fault(10, servers=True)
def server_dies(run: Run) -> None:
    guest = some_server(run)
    run.town.dead.add(guest.node_id)
    alone = run.dice.random() < 0.3
    low, high = (60.0, 1200.0) if alone else OWNER_LOOKS_AFTER
    after(run, low, high, lambda: run.town.dead.discard(guest.node_id))


@fault(10, servers=True)
def power_fails(run: Run) -> None:
    guest = some_server(run)
    guest.bmc.cut_power()
    after(run, *OWNER_LOOKS_AFTER, lambda: setattr(guest.bmc, "powered", True))


@fault(4, servers=True)
def bmc_dies(run: Run) -> None:
    bmc = some_server(run).bmc
    bmc.reachable = False
    after(run, 300, 3600, lambda: setattr(bmc, "reachable", True))


@fault(4, servers=True)
def ipmi_lies(run: Run) -> None:
    bmc = some_server(run).bmc
    bmc.silent_failure = "Set Chassis Power Control to Up/On failed: Unknown"
    after(run, 300, 3600, lambda: setattr(bmc, "silent_failure", None))


# -- nodes


@fault(5)
def host_reboots(run: Run) -> None:
    machine = some_vm(run).machine
    host = run.town.world.hosts[machine]
    host.kill()
    vms = [guest.vm for guest in run.town.on_machine[machine] if guest.vm is not None]
    for vm in vms:
        vm.power(on=False)

    def power_all() -> None:
        for vm in vms:
            vm.power(on=True)

    def back() -> None:
        if not host.node.alive:
            host.restart()

    def back_with_all() -> None:
        power_all()
        back()

    if run.dice.random() < 0.6:  # its VMs stay off
        after(run, 200, 900, back)
        after(run, *OWNER_LOOKS_AFTER, power_all)
    else:
        after(run, 200, 900, back_with_all)


@fault(6)
def daemon_restarts(run: Run) -> None:
    guest = run.town.pick(run.dice)
    run.town.world.hosts[guest.machine].restart()


@fault(3)
def daemon_restarts_under_an_action(run: Run) -> None:
    remediation = run.machine.remediation
    open_ones = [one for one in remediation.view.intents if one.open] if remediation else []
    if open_ones:
        host = run.town.world.hosts[run.dice.choice(open_ones).machine]
        after(run, 0, 60, host.restart)


@fault(8)
def node_freezes(run: Run) -> None:
    host = run.town.world.hosts[run.town.pick(run.dice).machine]
    host.freeze()
    after(run, 20, 1500, host.thaw)


@fault(4)
def node_freezes_under_an_action(run: Run) -> None:
    hanging = hanging_vms(run)
    if hanging:
        host = run.town.world.hosts[run.dice.choice(hanging).machine]
        after(run, 0, 400, host.freeze)
        after(run, 420, 900, host.thaw)


@fault(4)
def gpu_lost(run: Run) -> None:
    guest = some_vm(run)
    node = guest.node
    assert isinstance(node, ComputeNode)
    node.hardware.gpus -= 1
    after(run, 600, 7200, lambda: setattr(node.hardware, "gpus", node.hardware.gpus + 1))


@fault(3)
def libvirt_dies(run: Run) -> None:
    node = some_vm(run).node
    assert isinstance(node, ComputeNode)
    node.libvirt_alive = False
    after(run, 300, 3600, lambda: setattr(node, "libvirt_alive", True))


@fault(4)
def transfer(run: Run) -> None:
    machine = some_vm(run).machine
    run.eyes.transfers.add(machine)
    after(run, 300, 3000, lambda: run.eyes.transfers.discard(machine))


# -- leases


@fault(5)
def lease_ends(run: Run) -> None:
    guest = run.town.pick(run.dice)
    orders = run.town.world.chain.orders(guest.node_id)
    for order in orders:
        order.rent_status = "rentExpired"

    def renew() -> None:
        for order in orders:
            order.rent_status = "renting"

    after(run, 600, 5400, renew)


# -- what is seen


@fault(6)
def node_left_out(run: Run) -> None:
    machine = run.town.pick(run.dice).node_id
    run.eyes.left_out.add(machine)
    after(run, 300, 4000, lambda: run.eyes.left_out.discard(machine))


@fault(5)
def node_garbled(run: Run) -> None:
    machine = some_vm(run).node_id
    run.eyes.garbled.add(machine)
    after(run, 300, 2000, lambda: run.eyes.garbled.discard(machine))


# -- what is said and wanted


@fault(10)
def old_delivery(run: Run) -> None:
    run.alerting.replay_old()


@fault(2)
def vm_changes_hands(run: Run) -> None:
    vm = some_vm(run).vm
    assert vm
    vm.wallet = "5somebody-else"
    after(run, 600, 3000, lambda: setattr(vm, "wallet", run.town.wallet))


@fault(3)
def pause_of_a_node(run: Run) -> None:
    seconds = run.dice.uniform(60, 3000)
    pause = run.people.pause(some_vm(run).machine, seconds)
    if pause is not None:
        after(run, 0, 2 * seconds, lambda: run.people.resume(pause))


@fault(3)
def rival_planner(run: Run) -> None:
    """A second mind writes an intent for a subject or machine that has an open one: the journal must refuse."""
    remediation, journal = run.machine.remediation, run.machine.journal
    open_ones = [one for one in remediation.view.intents if one.open] if remediation else []
    if not open_ones or journal is None or run.machine.points.dead:
        return
    one = run.dice.choice(open_ones)
    now = run.oracle.row("SELECT state FROM intent WHERE id = ?", one.id)
    if now is None or now["state"] == "ended":
        return
    another = Intent(
        id=f"rival-{one.id}-{run.now:.0f}",
        subject=one.subject if run.dice.random() < 0.5 else replace(one.subject, task_id="another"),
        machine=one.machine,
        client=one.client,
        action=one.action,
        problem=one.problem,
        state=IntentState.INTENDED,
        created=journal.steady.now(),
    )
    hears, journal.on_intended = journal.on_intended, None
    try:
        journal.intend(another, another.created)
    except (IntentRefusedError, JournalError, Killed):
        return
    finally:
        journal.on_intended = hears
    run.oracle.wrong("one_open_per_machine", "a second open intent was taken")
