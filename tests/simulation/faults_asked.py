"""Troubles that only some plans ask for: what seldom comes together by itself, arranged to favour one guard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.faults import after, fault, some_server, some_vm

if TYPE_CHECKING:
    from tests.simulation.run import Run
    from tests.simulation.wires import Sent

ROUND = 30
SOON = 6.0


@fault(1, asked=True)
def hang_for_good(run: Run) -> None:
    vm = some_vm(run).vm
    assert vm
    for number in range(600):  # whatever is done to it, it hangs again before anybody sees it well
        run.later(number * ROUND, vm.hang)


@fault(1, asked=True)
def hang_again(run: Run) -> None:
    """One of the same two VMs hangs, time and again, and heeds a restart each time."""
    vms = [guest.vm for guest in run.town.guests if guest.vm is not None]
    run.dice.choice(vms[:2]).hang(heeds_restart=True)


@fault(1, asked=True)
def all_of_a_machine_hang(run: Run) -> None:
    for guest in run.town.on_machine[some_vm(run).machine]:
        if guest.vm is not None:
            guest.vm.hang(heeds_restart=True)


@fault(1, asked=True)
def four_hang_at_once(run: Run) -> None:
    """As many as no storm is, on machines of their own."""
    vms = {guest.machine: guest.vm for guest in run.town.guests if guest.vm is not None}
    for vm in run.dice.sample(list(vms.values()), 4):
        vm.hang(heeds_restart=True)


@fault(1, asked=True)
def many_are_unheard_of(run: Run) -> None:
    """Of half the nodes nobody knows if they are there."""
    nodes = [target.id for target in run.town.targets() if run.dice.random() < 0.5]
    run.eyes.unheard.update(nodes)
    after(run, 600, 2400, lambda: run.eyes.unheard.difference_update(nodes))


@fault(1, asked=True)
def watchdog_is_lost(run: Run) -> None:
    run.alerting.watchdog_up = False
    after(run, 600, 2400, lambda: setattr(run.alerting, "watchdog_up", True))


@fault(1, asked=True)
def no_ping(run: Run) -> None:
    """A server answers, but not to pings."""
    node_id = some_server(run).node_id
    run.town.no_ping.add(node_id)
    after(run, 600, 3600, lambda: run.town.no_ping.discard(node_id))


@fault(1, asked=True)
def node_dies_for_long_under_an_action(run: Run) -> None:
    def dies(sent: Sent) -> None:
        address = run.town.world.addresses.get(sent.node)
        if address is not None:
            host = address.host
            host.kill()
            after(run, 6000, 9000, host.restart)

    run.lie_in_wait("write", dies)


@fault(1, asked=True)
def lost_and_burnt(run: Run) -> None:
    """A write is lost, and so is the answer to the read that asks for it: the nonce is spent, by ourselves."""
    run.lie_in_wait("write", lambda sent: run.troubles.doomed.add(sent.nonce))


@fault(1, asked=True)
def done_and_forgotten(run: Run) -> None:
    """A write is carried out, its answer is lost, and the node's process ends right after."""

    def forget(sent: Sent) -> None:
        address = run.town.world.addresses.get(sent.node)
        if address is not None:
            run.troubles.unheard.add(sent.nonce)
            asyncio.get_running_loop().call_later(SOON, address.host.restart)

    run.lie_in_wait("write", forget)


@fault(1, asked=True, wide=True)
def alertmanager_forgets(run: Run) -> None:
    """VMs hang, nothing may be done for hours, they recover, and nobody ever says so."""
    some = [some_vm(run).vm for _ in range(3)]
    for vm in some:
        assert vm
        vm.hang()
    run.kill_file.touch()
    run.oracle.killed = True

    def recover() -> None:
        run.alerting.lossy = 2.0
        for vm in some:
            assert vm
            vm.recover()

    def release() -> None:
        run.kill_file.unlink(missing_ok=True)
        run.oracle.killed = False

    run.later(400, recover)
    run.later(600, lambda: setattr(run.alerting, "lossy", 0.0))
    run.later(8_400, release)


@fault(1, asked=True)
def disk_is_slow_after_the_yes(run: Run) -> None:
    def is_slow(_nothing: object) -> None:
        run.machine.points.still_until = run.now + run.dice.choice([5, 30, 90])

    run.lie_in_wait("yes", is_slow)


@fault(1, asked=True)
def poll_comes_before_the_action(run: Run) -> None:
    """The node is asked something else, and takes its time, when the action's turn should come."""
    skip, seconds = run.dice.randint(0, 4), run.dice.choice([5.0, 30.0, 90.0])

    def asks(sent: Sent) -> None:
        nonlocal skip
        skip -= 1
        if skip >= 0:
            run.lie_in_wait("answer", asks)
            return
        run.machine.poll_slowly(sent.client, sent.node, seconds)

    run.lie_in_wait("answer", asks)
