"""The process a node runs in: its one service thread, its life and death, and what it gossips."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbc_exporter.simulator.gossip import Announcement, Announcer
from dbc_exporter.simulator.protocol import SimNode
from dbc_exporter.simulator.randomness import stable_fraction, stable_random

if TYPE_CHECKING:
    from dbc_exporter.simulator.sessions import Session
    from dbc_exporter.simulator.world import World


@dataclass(slots=True)
class Address:
    """A node id that requests can be sent to, with the host that serves it and since (until) when."""

    node_id: str
    node_type: int
    host: NodeHost
    since: float
    until: float = field(default=float("inf"))
    entry: str = ""
    """The node's element in a client's lists, as JSON."""

    def __post_init__(self) -> None:
        node = self.host.node
        self.entry = f'{{"node_id":"{self.node_id}","name":"{node.name}","version":"{node.version}"}}'

    def last_announced(self, announcement: Announcement | None) -> Announcement | None:
        """Return the host's announcement if this id was in it."""
        return announcement if announcement and announcement.time >= self.since else None


class NodeHost:
    """Runs one `SimNode`: answers strictly one at a time, can be killed, restarted, frozen and thawed."""

    def __init__(self, world: World, node: SimNode, *, fresh: bool) -> None:
        self.world = world
        self.node = node
        self.random = stable_random(world.seed, "node", node.node_id)
        self.thread = asyncio.Lock()
        self.address_ids: set[str] = set()
        self.incarnation = 1
        self.dead_since: float | None = None
        self.announcer = Announcer(world.timing.announce_every)
        self._phase = stable_fraction(world.seed, "gossip", node.node_id) * world.timing.announce_every
        self._queue: deque[Session] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._spawned: set[asyncio.Task[None]] = set()
        self._thawed = asyncio.Event()
        self._thawed.set()
        if fresh:
            self._speak_after_start()
        else:
            long_ago = world.now() - 10 * world.timing.forget_after
            self.announcer.speak(long_ago, phase=self._phase, incarnation=1)

    @property
    def peer_address(self) -> str:
        """The remote address of this node's connection, as `/peers` shows it: changes with each start."""
        port = stable_random(self.world.seed, "port", self.node.node_id, str(self.incarnation)).randrange(
            32768, 61000
        )
        return f"127.0.0.1:{port}"

    # -- for nodes

    async def work(self, seconds: float) -> None:
        """Spend the service thread's time; stands still while the process is frozen."""
        if seconds > 0:
            await asyncio.sleep(seconds)
        if self.node.frozen:
            await self._thawed.wait()

    async def work_slowly(self, seconds: float) -> None:
        """Spend time that the world's time factor scales."""
        await self.work(seconds * self.world.time_factor)

    @asynccontextmanager
    async def occupied(self) -> AsyncIterator[None]:
        """Hold the service thread: requests queue up and no gossip is sent, as in a manager's prune round."""
        async with self.thread:
            self.announcer.fall_silent(self.world.now())
            try:
                yield
            finally:
                if self.node.alive and not self.node.frozen:
                    self._speak()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something of the node's process beside its service thread; it ends with the process."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)
        return task

    def addresses_changed(self) -> None:
        """Take the node's present addresses; new ones are announced with the next round."""
        self.world.take_addresses(self)

    # -- for the world

    def deliver(self, session: Session) -> None:
        """Queue a request; a dead process loses it, and so does one with a new key or without this id."""
        gone = self.world.addresses[session.address].until <= self.world.now()
        if gone or not self.node.alive or session.incarnation != self.incarnation:
            session.unreachable = True
            return
        self.world.ledger.received[session.request.kind, session.address] += 1
        self._queue.append(session)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._serve())

    def kill(self) -> None:
        """End the process at once: what it was doing and what was queued is lost."""
        if not self.node.alive:
            return
        now = self.world.now()
        self.node.alive = False
        self.dead_since = now
        self.announcer.fall_silent(now)
        if self._worker:
            self._worker.cancel()
            self._worker = None
        for task in self._spawned:
            task.cancel()
        queued, self._queue = self._queue, deque()
        for session in queued:
            session.unreachable = True
            session.check_lost()
        self.thread = asyncio.Lock()
        self.world.ledger.event(self.node.node_id, "killed")

    def restart(self) -> None:
        """Start the process anew (killing it first): new key, empty memory, listed again after about 11 s."""
        self.kill()
        self.node.alive = True
        self.node.frozen = False
        self._thawed.set()
        self.dead_since = None
        self.incarnation += 1
        self._speak_after_start()
        self.node.started()
        self.addresses_changed()
        self.world.ledger.event(self.node.node_id, "restarted")

    def freeze(self) -> None:
        """Stop the process as SIGSTOP does: connections stay, nothing is answered or announced."""
        if self.node.frozen or not self.node.alive:
            return
        self.node.frozen = True
        self._thawed.clear()
        self.announcer.fall_silent(self.world.now())
        for session in self._queue:
            session.check_lost()
        self.world.ledger.event(self.node.node_id, "frozen")

    def thaw(self) -> None:
        """Let a frozen process go on; queued requests are answered now."""
        if not self.node.frozen:
            return
        self.node.frozen = False
        self._thawed.set()
        if self.node.alive:
            self._speak()
        self.world.ledger.event(self.node.node_id, "thawed")

    def _speak(self) -> None:
        self.announcer.speak(self.world.now(), phase=self._phase, incarnation=self.incarnation)

    def _speak_after_start(self) -> None:
        now, every = self.world.now(), self.world.timing.announce_every
        self._phase = now + every * (1.0 + 0.1 * stable_fraction(self.world.seed, "start", self.node.node_id))
        self.announcer.speak(self._phase, phase=self._phase, incarnation=self.incarnation)

    async def _serve(self) -> None:
        queue = self._queue
        while queue:
            session = queue[0]
            async with self.thread:
                await self.work(self.world.timing.public_answer)
                text = await self.node.answer(session.address, session.request)
                if self.node.frozen:
                    await self._thawed.wait()
            queue.popleft()
            session.answered(text)
