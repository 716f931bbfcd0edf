"""Troubles at the worst moment: while an action's last look is under way, as it leaves, before its answer comes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from dbc_exporter.simulator.compute import ComputeNode
from tests.simulation.faults import after, fault, step_clock
from tests.simulation.wires import Sent

if TYPE_CHECKING:
    from tests.simulation.run import Run

Trouble = Callable[["Run", Sent], None]
WHERE = ("read", "answer", "write", "written")


def _owner_stops(run: Run, sent: Sent) -> None:
    for guest in run.town.on_node(sent.node):
        if guest.vm is not None:
            guest.vm.power(on=False)
            after(run, 600, 5000, partial(guest.vm.power, on=True))


def _lease_ends(run: Run, sent: Sent) -> None:
    orders = run.town.world.chain.orders(sent.node)
    for order in orders:
        order.rent_status = "rentExpired"
        after(run, 600, 3000, partial(setattr, order, "rent_status", "renting"))


def _gpu_lost(run: Run, sent: Sent) -> None:
    node = run.town.world.nodes.get(sent.node)
    if isinstance(node, ComputeNode):
        hardware = node.hardware
        hardware.gpus -= 1
        after(run, 600, 3000, lambda: setattr(hardware, "gpus", hardware.gpus + 1))


def _changes_hands(run: Run, sent: Sent) -> None:
    for guest in run.town.on_node(sent.node):
        if guest.vm is not None:
            guest.vm.wallet = "5somebody-else"
            after(run, 600, 3000, partial(setattr, guest.vm, "wallet", run.town.wallet))


def _paused(run: Run, sent: Sent) -> None:
    run.people.pause(sent.node, run.dice.uniform(60, 900))


def _quarantined(run: Run, sent: Sent) -> None:
    for guest in run.town.on_node(sent.node):
        run.people.quarantine("/".join(guest.key).rstrip("/"))


def _killed_by_switch(run: Run, _sent: Sent) -> None:
    run.kill_file.touch()
    run.oracle.killed = True

    def release() -> None:
        run.kill_file.unlink(missing_ok=True)
        run.oracle.killed = False

    after(run, 60, 600, release)


def _policy_off(run: Run, _sent: Sent) -> None:
    usual = run.data
    if usual["mode"] in ("act", "approve"):
        run.reload({**usual, "mode": "dry_run"})
        after(run, 60, 900, lambda: run.reload(usual))


def _stands_still(run: Run, _sent: Sent) -> None:
    run.machine.points.still_until = run.now + run.dice.choice([30, 100, 150, 900])


def _daemon_restarts(run: Run, sent: Sent) -> None:
    address = run.town.world.addresses.get(sent.node)
    if address is not None:
        address.host.restart()


def _node_freezes(run: Run, sent: Sent) -> None:
    address = run.town.world.addresses.get(sent.node)
    if address is not None:
        address.host.freeze()
        after(run, 20, 900, address.host.thaw)


def _process_dies(run: Run, _sent: Sent) -> None:
    run.machine.points.kill_in = run.dice.randint(1, 6)


def _recovers(run: Run, sent: Sent) -> None:
    for guest in run.town.on_node(sent.node):
        if guest.vm is not None:
            guest.vm.recover()
    run.alerting.look(run.now)


def _clock_steps(run: Run, _sent: Sent) -> None:
    step_clock(run, run.dice.choice([-3600, 3600]))


def _alerts_truncated(run: Run, _sent: Sent) -> None:
    run.alerting.truncated()


TROUBLES: tuple[Trouble, ...] = (
    _owner_stops,
    _lease_ends,
    _gpu_lost,
    _changes_hands,
    _paused,
    _quarantined,
    _killed_by_switch,
    _policy_off,
    _stands_still,
    _daemon_restarts,
    _node_freezes,
    _process_dies,
    _recovers,
    _clock_steps,
    _alerts_truncated,
)


def _lie_in_wait(run: Run, trouble: Trouble, where: str, skip: int) -> None:
    """Let it happen after so many others of its kind passed."""

    def spring(sent: Sent) -> None:
        if skip > 0:
            _lie_in_wait(run, trouble, where, skip - 1)
        else:
            trouble(run, sent)

    run.lie_in_wait(where, spring)


@fault(16)
def ambush(run: Run) -> None:
    where = run.dice.choice(WHERE)
    skip = run.dice.randint(0, 4) if where in ("read", "answer") else 0
    _lie_in_wait(run, run.dice.choice(TROUBLES), where, skip)


def _of(trouble: Trouble) -> Callable[[Run], None]:
    def happen(run: Run) -> None:
        where = run.dice.choice(WHERE)
        _lie_in_wait(run, trouble, where, run.dice.randint(0, 3) if where in ("read", "answer") else 0)

    happen.__name__ = f"ambush{trouble.__name__}"
    return happen


for _trouble in TROUBLES:  # each can be asked for by name; in the usual mix they happen through `ambush`
    fault(1, asked=True)(_of(_trouble))
