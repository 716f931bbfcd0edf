"""An asyncio event loop whose time jumps to the next timer instead of waiting for it.

Hours of polling run in seconds and twice the same way. Only for code without sockets: a loop that waits for
a file descriptor has nothing to jump to, and says so instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _NoWaitSelector(selectors.DefaultSelector):
    """Advances the loop's clock by the time-out it is given and returns at once."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("virtual time: every task waits for something that no timer will bring")
        if timeout > 0:
            self.loop.advance(timeout)
        ready: list[Any] = super().select(0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop with `time()` under its own control, starting at 0."""

    def __init__(self) -> None:
        self._virtual_now = 0.0
        selector = _NoWaitSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._virtual_now

    def advance(self, seconds: float) -> None:
        """Move the clock on; called by the selector when nothing is ready."""
        self._virtual_now += seconds


class LoopClock:
    """A `Clock` that follows a loop's time; `wall` is `epoch` plus that time plus any step made."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch: float = 1_795_000_000.0) -> None:
        self._loop = loop
        self._epoch = epoch

    def monotonic(self) -> float:
        """Return the loop's time."""
        return self._loop.time()

    def wall(self) -> float:
        """Return the virtual Unix time in seconds."""
        return self._epoch + self._loop.time()

    def step_wall(self, seconds: float) -> None:
        """Step the wall clock, as an administrator or NTP would."""
        self._epoch += seconds


def run_virtual(main: Coroutine[Any, Any, T], loop: VirtualTimeLoop | None = None) -> T:
    """Run a coroutine to its end on a fresh (or the given) virtual-time loop and close the loop."""
    loop = loop or VirtualTimeLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_cancel_rest())
        loop.close()


async def _cancel_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
