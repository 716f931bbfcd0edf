"""Troubles that everybody feels: the chain, DBC clients, the wire, Alertmanager, our own process, our people."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from dbc_exporter.remediation.journal import Journal, JournalError
from tests.simulation.copies import copy_of, replace_by
from tests.simulation.faults import after, fault, step_clock
from tests.simulation.policies import policy_of
from tests.simulation.town import SITES
from tests.simulation.wires import Troubles

if TYPE_CHECKING:
    from tests.simulation.run import Run


# -- chain


@fault(2, wide=True)
def chain_silent(run: Run) -> None:
    chain = run.town.world.chain
    chain.outage = True
    after(run, 120, 1200, lambda: setattr(chain, "outage", False))


# -- clients and the wire


@fault(2, wide=True)
def client_dies(run: Run) -> None:
    client = run.dice.choice(list(run.town.world.clients.values()))
    client.kill()
    after(run, 60, 900, client.restart)


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

    after(run, 120, 900, back)


@fault(2, wide=True)
def client_isolated(run: Run) -> None:
    client = run.dice.choice(list(run.town.world.clients.values()))
    client.isolate()
    after(run, 60, 600, client.rejoin)


@fault(2, wide=True)
def client_wedged(run: Run) -> None:
    client = run.dice.choice(list(run.town.world.clients.values()))
    client.wedge()
    after(run, 120, 900, client.restart)


@fault(6, wide=True)
def bad_wire(run: Run) -> None:
    troubles = run.troubles
    troubles.lose_request = run.dice.choice([0.0, 0.1, 0.3])
    troubles.lose_answer = run.dice.choice([0.0, 0.1, 0.3])
    troubles.late_request = run.dice.choice([0.0, 0.1, 0.3])
    troubles.double_request = run.dice.choice([0.0, 0.3])
    troubles.refuse = run.dice.choice([0.0, 0.1])
    troubles.failing_text = run.dice.choice([0.0, 0.1, 0.3])
    after(run, 300, 2400, lambda: troubles.__dict__.update(Troubles().__dict__))


# -- what is seen


@fault(2, wide=True)
def inventory_shrinks(run: Run) -> None:
    everybody = run.town.targets()
    share = run.dice.choice([0.05, 0.2, 0.5, 1.0])
    kept = tuple(target for target in everybody if run.dice.random() >= share)

    def use(targets: object) -> None:
        run.town.targets_now = targets  # type: ignore[assignment]
        run.machine.retarget()

    use(kept)
    after(run, 300, 2400, lambda: use(everybody))


# -- Prometheus and Alertmanager


@fault(3, wide=True)
def prometheus_dies(run: Run) -> None:
    run.alerting.prometheus_up = False
    after(run, 120, 2000, lambda: setattr(run.alerting, "prometheus_up", True))


@fault(3, wide=True)
def alertmanager_dies(run: Run) -> None:
    run.alerting.alertmanager_up = False
    after(run, 120, 2000, lambda: setattr(run.alerting, "alertmanager_up", True))


@fault(5, wide=True)
def deliveries_go_wrong(run: Run) -> None:
    run.alerting.lossy, run.late_share = 0.4, 0.4
    after(run, 300, 3000, lambda: setattr(run.alerting, "lossy", 0.0))
    after(run, 300, 3000, lambda: setattr(run, "late_share", 0.0))


@fault(1, wide=True)
def alerts_truncated(run: Run) -> None:
    run.alerting.truncated()


@fault(2, wide=True)
def site_fails(run: Run) -> None:
    site = run.dice.choice(SITES)
    hit = [guest for guest in run.town.guests if guest.site == site and guest.vm is not None]
    share = run.dice.choice([0.3, 0.6, 1.0])
    for guest in run.dice.sample(hit, max(1, int(len(hit) * share))):
        assert guest.vm
        guest.vm.hang()
        after(run, 600, 2400, guest.vm.recover)


# -- our process


@fault(10, wide=True)
def kill(run: Run) -> None:
    run.machine.points.kill_in = run.dice.randint(1, run.dice.choice([8, 40, 400]))


@fault(3, wide=True)
def kill_at_once(run: Run) -> None:
    run.machine.points.kill_in = 1


@fault(4, wide=True)
def stand_still(run: Run) -> None:
    run.machine.points.still_until = run.now + run.dice.uniform(2, 900)


@fault(2, wide=True)
def clock_steps(run: Run) -> None:
    step_clock(run, run.dice.choice([-3600, -60, 60, 3600]))


@fault(1, wide=True)
def disk_full(run: Run) -> None:
    journal = run.machine.journal
    if journal is not None:
        journal.full = True
        after(run, 60, 1200, lambda: setattr(run.machine.points, "kill_in", 1))  # somebody restarts it


@fault(1)
def second_process(run: Run) -> None:
    """Somebody starts a second exporter on the same directory: it must not get the journal."""
    machine = run.machine
    if machine.journal is None or machine.points.dead or machine.journal.full:
        return
    try:
        other = Journal.open(run.directory, run.clock, "boot")
    except JournalError:
        return
    other.close()
    run.oracle.wrong("single_instance", "two processes have one journal")


@fault(1, wide=True)
def journal_rolled_back(run: Run) -> None:
    """Somebody puts an old copy of the journal in place; after a while the newer one comes back."""
    file = run.directory / "journal.db"
    if run.machine.journal is None or run.machine.points.dead or run.oracle.disarmed:
        return
    old = copy_of(file)

    def put_back() -> None:
        run.machine.points.dead = True
        if run.machine.journal is None or run.oracle.disarmed:
            return
        newer = copy_of(file)
        run.machine.journal.close()
        run.oracle.look_away()
        replace_by(file, old)
        run.oracle.disarmed = old.last_event != newer.last_event

        def again() -> None:
            run.oracle.disarmed = False
            if run.machine.journal is not None:
                run.machine.journal.close()
            run.machine.points.dead = True
            run.oracle.look_away()
            replace_by(file, newer)

        after(run, 300, 1500, again)

    after(run, 300, 3600, put_back)


# -- people


@fault(3, wide=True)
def policy_changes(run: Run) -> None:
    usual = policy_of(run.town, run.plan.mode)
    changed = copy.deepcopy(usual)
    change = run.dice.choice(["off", "dry_run", "approve", "budget", "hold", "rung"])
    if change == "budget":
        changed["limits"]["budgets"][1]["most"] = 1
    elif change == "hold":
        for rule in changed["rules"]:
            rule["hold"] = 400
    elif change == "rung":
        for rule in changed["rules"]:
            for rung in rule["ladder"]:
                rung["mode"] = "approve"
    else:
        changed["mode"] = min(change, run.plan.mode, key=["off", "dry_run", "approve", "act"].index)
    run.reload(changed)
    after(run, 300, 2400, lambda: run.reload(usual))


@fault(2, wide=True)
def kill_switch(run: Run) -> None:
    run.kill_file.touch()
    run.oracle.killed = True

    def release() -> None:
        run.kill_file.unlink(missing_ok=True)
        run.oracle.killed = False

    after(run, 60, 1500, release)


@fault(1, wide=True)
def pause_of_everything(run: Run) -> None:
    pause = run.people.pause("", 2400)
    if pause is not None:
        after(run, 60, 4000, lambda: run.people.resume(pause))
