"""The client's table of pending forwarded requests, with the real server's way of losing their time-outs.

Finishing any request of a kind erases the timeout handler of every other pending request of that kind. Those never
time out: they are answered late if their node answers at all, else they hold their slot for the life of the process.
"""

from __future__ import annotations

import asyncio
import math
from enum import Enum
from typing import TYPE_CHECKING

from dbc_exporter.simulator.ledger import LostSession
from dbc_exporter.simulator.protocol import NodeRequest

if TYPE_CHECKING:
    from dbc_exporter.simulator.host import Address
    from dbc_exporter.simulator.world import World

MAX_SESSIONS = 1024


class End(Enum):
    """Ends of a session other than its node's answer."""

    TIMED_OUT = "timed out"
    PROCESS_ENDED = "the client process ended"


class TableFull(Exception):  # noqa: N818 - the server's answer, not a programming error
    """No slot is free, or the table is wedged."""


class Session:
    """One pending forwarded request; `done` gets the node's text or another end, or nothing ever."""

    __slots__ = (
        "address",
        "deadline",
        "done",
        "host",
        "incarnation",
        "lost",
        "request",
        "sent_at",
        "table",
        "timer",
        "unreachable",
    )

    def __init__(
        self, table: SessionTable, address: Address, incarnation: int, timer: str, request: NodeRequest
    ) -> None:
        now = table.world.now()
        self.table = table
        self.host = address.host
        self.incarnation = incarnation
        self.address = address.node_id
        self.timer = timer
        self.request = request
        self.sent_at = now
        self.deadline: float | None = now + table.world.timing.request_timeout
        self.unreachable = False
        self.lost: LostSession | None = None
        self.done: asyncio.Future[str | End] = asyncio.get_running_loop().create_future()

    def answered(self, text: str | None) -> None:
        """Take the node's answer (called by the host); None when the node passes over the request."""
        if text is None:
            self.unreachable = True
            self.check_lost()
        else:
            self.table.answered(self, text)

    def check_lost(self) -> None:
        """Record the session as lost if nothing will end it: no handler, and a node that does not answer."""
        if self.deadline is not None or self.lost or self.done.done() or not self.table.alive:
            return
        if not self.unreachable and not self.host.node.frozen:
            return
        world = self.table.world
        self.lost = LostSession(
            time=world.now(),
            client=self.table.client,
            kind=self.request.kind,
            node=self.address,
            sent_at=self.sent_at,
            node_dead_since=self.host.dead_since,
        )
        world.ledger.lost.append(self.lost)


class SessionTable:
    """All pending forwarded requests of one client process."""

    def __init__(self, world: World, client: str) -> None:
        self.world = world
        self.client = client
        self.alive = True
        self.wedged = False
        self._pending: set[Session] = set()
        self._armed: dict[str, dict[Session, None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def open(self, address: Address, incarnation: int, timer: str, request: NodeRequest) -> Session:
        """Take a slot; a 1,025th wedges the table for good. `timer` names the handler. Raises TableFull."""
        if self.wedged or len(self._pending) >= MAX_SESSIONS:
            if not self.wedged:
                self.wedge()
            raise TableFull
        session = Session(self, address, incarnation, timer, request)
        self._pending.add(session)
        self._armed.setdefault(timer, {})[session] = None
        self._arm_timer(timer, session.deadline or 0.0)
        self.world.ledger.session_opened(self.client, request.kind)
        return session

    def wedge(self) -> None:
        """Lose every pending timeout and refuse every further request until the process is restarted."""
        self.wedged = True
        self.world.ledger.event(self.client, "wedged")
        for timer in list(self._armed):
            self._erase_handlers(timer)

    def end_process(self) -> None:
        """Forget everything: the process is gone."""
        self.alive = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._armed.clear()
        for session in self._pending:
            if not session.done.done():
                session.done.set_result(End.PROCESS_ENDED)
        self._pending.clear()
        self.world.ledger.sessions_dropped(self.client)

    def answered(self, session: Session, text: str) -> None:
        """End a session with its node's answer, however late."""
        if session not in self._pending:
            return
        late = session.deadline is None
        if session.lost:
            session.lost.answered_at = self.world.now()
        self._finish(session, text, "late" if late else "answered")
        self._erase_handlers(session.timer)

    def _finish(self, session: Session, result: str | End, outcome: str) -> None:
        self._pending.discard(session)
        self._armed.get(session.timer, {}).pop(session, None)
        self.world.ledger.session_closed(self.client, session.request.kind, outcome)
        if not session.done.done():
            session.done.set_result(result)

    def _erase_handlers(self, timer: str) -> None:
        armed = self._armed.get(timer)
        if not armed:
            return
        erased = list(armed)
        armed.clear()
        for session in erased:
            session.deadline = None
            session.check_lost()

    def _arm_timer(self, timer: str, deadline: float) -> None:
        if timer in self._timers:
            return
        tick = self.world.timing.timeout_tick
        at = math.ceil(deadline / tick) * tick
        self._timers[timer] = asyncio.get_running_loop().call_at(at, self._expire, timer)

    def _expire(self, timer: str) -> None:
        self._timers.pop(timer, None)
        armed = self._armed.get(timer)
        if not armed:
            return
        now = self.world.now() + 1e-6
        due = [session for session in armed if session.deadline is not None and session.deadline <= now]
        for session in due:
            self._finish(session, End.TIMED_OUT, "timeout")
        if due:
            self._erase_handlers(timer)
            return
        self._arm_timer(timer, next(iter(armed)).deadline or now)
