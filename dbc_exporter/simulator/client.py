"""A client node: one process that answers HTTP requests from its memory or by asking a node over p2p."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from dbc_exporter.simulator import body as bodies
from dbc_exporter.simulator import rapidjson, replies, routing, steps
from dbc_exporter.simulator.gossip import Listener
from dbc_exporter.simulator.networks import Network
from dbc_exporter.simulator.protocol import ConnectionLost, NodeRequest, Request, Response
from dbc_exporter.simulator.randomness import stable_fraction, stable_random
from dbc_exporter.simulator.sessions import End, Session, SessionTable, TableFull

if TYPE_CHECKING:
    from dbc_exporter.simulator.host import Address, NodeHost
    from dbc_exporter.simulator.world import World

MAX_PEERS = 50
_check_json = msgspec.json.Decoder(msgspec.Raw)


class ClientNode:
    """One client process and its watchdog.

    `handle` raises `ConnectionRefusedError` while the process is down and `ConnectionLost` when it dies with the
    request in hand; it never returns for a request whose answer is lost: cancel it, as a client that hangs up does.
    """

    def __init__(self, world: World, name: str, *, version: str, fresh: bool) -> None:
        self.world = world
        self.name = name
        self.version = version
        self.node_id = f"{stable_random(world.seed, 'client', name).getrandbits(256):064x}"
        self.alive = True
        self.isolated = False
        self.changed: list[Callable[[], None]] = []
        """Called after each end and start of the process: a shell closes or opens its listener."""
        self.networks: dict[str, Network] = {}
        self.sessions = SessionTable(world, name)
        self._listener = Listener()
        self._random = stable_random(world.seed, "client peers", name)
        self._tick_phase = stable_fraction(world.seed, "client tick", name) * world.timing.announce_every
        self._peers: list[NodeHost] = []
        self._stalled_until = float("-inf")
        self._hear(at_once=not fresh)

    # -- faults

    def kill(self, *, watchdog: bool = False) -> None:
        """End the process; with `watchdog` it is started again after about 10 s times the time factor."""
        if not self.alive:
            return
        self.alive = False
        self.sessions.end_process()
        self._listener.forget()
        self._peers.clear()
        self.world.ledger.event(self.name, "killed")
        self._tell()
        if watchdog:
            delay = self.world.timing.watchdog * self.world.time_factor
            asyncio.get_running_loop().call_later(delay, self._restart_if_dead)

    def restart(self) -> None:
        """Start the process again (ending it first): empty tables, first gossip after its p2p connections stand."""
        self.kill()
        self.alive = True
        self.isolated = False
        self.sessions = SessionTable(self.world, self.name)
        self._hear(at_once=False)
        self.world.ledger.event(self.name, "restarted")
        self._tell()

    def _restart_if_dead(self) -> None:
        if not self.alive:
            self.restart()

    def isolate(self) -> None:
        """Lose all peers: lists go on from memory for 300 s, any forwarded request kills the process 30 s later."""
        if not self.isolated:
            self.isolated = True
            self._listener.deaf(self.world.now())
            self.world.ledger.event(self.name, "isolated")

    def rejoin(self) -> None:
        """Find peers again."""
        if self.isolated:
            self.isolated = False
            self._listener.hear(self.world.now())
            self.world.ledger.event(self.name, "rejoined")

    def wedge(self) -> None:
        """Fill the session table for good: every forwarded request is refused until the process is restarted."""
        self.sessions.wedge()

    # -- the network as this process sees it

    def peers(self) -> list[NodeHost]:
        """Return the nodes this process has a connection to, at most 50."""
        if self.isolated:
            return []
        self._peers = [host for host in self._peers if host.node.alive]
        if not self._peers:
            living = [host for host in self.world.hosts.values() if host.node.alive]
            self._peers = self._random.sample(living, min(len(living), MAX_PEERS))
        return self._peers

    def sees(self, address: Address) -> int | None:
        """Return the incarnation under which a node id stands in the gossip cache, None if it does not."""
        now = self.world.now()
        host = address.host
        steady = max(host.announcer.steady_since, self._listener.hearing_since, address.since)
        every = self.world.timing.announce_every
        if steady + every <= now < address.until:
            return host.incarnation
        heard = self._listener.heard(host.announcer, min(now, address.until))
        if heard is None or heard.time < address.since:
            return None
        last_tick = now - (now - self._tick_phase) % every
        return heard.incarnation if heard.time >= last_tick - self.world.timing.forget_after else None

    def listed(self, node_type: int) -> list[str]:
        """Return the elements of a list of the nodes of a type in the gossip cache, by id."""
        sees = self.sees
        return [
            address.entry
            for address in self.world.sorted_addresses()
            if address.node_type == node_type and sees(address) is not None
        ]

    def _hear(self, *, at_once: bool) -> None:
        now, timing = self.world.now(), self.world.timing
        self._listener.hear(now - 10 * timing.forget_after if at_once else now + timing.peers_after_start)

    def _tell(self) -> None:
        for tell in self.changed:
            tell()

    # -- requests

    async def handle(self, request: Request) -> Response:
        """Answer one HTTP request."""
        if not self.alive:
            raise ConnectionRefusedError(f"client {self.name} is down")
        await self._wait_for_thread()
        route = routing.find(request.target)
        if route.version:
            return replies.version(self.version)
        if route.endpoint is None:
            return route.answer or replies.UNHANDLED
        if request.method != "POST":
            return replies.ONLY_POST
        try:
            return await self._call(
                route.endpoint, steps.Call(self, route.segments, route.query), request.body
            )
        except bodies.Assertion:
            self.kill(watchdog=True)
            raise ConnectionLost from None

    def stall(self, seconds: float) -> None:
        """Let the only HTTP thread stand still: nothing is answered meanwhile."""
        self._stalled_until = max(self._stalled_until, self.world.now() + seconds)

    async def _wait_for_thread(self) -> None:
        wait = self._stalled_until - self.world.now()
        if wait > 0:
            await asyncio.sleep(wait)

    async def _call(self, endpoint: routing.Endpoint, call: steps.Call, raw: bytes) -> Response:
        for early in endpoint.early:
            if refusal := early(call):
                return refusal
        if call.segments[0] != "peers":
            parsed = bodies.parse(raw)
            if isinstance(parsed, Response):
                return parsed
            call.body = parsed
        for check in endpoint.checks:
            if refusal := check(call):
                return refusal
        if endpoint.local and (answer := endpoint.local(call)):
            await self._wait_for_thread()
            return answer
        return await self._forward(endpoint, call)

    async def _forward(self, endpoint: routing.Endpoint, call: steps.Call) -> Response:
        address = self.world.addresses.get(bodies.peer_id(call.body))
        incarnation = self.sees(address) if address else None
        if address is None or incarnation is None:
            return replies.UNKNOWN_NODE
        request = NodeRequest(endpoint.kind, call.segments, call.query, call.body)
        try:
            session = self.sessions.open(address, incarnation, endpoint.timer, request)
        except TableFull:
            return replies.TABLE_FULL
        if not self.peers():
            self._die_of_unsent(session)
            return replies.NO_PEERS
        address.host.deliver(session)
        answer = await session.done
        if answer is End.PROCESS_ENDED:
            raise ConnectionLost
        if answer is End.TIMED_OUT:
            return replies.error(replies.INTERNAL, replies.NO_ANSWER, f"{endpoint.kind} timeout")
        return self._passed_on(endpoint, str(answer))

    def _passed_on(self, endpoint: routing.Endpoint, text: str) -> Response:
        answer = replies.passed_on(text)
        try:
            _check_json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if rapidjson.complaint(answer.body) is not None:
                return replies.error(replies.INTERNAL, replies.NO_ANSWER, endpoint.parse_error)
        return answer

    def _die_of_unsent(self, session: Session) -> None:
        """Crash when the timer of a request that was never sent replies to a request already answered."""
        sessions = self.sessions

        def reply_again(done: asyncio.Future[str | End]) -> None:
            if done.result() is End.TIMED_OUT and sessions is self.sessions:
                self.kill(watchdog=True)

        session.unreachable = True
        session.done.add_done_callback(reply_again)
