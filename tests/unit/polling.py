"""What tests of the polling engine share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.poller import Poller
from tests.pacing.rig import LoopTicker


class Polling(Protocol):
    """A poller over one client."""

    ticker: LoopTicker
    poller: Poller
    client: DbcClient


P = TypeVar("P", bound=Polling)


@asynccontextmanager
async def ended(case: P) -> AsyncIterator[P]:
    """Leave nothing of it running."""
    try:
        yield case
    finally:
        case.ticker.stop()
        await case.poller.stop()
        await case.client.aclose()
