"""The lines that a scrape joins: per family, identity -> bytes. Families stay contiguous, identities unique."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from dbc_exporter.metrics.catalogue import ALL, FAMILIES
from dbc_exporter.metrics.lines import Entry

Keys = tuple[tuple[str, str], ...]
"""What an object occupies: (family, identity) pairs."""

_log = logging.getLogger(__name__)


class Blocks:
    """All sample lines of the store, by family. An identity belongs to the object that took it first."""

    def __init__(self) -> None:
        """Start empty, with the families in catalogue order."""
        self._lines: dict[str, dict[str, bytes]] = {family.name: {} for family in ALL if not family.own}
        self._named: set[str] = set()
        self.duplicates = 0
        self.generation = 0

    def check(self, entries: Sequence[Entry]) -> None:
        """Raise `LookupError` for a family that the catalogue does not have for the store."""
        for family, _, _ in entries:
            if family not in self._lines:
                raise LookupError(f"not in the catalogue: {family}")

    def replace(self, old: Keys, entries: Sequence[Entry]) -> Keys:
        """Put an object's new lines in the place of its old ones; return what it occupies now.

        A series that another object (or an earlier line of this one) already has is refused and counted.
        """
        self.generation += 1
        keys = tuple([(family, identity) for family, identity, _ in entries])
        if keys == old:
            for family, identity, data in entries:
                self._lines[family][identity] = data
            return old
        mine = set(old)
        for family, identity in mine.difference(keys):
            del self._lines[family][identity]
        taken: dict[tuple[str, str], None] = {}
        for key, (family, identity, data) in zip(keys, entries, strict=True):
            lines = self._lines[family]
            if key in taken or (identity in lines and key not in mine):
                self._refuse(family)
                continue
            lines[identity] = data
            taken[key] = None
        return tuple(taken)

    def remove(self, keys: Keys) -> None:
        """Take an object's lines away."""
        if keys:
            self.generation += 1
        for family, identity in keys:
            del self._lines[family][identity]

    def put(self, entry: Entry) -> None:
        """Set the line of an identity that its caller owns for good."""
        self.generation += 1
        family, identity, data = entry
        self._lines[family][identity] = data

    def discard(self, family: str, identity: str) -> None:
        """Take the line of an identity away, if it is there."""
        self.generation += 1
        self._lines[family].pop(identity, None)

    def lines(self, family: str) -> list[bytes]:
        """Return a copy of a family's lines: they stay as they are while a scrape writes them out."""
        return list(self._lines[family].values())

    def of(self, keys: Iterable[tuple[str, str]]) -> dict[str, list[bytes]]:
        """Return the lines that stand under these keys, by family."""
        found: dict[str, list[bytes]] = {}
        for family, identity in keys:
            if identity in self._lines[family]:
                found.setdefault(family, []).append(self._lines[family][identity])
        return found

    def series(self) -> dict[str, int]:
        """Count the series of every family that has some."""
        return {name: len(lines) * FAMILIES[name].lines for name, lines in self._lines.items() if lines}

    def _refuse(self, family: str) -> None:
        self.duplicates += 1
        if family not in self._named:
            self._named.add(family)
            _log.warning("refused a series that is there already: family=%s", family)


def series_of(keys: Keys) -> int:
    """Count the series that an object occupies."""
    return sum(FAMILIES[family].lines for family, _ in keys)
