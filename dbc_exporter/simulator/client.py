"""A client node: one process that answers HTTP requests from its memory or by asking a node over p2p."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from dbc_exporter.simulator.gossip import Listener
from dbc_exporter.simulator.protocol import ConnectionLost, Request, Response
from dbc_exporter.simulator.randomness import stable_fraction, stable_random
from dbc_exporter.simulator.sessions import SessionTable

if TYPE_CHECKING:
    from dbc_exporter.simulator.host import Address, NodeHost
    from dbc_exporter.simulator.world import World

MAX_PEERS = 50


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
        self.networks: dict[str, dict[str, object]] = {}
        self.sessions = SessionTable(world, name)
        self._listener = Listener()
        self._random = stable_random(world.seed, "client peers", name)
        self._tick_phase = stable_fraction(world.seed, "client tick", name) * world.timing.announce_every
        self._peers: list[NodeHost] = []
        self._in_hand: set[asyncio.Future[Response]] = set()
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
        for waiting in list(self._in_hand):
            if not waiting.done():
                waiting.set_exception(ConnectionLost())
        self.world.ledger.event(self.name, "killed")
        self._tell()
        if watchdog:
            delay = self.world.timing.watchdog * self.world.time_factor
            asyncio.get_running_loop().call_later(delay, self.restart)

    def restart(self) -> None:
        """Start the process again (ending it first): empty tables, first gossip after its p2p connections stand."""
        self.kill()
        self.alive = True
        self.isolated = False
        self.sessions = SessionTable(self.world, self.name)
        self._hear(at_once=False)
        self.world.ledger.event(self.name, "restarted")
        self._tell()

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
        heard = self._listener.heard(address.host.announcer, min(now, address.until))
        if heard is None or heard.time < address.since:
            return None
        every = self.world.timing.announce_every
        last_tick = now - (now - self._tick_phase) % every
        return heard.incarnation if heard.time >= last_tick - self.world.timing.forget_after else None

    def _hear(self, *, at_once: bool) -> None:
        now, timing = self.world.now(), self.world.timing
        self._listener.hear(now - 10 * timing.forget_after if at_once else now + timing.peers_after_start)

    def _tell(self) -> None:
        for tell in self.changed:
            tell()

    # -- requests

    async def handle(self, request: Request) -> Response:
        """Answer one HTTP request."""
        raise NotImplementedError
