"""The journal: what was intended, sent and seen, on disk before it happens. The one truth about what was done.

SQLite in WAL mode with full synchronisation; one process, one connection, one thread. Every change writes an event
into an append-only chain of hashes in the same transaction. Times are steady seconds. Nonces are kept, signatures
never come near it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from dbc_exporter.clock import Clock
from dbc_exporter.remediation import journal_schema as schema
from dbc_exporter.remediation import mark
from dbc_exporter.remediation.model import (
    Alert,
    Approval,
    Intent,
    IntentState,
    Pause,
    Result,
    Subject,
    View,
)
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.sightings import Heard, merged
from dbc_exporter.remediation.steady import Moment, Steady

LOOK_BACK = 2 * 86_400.0
_OVERLAP_SECONDS = 300.0
_ANEW = "to begin anew, move journal.db, journal.db-wal and journal.mark away together and pause remediation first"


class JournalError(Exception):
    """The journal cannot be used, so nothing may be done; the text says why and what to do."""


class JournalBusyError(JournalError):
    """Another process uses the journal."""


class IntentRefusedError(Exception):
    """The journal forbids it: an open intent is in the way, or the intent is not in the state it should be in."""


class Journal:
    """An open, verified journal. Every method may raise `JournalError`; after the first it never works again."""

    def __init__(
        self, connection: sqlite3.Connection, lock: int, directory: Path, clock: Clock, boot_id: str
    ) -> None:
        """Use `open`."""
        self._db = connection
        self._lock = lock
        self._directory = directory
        self._clock = clock
        self._broken = ""
        self._seq, self._hash = 0, ""
        saved = self._meta("moment")
        self.steady = Steady(clock, boot_id, msgspec.json.decode(saved, type=Moment) if saved else None)

    # -- opening and closing -------------------------------------------------------------------------------

    @classmethod
    def open(cls, directory: Path, clock: Clock, boot_id: str) -> Journal:
        """Open or create the journal of a directory, and settle what an earlier process left open.

        Raises `JournalBusyError` or `JournalError`.
        """
        lock = _take_lock(directory)
        connection: sqlite3.Connection | None = None
        try:
            connection = _connect(directory / "journal.db")
            journal = cls(connection, lock, directory, clock, boot_id)
            journal._verify()
            journal._take_over()
        except (sqlite3.Error, msgspec.MsgspecError, ValueError, OSError) as error:
            _give_up(connection, lock)
            raise JournalError(f"journal.db cannot be used: {error}; {_ANEW}") from None
        except JournalError:
            _give_up(connection, lock)
            raise
        return journal

    def close(self) -> None:
        """Close the file and give the lock back."""
        self._broken = self._broken or "the journal is closed"
        _give_up(self._db, self._lock)

    def _verify(self) -> None:
        [(found,)] = self._db.execute("PRAGMA quick_check(1)").fetchall()
        if found != "ok":
            raise JournalError(f"journal.db is damaged: {found}; {_ANEW}")
        marked = mark.read(self._directory / "journal.mark")
        reached = marked is None or marked.seq == 0
        for row in self._db.execute("SELECT * FROM event ORDER BY seq"):
            if row["seq"] != self._seq + 1 or row["hash"] != _chained(self._hash, row):
                raise JournalError(f"journal.db was changed by hand at event {row['seq']}; {_ANEW}")
            self._seq, self._hash = row["seq"], row["hash"]
            reached = reached or (marked is not None and (self._seq, self._hash) == (marked.seq, marked.hash))
        if not reached:
            raise JournalError(f"journal.db is an older copy of itself: later events are missing; {_ANEW}")

    def _take_over(self) -> None:
        """Settle what an earlier process left open: what it sent may have arrived, what it only intended did not."""
        now = self.steady.now()
        for intent in self._intents("state = 'intended'"):
            self.end(intent.id, now, Result.CANCELLED, Reason.SUPERSEDED.value)
        for intent in self._intents("state = 'sending'"):
            self.ambiguous(intent.id, now, "the process ended meanwhile", now)

    # -- reading -------------------------------------------------------------------------------------------

    def view(self, now: float) -> View:
        """Return what matters for decisions now."""
        with self._guarded():
            breaker = self._db.execute("SELECT * FROM breaker").fetchone()
            quarantines = self._db.execute("SELECT * FROM quarantine").fetchall()
            pauses = self._db.execute("SELECT * FROM pause WHERE expires > ? ORDER BY created, id", (now,))
            approvals = self._db.execute(
                "SELECT * FROM approval WHERE expires > ? AND NOT used ORDER BY created, id", (now,)
            )
            return View(
                intents=tuple(self._intents("state != 'ended' OR created >= ?", now - LOOK_BACK)),
                quarantined={
                    schema.subject_of(row["subject"]): row["reason"]
                    for row in quarantines
                    if row["cleared"] is None
                },
                cleared={
                    schema.subject_of(row["subject"]): row["cleared"]
                    for row in quarantines
                    if row["cleared"] is not None
                },
                pauses=tuple(schema.pause_of(row) for row in pauses),
                approvals=tuple(schema.approval_of(row) for row in approvals),
                breaker=breaker["reason"] if breaker and breaker["cleared"] is None else "",
                breaker_cleared=(breaker["cleared"] if breaker else None) or float("-inf"),
            )

    def alerts(self) -> dict[Subject, tuple[Alert, ...]]:
        """Return the alerts remembered of each subject."""
        with self._guarded():
            return merged(self._db.execute("SELECT * FROM alert ORDER BY name, fingerprint").fetchall())

    def heard_at(self, what: str) -> float | None:
        """Return when something was last heard of: `watchdog` or `truncated`."""
        with self._guarded():
            value = self._meta(f"heard {what}")
            return None if value is None else float(value)

    def events(self, subject: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """Return the latest events, newest first, of one subject or of all."""
        where, values = ("WHERE subject = ?", (subject,)) if subject is not None else ("", ())
        query = f"SELECT * FROM event {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608 (no text from outside)
        with self._guarded():
            return [dict(row) for row in self._db.execute(query, (*values, limit))]

    # -- intents -------------------------------------------------------------------------------------------

    def intend(self, intent: Intent, at: float, *, approval: str = "") -> None:
        """Write an intent down before anything happens, and use its approval up. Raises `IntentRefusedError`."""
        row = schema.columns(intent)
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        with self.transaction("intended", at, subject=str(intent.subject), intent=intent.id, body=row) as db:
            try:
                db.execute(f"INSERT INTO intent ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608 (own names)
            except sqlite3.IntegrityError as error:
                raise IntentRefusedError(str(error)) from None
            if approval:
                used = db.execute(
                    "UPDATE approval SET used = 1 WHERE id = ? AND NOT used AND approved_by != '' AND expires > ?",
                    (approval, at),
                )
                if used.rowcount != 1:
                    raise IntentRefusedError("the approval is used up, expired or withdrawn")

    def sending(self, intent_id: str, at: float, *, nonce: str, canary: str) -> None:
        """Write down that the one request is about to leave."""
        changes = {"sent": at, "nonce": nonce, "canary": canary}
        self._advance(intent_id, at, (IntentState.INTENDED,), IntentState.SENDING, **changes)

    def ambiguous(self, intent_id: str, at: float, reason: str, next_look: float) -> None:
        """Write down that nobody knows whether it arrived, and when to inquire."""
        before = (IntentState.SENDING, IntentState.AMBIGUOUS)
        self._advance(intent_id, at, before, IntentState.AMBIGUOUS, reason=reason, next_look=next_look)

    def burning(self, intent_id: str, at: float, next_look: float) -> None:
        """Write down that a read with the intent's nonce is about to leave, which may spend it."""
        [intent] = self._intents("id = ?", intent_id)
        state = (IntentState.AMBIGUOUS,)
        self._advance(intent_id, at, state, state[0], burns=intent.burns + 1, next_look=next_look)

    def settling(self, intent_id: str, at: float, reason: str) -> None:
        """Write down that it arrived."""
        before = (IntentState.SENDING, IntentState.AMBIGUOUS)
        self._advance(intent_id, at, before, IntentState.SETTLING, reason=reason)

    def end(self, intent_id: str, at: float, result: Result, reason: str) -> None:
        """Write down how it ended."""
        before = tuple(state for state in IntentState if state is not IntentState.ENDED)
        self._advance(intent_id, at, before, IntentState.ENDED, ended=at, result=result.value, reason=reason)

    def intent(self, intent_id: str) -> Intent | None:
        """Return one intent."""
        with self._guarded():
            return next(iter(self._intents("id = ?", intent_id)), None)

    def _advance(
        self, intent_id: str, at: float, before: Sequence[IntentState], after: IntentState, **changes: Any
    ) -> None:
        with self._guarded():
            found = self._db.execute("SELECT subject FROM intent WHERE id = ?", (intent_id,)).fetchone()
        subject = found["subject"] if found else ""
        sets = ", ".join(f"{name} = ?" for name in ("state", *changes))
        allowed = ", ".join(f"'{state.value}'" for state in before)
        query = f"UPDATE intent SET {sets} WHERE id = ? AND state IN ({allowed})"  # noqa: S608 (own names)
        with self.transaction(after.value, at, subject=subject, intent=intent_id, body=changes) as db:
            done = db.execute(query, (after.value, *changes.values(), intent_id))
            if done.rowcount != 1:
                raise IntentRefusedError(f"intent {intent_id} is not {' or '.join(before)}")

    def _intents(self, where: str, *values: Any) -> list[Intent]:
        query = f"SELECT * FROM intent WHERE {where} ORDER BY created, id"  # noqa: S608 (own conditions)
        return [schema.intent_of(row) for row in self._db.execute(query, values)]

    # -- what people do ------------------------------------------------------------------------------------

    def propose(self, approval: Approval, at: float) -> None:
        """Ask a person."""
        row = schema.columns(approval)
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        subject = str(approval.subject)
        with self.transaction("proposed", at, subject=subject, body=row) as db:
            db.execute(f"INSERT INTO approval ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608 (own names)

    def answer(self, approval_id: str, *, actor: str, approve: bool, at: float) -> Approval | None:
        """Take a person's answer. Returns the proposal, `None` when there is none that still waits for one."""
        column = "approved_by" if approve else "rejected_by"
        where = "id = ? AND expires > ? AND NOT used AND approved_by = '' AND rejected_by = ''"
        with self._guarded():
            row = self._db.execute(f"SELECT * FROM approval WHERE {where}", (approval_id, at)).fetchone()  # noqa: S608
        if row is None:
            return None
        body = {"id": approval_id, "actor": actor}
        kind = "approved" if approve else "rejected"
        with self.transaction(kind, at, subject=row["subject"], body=body) as db:
            db.execute(f"UPDATE approval SET {column} = ? WHERE id = ?", (actor, approval_id))  # noqa: S608
        return schema.approval_of(row)

    def pause(self, pause: Pause, at: float) -> None:
        """Want nothing done."""
        row = schema.columns(pause)
        with self.transaction("paused", at, subject=pause.node_id, body=row) as db:
            db.execute("INSERT INTO pause VALUES (:id, :node_id, :actor, :reason, :created, :expires)", row)

    def resume(self, pause_id: str, actor: str, at: float) -> bool:
        """End a pause; tells whether there was one."""
        with self.transaction("resumed", at, body={"id": pause_id, "actor": actor}) as db:
            return db.execute("DELETE FROM pause WHERE id = ? AND expires > ?", (pause_id, at)).rowcount == 1

    def quarantine(self, subject: Subject, reason: str, at: float) -> None:
        """Leave a subject to a person."""
        with self.transaction("quarantined", at, subject=str(subject), body={"reason": reason}) as db:
            db.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, NULL)", (str(subject), reason, at))

    def clear(self, subject: Subject, actor: str, at: float) -> bool:
        """End a quarantine; tells whether there was one."""
        with self.transaction("cleared", at, subject=str(subject), body={"actor": actor}) as db:
            query = "UPDATE quarantine SET cleared = ? WHERE subject = ? AND cleared IS NULL"
            return db.execute(query, (at, str(subject))).rowcount == 1

    def open_breaker(self, reason: str, at: float) -> None:
        """Stop everything until a person has looked."""
        with self.transaction("breaker_opened", at, body={"reason": reason}) as db:
            db.execute("INSERT OR REPLACE INTO breaker VALUES (1, ?, ?, NULL)", (reason, at))

    def clear_breaker(self, actor: str, at: float) -> bool:
        """Close the breaker; tells whether it was open."""
        with self.transaction("breaker_cleared", at, body={"actor": actor}) as db:
            return db.execute("UPDATE breaker SET cleared = ? WHERE cleared IS NULL", (at,)).rowcount == 1

    # -- alerts --------------------------------------------------------------------------------------------

    def hear(
        self, heard: Sequence[Heard], at: float, *, watchdog: bool = False, truncated: bool = False
    ) -> None:
        """Take a delivery of alerts, whole. Hearing it again, late or out of order changes nothing."""
        with self._quietly() as db:
            for one in heard:
                self._hear(db, one, at)
            for name, true in (("watchdog", watchdog), ("truncated", truncated)):
                if true:
                    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"heard {name}", repr(at)))

    def _hear(self, db: sqlite3.Connection, one: Heard, at: float) -> None:
        row = db.execute("SELECT * FROM alert WHERE fingerprint = ?", (one.fingerprint,)).fetchone()
        if row is not None and _too_late(one, row):
            return
        same = row is not None and row["ended"] is None and one.starts_at - row["starts_at"] <= 0.0
        begun = row["starts_at"] if same else one.starts_at
        since = row["since"] if same or (row is not None and row["starts_at"] == one.starts_at) else at
        ended, last_end = (None, row["ended_start"] if row else None) if one.firing else (at, begun)
        db.execute(
            "INSERT OR REPLACE INTO alert VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (one.fingerprint, one.name, str(one.subject), begun, since, at, ended, last_end),
        )

    def forget_alerts(self, *, firing_before: float, ended_before: float) -> None:
        """Forget alerts not heard of for too long."""
        where = "(ended IS NULL AND heard < ?) OR (ended IS NOT NULL AND heard < ?)"
        values = (firing_before, ended_before)
        with self._guarded():
            if self._db.execute(f"SELECT 1 FROM alert WHERE {where} LIMIT 1", values).fetchone() is None:  # noqa: S608
                return
        with self._quietly() as db:
            db.execute(f"DELETE FROM alert WHERE {where}", values)  # noqa: S608

    # -- policies ------------------------------------------------------------------------------------------

    def keep_policy(self, digest: str, text: str, at: float) -> None:
        """Keep the text of a policy that comes into force."""
        with self.transaction("policy", at, body={"hash": digest}) as db:
            db.execute("INSERT OR IGNORE INTO policy VALUES (?, ?, ?)", (digest, at, text))

    # -- transactions --------------------------------------------------------------------------------------

    @contextmanager
    def transaction(
        self, kind: str, at: float, *, subject: str = "", intent: str = "", body: Any = None
    ) -> Iterator[sqlite3.Connection]:
        """Change something and write the event of it, both or neither, on disk when this returns."""
        text = msgspec.json.encode(body or {}, order="deterministic").decode()
        event = {
            "at": at,
            "wall": self._clock.wall(),
            "kind": kind,
            "subject": subject,
            "intent": intent,
            "body": text,
        }
        event["seq"] = self._seq + 1
        event["hash"] = _chained(self._hash, event)
        with self._quietly() as db:
            yield db
            db.execute(
                "INSERT INTO event VALUES (:seq, :at, :wall, :kind, :subject, :intent, :body, :hash)", event
            )
        self._seq, self._hash = self._seq + 1, str(event["hash"])
        with self._guarded():
            mark.write(self._directory / "journal.mark", mark.Mark(self._seq, self._hash))

    @contextmanager
    def _quietly(self) -> Iterator[sqlite3.Connection]:
        """Change something that needs no event."""
        with self._guarded():
            self._db.execute("BEGIN IMMEDIATE")
        try:
            with self._guarded():
                yield self._db
                moment = msgspec.json.encode(self.steady.moment()).decode()
                self._db.execute("INSERT OR REPLACE INTO meta VALUES ('moment', ?)", (moment,))
                self._commit()
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def _commit(self) -> None:
        self._db.execute("COMMIT")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Break for good with the first trouble of the disk: what is half known must not be acted on."""
        if self._broken:
            raise JournalError(self._broken)
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._broken = (
                f"journal.db failed: {error}; free the disk or repair it, then restart the exporter"
            )
            raise JournalError(self._broken) from None

    def _meta(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row["value"] if row else None


def _too_late(one: Heard, row: sqlite3.Row) -> bool:
    """Tell word of an episode that is over from word of the one in force.

    Replicas may name a start of the same episode that is a little earlier, never one that is later.
    """
    if row["ended_start"] is not None and one.starts_at <= row["ended_start"]:
        return True
    return row["ended"] is None and one.starts_at < row["starts_at"] - _OVERLAP_SECONDS


def _take_lock(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(directory / "journal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise JournalError(
            f"{directory} cannot be written: {error.strerror}; check path and permissions"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise JournalBusyError(
            f"another exporter uses {directory}; give each a storage.path of its own"
        ) from None
    return lock


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    [(application,)] = connection.execute("PRAGMA application_id").fetchall()
    [(version,)] = connection.execute("PRAGMA user_version").fetchall()
    [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    if (application, version, tables) == (0, 0, 0):
        script = f"{schema.SCHEMA} PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = 1;"
        connection.executescript(f"BEGIN IMMEDIATE; {script} COMMIT;")
    elif (application, version) != (schema.APPLICATION_ID, schema.VERSION):
        connection.close()
        raise JournalError(f"{path} is no journal of this version; {_ANEW}")
    return connection


def _give_up(connection: sqlite3.Connection | None, lock: int) -> None:
    if connection is not None:
        with suppress(sqlite3.Error):
            connection.close()
    with suppress(OSError):
        os.close(lock)


def _chained(before: str, event: Any) -> str:
    named = ("seq", "at", "wall", "kind", "subject", "intent", "body")
    text = msgspec.json.encode([before, *(event[name] for name in named)])
    return hashlib.blake2b(text, digest_size=16).hexdigest()
