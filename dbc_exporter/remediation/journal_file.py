"""The journal's file: the lock, what is verified before it is believed, transactions, and the chain of events.

SQLite in WAL mode with full synchronisation; one process, one connection, one thread at a time. Every event carries a
hash of itself and the hash of the event before, and a mark beside the file tells how far the chain once went.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import msgspec

from dbc_exporter.clock import Clock
from dbc_exporter.remediation import journal_schema as schema
from dbc_exporter.remediation import mark
from dbc_exporter.remediation.steady import Moment, Steady

_ANEW = (
    "to begin anew, pause remediation, then move journal.db, journal.db-wal, journal.db-shm and journal.mark away "
    "together: budgets and cool-downs begin at nothing then"
)
_REPAIR = "free or repair the disk, then restart the exporter"
_HASHED = "seq, at, wall, kind, subject, intent, body"
_FAULTS = (sqlite3.Error, msgspec.MsgspecError, OSError)


class JournalError(Exception):
    """The journal cannot be used, so nothing may be done; the text says why and what to do."""


class JournalBusyError(JournalError):
    """Another process uses the journal."""


class JournalFile:
    """An open, verified file. Every method may raise `JournalError`; after the first one nothing works any more."""

    def __init__(
        self, connection: sqlite3.Connection, lock: int, directory: Path, clock: Clock, boot_id: str
    ) -> None:
        """Use `open`."""
        self._db = connection
        self._lock = lock
        self._mark = directory / "journal.mark"
        self._clock = clock
        self._broken = ""
        self._seq, self._hash = _verified(connection, mark.read(self._mark))
        saved = self._meta("moment")
        self.steady = Steady(clock, boot_id, msgspec.json.decode(saved, type=Moment) if saved else None)
        # right away, so that a missing mark beside events is known to be wrong
        mark.write(self._mark, mark.Mark(self._seq, self._hash))

    @classmethod
    def open(cls, directory: Path, clock: Clock, boot_id: str) -> Self:
        """Lock and open the journal of a directory, or create it there, and verify all of it.

        Raises `JournalBusyError` or `JournalError`.
        """
        lock = _take_lock(directory)
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                directory / "journal.db", isolation_level=None, check_same_thread=False
            )
            _prepare(connection)
            return cls(connection, lock, directory, clock, boot_id)
        except BaseException as error:
            _give_up(connection, lock)
            if isinstance(error, (*_FAULTS, ValueError)):
                raise JournalError(f"{directory}/journal.db cannot be used: {error}; {_ANEW}") from None
            raise

    def close(self) -> None:
        """Close the file and give the lock back."""
        self._broken = self._broken or "the journal is closed"
        _give_up(self._db, self._lock)
        self._lock = -1

    @contextmanager
    def transaction(
        self, kind: str, at: float, *, subject: str = "", intent: str = "", body: Any = None
    ) -> Iterator[sqlite3.Connection]:
        """Change something and write the event of it: both or neither, and on disk when this returns."""
        with self._changing() as db:
            yield db
            self._note(kind, at, subject=subject, intent=intent, body=body)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Change something; events only where `_note` is called."""
        with self._guarded():
            self._db.execute("BEGIN IMMEDIATE")
        before = self._seq, self._hash
        try:
            with self._guarded():
                yield self._db
                moment = msgspec.json.encode(self.steady.moment()).decode()
                self._db.execute("INSERT OR REPLACE INTO meta VALUES ('moment', ?)", (moment,))
            self._finish()
        except BaseException:
            self._seq, self._hash = before
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        if self._seq != before[0]:
            with self._guarded():
                self._write_mark()

    def _note(self, kind: str, at: float, *, subject: str = "", intent: str = "", body: Any = None) -> None:
        """Append an event to the chain, within `_changing`."""
        text = msgspec.json.encode(body or {}, order="deterministic").decode()
        # what is hashed is what will be read back: SQLite knows neither whole numbers here nor a negative zero
        times = at + 0.0, self._clock.wall() + 0.0
        event = (self._seq + 1, *times, kind, subject, intent, text)
        chained = _chained(self._hash, event)
        self._db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*event, chained))
        self._seq, self._hash = event[0], chained

    def _finish(self) -> None:
        """Commit; where that fails in any way nobody knows what is on disk, and only opening anew tells."""
        try:
            with self._guarded():
                self._commit()
        except BaseException:
            self._broken = self._broken or f"a commit was interrupted; {_REPAIR}"
            raise

    def _commit(self) -> None:
        self._db.execute("COMMIT")

    def _write_mark(self) -> None:
        mark.write(self._mark, mark.Mark(self._seq, self._hash))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Break for good with the first trouble of the disk: what is half known must not be acted on."""
        if self._broken:
            raise JournalError(self._broken)
        try:
            yield
        except _FAULTS as error:
            self._broken = f"{self._mark.parent}/journal.db failed: {error}; {_REPAIR}"
            raise JournalError(self._broken) from None

    def _meta(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row["value"] if row else None


def _take_lock(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(directory / "journal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(
            f"{directory} cannot be written: {error.strerror}; check storage.path and its permissions"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise JournalBusyError(
                f"another exporter uses {directory}; give each a storage.path of its own"
            ) from None
        raise JournalError(
            f"{directory} cannot be locked: {error.strerror}; use a file system of this machine"
        ) from None
    return lock


def _prepare(connection: sqlite3.Connection) -> None:
    connection.row_factory = sqlite3.Row
    [(mode,)] = connection.execute("PRAGMA journal_mode = WAL")
    if mode != "wal":
        raise ValueError("its file system knows no shared memory; use one of this machine")
    connection.execute("PRAGMA synchronous = FULL")
    [(application,)] = connection.execute("PRAGMA application_id")
    [(version,)] = connection.execute("PRAGMA user_version")
    [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_master")
    if (application, version, tables) == (0, 0, 0):
        named = f"PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = {schema.VERSION};"
        connection.executescript(f"BEGIN IMMEDIATE; {schema.SCHEMA} {named} COMMIT;")
    elif application != schema.APPLICATION_ID:
        raise ValueError("it is no journal")
    elif version != schema.VERSION:
        raise ValueError(f"another version of the exporter made it (schema {version}, not {schema.VERSION})")


def _verified(connection: sqlite3.Connection, marked: mark.Mark | None) -> tuple[int, str]:
    """Return number and hash of the last event. Raises `ValueError` for a file that is not what was written."""
    [(found,)] = connection.execute("PRAGMA quick_check(1)")
    if found != "ok":
        raise ValueError(f"it is damaged: {found}")
    seq, last = 0, ""
    reached = marked == mark.Mark(0, "")
    rows = connection.execute(f"SELECT {_HASHED}, hash FROM event ORDER BY seq")  # noqa: S608 (own names)
    for *event, stored in rows:
        if stored != _chained(last, event):
            raise ValueError(f"event {event[0]} is not as it was written")
        seq, last = event[0], stored
        reached = reached or marked == mark.Mark(seq, last)
    if marked is None and seq:
        raise ValueError("journal.mark is missing beside it, so it may be an older copy")
    if marked is not None and not reached:
        raise ValueError("it is an older copy: it lacks events that it had")
    return seq, last


def _chained(before: str, event: Sequence[object]) -> str:
    return hashlib.blake2b(msgspec.json.encode([before, *event]), digest_size=16).hexdigest()


def _give_up(connection: sqlite3.Connection | None, lock: int) -> None:
    if connection is not None:
        with suppress(sqlite3.Error):
            connection.close()
    if lock >= 0:
        with suppress(OSError):
            os.close(lock)
