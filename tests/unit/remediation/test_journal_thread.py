"""How work on the journal is run: one after the other, in a thread of its own or in place."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest

from dbc_exporter.remediation.journal import IntentRefusedError, Journal, JournalError
from dbc_exporter.remediation.journal_thread import DirectJournal, JournalRunner, JournalThread
from tests.unit.remediation.journals import SIBLING, VM, WALL, intent, kinds, opened


async def test_work_is_done_in_one_thread_that_is_not_the_callers(tmp_path: Path) -> None:
    thread = JournalThread(opened(tmp_path))
    found = {await thread(lambda _: threading.current_thread()) for _ in range(5)}
    await thread.close()
    assert len(found) == 1
    assert threading.current_thread() not in found


async def test_work_is_done_in_the_order_in_which_it_was_asked_for(tmp_path: Path) -> None:
    thread = JournalThread(opened(tmp_path))
    done: list[int] = []

    def note(number: int, _journal: Journal) -> None:
        done.append(number)

    await asyncio.gather(*(thread(partial(note, number)) for number in range(20)))
    await thread.close()
    assert done == list(range(20))


async def test_what_the_work_returns_and_raises_comes_through(tmp_path: Path) -> None:
    thread: JournalRunner = JournalThread(opened(tmp_path))
    await thread(lambda journal: journal.intend(intent(), WALL))
    assert await thread(lambda journal: journal.view(WALL).intents) == (intent(),)
    with pytest.raises(IntentRefusedError):
        await thread(lambda journal: journal.intend(intent(2, SIBLING), WALL))
    assert isinstance(thread, JournalThread)
    await thread.close()


async def test_work_that_was_begun_is_carried_to_its_end_though_its_caller_was_cancelled(
    tmp_path: Path,
) -> None:
    thread = JournalThread(opened(tmp_path))
    begun, go_on = threading.Event(), threading.Event()

    def slowly(journal: Journal) -> None:
        begun.set()
        go_on.wait()
        journal.quarantine(VM, "used up", WALL)

    caller = asyncio.ensure_future(thread(slowly))
    await asyncio.to_thread(begun.wait)
    caller.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await thread(kinds) == ["quarantined"]
    await thread.close()


async def test_closing_waits_for_what_was_begun_closes_the_journal_and_ends_the_thread(
    tmp_path: Path,
) -> None:
    journal = opened(tmp_path)
    thread = JournalThread(journal)
    own = await thread(lambda _: threading.current_thread())
    last = asyncio.ensure_future(thread(kinds))
    await asyncio.sleep(0)
    await thread.close()
    assert await last == []
    assert not own.is_alive()
    with pytest.raises(JournalError, match="closed"):
        journal.view(WALL)
    opened(tmp_path).close()


async def test_work_in_place_is_done_in_the_callers_thread(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    runner: JournalRunner = DirectJournal(journal)
    assert await runner(lambda _: threading.current_thread()) is threading.current_thread()
    await runner(lambda it: it.intend(intent(), WALL))
    with pytest.raises(IntentRefusedError):
        await runner(lambda it: it.intend(intent(2, SIBLING), WALL))
    journal.close()
