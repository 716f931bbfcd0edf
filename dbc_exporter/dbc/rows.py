"""Lists of a DBC answer: every element is read on its own, a bad one never costs the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from dbc_exporter.dbc.parse import Json, malformed

T = TypeVar("T")


def an_object(message: Any, what: str) -> dict[str, Any]:
    """Insist on an object; raises `DbcError` (malformed)."""
    if not isinstance(message, dict):
        raise malformed(f"{what}: no object")
    return message


def a_list(message: Any, what: str) -> list[Any]:
    """Insist on a list; raises `DbcError` (malformed)."""
    if not isinstance(message, list):
        raise malformed(f"{what}: no list")
    return message


def list_in(message: Any, key: str) -> list[Any]:
    """Insist on an object with a list under `key`; raises `DbcError` (malformed)."""
    return a_list(an_object(message, key).get(key), key)


def read_rows(
    elements: list[Any], name: str, read: Callable[[Json, list[str]], T | None], bad: list[str]
) -> list[T]:
    """Read each element with `read`, which gives `None` for one that cannot be identified."""
    found = []
    for element in elements:
        row = read(element, bad) if isinstance(element, dict) else None
        if row is None:
            bad.append(name)
        else:
            found.append(row)
    return found


def unambiguous(
    found: list[T], identity: Callable[[T], str], blank: Callable[[T], T | None], name: str, bad: list[str]
) -> tuple[T, ...]:
    """Make every identity unique.

    Two rows that say different things of one thing leave nothing known but that it is there: `blank` gives such a
    row, or `None` to drop it.
    """
    by_identity: dict[str, T | None] = {}
    for row in found:
        key = identity(row)
        if key not in by_identity:
            by_identity[key] = row
        elif by_identity[key] != row:
            by_identity[key] = blank(row)
            bad.append(name)
    if len(by_identity) == len(found):
        return tuple(found)
    return tuple(row for row in by_identity.values() if row is not None)
