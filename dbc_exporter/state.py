"""The state file: what survives a restart and could be had again without it.

SQLite (`state.db`, WAL) under `--storage.path`: freshness and inventory of the store, and small JSON values by key
(the requests each DBC client never answered; when each discovered node was last listed). On any error the exporter
runs without it, says so in the log, and `persistent` is false; the next save tries again. No secrets are kept here.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from dbc_exporter.metrics.saved import Saved, SavedFreshness, SavedTarget

_FILE = "state.db"
_VERSION = 1
_TIMEOUT_SECONDS = 2.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS freshness (
    client TEXT NOT NULL, node_id TEXT NOT NULL, manager_id TEXT NOT NULL, collector TEXT NOT NULL,
    interval REAL, last_attempt REAL, last_success REAL,
    PRIMARY KEY (client, node_id, collector)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inventory (
    node_id TEXT NOT NULL PRIMARY KEY, target BLOB NOT NULL, left_at REAL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kv (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
_FAULTS = (sqlite3.Error, OSError, msgspec.MsgspecError, ValueError)
_log = logging.getLogger(__name__)
_encode = msgspec.json.encode
_decode_target = msgspec.json.Decoder(SavedTarget).decode


class StateFile:
    """The file, or nothing: every method works without one and none raises for its sake."""

    def __init__(self, directory: Path | None) -> None:
        """`directory` is created if missing; `None` keeps everything in memory."""
        self._path = directory / _FILE if directory is not None else None
        self._lock = threading.Lock()
        self._values: dict[str, bytes] = {}
        self._persistent = False
        self._complained = False

    @property
    def persistent(self) -> bool:
        """Whether the file could be read or written when last tried."""
        return self._persistent

    def load(self) -> Saved:
        """Read everything an earlier process saved; nothing if there is no file or it cannot be read."""
        try:
            with self._database() as database:
                if database is None:
                    return Saved()
                saved = _read(database)
                values = dict(database.execute("SELECT key, value FROM kv"))
        except _FAULTS as fault:
            self._trouble("read", fault)
            return Saved()
        self._values = values | self._values
        self._fine()
        return saved

    def save(self, saved: Saved) -> None:
        """Replace the file's content in one transaction. Blocks on the disk: call it in a thread."""
        with self._lock:
            values = list(self._values.items())
            try:
                with self._database() as database:
                    if database is None:
                        return
                    _write(database, saved, values)
            except _FAULTS as fault:
                self._trouble("write", fault)
                return
            self._fine()

    def get(self, key: str) -> Any:
        """Return a JSON value by key, `None` if there is none. Values are there after `load`."""
        value = self._values.get(key)
        return None if value is None else msgspec.json.decode(value)

    def set(self, key: str, value: Any) -> None:
        """Keep a JSON value; it reaches the disk with the next `save`."""
        self._values[key] = _encode(value)

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection | None]:
        """Open the file for one use; `None` when none is configured."""
        if self._path is None:
            yield None
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path, timeout=_TIMEOUT_SECONDS, isolation_level=None)
        try:
            _prepare(database)
            yield database
        finally:
            database.close()

    def _fine(self) -> None:
        self._persistent = True
        self._complained = False

    def _trouble(self, what: str, fault: Exception) -> None:
        self._persistent = False
        if not self._complained:
            self._complained = True
            _log.error(
                "cannot %s the state file, running without it: path=%s error=%s", what, self._path, fault
            )


def _prepare(database: sqlite3.Connection) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, _VERSION):
        raise ValueError(
            f"made by another version (schema {version}, not {_VERSION}); move it away to start anew"
        )
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    if version == 0:
        database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")


def _read(database: sqlite3.Connection) -> Saved:
    freshness = database.execute(
        "SELECT client, node_id, manager_id, collector, interval, last_attempt, last_success FROM freshness"
    )
    targets = database.execute("SELECT target FROM inventory")
    return Saved(
        tuple(SavedFreshness(*row) for row in freshness),
        tuple(_decode_target(row[0]) for row in targets),
    )


def _write(database: sqlite3.Connection, saved: Saved, values: list[tuple[str, bytes]]) -> None:
    database.execute("BEGIN IMMEDIATE")
    try:
        database.execute("DELETE FROM freshness")
        database.executemany(
            "INSERT OR REPLACE INTO freshness VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    row.client,
                    row.node_id,
                    row.manager_id,
                    row.collector,
                    row.interval,
                    row.last_attempt,
                    row.last_success,
                )
                for row in saved.freshness
            ),
        )
        database.execute("DELETE FROM inventory")
        database.executemany(
            "INSERT OR REPLACE INTO inventory VALUES (?, ?, ?)",
            ((row.target.id, _encode(row), row.left_at) for row in saved.targets),
        )
        database.executemany("INSERT OR REPLACE INTO kv VALUES (?, ?)", values)
        database.execute("COMMIT")
    except BaseException:
        database.rollback()
        raise
