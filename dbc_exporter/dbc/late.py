"""Answers that come after our own deadline: nodes that wait for the chain answer late, and free the session then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer

LATE_SECONDS = 300.0  # how long a signed call that passed our deadline is listened for
MOST_LATE = 32  # sockets kept open for that

Sending = asyncio.Future[RawAnswer]


class ListeningError(DbcError):
    """Our deadline passed, and `sending` is still listened to."""

    def __init__(self, sending: Sending) -> None:
        super().__init__(Reason.OWN_DEADLINE)
        self.sending = sending


@dataclass(slots=True)
class LateAnswers:
    """The requests of one client that passed our deadline and may be answered yet; `on_answer` hears of each."""

    on_answer: Callable[[], None]
    _open: set[Sending] = field(default_factory=set)

    async def within(self, deadline_seconds: float, sending: Sending) -> RawAnswer:
        """Return the answer if it comes in time, else go on listening.

        Raises what `sending` raises, or `DbcError` (own_deadline; a `ListeningError` when it is still listened to).
        """
        try:
            async with asyncio.timeout(deadline_seconds):
                return await asyncio.shield(sending)
        except TimeoutError:
            if len(self._open) >= MOST_LATE:
                sending.cancel()
                raise DbcError(Reason.OWN_DEADLINE) from None
            self._open.add(sending)
            sending.add_done_callback(self._ended)
            raise ListeningError(sending) from None
        except asyncio.CancelledError:
            sending.cancel()
            raise

    def forget(self, error: DbcError) -> bool:
        """Stop listening to a request; tell whether its answer had not come yet."""
        if not isinstance(error, ListeningError):
            return True
        open_still = error.sending in self._open
        self._open.discard(error.sending)
        error.sending.cancel()
        return open_still

    async def aclose(self) -> None:
        """Stop listening altogether."""
        rest = list(self._open)
        for sending in rest:
            sending.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _ended(self, sending: Sending) -> None:
        listening = sending in self._open
        self._open.discard(sending)
        if not sending.cancelled() and sending.exception() is None and listening:
            self.on_answer()
