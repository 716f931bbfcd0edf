"""What a fault is: a name, what it hits, its parameters, and one function that does it and says how to undo it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from dbc_exporter.simulator.scenario import FaultEntry, Section, did_you_mean

if TYPE_CHECKING:
    from dbc_exporter.simulator.fleet import Fleet

Undo = Callable[[], object]
Apply = Callable[["Fleet", Any, Any], Undo | None]
Hits = Literal["nodes", "managers", "servers", "vms", "clients", "transfers", "chain"]


class NoParameters(Section):
    """For faults that are fully said by their name."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault. `hits` says which candidates a line selects from; `chain` has nothing to select."""

    name: str
    hits: Hits
    help: str
    recovers: bool
    parameters: type[Section]
    apply: Apply


FAULTS: dict[str, Fault] = {}


def fault(
    name: str, hits: Hits, *, recovers: bool = False, parameters: type[Section] = NoParameters
) -> Callable[[Apply], Apply]:
    """Register a function as a fault; its docstring's first line is the fault's description.

    It is called with the fleet, one selected subject and the parameters; with `recovers` it returns what ends the
    trouble, run when the line's `for` is over.
    """

    def register(function: Apply) -> Apply:
        summary = (function.__doc__ or "").partition("\n")[0]
        FAULTS[name] = Fault(name, hits, summary, recovers, parameters, function)
        return function

    return register


def problems(entry: FaultEntry) -> list[str]:
    """Return what is wrong with a line of the timeline, `key: what and the remedy`."""
    kind = FAULTS.get(entry.fault)
    if kind is None:
        return [f"fault: unknown fault {entry.fault!r}; {did_you_mean(entry.fault, FAULTS)}"]
    found = _parameter_problems(kind, entry)
    if kind.hits == "chain" and entry.selects:
        found.append(
            f"fault: {kind.name} hits the whole network; remove all, count, percent, ids, names and labels"
        )
    if kind.hits != "chain" and not entry.selects:
        found.append(
            f"fault: {kind.name} selects no {kind.hits}; give count, percent, ids, names or labels, or all: true"
        )
    if entry.lasting is not None and not kind.recovers:
        found.append(f"for: {kind.name} does not recover by itself; remove `for`")
    return found


def _parameter_problems(kind: Fault, entry: FaultEntry) -> list[str]:
    known = {field.alias or name for name, field in kind.parameters.model_fields.items()}
    common = {field.alias or name for name, field in FaultEntry.model_fields.items()}
    unknown = [key for key in entry.parameters if key not in known]
    if unknown:
        return [
            f"{key}: {kind.name} knows no such key; {did_you_mean(key, known | common)}" for key in unknown
        ]
    try:
        kind.parameters.model_validate(entry.parameters)
    except ValidationError as error:
        return [f"{item['loc'][0] if item['loc'] else kind.name}: {_text(item)}" for item in error.errors()]
    return []


def _text(item: Any) -> str:
    if item["type"] == "missing":
        return "this key is missing"
    if item["type"] == "bad_value":
        return str(item["msg"])
    return f"{item['input']!r}: {item['msg']}"
