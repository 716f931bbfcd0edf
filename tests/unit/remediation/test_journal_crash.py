"""Whenever the process dies, the journal is as before or as after a change, never between."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dbc_exporter.remediation import mark
from dbc_exporter.remediation.journal import Journal, JournalError
from dbc_exporter.remediation.model import IntentState, Result
from dbc_exporter.remediation.sightings import Heard
from tests.unit.remediation.journals import (
    BOOT,
    OTHER_VM,
    VM,
    WALL,
    HandClock,
    approval,
    intent,
    opened,
    pause,
)

ROOT = Path(__file__).resolve().parents[3]
POINTS = ("before the commit", "before the mark", "after the mark")

# every change the journal knows, each of one commit
SCRIPT: list[Callable[[Journal], object]] = [
    lambda journal: journal.keep_policy("abc", "version: '1'", WALL),
    lambda journal: journal.hear([Heard("A", VM, "f1", 5, firing=True)], WALL, watchdog=True),
    lambda journal: journal.hear(
        [Heard("A", VM, "f1", 5, firing=False), Heard("B", VM, "f2", 6, firing=True)], WALL, truncated=True
    ),
    lambda journal: journal.forget_alerts(firing_before=WALL, ended_before=WALL + 1),
    lambda journal: journal.propose(approval(), WALL),
    lambda journal: journal.decide_approval("proposal-1", actor="ann", approve=True, at=WALL),
    lambda journal: journal.intend(intent(approved_by="ann"), WALL, approval="proposal-1"),
    lambda journal: journal.intend(intent(2, OTHER_VM), WALL),
    lambda journal: journal.sending("intent-1", WALL + 1, nonce="n", canary="c"),
    lambda journal: journal.sending("intent-2", WALL + 1, nonce="n2", canary="c2"),
    lambda journal: journal.ambiguous("intent-1", WALL + 2, "no answer", WALL + 3),
    lambda journal: journal.burning("intent-1", WALL + 3, WALL + 30),
    lambda journal: journal.settling("intent-1", WALL + 4, "arrived"),
    lambda journal: journal.end("intent-1", WALL + 5, Result.RECOVERED, "well_again"),
    lambda journal: journal.pause(pause()),
    lambda journal: journal.resume("pause-1", "ann", WALL),
    lambda journal: journal.quarantine(VM, "used up", WALL),
    lambda journal: journal.clear(VM, "ann", WALL),
    lambda journal: journal.open_breaker("no effect", WALL),
    lambda journal: journal.clear_breaker("ann", WALL),
]


def content(directory: Path) -> dict[str, list[Any]]:
    """Everything in the file, read without the journal."""
    connection = sqlite3.connect(directory / "journal.db")
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in sorted(tables)}  # noqa: S608 (own names)
    connection.close()
    return found


def sequel(directory: Path) -> tuple[int, int]:
    """The numbers of the latest event and of the mark."""
    marked = mark.read(directory / "journal.mark")
    return len(content(directory)["event"]), marked.seq if marked else 0


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[Any]]]:
    """What is in the file after each number of changes."""
    directory = tmp_path_factory.mktemp("undisturbed")
    journal = opened(directory)
    found = [content(directory)]
    for change in SCRIPT:
        change(journal)
        found.append(content(directory))
    journal.close()
    assert all(before != after for before, after in pairwise(found))
    return found


class Filmed(Journal):
    """Keeps the files as they are at each point: just what a process killed there leaves behind."""

    film: Path | None = None

    def _take(self, point: str) -> None:
        if self.film is not None:
            number = len(list(self.film.glob(f"* {point}")))
            shutil.copytree(self._mark.parent, self.film / f"{number} {point}")

    def _commit(self) -> None:
        self._take("before the commit")
        super()._commit()
        self._take("before the mark")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory, film = tmp_path_factory.mktemp("filmed"), tmp_path_factory.mktemp("film")
    journal = Filmed.open(directory, HandClock(), BOOT)
    journal.film = film
    for change in SCRIPT:
        change(journal)
        journal._take("after the mark")
    journal.close()
    return film


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("number", range(len(SCRIPT)))
def test_a_process_killed_at_a_change_leaves_the_state_before_or_after_it(
    film: Path, states: list[dict[str, list[Any]]], number: int, point: str
) -> None:
    directory = film / f"{number} {point}"
    expected = states[number if point == "before the commit" else number + 1]
    assert content(directory) == expected
    written, marked = sequel(directory)
    assert marked <= written
    journal = opened(directory)
    assert not any(one.state is IntentState.SENDING for one in journal.view(WALL).intents)
    journal.close()
    written, marked = sequel(directory)
    assert marked == written


class Killed(BaseException):
    """The process dies here."""


class Mortal(Journal):
    """Dies at one point of one commit."""

    commits = 0
    dies_at = (-1, "")

    def _dies(self, point: str) -> None:
        if (self.commits, point) == self.dies_at:
            raise Killed

    def _commit(self) -> None:
        self._dies("before the commit")
        super()._commit()
        self._dies("before the mark")
        self.commits += 1


@pytest.mark.parametrize("point", POINTS[:2])
@pytest.mark.parametrize("number", range(len(SCRIPT)))
def test_a_change_that_is_torn_off_leaves_the_state_before_or_after_it_and_ends_the_journal(
    tmp_path: Path, states: list[dict[str, list[Any]]], number: int, point: str
) -> None:
    journal = Mortal.open(tmp_path, HandClock(), BOOT)
    journal.dies_at = (number, point)
    for change in SCRIPT[:number]:
        change(journal)
    with pytest.raises(Killed):
        SCRIPT[number](journal)
    with pytest.raises(JournalError):
        journal.view(WALL)
    journal.close()
    assert content(tmp_path) == states[number if point == "before the commit" else number + 1]
    opened(tmp_path).close()


@pytest.mark.parametrize("number", [1, 2])
def test_settling_what_an_earlier_process_left_can_itself_be_torn_off(tmp_path: Path, number: int) -> None:
    journal = opened(tmp_path)
    journal.intend(intent(1), WALL)
    journal.intend(intent(2, OTHER_VM), WALL)
    journal.sending("intent-2", WALL, nonce="n", canary="c")
    journal.close()

    class Dying(Mortal):
        dies_at = (number - 1, "before the commit")

    with pytest.raises(Killed):
        Dying.open(tmp_path, HandClock(), BOOT)
    journal = opened(tmp_path)
    found = {one.id: one.state for one in journal.view(WALL).intents}
    assert found == {"intent-1": IntentState.ENDED, "intent-2": IntentState.AMBIGUOUS}
    journal.close()


CHILD = """
import sys
from pathlib import Path
from dbc_exporter.clock import SystemClock
from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.model import Result
from tests.unit.remediation.journals import intent

