"""Run a test's coroutine in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dbc_exporter.simulator.virtual import LoopClock, VirtualTimeLoop, run_virtual

T = TypeVar("T")


def virtually(test: Callable[[LoopClock], Awaitable[T]]) -> T:
    """Call `test` with a virtual clock on a virtual loop and return what it returns."""
    loop = VirtualTimeLoop()

    async def main() -> T:
        return await test(LoopClock(loop))

    return run_virtual(main(), loop)


async def settle() -> None:
    """Let every task that can run do so, without moving time."""
    for _ in range(20):
        await asyncio.sleep(0)
