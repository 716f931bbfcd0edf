"""Samples as bytes: escaping, label sets, single values and state sets.

Lines are the same in text 0.0.4 and OpenMetrics; only the metadata lines differ, and those are added by the scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

from dbc_exporter.metrics.catalogue import FAMILIES

Entry = tuple[str, str, bytes]
"""Family name, identity (its label set without the state label), and the sample lines of that identity."""

Column = tuple[str, Callable[[Any], float | None]]
"""Family name and how to get its value from a fact."""


def escape(text: str) -> str:
    """Escape a label value; characters that UTF-8 cannot carry become `?`."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    if "\\" in text or '"' in text or "\n" in text:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return text


def label(name: str, value: str | None) -> str:
    """Write one label; an unknown text is the empty value, which Prometheus reads as no label."""
    return f'{name}="{escape(value or "")}"'


def labels(**pairs: str | None) -> str:
    """Write a label set without its braces."""
    return ",".join(label(name, value) for name, value in pairs.items())


def sample(name: str, identity: str, value: float) -> Entry:
    """Write a single sample; a flag becomes 1 or 0."""
    braced = f"{{{identity}}}" if identity else ""
    return name, identity, f"{name}{braced} {+value!r}\n".encode()


def info(name: str, identity: str) -> Entry:
    """Write an info sample, value 1; its whole label set is its identity."""
    return sample(name, identity, 1)


def columns(*pairs: tuple[str, str]) -> tuple[Column, ...]:
    """Bind family names to fields of a fact; a family that the catalogue lacks fails here, at import."""
    return tuple((FAMILIES[name].name, attrgetter(path)) for name, path in pairs)


def samples(table: Iterable[Column], identity: str, fact: object) -> list[Entry]:
    """Write one sample for each known value; unknown ones are left out."""
    entries = []
    for name, get in table:
        value = get(fact)
        if value is not None:
            entries.append((name, identity, f"{name}{{{identity}}} {+value!r}\n".encode()))
    return entries


class StateSet:
    """A family whose states are all written each time: exactly one at 1, or counts by state."""

    def __init__(self, name: str) -> None:
        """Prepare one template per state; a NUL stands where the identity goes."""
        family = FAMILIES[name]
        state_label = family.state_label
        if state_label is None:
            raise ValueError(f"{name} has no states")
        self._name = name
        self._states = family.enums[state_label]
        self._heads = [f'{name}{{\0,{state_label}="{state}"}} ' for state in self._states]
        self._templates = {
            state: "".join(
                f"{head}{int(state == other)}\n"
                for head, other in zip(self._heads, self._states, strict=True)
            )
            for state in self._states
        }

    def one(self, identity: str, state: str) -> Entry:
        """Write the set with `state` at 1."""
        return self._name, identity, self._templates[state].replace("\0", identity).encode()

    def counts(self, identity: str, by_state: Mapping[str, int]) -> Entry:
        """Write how many there are in each state; states not named are 0."""
        lines = "".join(
            f"{head}{by_state.get(state, 0)}\n" for head, state in zip(self._heads, self._states, strict=True)
        )
        return self._name, identity, lines.replace("\0", identity).encode()
