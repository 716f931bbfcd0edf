"""Copies of a journal, as backups make them and restores put them back."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Copy:
    """A consistent copy, and the number of the latest event in it."""

    data: bytes
    last_event: int


def copy_of(file: Path) -> Copy:
    """Copy a database that somebody else writes."""
    source, target = sqlite3.connect(f"file:{file}?mode=ro", uri=True), sqlite3.connect(":memory:")
    try:
        [(last,)] = source.execute("SELECT max(seq) FROM event")
        source.backup(target)
        return Copy(target.serialize(), int(last or 0))
    finally:
        source.close()
        target.close()


def replace_by(file: Path, copy: Copy) -> None:
    """Put a copy in place of a database that nobody has open."""
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    file.write_bytes(copy.data)
