"""The tables of the journal, and how rows become values."""

from __future__ import annotations

import sqlite3
from enum import Enum
from typing import Any, TypeVar

import msgspec

from dbc_exporter.remediation.model import Subject

APPLICATION_ID = 0x44424352  # "DBCR"
VERSION = 1
T = TypeVar("T", bound=msgspec.Struct)

SCHEMA = """
CREATE TABLE event (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, wall REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
    intent TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE INDEX event_subject ON event (subject, seq);
CREATE TABLE intent (
    id TEXT PRIMARY KEY, subject TEXT NOT NULL, machine TEXT NOT NULL, client TEXT NOT NULL, action TEXT NOT NULL,
    problem TEXT NOT NULL, state TEXT NOT NULL, created REAL NOT NULL, domains TEXT NOT NULL, nonce TEXT NOT NULL,
    canary TEXT NOT NULL, burns INTEGER NOT NULL, next_look REAL NOT NULL, sent REAL, ended REAL, result TEXT,
    reason TEXT NOT NULL, evidence TEXT NOT NULL, policy TEXT NOT NULL, approved_by TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_open_per_subject ON intent (subject) WHERE state != 'ended';
CREATE UNIQUE INDEX one_open_per_machine ON intent (machine) WHERE state != 'ended';
CREATE UNIQUE INDEX one_use_per_nonce ON intent (nonce) WHERE nonce != '';
CREATE INDEX intent_created ON intent (created);
CREATE TABLE approval (
    id TEXT PRIMARY KEY, subject TEXT NOT NULL, action TEXT NOT NULL, evidence TEXT NOT NULL, created REAL NOT NULL,
    expires REAL NOT NULL, approved_by TEXT NOT NULL, rejected_by TEXT NOT NULL, used INTEGER NOT NULL
) STRICT;
CREATE TABLE pause (
    id TEXT PRIMARY KEY, node_id TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, created REAL NOT NULL,
    expires REAL NOT NULL
) STRICT;
CREATE TABLE quarantine (
    subject TEXT PRIMARY KEY, reason TEXT NOT NULL, since REAL NOT NULL, cleared REAL
) STRICT;
CREATE TABLE breaker (id INTEGER PRIMARY KEY CHECK (id = 1), reason TEXT NOT NULL, since REAL, cleared REAL) STRICT;
CREATE TABLE alert (
    subject TEXT NOT NULL, name TEXT NOT NULL, fingerprint TEXT NOT NULL, starts_at REAL NOT NULL,
    since REAL NOT NULL, heard REAL NOT NULL, over REAL, ended REAL, PRIMARY KEY (subject, name, fingerprint)
) STRICT;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE policy (hash TEXT PRIMARY KEY, at REAL NOT NULL, text TEXT NOT NULL) STRICT;
"""


def subject_of(text: str) -> Subject:
    """Read a subject back from its text."""
    node_id, _, task_id = text.partition("/")
    return Subject(node_id, task_id)


def read(row: sqlite3.Row, kind: type[T]) -> T:
    """Read a value back from its row."""
    found = dict(row)
    if "subject" in found:
        subject = subject_of(found["subject"])
        found["subject"] = {"node_id": subject.node_id, "task_id": subject.task_id}
    if "domains" in found:
        found["domains"] = msgspec.json.decode(found["domains"])
    return msgspec.convert(found, kind, strict=False)


def columns(value: msgspec.Struct) -> dict[str, Any]:
    """Return a value as the columns of its row."""
    found = {name: getattr(value, name) for name in value.__struct_fields__}
    return {name: _plain(item) for name, item in found.items()}


def _plain(item: Any) -> Any:
    if isinstance(item, Subject):
        return str(item)
    if isinstance(item, tuple):
        return msgspec.json.encode(item).decode()
    return item.value if isinstance(item, Enum) else item


def insert(db: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """Add a row to a table. Raises `sqlite3.IntegrityError` where the table forbids it."""
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608 (own names)
