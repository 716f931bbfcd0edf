"""Guards taken away or weakened by one step, one at a time. `killers` has for each a run that notices."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from dbc_exporter.remediation import gates
from dbc_exporter.remediation.reasons import Gate
from tests.simulation.mutants_code import CODE, Patch
from tests.simulation.policies import Data
from tests.simulation.run import Run

Weaken = Callable[[Data], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of the product: other numbers in its policy, or other functions. The oracle knows nothing of it."""

    name: str
    weaken: Weaken | None = None
    patches: tuple[Patch, ...] = ()
    without: Gate | None = None

    @contextmanager
    def applied(self) -> Iterator[Callable[[Run], None]]:
        """Apply it; yields what a run has to be told."""
        with ExitStack() as stack:
            for target, name, new in self.patches:
                stack.enter_context(mock.patch.object(target, name, new))
            if self.without is not None:
                rest = tuple(one for one in gates.GATES if one.gate is not self.without)
                stack.enter_context(mock.patch.object(gates, "GATES", rest))
            yield self._tell

    def _tell(self, run: Run) -> None:
        run.impatient = True
        weaken = self.weaken
        if weaken is None:
            return

        def weakened(data: Data) -> Data:
            changed = copy.deepcopy(data)
            weaken(changed)
            return changed

        run.weaken = weakened


# -- numbers of the policy


def _rule(key: str, change: Callable[[Any], Any]) -> Weaken:
    def weaken(data: Data) -> None:
        for rule in data["rules"]:
            rule[key] = change(rule[key])

    return weaken


def _rung(key: str, change: Callable[[Any], Any], action: str = "") -> Weaken:
    def weaken(data: Data) -> None:
        for rule in data["rules"]:
            for rung in rule["ladder"]:
                if action in ("", rung["action"]):
                    rung[key] = change(rung.get(key, 1))

    return weaken


def _in(table: str, key: str, change: Callable[[Any], Any]) -> Weaken:
    def weaken(data: Data) -> None:
        data["limits"][table][key] = change(data["limits"][table][key])

    return weaken


def _limit(key: str, change: Callable[[Any], Any]) -> Weaken:
    def weaken(data: Data) -> None:
        data["limits"][key] = change(data["limits"][key])

    return weaken


def _alert(key: str, change: Callable[[Any], Any]) -> Weaken:
    def weaken(data: Data) -> None:
        data["alerts"][key] = change(data["alerts"][key])

    return weaken


def _budget(scope: str, window: int) -> Weaken:
    def weaken(data: Data) -> None:
        for budget in data["limits"]["budgets"]:
            if (budget["scope"], budget["window"]) == (scope, window):
                budget["most"] += 1

    return weaken


def _cooldown(key: str, value: float) -> Weaken:
    def weaken(data: Data) -> None:
        for rule in data["rules"]:
            rule["cooldown"] = {**rule["cooldown"], key: value}

    return weaken


def _mode(data: Data) -> None:
    order = ["off", "dry_run", "approve", "act"]
    data["mode"] = order[min(3, order.index(data["mode"]) + 1)]
    for rule in data["rules"]:
        for rung in rule["ladder"]:
            if "mode" in rung:
                rung["mode"] = order[min(3, order.index(rung["mode"]) + 1)]


def _no_exception(data: Data) -> None:
    for rule in data["rules"]:
        rule["never"] = {}
    data["rules"] = [rule for rule in data["rules"] if rule["name"] in ("vms", "servers")]


def _vouched(data: Data) -> None:
    for rule in data["rules"]:
        if rule["kind"] == "vm":
            rule["only_dbc_vms"] = True


def _window(data: Data) -> None:
    data["windows"][0].update(begin="00:00", end="24:00")


def _one_alert(data: Data) -> None:
    for rule in data["rules"]:
        for rung in rule["ladder"]:
            rung["evidence"] = rung.get("evidence", [])[1:] or rung.get("evidence", [])


def _more(by: int = 1) -> Callable[[Any], Any]:
    return lambda value: value + by


def _times(factor: float) -> Callable[[Any], Any]:
    return lambda value: type(value)(value * factor)


NUMBERS: Mapping[str, Weaken] = {
    "hold quartered": _rule("hold", _times(0.25)),
    "samples one less": _rule("samples", _more(-1)),
    "max_age four times": _rule("max_age", _times(4)),
    "cooldown quartered": _cooldown("base", 225),
    "cooldown does not grow": _cooldown("factor", 1),
    "attempts one more": _rung("attempts", _more()),
    "attempts_per_day one more": _rule("attempts_per_day", _more()),
    "healthy_period quartered": _rule("healthy_period", _times(0.25)),
    "node_settle quartered": _rule("node_settle", _times(0.25)),
    "settle quartered": _rung("settle", _times(0.25)),
    "stable quartered": _rung("stable", _times(0.25)),
    "budget of the fleet in 10 min one more": _budget("fleet", 600),
    "budget of the fleet in 1 h one more": _budget("fleet", 3600),
    "budget of a node one more": _budget("node", 3600),
    "budget of a domain one more": _budget("domain", 3600),
    "budget of a client one more": _budget("client", 3600),
    "concurrency of the fleet one more": _in("concurrency", "fleet", _more()),
    "concurrency of a client one more": _in("concurrency", "client", _more()),
    "storm share twice": _in("storm", "bad_percent", _times(2)),
    "storm least four times": _in("storm", "bad_least", _times(4)),
    "storm count twice": _in("storm", "new_count", _times(2)),
    "storm span quartered": _in("storm", "new_window", _times(0.25)),
    "known share halved": _in("sight", "known_percent", _times(0.5)),
    "shrunk share twice": _in("sight", "shrink_percent", _times(2)),
    "chain count twice": _in("sight", "chain_silent", _times(2)),
    "hold_off quartered": _limit("hold_off", _times(0.25)),
    "approval_ttl four times": _limit("approval_ttl", _times(4)),
    "ambiguous_hold quartered": _limit("ambiguous_hold", _times(0.25)),
    "ambiguous_hold four times": _limit("ambiguous_hold", _times(4)),
    "breaker least twice": _in("breaker", "least", _times(2)),
    "breaker share raised": _in("breaker", "ineffective_percent", _more(10)),
    "breaker ambiguous twice": _in("breaker", "ambiguous", _times(2)),
    "breaker window quartered": _in("breaker", "window", _times(0.25)),
    "watchdog silence four times": _alert("max_silence", _times(4)),
    "alert expiry four times": _alert("expire", _times(4)),
    "modes one step higher": _mode,
    "exceptions of rules left out": _no_exception,
    "neighbours vouched for": _vouched,
    "window all day": _window,
    "one alert of two is enough": _one_alert,
}


MUTANTS: Mapping[str, Mutant] = {
    mutant.name: mutant
    for mutant in (
        *(Mutant(f"gate {gate.value}", without=gate) for gate in Gate),
        *(Mutant(name, weaken=weaken) for name, weaken in NUMBERS.items()),
        *(Mutant(name, patches=patches) for name, patches in CODE.items()),
    )
}
