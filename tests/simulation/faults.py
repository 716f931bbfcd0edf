"""The alphabet of troubles. Each happens to somebody picked by the run's dice and ends after a while of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.town import Guest

if TYPE_CHECKING:
    from tests.simulation.run import Run

Fault = Callable[["Run"], None]
USUAL_SHARE_OF_SERVERS = 0.15
OWNER_LOOKS_AFTER = (1_800.0, 6_000.0)  # when an owner puts right what nobody else did


@dataclass
class Kinds:
    """All troubles by name: how likely, whom they are about."""

    weights: dict[str, float] = field(default_factory=dict)
    wide: set[str] = field(default_factory=set)
    about_servers: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    functions: dict[str, Fault] = field(default_factory=dict)


KINDS = Kinds()


def fault(
    weight: float, *, wide: bool = False, servers: bool = False, asked: bool = False
) -> Callable[[Fault], Fault]:
    """Put a trouble into the alphabet; heavier ones happen more often. `wide` ones disturb everybody.

    `asked` ones happen only where a plan's mix names them.
    """

    def take(function: Fault) -> Fault:
        name = function.__name__
        KINDS.weights[name], KINDS.functions[name] = weight, function
        if wide:
            KINDS.wide.add(name)
        if asked:
            KINDS.asked.add(name)
        if servers:
            KINDS.about_servers.add(name)
        return function

    return take


class Alphabet:
    """The troubles of one run, as its plan mixes them."""

    def __init__(self, run: Run) -> None:
        from tests.simulation import (  # noqa: PLC0415 - they register themselves
            faults_ambush,
            faults_asked,
            faults_local,
            faults_wide,
        )

        del faults_ambush, faults_asked, faults_local, faults_wide
        self.run = run
        plan, size = run.plan, run.plan.size
        share = size.managers * size.servers / size.subjects / USUAL_SHARE_OF_SERVERS
        weights = {
            name: weight * (share if name in KINDS.about_servers else 1.0)
            for name, weight in KINDS.weights.items()
        }
        mixed = {name: weights[name] * factor for name, factor in plan.mix.items()}
        usual = {name: weight for name, weight in weights.items() if name not in KINDS.asked}
        self._weights = mixed if plan.only else usual | mixed
        narrow = [name for name in self._weights if name not in KINDS.wide and self._weights[name] > 0]
        everybody = [name for name in self._weights if name in KINDS.wide and self._weights[name] > 0]
        self._narrow, self._wide = narrow or everybody, everybody or narrow
        # what disturbs everybody does not grow with the town, or nothing else would ever happen
        self._wide_share = min(0.35, plan.wide_an_hour * plan.hours / max(1, plan.faults))

    def happen(self) -> None:
        """Let something happen."""
        dice = self.run.dice
        names = self._wide if dice.random() < self._wide_share else self._narrow
        [name] = dice.choices(names, [self._weights[one] for one in names])
        self.run.faults[name] += 1
        KINDS.functions[name](self.run)


def after(run: Run, low: float, high: float, undo: Callable[[], None]) -> None:
    """Let something happen later."""
    run.later(run.dice.uniform(low, high), undo)


def step_clock(run: Run, seconds: float) -> None:
    """Let the wall clock step."""
    run.clock.step_wall(seconds)
    run.oracle.stepped(seconds, run.now)


def some_vm(run: Run) -> Guest:
    """Pick a VM."""
    while True:
        guest = run.dice.choice(run.town.guests)
        if guest.vm is not None:
            return guest


def some_server(run: Run) -> Guest:
    """Pick a server."""
    return run.dice.choice(run.town.servers)


def hanging_vms(run: Run) -> list[Guest]:
    """List the VMs that hang."""
    by_key, failing = run.town.by_key, run.alerting.failing
    return [by_key[key] for key in failing if (vm := by_key[key].vm) is not None and vm.hung]
