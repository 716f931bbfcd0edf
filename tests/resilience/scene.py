"""A small fleet and the polling engine in virtual time, with everything that may happen to a client between them.

What the exposition says is written down every second, so that a test can ask what was ever said, not only what is.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from dbc_exporter.clock import Clock
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer, Transport
from dbc_exporter.facts import ClientState, ClientStatus
from dbc_exporter.metrics.catalogue import FAMILIES
from dbc_exporter.metrics.exposition import Exposition
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.simulator.client import ClientNode
from dbc_exporter.simulator.scenario import Scenario
from dbc_exporter.simulator.virtual import LoopClock
from tests.pacing.rig import Rig
from tests.virtual import virtually

T = TypeVar("T")

NODES = 12
SERVERS = 3
MINUTE = 60.0
INTERVALS = {
    "client": 15.0,
    "node": 60.0,
    "orders": 300.0,
    "tasks": 300.0,
    "vms": 900.0,
    "bare_metal": 300.0,
    "power": 300.0,
}
DOWN_FAMILIES = ("dbc_node_up", "dbc_node_visible", "dbc_target_present", "dbc_bare_metal_bmc_reachable")
_SAMPLE = re.compile(r"([a-z_:]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')

Labels = frozenset[tuple[str, str]]


def fleet_of(nodes: int = NODES, clients: int = 1, managers: int = 1) -> Scenario:
    """Return a scenario: rented compute nodes with two VMs each, a manager, and clients."""
    return Scenario.model_validate(
        {
            "version": 1,
            "seed": 7,
            "verify_signatures": False,
            "clients": [{"name": f"client-{n}"} for n in range(1, clients + 1)],
            "compute": [{"count": nodes, "vms": {"count": 2}, "rented_by": {"wallet": "renter"}}],
            "managers": [{"count": managers, "servers": [{"count": SERVERS}]}],
            "latency": {"public": 0.03, "authenticated": [1.0, 2.0]},
        }
    )


class Tamper:
    """A transport with a client or a network in trouble behind it.

    `delay` seconds are added to every answer, `spoil` changes it, `lost` swallows it, `frozen` holds everything up
    until it ends; each only where `hits` says so of the path and the body.
    """

    def __init__(self, inner: Transport, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self.delay = 0.0
        self.spoil: Callable[[RawAnswer], RawAnswer] | None = None
        self.lost = False
        self.hits: Callable[[str, bytes], bool] = lambda _path, _body: True
        self.sent: list[tuple[float, str, bytes]] = []
        self._running = asyncio.Event()
        self._running.set()

    def freeze(self) -> None:
        """Stop the client's process as SIGSTOP does."""
        self._running.clear()

    def thaw(self) -> None:
        """Let it go on."""
        self._running.set()

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        """Exchange one request, through whatever the trouble is."""
        self.sent.append((self._clock.monotonic(), path, body))
        try:
            async with asyncio.timeout(deadline_seconds):
                await self._running.wait()
                answer = await self._inner.send(
                    method, path, body, deadline_seconds=deadline_seconds, retry=retry
                )
                await self._running.wait()
                return await self._troubled(answer) if self.hits(path, body) else answer
        except TimeoutError:
            raise DbcError(Reason.OWN_DEADLINE, "no answer in time") from None

    async def _troubled(self, answer: RawAnswer) -> RawAnswer:
        await asyncio.sleep(self.delay)
        if self.lost:
            await asyncio.Event().wait()
        return self.spoil(answer) if self.spoil else answer

    async def aclose(self) -> None:
        """Nothing to close."""


def forwarded(_path: str, body: bytes) -> bool:
    """Tell whether a request is one that the client forwards to a node."""
    return re.search(rb'"peer_nodes_list": *\["', body) is not None


