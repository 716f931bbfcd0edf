"""The journal: what was intended, sent and seen, on disk before it happens. The one truth about what was done.

Times are steady seconds. Nonces are kept, signatures never come near it. Every change writes an event into the chain
in the same transaction; only words that merely repeat an alert write none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Self

from msgspec.structs import asdict, replace

from dbc_exporter.clock import Clock
from dbc_exporter.remediation import journal_schema as schema
from dbc_exporter.remediation import journal_view
from dbc_exporter.remediation.journal_file import JournalBusyError, JournalError, JournalFile
from dbc_exporter.remediation.model import Alert, Approval, Intent, IntentState, Pause, Result, Subject, View
from dbc_exporter.remediation.reasons import Reason
from dbc_exporter.remediation.sightings import Heard, Memory, recall

__all__ = ["ApprovalRefusedError", "IntentRefusedError", "Journal", "JournalBusyError", "JournalError"]

_UNCLEAR = (IntentState.SENDING, IntentState.AMBIGUOUS)
_OPEN = tuple(state for state in IntentState if state is not IntentState.ENDED)


class IntentRefusedError(Exception):
    """The journal forbids it: an open intent is in the way, or the intent is not in the state it should be in."""


class ApprovalRefusedError(IntentRefusedError):
    """The approval does not hold: unknown, answered before, not of this action and evidence, used up or expired."""


class Journal(JournalFile):
    """An open, verified journal. Every method may raise `JournalError`; after the first one nothing works any more."""

    _remembered: dict[Subject, tuple[Alert, ...]] | None = None  # the alert table as last read

    @classmethod
    def open(cls, directory: Path, clock: Clock, boot_id: str) -> Self:
        """Open or create the journal of a directory, and settle what an earlier process left open.

        Raises `JournalBusyError` or `JournalError`.
        """
        journal = super().open(directory, clock, boot_id)
        try:
            journal._take_over()  # noqa: SLF001 (its own)
        except BaseException:
            journal.close()
            raise
        return journal

    def _take_over(self) -> None:
        """Settle what an earlier process left open: what it sent may have arrived, what it only intended did not."""
        now = self.steady.now()
        with self._guarded():
            begun = journal_view.intents(self._db, "state IN ('intended', 'sending')")
        for intent in begun:
            if intent.state is IntentState.INTENDED:
                self.end(intent.id, now, Result.CANCELLED, Reason.SUPERSEDED.value)
            else:
                self.ambiguous(intent.id, now, "the exporter ended meanwhile", now)

    # -- reading -------------------------------------------------------------------------------------------

    def view(self, now: float) -> View:
        """Return what matters for decisions now."""
        with self._guarded():
            return journal_view.view(self._db, now)

    def intent(self, intent_id: str) -> Intent | None:
        """Return one intent."""
        with self._guarded():
            return next(iter(journal_view.intents(self._db, "id = ?", intent_id)), None)

    def alerts(self) -> dict[Subject, tuple[Alert, ...]]:
        """Return the alerts remembered of each subject, in order of their names."""
        with self._guarded():
            if self._remembered is None:
                self._remembered = journal_view.alerts(self._db)
            return dict(self._remembered)

    def watchdog_at(self) -> float | None:
        """Return when the alert that always fires was last heard, `None` for never."""
        return self._heard_at("watchdog")

    def truncated_at(self) -> float | None:
        """Return when Alertmanager last said that it left alerts out, `None` for never."""
        return self._heard_at("truncated")

    def events(self, subject: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """Return the latest events, newest first, of one subject (as text) or of all.

        Each has `seq`, `at` (steady), `wall` (Unix time), `kind`, `subject`, `intent`, `body` (JSON) and `hash`.
        """
        query = "SELECT * FROM event WHERE ?1 IS NULL OR subject = ?1 ORDER BY seq DESC LIMIT ?2"
        with self._guarded():
            return [dict(row) for row in self._db.execute(query, (subject, limit))]

    def _heard_at(self, what: str) -> float | None:
        with self._guarded():
            value = self._meta(what)
            return None if value is None else float(value)

    # -- intents -------------------------------------------------------------------------------------------

    def intend(self, intent: Intent, at: float, *, approval: str = "") -> None:
        """Write an intent down before anything happens; one that a person approved uses its approval up.

        Raises `IntentRefusedError` or `ApprovalRefusedError`.
        """
        row = schema.columns(intent)
        with self.transaction("intended", at, subject=str(intent.subject), intent=intent.id, body=row) as db:
            try:
                schema.insert(db, "intent", row)
            except sqlite3.IntegrityError as error:
                raise IntentRefusedError(f"an open intent is in the way: {error}") from None
            if intent.approved_by:
                self._use_approval(db, intent, approval, at)

    def _use_approval(self, db: sqlite3.Connection, intent: Intent, approval: str, at: float) -> None:
        used = db.execute(
            "UPDATE approval SET used = 1 WHERE id = ? AND subject = ? AND action = ? AND evidence = ?"
            " AND approved_by = ? AND NOT used AND expires > ?",
            (
                approval,
                str(intent.subject),
                intent.action.value,
                intent.evidence,
                intent.approved_by,
                at,
            ),
        )
        if used.rowcount != 1:
            raise ApprovalRefusedError("the approval is of something else, used up or expired")

    def sending(self, intent_id: str, at: float, *, nonce: str, canary: str) -> None:
        """Write down that the one request is about to leave, signed with this nonce."""
        changes = {"sent": at, "nonce": nonce, "canary": canary}
        self._advance(intent_id, at, (IntentState.INTENDED,), IntentState.SENDING, changes)

    def ambiguous(self, intent_id: str, at: float, reason: str, next_look: float) -> None:
        """Write down that nobody knows whether it arrived, and when to inquire."""
        changes = {"reason": reason, "next_look": next_look}
        self._advance(intent_id, at, _UNCLEAR, IntentState.AMBIGUOUS, changes)

    def burning(self, intent_id: str, at: float, next_look: float) -> None:
        """Write down that a read with the intent's nonce is about to leave, which may spend it."""
        found = self.intent(intent_id)
        changes = {"burns": found.burns + 1 if found else 0, "next_look": next_look}
        state = IntentState.AMBIGUOUS
        self._advance(intent_id, at, (state,), state, changes, kind="burning")

    def settling(self, intent_id: str, at: float, reason: str) -> None:
        """Write down that it arrived."""
        self._advance(intent_id, at, _UNCLEAR, IntentState.SETTLING, {"reason": reason})

    def end(self, intent_id: str, at: float, result: Result, reason: str) -> None:
        """Write down how it ended. Only what was never sent can be cancelled."""
        changes = {"ended": at, "result": result.value, "reason": reason}
        before = (IntentState.INTENDED,) if result is Result.CANCELLED else _OPEN
        self._advance(intent_id, at, before, IntentState.ENDED, changes)

    def _advance(
        self,
        intent_id: str,
        at: float,
        before: Sequence[IntentState],
        after: IntentState,
        changes: dict[str, Any],
        *,
        kind: str = "",
    ) -> None:
        row = {"state": after.value, **changes}
        sets = ", ".join(f"{name} = ?" for name in row)
        with self._changing() as db:
            intent = next(iter(journal_view.intents(db, "id = ?", intent_id)), None)
            if intent is None or intent.state not in before:
                found = intent.state if intent else "unknown"
                raise IntentRefusedError(f"intent {intent_id} is {found}, not {' or '.join(before)}")
            try:
                db.execute(f"UPDATE intent SET {sets} WHERE id = ?", (*row.values(), intent_id))  # noqa: S608 (own names)
            except sqlite3.IntegrityError:
                raise IntentRefusedError(f"intent {intent_id} would use a nonce a second time") from None
            self._note(kind or after.value, at, subject=str(intent.subject), intent=intent_id, body=row)

    # -- what people do ------------------------------------------------------------------------------------

    def propose(self, approval: Approval, at: float) -> None:
        """Ask a person."""
        row = schema.columns(approval)
        with self.transaction("proposed", at, subject=str(approval.subject), body=row) as db:
            schema.insert(db, "approval", row)

    def decide_approval(self, approval_id: str, *, actor: str, approve: bool, at: float) -> Approval:
        """Take a person's answer, the first one alone, and return the proposal with it.

        Raises `ApprovalRefusedError` where nothing waits for an answer, `ValueError` without an actor.
        """
        if not actor:
            raise ValueError("an answer needs somebody who gives it")
        with self._changing() as db:
            row = db.execute("SELECT * FROM approval WHERE id = ?", (approval_id,)).fetchone()
            found = schema.read(row, Approval) if row else None
            if found is None or found.expires <= at or found.approved_by or found.rejected_by:
                raise ApprovalRefusedError(f"{approval_id} waits for no answer: {_fate(found)}")
            column = "approved_by" if approve else "rejected_by"
            db.execute(f"UPDATE approval SET {column} = ? WHERE id = ?", (actor, approval_id))  # noqa: S608 (own names)
            kind, body = "approved" if approve else "rejected", {"id": approval_id, "actor": actor}
            self._note(kind, at, subject=str(found.subject), body=body)
        return replace(found, **{column: actor})

    def pause(self, pause: Pause) -> None:
        """Want nothing done."""
        row = schema.columns(pause)
        with self.transaction("paused", pause.created, subject=pause.node_id, body=row) as db:
            schema.insert(db, "pause", row)

    def resume(self, pause_id: str, actor: str, at: float) -> bool:
        """End a pause; tells whether there was one."""
        query = "UPDATE pause SET expires = ?1 WHERE id = ?2 AND expires > ?1"
        body = {"id": pause_id, "actor": actor}
        return self._change_if(query, (at, pause_id), "resumed", at, body=body)

    def quarantine(self, subject: Subject, reason: str, at: float) -> None:
        """Leave a subject to a person. One that is in quarantine keeps its first reason."""
        query = (
            "INSERT INTO quarantine VALUES (?, ?, ?, NULL) ON CONFLICT (subject) DO UPDATE"
            " SET reason = excluded.reason, since = excluded.since, cleared = NULL WHERE cleared IS NOT NULL"
        )
        values = (str(subject), reason, at)
        self._change_if(query, values, "quarantined", at, subject=str(subject), body={"reason": reason})

    def clear(self, subject: Subject, actor: str, at: float) -> bool:
        """End a quarantine; tells whether there was one."""
        query = "UPDATE quarantine SET cleared = ? WHERE subject = ? AND cleared IS NULL"
        values = (at, str(subject))
        return self._change_if(query, values, "cleared", at, subject=str(subject), body={"actor": actor})

    def open_breaker(self, reason: str, at: float) -> None:
        """Stop everything until a person has looked. One that is open keeps its first reason."""
        query = (
            "INSERT INTO breaker VALUES (1, ?, ?, NULL) ON CONFLICT (id) DO UPDATE"
            " SET reason = excluded.reason, since = excluded.since, cleared = NULL WHERE cleared IS NOT NULL"
        )
        self._change_if(query, (reason, at), "breaker_opened", at, body={"reason": reason})

    def clear_breaker(self, actor: str, at: float) -> bool:
        """Close the breaker; tells whether it was open."""
        query = "UPDATE breaker SET cleared = ? WHERE cleared IS NULL"
        return self._change_if(query, (at,), "breaker_cleared", at, body={"actor": actor})

    def _change_if(
        self, query: str, values: tuple[Any, ...], kind: str, at: float, *, subject: str = "", body: Any
    ) -> bool:
        """Change one row and write the event; neither where there is no such row to change."""
        with self._changing() as db:
            changed = db.execute(query, values).rowcount == 1
            if changed:
                self._note(kind, at, subject=subject, body=body)
        return changed

    # -- alerts --------------------------------------------------------------------------------------------

    def hear(
        self, heard: Sequence[Heard], at: float, *, watchdog: bool = False, truncated: bool = False
    ) -> None:
        """Take a delivery of alerts, whole. Hearing it again, late or out of order changes nothing.

        `watchdog` tells that the alert that always fires was in it, `truncated` that others were left out.
        """
        with self._changing() as db:
            for word in heard:
                self._hear(db, word, at)
            for name, true in (("watchdog", watchdog), ("truncated", truncated)):
                if true:
                    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, repr(float(at))))
            if truncated:
                self._note("alerts_truncated", at)
        self._remember({word.subject for word in heard})

    def _remember(self, subjects: Collection[Subject]) -> None:
        """Read anew what is remembered of some subjects; thousands of others cost nothing."""
        if self._remembered is None:
            return
        with self._guarded():
            for subject in subjects:
                self._remembered.pop(subject, None)
                self._remembered.update(journal_view.alerts(self._db, subject))

    def _hear(self, db: sqlite3.Connection, word: Heard, at: float) -> None:
        key = (str(word.subject), word.name, word.fingerprint)
        where = "subject = ? AND name = ? AND fingerprint = ?"
        row = db.execute(f"SELECT * FROM alert WHERE {where}", key).fetchone()  # noqa: S608 (own names)
        before = journal_view.memory_of(row) if row else None
        after = recall(before, word, at)
        if after is before:
            return
        named = dict(zip(("subject", "name", "fingerprint"), key, strict=True))
        db.execute(f"DELETE FROM alert WHERE {where}", key)  # noqa: S608 (own names)
        schema.insert(db, "alert", {**named, **asdict(after)})
        if before is None or _episode(before) != _episode(after):
            kind = "alert_fired" if after.ended is None else "alert_ended"
            self._note(kind, at, subject=key[0], body={**named, "starts_at": after.starts_at})

    def forget_alerts(self, *, firing_before: float, ended_before: float) -> None:
        """Forget firing alerts not heard of since, and alerts that ended before a time."""
        where = "(ended IS NULL AND heard < ?) OR ended < ?"
        values = (firing_before, ended_before)
        with self._guarded():
            if self._db.execute(f"SELECT 1 FROM alert WHERE {where} LIMIT 1", values).fetchone() is None:  # noqa: S608 (own condition)
                return  # nearly always: no need for the disk
        with self._changing() as db:
            db.execute(f"DELETE FROM alert WHERE {where}", values)  # noqa: S608 (own condition)
        self._remembered = None

    # -- policies ------------------------------------------------------------------------------------------

    def keep_policy(self, digest: str, text: str, at: float) -> None:
        """Keep the text of a policy that comes into force."""
        with self.transaction("policy", at, body={"hash": digest}) as db:
            db.execute("INSERT OR IGNORE INTO policy VALUES (?, ?, ?)", (digest, at, text))


def _fate(approval: Approval | None) -> str:
    """Say why a proposal waits for no answer."""
    if approval is None:
        return "there is no such proposal"
    if approval.approved_by or approval.rejected_by:
        verb = "approved" if approval.approved_by else "rejected"
        return f"{approval.approved_by or approval.rejected_by} {verb} it"
    return "it has expired"


def _episode(memory: Memory) -> tuple[float, float | None]:
    return memory.since, memory.ended
