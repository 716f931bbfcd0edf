"""The client's table of pending forwarded requests, with the real server's way of losing their time-outs.

Finishing any request of a kind erases the timeout handler of every other pending request of that kind. Those never
time out: they are answered late if their node answers at all, else they hold their slot for the life of the process.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from dbc_exporter.simulator.ledger import LostSession
from dbc_exporter.simulator.protocol import NodeRequest

if TYPE_CHECKING:
    from dbc_exporter.simulator.host import NodeHost
    from dbc_exporter.simulator.world import World

MAX_SESSIONS = 1024
TIMED_OUT = None


class TableFull(Exception):  # noqa: N818 - the server's answer, not a programming error
    """No slot is free, or the table is wedged."""


class Session:
    """One pending forwarded request; `done` gets the node's text, or `TIMED_OUT`."""

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
        "unreachable",
    )

    def __init__(
        self, table: SessionTable, host: NodeHost, incarnation: int, address: str, request: NodeRequest
    ) -> None:
        now = table.world.now()
        self.table = table
        self.host = host
        self.incarnation = incarnation
        self.address = address
        self.request = request
        self.sent_at = now
        self.deadline: float | None = now + table.world.timing.request_timeout
        self.unreachable = False
        self.lost: LostSession | None = None
        self.done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    def answered(self, text: str) -> None:
        """Take the node's answer (called by the host)."""
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

    def open(self, host: NodeHost, incarnation: int, address: str, request: NodeRequest) -> Session:
        """Take a slot; a 1,025th wedges the table for good. Raises TableFull."""
        if self.wedged or len(self._pending) >= MAX_SESSIONS:
            if not self.wedged:
                self.wedge()
            raise TableFull
        session = Session(self, host, incarnation, address, request)
        self._pending.add(session)
        self._armed.setdefault(request.kind, {})[session] = None
        self._arm_timer(request.kind, session.deadline or 0.0)
        self.world.ledger.session_opened(self.client, request.kind)
        return session

    def wedge(self) -> None:
        """Lose every pending timeout and refuse every further request until the process is restarted."""
        self.wedged = True
        self.world.ledger.event(self.client, "wedged")
        for kind in list(self._armed):
            self._erase_handlers(kind)

    def end_process(self) -> None:
        """Forget everything: the process is gone."""
        self.alive = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._armed.clear()
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
        self._erase_handlers(session.request.kind)

    def _finish(self, session: Session, result: str | None, outcome: str) -> None:
        self._pending.discard(session)
        self._armed.get(session.request.kind, {}).pop(session, None)
        self.world.ledger.session_closed(self.client, session.request.kind, outcome)
        if not session.done.done():
            session.done.set_result(result)

    def _erase_handlers(self, kind: str) -> None:
        armed = self._armed.get(kind)
        if not armed:
            return
        erased = list(armed)
        armed.clear()
        for session in erased:
            session.deadline = None
            session.check_lost()

    def _arm_timer(self, kind: str, deadline: float) -> None:
        if kind in self._timers:
            return
        tick = self.world.timing.timeout_tick
        at = math.ceil(deadline / tick) * tick
        self._timers[kind] = asyncio.get_running_loop().call_at(at, self._expire, kind)

    def _expire(self, kind: str) -> None:
        self._timers.pop(kind, None)
        armed = self._armed.get(kind)
        if not armed:
            return
        now = self.world.now() + 1e-6
        due = [session for session in armed if session.deadline is not None and session.deadline <= now]
        for session in due:
            self._finish(session, TIMED_OUT, "timeout")
        if due:
            self._erase_handlers(kind)
            return
        self._arm_timer(kind, next(iter(armed)).deadline or now)
