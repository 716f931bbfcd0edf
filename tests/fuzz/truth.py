"""What is true of an answer, written down where the answer is made, and how something shown may differ from it.

A fact that rests on no damaged part must be shown, and be right. One that does may be missing or unknown, never wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.fuzz.tree import Leaf, Mark

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A family and its identifying labels, sorted."""

Rows = dict[tuple[tuple[str, str], ...], float]
"""The samples of one identity by their other labels: texts, or the state."""

Marks = frozenset[Mark]
LONGEST_TEXT = 128


@dataclass(slots=True)
class Damage:
    """What was done to an answer: parts touched, texts that may read differently now, and words for both.

    `lost`: parts that the answer may not say any more, where only the value of others was spoiled.
    `refused`: it became a refusal, so that even what is true must not be taken from it.
    """

    touched: set[Mark] = field(default_factory=set)
    loose: set[Mark] = field(default_factory=set)
    lost: set[Mark] = field(default_factory=set)
    refused: bool = False
    notes: list[str] = field(default_factory=list)


def key(family: str, **labels: str) -> Key:
    """Name what is shown of one thing."""
    return family, tuple(sorted(labels.items()))


def _lost(marks: Marks, damage: Damage) -> str | None:
    return "is lost" if damage.touched.isdisjoint(marks) else None


@dataclass(frozen=True, slots=True)
class Number:
    """A number; `instead` is what else may be shown once a part it rests on was touched, `unsaid` once one was lost."""

    value: float
    marks: Marks
    instead: frozenset[float] = frozenset()
    unsaid: frozenset[float] = frozenset()

    def wrong(self, rows: Rows | None, damage: Damage) -> str | None:
        if rows is None:
            return _lost(self.marks, damage)
        shown = rows.get(())
        if shown is None or len(rows) != 1:
            return f"is {rows}"
        if math.isclose(shown, self.value, rel_tol=1e-12):
            return None
        if shown in self.instead and not damage.touched.isdisjoint(self.marks):
            return None
        if shown in self.unsaid and not damage.lost.isdisjoint(self.marks):
            return None
        return f"is {shown!r}, true is {self.value!r}"


@dataclass(frozen=True, slots=True)
class OneState:
    """One state of a set; unknown is allowed for what was touched."""

    state: str
    marks: Marks

    def wrong(self, rows: Rows | None, damage: Damage) -> str | None:
        if rows is None:
            return _lost(self.marks, damage)
        on = [labels[0][1] for labels, value in rows.items() if value == 1]
        if sorted(rows.values()) != [0] * (len(rows) - 1) + [1]:
            return f"is no state: {rows}"
        if on == [self.state] or (on == ["unknown"] and not damage.touched.isdisjoint(self.marks)):
            return None
        return f"is {on}, true is {self.state}"


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of things by state. Things whose state was touched may count as unknown, but count they must."""

    by_state: Mapping[str, int]
    marks: Marks

    def wrong(self, rows: Rows | None, damage: Damage) -> str | None:
        if rows is None:
            return _lost(self.marks, damage)
        shown = {labels[0][1]: int(value) for labels, value in rows.items() if value}
        if shown == {state: number for state, number in self.by_state.items() if number}:
            return None
        true = f"is {shown}, true is {dict(self.by_state)}"
        if damage.touched.isdisjoint(self.marks) or sum(shown.values()) != sum(self.by_state.values()):
            return true
        more = [
            state
            for state, number in shown.items()
            if state != "unknown" and number > self.by_state.get(state, 0)
        ]
        return true if more else None


@dataclass(frozen=True, slots=True)
class Texts:
    """Labels of an info series, each with the leaf that says it (None: not said)."""

    texts: Mapping[str, tuple[str, Leaf | None]]
    marks: Marks

    def wrong(self, rows: Rows | None, damage: Damage) -> str | None:
        if rows is None:
            return _lost(self.marks, damage)
        if len(rows) != 1 or set(rows.values()) != {1.0}:
            return f"is {rows}"
        (shown,) = rows
        if {name for name, _ in shown} != self.texts.keys():
            return f"has labels {shown}"
        return next((said for name, text in shown if (said := self._wrong_text(name, text, damage))), None)

    def _wrong_text(self, name: str, shown: str, damage: Damage) -> str | None:
        true, leaf = self.texts[name]
        if shown == true:
            return None
        if leaf is not None and leaf.mark in damage.touched and not shown:
            return None
        if (
            leaf is not None
            and leaf.mark in damage.loose
            and shown.isprintable()
            and len(shown) <= LONGEST_TEXT
        ):
            return None
        return f"says {name}={shown!r}, true is {true!r}"


Fact = Number | OneState | Counts | Texts
"""One fact, shown as the samples of one key; `wrong` tells what is wrong with them, None if nothing is."""


def _is_known(fact: Fact, rows: Rows | None) -> bool:
    unknown = isinstance(fact, OneState) and fact.state == "unknown"
    return rows is not None and not unknown and fact.wrong(rows, Damage()) is None


def problems(
    truth: Mapping[Key, Fact], shown: Mapping[Key, Rows], damage: Damage, allowed: Iterable[str] = ()
) -> list[str]:
    """Name everything shown that is not true, and everything true and undamaged that is not shown."""
    found = [
        f"{name} {said}" for name, fact in truth.items() if (said := fact.wrong(shown.get(name), damage))
    ]
    made_up = shown.keys() - truth.keys()
    if damage.refused:
        found.extend(
            f"{name} was taken from a refusal" for name in truth if _is_known(truth[name], shown.get(name))
        )
    found.extend(f"{name} is made up: {shown[name]}" for name in made_up if name[0] not in allowed)
    return found
