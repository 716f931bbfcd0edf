"""Copies of a journal, as backups make them and restores put them back."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def copy_of(file: Path) -> bytes:
    """Return a consistent copy of a database that somebody else writes."""
    source, target = sqlite3.connect(f"file:{file}?mode=ro", uri=True), sqlite3.connect(":memory:")
    try:
        source.backup(target)
        return target.serialize()
    finally:
        source.close()
        target.close()


def last_event(copy: bytes) -> int:
    """Return the number of the latest event in a copy."""
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(copy)
        [(last,)] = database.execute("SELECT max(seq) FROM event")
        return int(last or 0)
    finally:
        database.close()


def replace_by(file: Path, copy: bytes) -> None:
    """Put a copy in place of a database that nobody has open."""
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    file.write_bytes(copy)
