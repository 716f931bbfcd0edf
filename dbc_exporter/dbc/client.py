"""One DBC client node: what it is good for, whom it lists, and every exchange with it.

Its troubles are its own: nothing in here says that a machine is down.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from dbc_exporter.clock import Clock
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.authority import Credential
from dbc_exporter.dbc.calls import ReadCall
from dbc_exporter.dbc.envelope import request_body
from dbc_exporter.dbc.errors import CLIENT_TROUBLE, SILENCE, DbcError, Reason, unsent
from dbc_exporter.dbc.exchange import RawAnswer, Transport
from dbc_exporter.dbc.gate import Gate, Ticket
from dbc_exporter.dbc.late import LATE_SECONDS, LateAnswers
from dbc_exporter.dbc.lists import KnownAnswers, count_rows, lacks_rows
from dbc_exporter.dbc.observer import NullObserver, Observer
from dbc_exporter.dbc.patience import REMEMBERED_SECONDS, Patience
from dbc_exporter.dbc.request import Request, request_of
from dbc_exporter.facts import ClientState, ClientStatus, ListedNode, NodeList

T = TypeVar("T")

TROUBLES = 5  # unusable answers in a row that make a client troubled
LOCAL = "local"  # the kind under which calls answered from memory are counted
REFUSED = "connection refused"  # how the transport says that no process listens
UNCONNECTED = frozenset(
    {REFUSED, "no connection", "the name does not resolve", "TLS failed"}
)  # and that nothing left
UNUSABLE_ANSWER = frozenset({Reason.MALFORMED, Reason.TOO_LARGE, Reason.SERVER_ERROR})
REFUSALS = frozenset({Reason.REFUSED_LOCALLY, Reason.REFUSED_BY_NODE, Reason.NOT_FOUND})


class UnprovenSilenceError(DbcError):
    """Nothing came back, and nothing proves that the client passed anything on meanwhile: a probe must decide."""


@dataclass(slots=True)
class DbcClient:
    """A DBC client as one exporter process sees it. `clients` may share nodes; a client has one exporter."""

    name: str
    transport: Transport
    gate: Gate
    clock: Clock
    observer: Observer = field(default_factory=NullObserver)
    deadline_seconds: float = 37.0
    unanswered_ceiling: int = 512
    patience: Patience = field(default_factory=Patience)
    unanswered: int = 0
    version: str | None = None
    nodes: NodeList | None = None
    servers: NodeList | None = None
    peers_active: int | None = None
    peers_global: int | None = None
    rows: dict[str, ListedNode] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    reachable: bool | None = None
    wedged: bool = False
    restarts: int = 0
    refreshed: bool = False
    on_listing: Callable[[DbcClient, frozenset[str], frozenset[str]], bool] | None = None
    """Hears which nodes came to and left the list; tells whether those that left cannot have died."""
    _up_since: float = 0.0
    _started_at: float = float("-inf")
    _peers_at: float = float("-inf")
    _connected_at: float = float("-inf")
    _silent_at: float = float("-inf")
    _cut_off_at: float = float("-inf")
    _forwarded_at: float = float("-inf")
    _troubles: int = 0
    _troubled_until: float = float("-inf")
    _wedge_retry_at: float = 0.0
    _was_gone: bool = False
    _late: LateAnswers = field(init=False)
    _look: asyncio.Task[None] | None = None
    _known: KnownAnswers = field(default_factory=KnownAnswers)

    def __post_init__(self) -> None:
        """Count answers that come late."""
        self._late = LateAnswers(self._uncount)

    # -- what it is good for -------------------------------------------------------------------------------

    def state(self) -> ClientState:
        """Return what the client is good for now; only `ok` is asked to forward anything."""
        if self.reachable is None:
            return ClientState.UNKNOWN
        if not self.reachable:
            return ClientState.UNREACHABLE
        if self.wedged:
            return ClientState.WEDGED
        if self.unanswered >= self.unanswered_ceiling:
            return ClientState.CEILING
        if self._troubles >= TROUBLES or self.clock.monotonic() < self._troubled_until:
            return ClientState.TROUBLED
        if self.peers_active is None:  # it answers, but has not said yet whether it is alone
            return ClientState.UNKNOWN
        return ClientState.OK if self.peers_active else ClientState.ISOLATED

    def usable(self) -> bool:
        """Tell whether requests may be forwarded through this client."""
        return self.state() is ClientState.OK

    def settled(self) -> bool:
        """Tell whether the client has run long enough for its node list to be believed when a node is missing."""
        heard = self.nodes is not None and self.clock.monotonic() - self._up_since >= self.patience.settle
        return heard and not lacks_rows(self.nodes, self.servers) and self.usable()

    def believe(self) -> None:
        """Believe the list at once, for whoever looks only once and cannot wait for a client to settle."""
        self._up_since = float("-inf")

    def status(self) -> ClientStatus:
        """Return what is known of the client itself as a fact."""
        known = self.reachable is True and self.refreshed
        return ClientStatus(
            state=self.state(),
            version=self.version if known else None,
            visible_nodes=count_rows(self.nodes) if known else None,
            visible_servers=count_rows(self.servers) if known else None,
            peers_active=self.peers_active if known else None,
            peers_global=self.peers_global if known else None,
        )

    # -- reading from its memory ---------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Ask everything the client answers from memory: version, peers, nodes, servers.

        Raises `DbcError` when it cannot be asked.
        """
        try:
            await self._refresh()
        except DbcError:
            self.refreshed = False
            raise
        self.refreshed = True

    async def _refresh(self) -> None:
        await self._read_peers()
        nodes = await self.local(reads.node_list())
        servers = await self._optional(reads.bare_metal_ids(), self.servers)
        version = await self._optional(reads.version())
        peers = await self._optional(reads.peers("global"))
        self.nodes, self.servers = nodes, servers  # whole or not at all
        self.version = version.version if version else None
        self.peers_global = peers.count if peers else None
        self._relist()

    async def _optional(self, call: ReadCall[T], before: T | None = None) -> T | None:
        """Make a call whose refusal (by an old version) leaves one value unknown; an error leaves it as it was."""
        try:
            return await self.local(call)
        except DbcError as error:
            if error.reason is Reason.SERVER_ERROR:
                return before
            if error.reason not in REFUSALS:
                raise
            return None

    async def local(self, call: ReadCall[T]) -> T:
        """Make a call that the client answers from its own memory."""
        body = request_body(call)
        known = partial(self._known.understand, call, body)
        request = Request(LOCAL, call.method, call.path, signed=False, pack=lambda: body, understand=known)
        return await self._exchange(request, body)

    def _relist(self) -> None:
        before, now = self.listed, self.clock.monotonic()
        rows = (self.nodes.nodes if self.nodes else ()) + (self.servers.nodes if self.servers else ())
        self.rows = {row.node_id: row for row in rows}
        self.listed = frozenset(self.rows)
        left = before - self.listed
        if lacks_rows(self.nodes, self.servers):
            self._up_since = now  # some may stand there that could not be read
        if before != self.listed:
            vanished = self.on_listing(self, self.listed - before, left) if self.on_listing else False
            self._judge_list(vanished=vanished or not self.listed, lost=2 * len(left) > len(before), now=now)
        self.gate.nodes_left(left)

    def _judge_list(self, *, vanished: bool, lost: bool, now: float) -> None:
        """Draw conclusions about the client from nodes that left its list.

        A process that had peers all the time forgets nobody who is alive: it is a new one then, restarted unseen.
        """
        had_peers = now - self._connected_at < REMEMBERED_SECONDS
        if vanished and lost and had_peers and now - self._started_at >= self.patience.settle:
            self._restarted(now)
        elif lost or (vanished and had_peers):
            self._up_since = now

    # -- forwarding ----------------------------------------------------------------------------------------

    async def forward(
        self,
        call: ReadCall[T],
        node: str,
        credential: Credential | None,
        rent_order: str | None,
        still_wanted: Callable[[], None] | None = None,
        *,
        nonce: str | None = None,
    ) -> T:
        """Send one read to a node through this client when its gate allows.

        `node` is the id requests queue under: the node itself, or a server's manager. `still_wanted` is called
        right before sending and may raise `DbcError(NOT_SENT)`. A read with a `nonce` of the caller's choice leaves
        exactly once: repeated, it would find its own nonce spent.
        """
        request = request_of(call, credential, rent_order, nonce=nonce, once=nonce is not None)
        return await self.carry(request, node, still_wanted)

    async def carry(self, request: Request[T], node: str, still_wanted: Callable[[], None] | None) -> T:
        """Do what `forward` does, with a request that somebody has made."""
        lane = self.gate.lane(request.kind, authenticated=request.signed)
        ticket = await self.gate.enter(lane, node)
        try:
            with unsent():
                await self._ready_to_forward(still_wanted)
                body = request.pack()
                await request.before_send()
            started = self.clock.monotonic()
            try:
                answer = await self._exchange(request, body)
            except DbcError as error:
                blamed = await self._blame(error, started)
                self._note_failure(ticket, started, blamed)
                raise blamed from None
            lane.answered(self.clock.monotonic() - started)
            return answer
        finally:
            self.gate.leave(ticket)

    def wedge_probe_due(self) -> bool:
        """Tell whether a wedged client may be tried once more: it may have been restarted unseen."""
        now = self.clock.monotonic()
        if not self.wedged or now < self._wedge_retry_at:
            return False
        self._wedge_retry_at = now + self.patience.wedge_retry
        return True

    async def _ready_to_forward(self, still_wanted: Callable[[], None] | None) -> None:
        if self.clock.monotonic() - self._peers_at > self.patience.look:
            try:
                await self._look_at_peers()
            except DbcError as error:
                if error.reason not in SILENCE:
                    raise
                raise DbcError(Reason.UNREACHABLE, "the client itself is silent", error.kind) from None
        if not self.peers_active:
            raise DbcError(Reason.ISOLATED, "the client has no peers: nothing is forwarded")
        if self.unanswered >= self.unanswered_ceiling:
            raise DbcError(Reason.NOT_SENT, "too many unanswered requests: the client needs a restart")
        if still_wanted:
            still_wanted()

    async def _look_at_peers(self) -> None:
        """Look at the peers once, however many requests wait for it."""
        if self._look is None or self._look.done():
            self._look = asyncio.ensure_future(self._read_peers())
            self._look.add_done_callback(lambda look: look.cancelled() or look.exception())  # it is noted
        await asyncio.shield(self._look)

    async def _read_peers(self) -> None:
        count = (await self.local(reads.peers("active"))).count
        now = self._peers_at = self.clock.monotonic()
        if count and self.peers_active == 0:
            self._up_since = now  # it was cut off, or has just started: its list fills again
        self.peers_active = count
        if count:
            self._connected_at = now
        else:
            self._cut_off_at = now

    async def _blame(self, error: DbcError, started: float) -> DbcError:
        """Return whose failure it is: a silent node's, or the client's own when that was in trouble meanwhile."""
        if error.reason not in SILENCE:
            return error
        if error.reason is Reason.OWN_DEADLINE:
            self.unanswered += 1
            with contextlib.suppress(DbcError):  # what the look finds is noted
                await self._look_at_peers()
        if self._silent_at >= started:
            if error.reason is Reason.OWN_DEADLINE and self._late.forget(error):
                self._uncount()  # what a silent client did not pass on holds no session
            return DbcError(Reason.UNREACHABLE, "the client itself was silent meanwhile", error.kind)
        if self._cut_off_at >= started:
            reason = Reason.WEDGED if self.wedged else Reason.ISOLATED
            return DbcError(reason, "the client itself was in trouble meanwhile", error.kind)
        if self._forwarded_at < started:
            return UnprovenSilenceError(error.reason, error.said, error.kind)
        return error

    # -- every exchange ------------------------------------------------------------------------------------

    async def _exchange(self, request: Request[T], body: bytes) -> T:
        kind = request.kind
        started = self.clock.monotonic()
        reason: Reason | None = None
        try:
            answer = request.understand(await self._send(request, body))
        except DbcError as error:
            reason = error.reason
            error.kind = kind
            if request.once and reason is Reason.UNREACHABLE and error.said in UNCONNECTED:
                error.sent = False
            self._note_health(error)
            if kind != LOCAL and error.reason not in CLIENT_TROUBLE | SILENCE | {Reason.UNKNOWN_NODE}:
                self._forwarded_at = self.clock.monotonic()
            raise
        else:
            self._note_health(None)
            if kind != LOCAL:
                self._forwarded_at = self.clock.monotonic()
                self.wedged = False  # a forwarded answer proves that sessions are to be had
            return answer
        finally:
            self.observer.finished(self.name, kind, self.clock.monotonic() - started, reason)

    async def _send(self, request: Request[T], body: bytes) -> RawAnswer:
        """Send; a late answer to a signed request frees the server's session, so it no longer counts as unanswered."""
        send = partial(self.transport.send, request.method, request.path, body, retry=not request.once)
        if request.signed:
            sending = asyncio.ensure_future(send(deadline_seconds=LATE_SECONDS))
            return await self._late.within(self.deadline_seconds, sending)
        local = request.kind == LOCAL
        return await send(deadline_seconds=self.patience.local_deadline if local else self.deadline_seconds)

    def _uncount(self) -> None:
        self.unanswered = max(0, self.unanswered - 1)

    async def aclose(self) -> None:
        """Stop looking and listening, and close the connections."""
        if self._look is not None:
            self._look.cancel()
        await self._late.aclose()
        await self.transport.aclose()

    def _note_health(self, error: DbcError | None) -> None:
        now = self.clock.monotonic()
        reason = error.reason if error else None
        if error and (
            reason is Reason.UNREACHABLE or (reason is Reason.OWN_DEADLINE and error.kind == LOCAL)
        ):
            self.reachable = False
            self._silent_at = now
            self._was_gone = self._was_gone or error.said.startswith(REFUSED)
            return
        if reason is Reason.OWN_DEADLINE:
            return  # a forwarded request may wait for its node: that says nothing of the client
        if self.reachable is not True:
            self._came_up(now)
        if reason in UNUSABLE_ANSWER:
            self._troubles += 1
            if self._troubles >= TROUBLES:
                self._troubled_until = now + self.patience.troubled
            return
        self._troubles = 0
        if reason is Reason.WEDGED:
            self.wedged = True
            self._wedge_retry_at = now + self.patience.wedge_retry
            self._cut_off_at = now
        elif reason is Reason.ISOLATED:
            self.peers_active = 0
            self._cut_off_at = now

    def _came_up(self, now: float) -> None:
        if self._was_gone:
            self._was_gone = False
            self._restarted(now)
        else:
            self._up_since = now  # heard for the first time, or silent for a while: it may be a new process
        self.reachable = True

    def _restarted(self, now: float) -> None:
        self.restarts += 1
        self.unanswered = 0
        self.wedged = False
        self._up_since = self._started_at = now
        self.observer.restarted(self.name)

    def _note_failure(self, ticket: Ticket, started: float, error: DbcError) -> None:
        now = self.clock.monotonic()
        if error.reason in SILENCE:
            if not ticket.overdue:
                ticket.lane.silent(now)
            if ticket.lane.authenticated:
                ticket.lane.slow_down(now)
        elif error.reason not in CLIENT_TROUBLE:
            ticket.lane.answered(now - started)
