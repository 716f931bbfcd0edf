"""The polling engine as it ships, on a simulated fleet in virtual time, judged by the simulator's ledger."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dbc_exporter.assemble import build_poller
from dbc_exporter.dbc.calls import Authority
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.gate import Gate, Ticket
from dbc_exporter.dbc.lanes import Lane
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.poller import Poller
from dbc_exporter.simulator.fleet import Fleet, build_world
from dbc_exporter.simulator.scenario import Scenario
from dbc_exporter.simulator.selection import Member
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.targets import Kind, Target
from tests.world_transport import WorldTransport


class PlainCredential:
    """Signs with text that a world without signature checks accepts: the proof is about pace, not about curves."""

    name = "renter"
    serves = frozenset({Authority.OPTIONAL, Authority.RENTER, Authority.WALLET})
    can_fence = True

    def __init__(self, wallet: str) -> None:
        self._wallet = wallet
        self._nonces = 0

    def addresses(self) -> frozenset[str]:
        return frozenset({self._wallet})

    def sign(self, *, nonce: str | None = None) -> dict[str, Any]:
        self._nonces += 1
        return {"wallet": self._wallet, "nonce": nonce or f"nonce-{self._nonces}", "sign": "00" * 64}


@dataclass
class CountedRuns:
    """Counts what the sweeps report."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def run(self, collector: str) -> None:
        self.counts["run", collector] += 1

    def overlapped(self, collector: str, times: int) -> None:
        self.counts["overlapped", collector] += times

    def deadline_exceeded(self, collector: str) -> None:
        self.counts["deadline_exceeded", collector] += 1

    def error(self, collector: str) -> None:
        self.counts["error", collector] += 1


@dataclass(slots=True)
class PeakGate(Gate):
    """A gate that remembers how many requests were in flight at most, by kind and in all (kind "all")."""

    peak: Counter[str] = field(default_factory=Counter)

    def _start(self, lane: Lane, node: str, now: float, future: asyncio.Future[Ticket]) -> None:
        Gate._start(self, lane, node, now, future)
        of_kind = sum(1 for ticket in self.tickets if ticket.lane is lane)
        self.peak[lane.kind] = max(self.peak[lane.kind], of_kind)
        self.peak["all"] = max(self.peak["all"], len(self.tickets))


class LoopTicker:
    """Calls ticks by the running loop's time."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, name: str, seconds: float, tick: Callable[[], None]) -> None:
        del name

        async def forever() -> None:
            while True:
                tick()
                await asyncio.sleep(seconds)

        self._tasks.append(asyncio.ensure_future(forever()))

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()


@dataclass
class Rig:
    """One fleet and one exporter engine."""

    clock: LoopClock
    scenario: Scenario
    intervals: Mapping[str, float]

    def __post_init__(self) -> None:
        self.fleet: Fleet = build_world(self.scenario, clock=self.clock)
        self.world = self.fleet.world
        self.store = Store(self.clock)
        self.counters = CountedRuns()
        busy: set[str] = set()
        self.gates = {name: PeakGate(self.clock, busy) for name in self.world.clients}
        self.clients = [
            DbcClient(name, WorldTransport(client), self.gates[name], self.clock)
            for name, client in self.world.clients.items()
        ]
        wallet = self.fleet.wallets["renter"].wallet
        self.poller: Poller = build_poller(
            self.clients,
            {"renter": PlainCredential(wallet)},
            self.intervals,
            store=self.store,
            clock=self.clock,
            counters=self.counters,
        )
        self.targets = tuple(self._targets())
        self._ticker = LoopTicker()

    async def start(self) -> None:
        """Start the timeline and the polling."""
        self.fleet.start()
        await self.poller.refresh_clients()
        self.poller.set_targets(self.targets)
        self.poller.replan()
        self.poller.schedule(self._ticker)

    async def stop(self) -> None:
        self._ticker.stop()
        await self.poller.stop()
        for client in self.clients:
            await client.aclose()
        await self.fleet.stop()

    def age(self, node_id: str, collector: str) -> float | None:
        """Return the seconds since a collector last succeeded for a target, None if it never did."""
        for record in self.store.freshness(Owner(node_id=node_id)):
            if record.collector == collector and record.last_success is not None:
                return self.clock.wall() - record.last_success
        return None

    def healthy(self) -> set[str]:
        """Return the compute nodes whose process runs now."""
        return {
            node_id
            for node_id, host in self.world.hosts.items()
            if host.node.node_type == 1 and host.node.alive and not host.node.frozen
        }

    def servers_with_bmc(self) -> list[Member]:
        """Return the bare-metal servers whose BMC answers now."""
        bmcs = self.fleet.bmcs
        return [
            member
            for member in self.fleet.servers
            if bmcs.find(member.subject[1].ipmi_hostname, member.subject[1].ipmi_port).reachable
        ]

    def _targets(self) -> Iterable[Target]:
        for member in self.fleet.compute:
            yield Target(member.id, credential="renter")
        for manager in self.fleet.managers:
            yield Target(manager.id, Kind.MANAGER)
        for server in self.fleet.servers:
            yield Target(server.id, Kind.SERVER, manager=server.subject[0].node_id)


def lost_by_client(rig: Rig) -> dict[str, list[float]]:
    """Return the moments at which sessions that never came back were lost, by client."""
    lost: dict[str, list[float]] = defaultdict(list)
    for session in rig.world.ledger.lost:
        if session.answered_at is None:
            lost[session.client].append(session.sent_at)
    return dict(lost)
