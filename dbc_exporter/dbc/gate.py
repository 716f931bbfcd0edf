"""The gate of one DBC client: which request may be sent now, and which must wait.

A request starts only when its lane has room, the client as a whole has room, and nothing else is in flight at the
same node (a node answers strictly one request after the other). All three are taken together, so that waiting
requests hold nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from dbc_exporter.clock import Clock
from dbc_exporter.dbc.lanes import Lane

PUBLIC_LATENCY_SECONDS = 0.1  # first guesses, until answers teach better
AUTHENTICATED_LATENCY_SECONDS = 4.0
OVERDUE_SECONDS = 12.0  # no healthy answer takes this long; a dead BMC costs its manager 10 s
OVERDUE_LATENCIES = 4.0
OVERDUE_AT_ONCE = 4  # overdue requests of all kinds that make the whole client careful


@dataclass(slots=True, eq=False)
class Ticket:
    """One request in flight."""

    lane: Lane
    node: str
    started: float
    blocking: bool = True
    overdue: bool = False


@dataclass(slots=True)
class Gate:
    """Slots of one client. `busy` holds the nodes with a request in flight and is shared by all clients."""

    clock: Clock
    busy: set[str]
    max_in_flight: int = 48
    max_per_kind: int = 16
    lanes: dict[str, Lane] = field(default_factory=dict)
    tickets: set[Ticket] = field(default_factory=set)
    _waiting: dict[str, deque[tuple[asyncio.Future[Ticket], str]]] = field(default_factory=dict)

    def lane(self, kind: str, *, authenticated: bool = False) -> Lane:
        """Return the lane of a kind, made at first use."""
        lane = self.lanes.get(kind)
        if lane is None:
            first = AUTHENTICATED_LATENCY_SECONDS if authenticated else PUBLIC_LATENCY_SECONDS
            lane = self.lanes[kind] = Lane(kind, self.max_per_kind, first, authenticated)
            self._waiting[kind] = deque()
        return lane

    async def enter(self, lane: Lane, node: str) -> Ticket:
        """Wait until a request of this lane may be sent to this node, and take its place."""
        future: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        self._waiting[lane.kind].append((future, node))
        self.wake()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.leave(future.result())
            raise

    def leave(self, ticket: Ticket) -> None:
        """Give a request's place back. The caller wakes the gates: the node is free for all of them."""
        self.tickets.discard(ticket)
        self.busy.discard(ticket.node)
        self._unblock(ticket)

    def wake(self) -> None:
        """Start every waiting request that may start now."""
        if not any(self._waiting.values()):
            return
        now = self.clock.monotonic()
        careful = self.overdue() >= OVERDUE_AT_ONCE
        for kind, queue in self._waiting.items():
            if not queue:
                continue
            lane = self.lanes[kind]
            while queue and lane.may_start(now) and len(self.tickets) < self.max_in_flight:
                if careful and lane.in_flight:
                    break
                place = next((i for i, (_, node) in enumerate(queue) if node not in self.busy), None)
                if place is None:
                    break
                future, node = queue[place]
                del queue[place]
                if not future.done():
                    self._start(lane, node, now, future)

    def watch(self) -> None:
        """Look for requests that take too long; called every second or so. Also wakes paused lanes."""
        now = self.clock.monotonic()
        for ticket in self.tickets:
            patience = max(OVERDUE_SECONDS, OVERDUE_LATENCIES * ticket.lane.latency_seconds)
            if not ticket.overdue and now - ticket.started > patience:
                ticket.overdue = True
                ticket.lane.silent(now)
        self.wake()

    def nodes_left(self, nodes: Collection[str]) -> None:
        """Stop waiting in line behind nodes that fell out of the client's list: they will not answer."""
        for ticket in self.tickets:
            if ticket.node in nodes:
                self._unblock(ticket)

    def waiting(self) -> int:
        """Return how many requests wait."""
        return sum(len(queue) for queue in self._waiting.values())

    def overdue(self) -> int:
        """Return how many requests hold up others because they take too long."""
        return sum(1 for ticket in self.tickets if ticket.overdue and ticket.blocking)

    def _start(self, lane: Lane, node: str, now: float, future: asyncio.Future[Ticket]) -> None:
        ticket = Ticket(lane, node, now)
        lane.in_flight += 1
        self.tickets.add(ticket)
        self.busy.add(node)
        future.set_result(ticket)

    def _unblock(self, ticket: Ticket) -> None:
        if ticket.blocking:
            ticket.blocking = False
            ticket.lane.in_flight -= 1