@dataclass
class Scene:
    """A rig whose story is written down while it goes on."""

    clock: LoopClock
    scenario: Scenario = field(default_factory=fleet_of)
    intervals: dict[str, float] = field(default_factory=lambda: dict(INTERVALS))

    def __post_init__(self) -> None:
        self.rig = Rig(self.clock, self.scenario, self.intervals)
        self.tampers = [Tamper(client.transport, self.clock) for client in self.rig.clients]
        for client, tamper in zip(self.rig.clients, self.tampers, strict=True):
            client.transport = tamper
        self.own = OwnMetrics(version="0", python="3")
        self.exposition = Exposition(self.rig.store, self.own)
        self.said_down: dict[tuple[str, str], float] = {}
        self.states: dict[str, list[tuple[float, ClientState]]] = {c.name: [] for c in self.rig.clients}
        self.oldest: Counter[str] = Counter()
        self._watching: asyncio.Task[None] | None = None

    # -- life ----------------------------------------------------------------------------------------------

    async def start(self, warm_up: float = 2 * MINUTE) -> None:
        """Start polling and wait until the fleet is known."""
        await self.rig.start()
        self._watching = asyncio.ensure_future(self._watch())
        await self.wait(warm_up)
        self.forget()

    async def stop(self) -> None:
        if self._watching:
            self._watching.cancel()
        await self.rig.stop()

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def until(self, condition: Callable[[], bool], within: float) -> float:
        """Return how long a condition took to come true; fail when it does not in time."""
        started = self.clock.monotonic()
        while not condition():
            passed = self.clock.monotonic() - started
            assert passed < within, f"not within {within:g} s"
            await asyncio.sleep(1.0)
        return self.clock.monotonic() - started

    def forget(self) -> None:
        """Begin a new page: what was said before does not matter."""
        self.said_down.clear()
        self.oldest.clear()

    # -- the world -----------------------------------------------------------------------------------------

    def process(self, number: int = 0) -> ClientNode:
        """Return a simulated client process."""
        return list(self.rig.world.clients.values())[number]

    def client(self, number: int = 0) -> DbcClient:
        """Return the exporter's view of a client."""
        return self.rig.clients[number]

    def received(self) -> int:
        """Return how many requests nodes have received."""
        return sum(self.rig.world.ledger.received.values())

    def killed(self, number: int = 0) -> int:
        """Return how often a client process ended."""
        name = self.process(number).name
        return sum(1 for e in self.rig.world.ledger.events if (e.subject, e.what) == (name, "killed"))

    def lost_for_good(self) -> int:
        """Return how many sessions were lost."""
        return sum(1 for one in self.rig.world.ledger.lost if one.answered_at is None)

    # -- what is said --------------------------------------------------------------------------------------

    def scrape(self, *names: str) -> dict[str, dict[Labels, float]]:
        """Return the exposition, or these families of it: value by labels by sample name."""
        reply = self.exposition.reply({}, {"name[]": list(names)} if names else {})
        assert reply.status == 200
        samples: dict[str, dict[Labels, float]] = {}
        for line in reply.body.decode().splitlines():
            match = None if line.startswith("#") else _SAMPLE.fullmatch(line)
            if match:
                labels = frozenset(_LABEL.findall(match[2] or ""))
                samples.setdefault(match[1], {})[labels] = float(match[3])
        return samples

    def nodes_with(self, family: str, value: float | None = None) -> set[str]:
        """Return the nodes a family has a sample of (with this value)."""
        samples = self.scrape(family).get(family, {})
        return {dict(labels)["node_id"] for labels, said in samples.items() if value in (None, said)}

    def compute(self) -> set[str]:
        """Return the ids of the compute nodes."""
        return {member.id for member in self.rig.fleet.compute}

    def all_up(self) -> bool:
        """Tell whether every compute node is said to be up."""
        return self.nodes_with("dbc_node_up", 1) >= self.compute()

    def all_known(self) -> bool:
        """Tell whether every compute node is said to be up and shows its configuration."""
        return self.all_up() and self.nodes_with("dbc_node_cpu_cores") == self.compute()

    def state(self, number: int = 0) -> ClientState:
        """Return what the store says of a client."""
        status = self.rig.store.facts(Owner(client=self.client(number).name), "status")[""]
        assert isinstance(status, ClientStatus)
        return status.state

    def states_since(self, moment: float, number: int = 0) -> set[ClientState]:
        """Return the states a client was said to be in since a moment."""
        return {state for at, state in self.states[self.client(number).name] if at >= moment}

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._write_down()

    def _write_down(self) -> None:
        now = self.clock.monotonic()
        for family in DOWN_FAMILIES:
            for line in self.rig.store.lines(FAMILIES[family]):
                if line.endswith(b" 0\n"):
                    self.said_down.setdefault((family, line.decode().strip()), now)
        for number, client in enumerate(self.rig.clients):
            self.states[client.name].append((now, self.state(number)))
        for node in self.compute():
            for collector in ("node", "orders", "tasks"):
                age = self.rig.age(node, collector) if collector in self.intervals else 0
                self.oldest[collector] = max(self.oldest[collector], int(age or 0))


def played(
    story: Callable[[Scene], Awaitable[T]],
    *,
    clients: int = 1,
    nodes: int = NODES,
    intervals: Iterable[tuple[str, float]] = (),
) -> T:
    """Let a story happen in virtual time and return what it returns."""

    async def play(clock: LoopClock) -> T:
        scene = Scene(clock, fleet_of(nodes, clients), {**INTERVALS, **dict(intervals)})
        try:
            return await story(scene)
        finally:
            await scene.stop()

    return virtually(play)
