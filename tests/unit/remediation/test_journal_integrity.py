"""A journal that is not what was written is not believed, and one that fails is never used again."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from dbc_exporter.remediation import mark
from dbc_exporter.remediation.journal import Journal, JournalBusyError, JournalError
from dbc_exporter.remediation.model import Result
from tests.unit.remediation.journals import OTHER_VM, VM, WALL, intent, kinds, opened

FILES = ("journal.db", "journal.db-wal", "journal.db-shm", "journal.mark")


def used(directory: Path) -> None:
    """Leave a journal with a few events behind."""
    journal = opened(directory)
    journal.intend(intent(), WALL)
    journal.end("intent-1", WALL + 1, Result.CANCELLED, "superseded")
    journal.quarantine(VM, "used up", WALL + 2)
    journal.close()


def by_hand(directory: Path, *queries: str) -> None:
    """Change the file behind the journal's back."""
    connection = sqlite3.connect(directory / "journal.db", isolation_level=None)
    for query in queries:
        connection.execute(query)
    connection.close()


def move_away(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).unlink(missing_ok=True)


def refused(directory: Path) -> str:
    with pytest.raises(JournalError) as error:
        opened(directory)
    return str(error.value)


# -- one process


def test_the_second_to_open_a_journal_is_told_that_it_is_in_use(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    with pytest.raises(JournalBusyError, match=r"another exporter uses .* storage\.path of its own"):
        opened(tmp_path)
    journal.close()
    opened(tmp_path).close()


def test_the_directory_is_made_where_it_is_missing(tmp_path: Path) -> None:
    opened(tmp_path / "a" / "b").close()
    assert (tmp_path / "a" / "b" / "journal.db").is_file()


# -- what is not believed


def damage(directory: Path) -> None:
    path = directory / "journal.db"
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


def damage_an_unread_table(directory: Path) -> None:
    connection = sqlite3.connect(directory / "journal.db")
    [(root,)] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'policy'").fetchall()
    [(size,)] = connection.execute("PRAGMA page_size").fetchall()
    connection.close()
    path = directory / "journal.db"
    content = bytearray(path.read_bytes())
    content[(root - 1) * size : root * size] = b"\xff" * size
    path.write_bytes(content)


def replace_by_text(directory: Path) -> None:
    move_away(directory, *FILES)
    (directory / "journal.db").write_text("this is no database, but a long enough text to look like one" * 9)


def replace_by_another_database(directory: Path) -> None:
    move_away(directory, *FILES)
    by_hand(directory, "CREATE TABLE something (else_ TEXT)")


def replace_by_a_directory(directory: Path) -> None:
    move_away(directory, *FILES)
    (directory / "journal.db").mkdir()


def damage_the_mark(directory: Path) -> None:
    (directory / "journal.mark").write_text('{"seq": "many"}')


def lose_the_last_event(directory: Path) -> None:
    by_hand(directory, "DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)")


WRONGS: dict[str, tuple[Callable[[Path], None], str]] = {
    "random bytes in its pages": (damage, "journal.db cannot be used"),
    "wrong bytes in a table nobody has read yet": (damage_an_unread_table, "it is damaged"),
    "a text": (replace_by_text, "not a database"),
    "another program's database": (replace_by_another_database, "it is no journal"),
    "made by a later version": (
        lambda directory: by_hand(directory, "PRAGMA user_version = 2"),
        r"another version of the exporter made it \(schema 2, not 1\)",
    ),
    "an event changed": (
        lambda directory: by_hand(directory, "UPDATE event SET at = at - 1 WHERE seq = 2"),
        "event 2 is not as it was written",
    ),
    "an event taken out": (
        lambda directory: by_hand(directory, "DELETE FROM event WHERE seq = 2"),
        "event 3 is not as it was written",
    ),
    "an event put in": (
        lambda directory: by_hand(
            directory, "INSERT INTO event VALUES (4, 1.0, 1.0, 'cleared', '', '', '{}', 'made up')"
        ),
        "event 4 is not as it was written",
    ),
    "the last event lost": (lose_the_last_event, "older copy"),
    "all events lost": (lambda directory: by_hand(directory, "DELETE FROM event"), "older copy"),
    "the file lost": (lambda directory: move_away(directory, "journal.db"), "older copy"),
    "the mark lost": (
        lambda directory: move_away(directory, "journal.mark"),
        r"journal\.mark is missing",
    ),
    "the mark damaged": (damage_the_mark, "journal.db cannot be used"),
    "a directory in its place": (
        replace_by_a_directory,
        "unable to open database file",
    ),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_a_journal_that_is_not_what_was_written_is_refused_with_the_remedy(
    tmp_path: Path, wrong: str
) -> None:
    used(tmp_path)
    spoil, why = WRONGS[wrong]
    spoil(tmp_path)
    with pytest.raises(JournalError, match=why) as error:
        opened(tmp_path)
    assert not isinstance(error.value, JournalBusyError)
    assert "move journal.db, journal.db-wal, journal.db-shm and journal.mark away together" in str(
        error.value
    )


def test_the_remedy_works(tmp_path: Path) -> None:
    used(tmp_path)
    damage(tmp_path)
    refused(tmp_path)
    move_away(tmp_path, *FILES)
    journal = opened(tmp_path)
    assert journal.view(WALL).intents == ()
    journal.close()


def test_an_older_copy_is_refused(tmp_path: Path) -> None:
    now, backup = tmp_path / "now", tmp_path / "backup"
    used(now)
    shutil.copytree(now, backup)
    journal = opened(now)
    journal.clear(VM, "ann", WALL + 3)
    journal.close()
    shutil.copy(backup / "journal.db", now / "journal.db")
    assert "older copy" in refused(now)


def test_a_copy_that_went_another_way_is_refused_even_if_it_went_further(tmp_path: Path) -> None:
    now, other = tmp_path / "now", tmp_path / "other"
    used(now)
    shutil.copytree(now, other)
    for directory, reasons in ((now, ["one"]), (other, ["another", "and more"])):
        journal = opened(directory)
        for number, reason in enumerate(reasons):
            journal.open_breaker(reason, WALL + 10 + number)
            journal.clear_breaker("ann", WALL + 10.5 + number)
        journal.close()
    shutil.copy(other / "journal.db", now / "journal.db")
    assert "older copy" in refused(now)


def test_a_copy_without_its_write_ahead_log_is_refused(tmp_path: Path) -> None:
    here, copy = tmp_path / "here", tmp_path / "copy"
    journal = opened(here)
    journal.intend(intent(), WALL)
    copy.mkdir()
    for name in ("journal.db", "journal.mark"):
        shutil.copy(here / name, copy / name)
    journal.close()
    assert "cannot be used" in refused(copy)


def test_a_mark_that_lags_behind_is_brought_up(tmp_path: Path) -> None:
    used(tmp_path)
    early = (tmp_path / "journal.mark").read_bytes()
    journal = opened(tmp_path)
    journal.clear(VM, "ann", WALL + 3)
    journal.close()
    late = (tmp_path / "journal.mark").read_bytes()
    (tmp_path / "journal.mark").write_bytes(early)
    opened(tmp_path).close()
    assert (tmp_path / "journal.mark").read_bytes() == late != early


def test_the_mark_names_the_latest_event_after_every_change(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    assert mark.read(tmp_path / "journal.mark") == mark.Mark(0, "")
    for number in range(3):
        journal.quarantine(VM if number % 2 else OTHER_VM, "used up", WALL)
        [latest] = journal.events(limit=1)
        assert mark.read(tmp_path / "journal.mark") == mark.Mark(latest["seq"], latest["hash"])
    journal.close()


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    settings = [
        journal._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    ]
    journal.close()
    assert settings == ["wal", 2]  # 2 is FULL


def test_the_mark_is_on_disk_before_it_replaces_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path)
    fsync, done = os.fsync, []

    def watched(file: int) -> None:
        done.append((Path(f"/proc/self/fd/{file}").readlink().name, mark.read(tmp_path / "journal.mark")))
        fsync(file)

    monkeypatch.setattr(os, "fsync", watched)
    journal.quarantine(VM, "used up", WALL)
    now = mark.read(tmp_path / "journal.mark")
    assert done == [("journal.new", mark.Mark(0, "")), (tmp_path.name, now)]
    journal.close()


# -- trouble with the disk


def fails_for_good(journal: Journal, why: str) -> None:
    """See a change fail, and everything after it."""
    with pytest.raises(JournalError, match=why) as first:
        journal.open_breaker("x" * 100_000, WALL)
    assert "restart the exporter" in str(first.value)
    for call in (
        lambda: journal.view(WALL),
        lambda: journal.intent("intent-1"),
        journal.alerts,
        journal.watchdog_at,
        journal.events,
        lambda: journal.intend(intent(2, OTHER_VM), WALL),
        lambda: journal.hear([], WALL, watchdog=True),
        lambda: journal.forget_alerts(firing_before=0, ended_before=0),
    ):
        with pytest.raises(JournalError) as later:
            call()
        assert str(later.value) == str(first.value)
    journal.close()


def test_a_full_disk_ends_it_and_leaves_what_was_before(tmp_path: Path) -> None:
    used(tmp_path)
    journal = opened(tmp_path)
    told = kinds(journal)
    [(pages,)] = journal._db.execute("PRAGMA page_count").fetchall()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own "database or disk is full"
    fails_for_good(journal, "database or disk is full")
    journal = opened(tmp_path)
    assert (kinds(journal), journal.view(WALL).breaker) == (told, "")
    journal.close()


def test_a_disk_that_became_read_only_ends_it(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal._db.execute("PRAGMA query_only = ON")
    fails_for_good(journal, "readonly")


def test_a_damaged_table_ends_it_at_the_first_read(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal._db.execute("DROP TABLE intent")
    with pytest.raises(JournalError, match="no such table"):
        journal.view(WALL)
    fails_for_good(journal, "no such table")


def test_a_value_nobody_wrote_ends_it(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.intend(intent(), WALL)
    journal._db.execute("UPDATE intent SET state = 'finished'")
    with pytest.raises(JournalError, match="finished"):
        journal.view(WALL)
    journal.close()


def test_a_mark_that_cannot_be_written_ends_it_though_the_change_is_there(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    (tmp_path / "journal.new").mkdir()
    fails_for_good(journal, "Is a directory")
    (tmp_path / "journal.new").rmdir()
    journal = opened(tmp_path)
    assert kinds(journal) == ["breaker_opened"]
    journal.close()


def test_a_directory_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "check storage.path" in refused(tmp_path / "file" / "below")


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", read_only)
    assert "cannot be written: Read-only file system; check storage.path" in refused(tmp_path)


def test_a_failed_opening_gives_the_lock_back(tmp_path: Path) -> None:
    used(tmp_path)
    good = (tmp_path / "journal.mark").read_bytes()
    damage_the_mark(tmp_path)
    refused(tmp_path)
    (tmp_path / "journal.mark").write_bytes(good)
    opened(tmp_path).close()