journal = Journal.open(Path(sys.argv[1]), SystemClock(), "boot")
def told():
    print(journal._seq, flush=True)
for number in range(int(sys.argv[2]), 1_000_000):
    journal.intend(intent(number), 1.0); told()
    journal.sending(f"intent-{number}", 2.0, nonce=f"n{number}", canary="c"); told()
    journal.settling(f"intent-{number}", 3.0, "accepted"); told()
    journal.end(f"intent-{number}", 4.0, Result.RECOVERED, "well_again"); told()
"""


def test_a_process_killed_in_the_middle_of_many_commits_loses_none_it_told_of(tmp_path: Path) -> None:
    first = 0
    for changes in (1, 6, 7, 12, 21):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(first)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(changes)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        told = max(int(line) for line in lines if line.endswith("\n"))
        written, marked = sequel(tmp_path)
        assert written in (told, told + 1)
        assert marked in (written - 1, written)
        journal = opened(tmp_path)
        open_one = next((one for one in journal.view(WALL).intents if one.open), None)
        assert open_one is None or open_one.state in (IntentState.AMBIGUOUS, IntentState.SETTLING)
        if open_one is not None:
            journal.end(open_one.id, 5.0, Result.UNRESOLVED, "ambiguous_for_good")
        first = sum(1 for event in journal.events(limit=1_000_000) if event["kind"] == "intended")
        journal.close()
