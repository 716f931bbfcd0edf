"""How the event loop uses the journal: one thread of its own, so that a slow disk never holds up a scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from dbc_exporter.remediation.journal import Journal

T = TypeVar("T")


class JournalRunner(Protocol):
    """Does a piece of work on the journal, one after the other."""

    async def __call__(self, work: Callable[[Journal], T]) -> T:
        """Return what the work returns; raise what it raises."""


class JournalThread:
    """Works in a thread. What was begun is carried to its end, also when nobody waits for it any more."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")

    async def __call__(self, work: Callable[[Journal], T]) -> T:
        """Do it in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._journal)

    async def close(self) -> None:
        """Wait for what was begun and close the journal."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.close)
        self._thread.shutdown()


class DirectJournal:
    """Works at once, in the caller's thread: for simulations, where nothing may depend on threads."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def __call__(self, work: Callable[[Journal], T]) -> T:
        """Do it now."""
        return work(self._journal)
