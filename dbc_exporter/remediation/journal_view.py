"""What is read from the journal: rows put together to what the planner and people ask for."""

from __future__ import annotations

import sqlite3
from typing import Any

from dbc_exporter.remediation import journal_schema as schema
from dbc_exporter.remediation.model import Alert, Approval, Intent, Pause, Subject, View
from dbc_exporter.remediation.sightings import Memory, merged

LOOK_BACK = 2 * 86_400.0
LOOK_BACK_IN_VAIN = 30 * 86_400.0  # what was not seen to help counts as long as the trouble lasts


def view(db: sqlite3.Connection, now: float) -> View:
    """Return what matters for decisions at a time."""
    past, long_past = now - LOOK_BACK, now - LOOK_BACK_IN_VAIN
    in_vain = "created >= ? AND sent IS NOT NULL AND result != 'recovered'"
    quarantined, cleared = _quarantines(db)
    breaker = db.execute("SELECT * FROM breaker").fetchone()
    waiting = db.execute("SELECT * FROM approval WHERE expires > ? AND NOT used ORDER BY created, id", (now,))
    pauses = db.execute("SELECT * FROM pause WHERE expires > ? ORDER BY created, id", (now,))
    return View(
        intents=intents(
            db, f"state != 'ended' OR created >= ? OR ended >= ? OR ({in_vain})", past, past, long_past
        ),
        quarantined=quarantined,
        cleared=cleared,
        pauses=tuple(schema.read(row, Pause) for row in pauses),
        approvals=tuple(schema.read(row, Approval) for row in waiting),
        breaker=breaker["reason"] if breaker and breaker["cleared"] is None else "",
        breaker_cleared=float("-inf") if not breaker or breaker["cleared"] is None else breaker["cleared"],
    )


def intents(db: sqlite3.Connection, where: str, *values: Any) -> tuple[Intent, ...]:
    """Return the intents that fulfil a condition, oldest first."""
    query = f"SELECT * FROM intent WHERE {where} ORDER BY created, id"  # noqa: S608 (own conditions)
    return tuple(schema.read(row, Intent) for row in db.execute(query, values))


def alerts(db: sqlite3.Connection, subject: Subject | None = None) -> dict[Subject, tuple[Alert, ...]]:
    """Return what is remembered of each subject's alerts, or of one subject's."""
    query = "SELECT * FROM alert" if subject is None else "SELECT * FROM alert WHERE subject = ?"
    rows = db.execute(query, () if subject is None else (str(subject),))
    return merged((schema.subject_of(row["subject"]), row["name"], memory_of(row)) for row in rows)


def memory_of(row: sqlite3.Row) -> Memory:
    """Read what is remembered of one alert."""
    return Memory(**{name: row[name] for name in Memory.__struct_fields__})


def _quarantines(db: sqlite3.Connection) -> tuple[dict[Subject, str], dict[Subject, float]]:
    """Return the reasons of quarantines in force, and when others were ended."""
    quarantined: dict[Subject, str] = {}
    cleared: dict[Subject, float] = {}
    for row in db.execute("SELECT * FROM quarantine ORDER BY subject"):
        subject = schema.subject_of(row["subject"])
        if row["cleared"] is None:
            quarantined[subject] = row["reason"]
        else:
            cleared[subject] = row["cleared"]
    return quarantined, cleared
