"""What was seen and decided, kept compactly, for `explain` and `replay`. Losing it costs explanations, never safety.

A file of its own, `history.db`. Of subjects that nothing is wrong with only the moment is kept at which that began;
of the others every sight that differs from the one before, every decision that differs, and the fleet around them.
"""

from __future__ import annotations

import asyncio
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from dbc_exporter.logs import get_logger
from dbc_exporter.remediation.journal_schema import subject_of
from dbc_exporter.remediation.model import Decision, Fleet, Sight, Snapshot, Subject
from dbc_exporter.remediation.problems import WELL_STATES

log = get_logger(__name__)

KEPT_SECONDS = 35 * 86_400.0
PRUNE_SECONDS = 3_600.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sight (subject TEXT NOT NULL, at REAL NOT NULL, body BLOB) STRICT;
CREATE INDEX IF NOT EXISTS sight_at ON sight (at);
CREATE TABLE IF NOT EXISTS fleet (at REAL NOT NULL, wall REAL NOT NULL, subjects INTEGER NOT NULL, body BLOB NOT NULL)
    STRICT;
CREATE INDEX IF NOT EXISTS fleet_at ON fleet (at);
CREATE TABLE IF NOT EXISTS decision (subject TEXT NOT NULL, at REAL NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS decision_subject ON decision (subject, at);
CREATE INDEX IF NOT EXISTS decision_at ON decision (at);
"""
_pack = msgspec.msgpack.Encoder().encode


class Row(NamedTuple):
    """Something to be written: the table and its values."""

    table: str
    values: tuple[object, ...]


class Change(NamedTuple):
    """A recorded sight; `None` means that nothing was wrong with the subject any more."""

    at: float
    subject: Subject
    sight: Sight | None


class Surroundings(NamedTuple):
    """The recorded fleet of a moment; `wall` is Unix time, `subjects` how many were seen."""

    at: float
    wall: float
    subjects: int
    fleet: Fleet


class History:
    """Writes the history. `persistent` turns false with the first trouble, and remediation goes on without it."""

    def __init__(self, directory: Path) -> None:
        """Open or create `history.db`."""
        self.persistent = True
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history")
        self._sights: dict[Subject, Sight | None] = {}
        self._gists: dict[Subject, tuple[object, ...]] = {}
        self._fleet: tuple[object, ...] = ()
        self._backlog: list[Row] = []
        self._writing: asyncio.Future[None] | None = None
        self._pruned = float("-inf")
        try:
            self._db = connect(directory / "history.db")
            # what was wrong when the process ended, and is not any more, must be said to be over
            self._sights = dict.fromkeys(_in_force(self._db))
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    async def record(self, snapshot: Snapshot, decisions: Iterable[Decision], now: float) -> None:
        """Keep what differs from the last time. Never waits for the disk: what piles up is written together."""
        if not self.persistent:
            return
        self._backlog.extend(self._changes(snapshot, decisions, now))
        if self._backlog and (self._writing is None or self._writing.done()):
            rows, self._backlog = self._backlog, []
            self._writing = asyncio.get_running_loop().run_in_executor(self._thread, self._write, rows, now)

    async def close(self) -> None:
        """Write what is left and close the file."""
        if self.persistent:
            rows, self._backlog = self._backlog, []
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, rows, float("-inf"))
            with suppress(sqlite3.Error):
                self._db.close()
        self._thread.shutdown(wait=False)

    def _changes(self, snapshot: Snapshot, decisions: Iterable[Decision], now: float) -> Iterator[Row]:
        yield from self._sights_changed(snapshot.sights, now)
        for decision in decisions:
            gist = (decision.verdict, decision.action, *(check.reason for check in decision.checks))
            if self._gists.get(decision.subject) != gist:
                self._gists[decision.subject] = gist
                yield Row("decision", (str(decision.subject), now, zlib.compress(_pack(decision))))
        around = (replace(snapshot.fleet, watchdog=None), len(snapshot.sights), snapshot.fleet.watchdog)
        if around != self._fleet:
            self._fleet = around
            fleet = _pack(snapshot.fleet)
            yield Row("fleet", (now, snapshot.wall, len(snapshot.sights), zlib.compress(fleet)))

    def _sights_changed(self, sights: Iterable[Sight], now: float) -> Iterator[Row]:
        odd: dict[Subject, Sight | None] = {
            sight.subject: sight for sight in sights if sight.state not in WELL_STATES or _alerted(sight)
        }
        for subject in self._sights.keys() - odd.keys():
            yield Row("sight", (str(subject), now, None))
        for subject, sight in odd.items():
            if self._sights.get(subject) != sight:
                yield Row("sight", (str(subject), now, zlib.compress(_pack(sight))))
        self._sights = odd

    def _write(self, rows: list[Row], now: float) -> None:
        try:
            self._db.execute("BEGIN")
            for row in rows:
                marks = ", ".join("?" * len(row.values))
                self._db.execute(f"INSERT INTO {row.table} VALUES ({marks})", row.values)  # noqa: S608 (own names)
            if now - self._pruned > PRUNE_SECONDS:
                self._pruned = now
                self._prune(now - KEPT_SECONDS)
            self._db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _prune(self, before: float) -> None:
        """Forget what is older, but of each subject the last word before."""
        self._db.execute("DELETE FROM fleet WHERE at < ?", (before,))
        for table in ("sight", "decision"):
            query = (
                f"DELETE FROM {table} WHERE at < ?1 AND at <"  # noqa: S608 (own names)
                f" (SELECT max(at) FROM {table} later WHERE later.subject = {table}.subject AND later.at < ?1)"
            )
            self._db.execute(query, (before,))

    def _give_up(self, error: Exception) -> None:
        self.persistent = False
        log.warning(
            "history.db cannot be used; nothing is recorded for explain and replay", reason=str(error)
        )


def _alerted(sight: Sight) -> bool:
    """Tell whether an alert fires. One that has ended is remembered for a day, in which nothing is wrong."""
    return any(alert.ended is None for alert in sight.alerts)


def connect(path: Path) -> sqlite3.Connection:
    """Open or create a history to write to."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(_SCHEMA)
    return connection


def _in_force(connection: sqlite3.Connection) -> list[Subject]:
    query = "SELECT subject, max(at), body FROM sight GROUP BY subject HAVING body IS NOT NULL"
    return [subject_of(row[0]) for row in connection.execute(query)]


class Past:
    """Reads a history, also one that an exporter is writing. Raises `FileNotFoundError` where there is none."""

    def __init__(self, directory: Path) -> None:
        """Open it for reading."""
        path = directory / "history.db"
        if not path.exists():
            raise FileNotFoundError(path)
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)

    def decision(self, subject: Subject, at: float) -> tuple[float, Decision] | None:
        """Return the decision in force at a time, and when it was made."""
        query = "SELECT at, body FROM decision WHERE subject = ? AND at <= ? ORDER BY at DESC LIMIT 1"
        row = self._db.execute(query, (str(subject), at)).fetchone()
        return (row[0], _decision(row[1])) if row else None

    def decisions(self, subject: Subject, at: float, limit: int = 5) -> list[tuple[float, Decision]]:
        """Return the latest decisions up to a time, newest first."""
        query = "SELECT at, body FROM decision WHERE subject = ? AND at <= ? ORDER BY at DESC LIMIT ?"
        return [(row[0], _decision(row[1])) for row in self._db.execute(query, (str(subject), at, limit))]

    def sights(self, since: float, until: float) -> Iterator[Change]:
        """Yield changed sights in order of time, those in force at `since` first, as of then."""
        query = (
            "SELECT subject, max(at), body FROM sight WHERE at < ? GROUP BY subject HAVING body IS NOT NULL"
        )
        for subject, _, body in self._db.execute(query, (since,)):
            yield Change(since, subject_of(subject), _sight(body))
        query = "SELECT subject, at, body FROM sight WHERE at >= ? AND at <= ? ORDER BY at, rowid"
        for subject, at, body in self._db.execute(query, (since, until)):
            yield Change(at, subject_of(subject), None if body is None else _sight(body))

    def fleets(self, since: float, until: float) -> Iterator[Surroundings]:
        """Yield the fleet in order of time, the one in force at `since` first."""
        query = (
            "SELECT at, wall, subjects, body FROM fleet WHERE at <= ?2 AND at >="
            " coalesce((SELECT max(at) FROM fleet WHERE at <= ?1), ?1) ORDER BY at, rowid"
        )
        for at, wall, subjects, body in self._db.execute(query, (since, until)):
            fleet = msgspec.msgpack.decode(zlib.decompress(body), type=Fleet)
            yield Surroundings(at, wall, subjects, fleet)

    def span(self) -> tuple[float, float] | None:
        """Return when the recording begins and ends."""
        first, last = self._db.execute("SELECT min(at), max(at) FROM fleet").fetchone()
        return None if first is None else (first, last)

    def close(self) -> None:
        """Close it."""
        self._db.close()


def _decision(body: bytes) -> Decision:
    return msgspec.msgpack.decode(zlib.decompress(body), type=Decision)


def _sight(body: bytes) -> Sight:
    return msgspec.msgpack.decode(zlib.decompress(body), type=Sight)
