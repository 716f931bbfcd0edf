"""The alphabet of troubles. Each happens to somebody picked by the run's dice and ends after a while of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dbc_exporter.simulator.compute import ComputeNode
from tests.simulation.town import Guest

if TYPE_CHECKING:
    from tests.simulation.run import Run

Fault = Callable[["Run"], None]
ALPHABET: dict[str, tuple[int, bool, Fault]] = {}
WIDE_AN_HOUR = 5.0  # what disturbs everybody does not grow with the town, or nothing else would ever happen


def fault(weight: int, *, wide: bool = False) -> Callable[[Fault], Fault]:
    """Put a trouble into the alphabet; heavier ones happen more often. `wide` ones disturb everybody."""

    def take(function: Fault) -> Fault:
        ALPHABET[function.__name__] = (weight, wide, function)
        return function

    return take


def happen(run: Run) -> None:
    """Let something happen."""
    an_hour = run.plan.faults / run.plan.hours
    wide = run.dice.random() < min(0.35, WIDE_AN_HOUR / an_hour)
    names = [name for name, (_, everybody, _) in ALPHABET.items() if everybody is wide]
    [name] = run.dice.choices(names, [ALPHABET[one][0] for one in names])
    run.faults[name] += 1
    ALPHABET[name][2](run)


def _after(run: Run, low: float, high: float, undo: Callable[[], None]) -> None:
    run.undo.append((run.clock.monotonic() + run.dice.uniform(low, high), undo))


def _vm(run: Run) -> Guest:
    return run.dice.choice([guest for guest in run.town.guests if guest.vm is not None])


def _server(run: Run) -> Guest:
    return run.dice.choice([guest for guest in run.town.guests if guest.server is not None])


# -- guests


@fault(30)
def hang(run: Run) -> None:
    guest = _vm(run)
    assert guest.vm
    guest.vm.hang(heeds_restart=run.dice.random() < 0.6)
    if run.dice.random() < 0.3:
        _after(run, 30, 900, guest.vm.recover)  # it recovers alone


@fault(8)
def flap(run: Run) -> None:
    guest = _vm(run)
    vm = guest.vm
    assert vm
    for number in range(run.dice.randint(2, 5)):
        _after(run, number * 120 + 1, number * 120 + 60, vm.hang)
        _after(run, number * 120 + 61, number * 120 + 119, vm.recover)


@fault(6)
def owner_stops(run: Run) -> None:
    guest = _vm(run)
    vm = guest.vm
    assert vm
    vm.power(on=False)
    _after(run, 600, 7200, lambda: vm.power(on=True))


@fault(4)
def owner_stops_what_hangs(run: Run) -> None:
    hanging = [guest for guest in run.town.guests if guest.vm is not None and guest.vm.hung]
    if hanging:
        vm = run.dice.choice(hanging).vm
        assert vm
        _after(run, 0, 300, lambda: vm.power(on=False))
        _after(run, 2000, 7200, lambda: vm.power(on=True))


@fault(10)
def server_dies(run: Run) -> None:
    guest = _server(run)
    run.town.dead.add(guest.node_id)
    if run.dice.random() < 0.3:
        _after(run, 60, 1200, lambda: run.town.dead.discard(guest.node_id))


@fault(10)
def power_fails(run: Run) -> None:
    guest = _server(run)
    guest.bmc.cut_power()


@fault(4)
def bmc_dies(run: Run) -> None:
    bmc = _server(run).bmc
    bmc.reachable = False
    _after(run, 300, 3600, lambda: setattr(bmc, "reachable", True))


@fault(4)
def ipmi_lies(run: Run) -> None:
    bmc = _server(run).bmc
    bmc.silent_failure = "Set Chassis Power Control to Up/On failed: Unknown"
    _after(run, 300, 3600, lambda: setattr(bmc, "silent_failure", None))


# -- nodes


@fault(5)
def host_reboots(run: Run) -> None:
    guest = _vm(run)
    host = run.town.world.hosts[guest.machine]
    host.kill()
    stay_off = run.dice.random() < 0.6
    for other in run.town.guests:
        if other.machine == guest.machine and other.vm is not None:
            other.vm.power(on=False)

    def back() -> None:
        for other in run.town.guests:
            if other.machine == guest.machine and other.vm is not None and not stay_off:
                other.vm.power(on=True)
        if not host.node.alive:
            host.restart()

    _after(run, 200, 900, back)


@fault(6)
def daemon_restarts(run: Run) -> None:
    guest = run.town.pick(run.dice)
    run.town.world.hosts[guest.machine].restart()


@fault(3)
def daemon_restarts_under_an_action(run: Run) -> None:
    machine = run.machine.remediation
    open_ones = [intent for intent in machine.view.intents if intent.open] if machine else []
    if open_ones:
        host = run.town.world.hosts[run.dice.choice(open_ones).machine]
        _after(run, 0, 60, host.restart)


@fault(8)
def node_freezes(run: Run) -> None:
    host = run.town.world.hosts[run.town.pick(run.dice).machine]
    host.freeze()
    _after(run, 20, 1500, host.thaw)


@fault(4)
def node_freezes_under_an_action(run: Run) -> None:
    hanging = [guest for guest in run.town.guests if guest.vm is not None and guest.vm.hung]
    if hanging:
        host = run.town.world.hosts[run.dice.choice(hanging).machine]
        _after(run, 0, 400, host.freeze)
        _after(run, 420, 900, host.thaw)


@fault(4)
def gpu_lost(run: Run) -> None:
    guest = _vm(run)
    node = guest.node
    assert isinstance(node, ComputeNode)
    node.hardware.gpus -= 1
    _after(run, 600, 7200, lambda: setattr(node.hardware, "gpus", node.hardware.gpus + 1))


@fault(3)
def libvirt_dies(run: Run) -> None:
    node = _vm(run).node
    assert isinstance(node, ComputeNode)
    node.libvirt_alive = False
    _after(run, 300, 3600, lambda: setattr(node, "libvirt_alive", True))


@fault(4)
def transfer(run: Run) -> None:
    machine = _vm(run).machine
    run.eyes.transfers.add(machine)
    _after(run, 300, 3000, lambda: run.eyes.transfers.discard(machine))


# -- leases and chain


@fault(5)
def lease_ends(run: Run) -> None:
    guest = run.town.pick(run.dice)
    orders = run.town.world.chain.orders(guest.node_id)
    for order in orders:
        order.rent_status = "rentExpired"

    def renew() -> None:
        for order in orders:
            order.rent_status = "renting"

    _after(run, 600, 5400, renew)


@fault(2, wide=True)
def chain_silent(run: Run) -> None:
    chain = run.town.world.chain
    chain.outage = True
    _after(run, 120, 1200, lambda: setattr(chain, "outage", False))


# -- clients and the wire


@fault(2, wide=True)
def client_dies(run: Run) -> None:
    client = run.dice.choice(list(run.town.world.clients.values()))
    client.kill()
    _after(run, 60, 900, client.restart)


@fault(1, wide=True)
def all_clients_die(run: Run) -> None:
    run.eyes.clients_down = True
    clients = list(run.town.world.clients.values())
    for client in clients:
        client.kill()

    def back() -> None:
        run.eyes.clients_down = False
        for client in clients:
            if not client.alive:
                client.restart()

    _after(run, 120, 900, back)


@fault(2, wide=True)
def client_isolated(run: Run) -> None:
    client = run.dice.choice(list(run.town.world.clients.values()))
    client.isolate()
    _after(run, 60, 600, client.rejoin)


@fault(2, wide=True)
def client_wedged(run: Run) -> None:
    client = run.dice.choice(list(run.town.world.clients.values()))
    client.wedge()
    _after(run, 120, 900, client.restart)


@fault(6, wide=True)
def bad_wire(run: Run) -> None:
    troubles = run.troubles
    troubles.lose_request = run.dice.choice([0.0, 0.1, 0.3])
    troubles.lose_answer = run.dice.choice([0.0, 0.1, 0.3])
    troubles.late_request = run.dice.choice([0.0, 0.1, 0.3])
    troubles.double_request = run.dice.choice([0.0, 0.3])
    troubles.refuse = run.dice.choice([0.0, 0.1])
    _after(run, 300, 2400, troubles.__init__)  # type: ignore[misc]


# -- what is seen


@fault(6)
def node_left_out(run: Run) -> None:
    machine = run.town.pick(run.dice).node_id
    run.eyes.left_out.add(machine)
    _after(run, 300, 4000, lambda: run.eyes.left_out.discard(machine))


@fault(5)
def node_garbled(run: Run) -> None:
    machine = _vm(run).node_id
    run.eyes.garbled.add(machine)
    _after(run, 300, 2000, lambda: run.eyes.garbled.discard(machine))


@fault(2, wide=True)
def inventory_shrinks(run: Run) -> None:
    everybody = run.town.targets()
    share = run.dice.choice([0.05, 0.2, 0.5, 1.0])
    kept = tuple(target for target in everybody if run.dice.random() >= share)

    def use(targets: object) -> None:
        run.town.targets_now = targets  # type: ignore[assignment]
        run.machine.retarget()

    use(kept)
    _after(run, 300, 2400, lambda: use(everybody))


# -- Prometheus and Alertmanager


@fault(3, wide=True)
def prometheus_dies(run: Run) -> None:
    run.alerting.prometheus_up = False
    _after(run, 120, 2000, lambda: setattr(run.alerting, "prometheus_up", True))


@fault(3, wide=True)
def alertmanager_dies(run: Run) -> None:
    run.alerting.alertmanager_up = False
    _after(run, 120, 2000, lambda: setattr(run.alerting, "alertmanager_up", True))


@fault(5, wide=True)
def deliveries_go_wrong(run: Run) -> None:
    run.alerting.lossy, run.late_share = 0.4, 0.4
    _after(run, 300, 3000, lambda: setattr(run.alerting, "lossy", 0.0))
    _after(run, 300, 3000, lambda: setattr(run, "late_share", 0.0))


@fault(10)
def old_delivery(run: Run) -> None:
    run.alerting.replay_old()


@fault(1, wide=True)
def alerts_truncated(run: Run) -> None:
    run.alerting.truncated()


@fault(2, wide=True)
def site_fails(run: Run) -> None:
    site = run.dice.choice(["north", "south"])
    hit = [guest for guest in run.town.guests if guest.site == site and guest.vm is not None]
    for guest in run.dice.sample(hit, max(1, len(hit) // 3)):
        assert guest.vm
        guest.vm.hang()
        _after(run, 600, 2400, guest.vm.recover)


# -- our process


@fault(10, wide=True)
def kill(run: Run) -> None:
    run.machine.points.kill_in = run.dice.randint(1, 25)


@fault(3, wide=True)
def kill_at_once(run: Run) -> None:
    run.machine.points.kill_in = 1


@fault(4, wide=True)
def stand_still(run: Run) -> None:
    seconds = run.dice.uniform(2, 900)
    run.machine.points.stop_for = seconds
    run.paused_until = run.clock.monotonic() + seconds


@fault(2, wide=True)
def clock_steps(run: Run) -> None:
    run.clock.step_wall(run.dice.choice([-3600, -60, 60, 3600]))


@fault(1, wide=True)
def disk_full(run: Run) -> None:
    journal = run.machine.journal
    if journal is not None:
        journal.full = True
        _after(run, 60, 1200, lambda: setattr(run.machine.points, "kill_in", 1))  # somebody restarts it


# -- people


@fault(2, wide=True)
def policy_changes(run: Run) -> None:
    before = run.data
    change = run.dice.choice(["off", "dry_run", "approve", "tight"])
    if change == "tight":
        limits = {**before["limits"], "budgets": [{"scope": "fleet", "window": 3600, "most": 1}]}
        run.reload({**before, "limits": limits})
    else:
        run.reload({**before, "mode": change})
    from tests.simulation.run import policy_of  # noqa: PLC0415 - the run knows the alphabet

    _after(run, 600, 2400, lambda: run.reload(policy_of(run.plan.size, run.plan.mode)))
