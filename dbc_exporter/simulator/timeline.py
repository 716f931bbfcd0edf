"""Faults at their times: each line of the timeline hits its targets and lets them recover."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from dbc_exporter.simulator import faults
from dbc_exporter.simulator.fault_registry import Fault
from dbc_exporter.simulator.randomness import stable_random
from dbc_exporter.simulator.scenario import FaultEntry
from dbc_exporter.simulator.selection import Member, choose

if TYPE_CHECKING:
    from dbc_exporter.simulator.fleet import Fleet


class Timeline:
    """Runs fault lines on the running loop's time; `at` counts from the moment a line is handed in."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._lines = 0
        self._timers: set[asyncio.TimerHandle] = set()

    def run(self, entry: FaultEntry) -> None:
        """Schedule one validated line."""
        number = self._lines
        self._lines += 1
        self.later(entry.at, lambda: self.inject(entry, f"line {number}"))

    def inject(self, entry: FaultEntry, name: str) -> list[Member]:
        """Hit the line's targets now (or spread over its `over`) and return them; `name` seeds the choice."""
        kind = faults.FAULTS[entry.fault]
        rng = stable_random(self._fleet.world.seed, "fault", name)
        parameters = kind.parameters.model_validate(entry.parameters)
        chosen = choose(entry, self._fleet.candidates(kind.hits), rng)
        for member in chosen:
            delay = rng.uniform(0, entry.over)
            if delay > 0:
                self.later(delay, partial(self._hit, kind, entry, member, parameters))
            else:
                self._hit(kind, entry, member, parameters)
        return chosen

    def stop(self) -> None:
        """Forget everything still to come."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _hit(self, kind: Fault, entry: FaultEntry, member: Member, parameters: Any) -> None:
        undo = kind.apply(self._fleet, member.subject, parameters)
        self._fleet.world.ledger.event(member.name, f"fault {kind.name}")
        if undo is None or entry.lasting is None:
            return

        def recover() -> None:
            undo()
            self._fleet.world.ledger.event(member.name, f"recovered from {kind.name}")

        self.later(entry.lasting, recover)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something after some seconds, unless the timeline is stopped before."""

        def fire() -> None:
            self._timers.discard(handle)
            action()

        handle = asyncio.get_running_loop().call_later(seconds, fire)
        self._timers.add(handle)
