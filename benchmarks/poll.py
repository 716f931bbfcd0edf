"""CPU of one poll end to end (request, parse, commit, render): ours against bare loops doing the same requests.

    python -m benchmarks.poll [--rounds 9] [--nodes 2000] [--profile]

The server is a process of its own; only the CPU time of this process counts. All sides take turns in every round.

A second measurement polls at the pace of 2,000 nodes a minute instead of as fast as it goes. One poll at a time out of
sleep meets cold caches and a whole turn of the event loop, so everything costs more, on both sides.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Self

from aiohttp import ClientSession

from benchmarks import node_server, poll_peers
from benchmarks.measure import Result, exit_code, ratio, table
from dbc_exporter.clock import SystemClock
from dbc_exporter.collectors.node import NodeCollector
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.gate import Gate
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.dbc.transport import HttpTransport
from dbc_exporter.facts import Fact
from dbc_exporter.instruments import Instruments
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.sweep import Sweep
from dbc_exporter.targets import Target

GOAL = 1.5
INTERVAL_SECONDS = 60.0
PACE_PER_SECOND = 33.0
PACED_POLLS = 150
PACED_ROUNDS = 3
ROUND_SECONDS = 60.0  # a round that hangs ends the benchmark
WIDTH = 4

Loop = Callable[[], Awaitable[None]]


class CountingStore(Store):
    """A store that tells when so many polls were committed."""

    awaited = 0

    def __init__(self, clock: SystemClock) -> None:
        super().__init__(clock)
        self.complete = asyncio.Event()

    def commit(
        self,
        owner: Owner,
        collector: str,
        objects: Mapping[str, Fact],
        *,
        keep: Collection[str] = (),
        complete: bool = True,
    ) -> bool:
        taken = super().commit(owner, collector, objects, keep=keep, complete=complete)
        self.awaited -= taken
        if self.awaited <= 0:
            self.complete.set()
        return taken


class Ours:
    """The parts of the exporter that poll nodes, put together as `serve` does."""

    def __init__(self, base: str, nodes: Sequence[str]) -> None:
        clock = SystemClock()
        counters = Instruments(OwnMetrics(version="bench", python="3"), clock)
        self.client = DbcClient(
            "bench", HttpTransport(base), Gate(clock, set(), max_per_kind=WIDTH), clock, counters
        )
        pool = Pool([self.client], clock)
        self.store = CountingStore(clock)
        self.sweep = Sweep(
            NodeCollector(), INTERVAL_SECONDS, pool=pool, store=self.store, clock=clock, counters=counters
        )
        self._nodes = nodes
        targets = [Target(node) for node in nodes]
        self.store.set_targets(targets)
        self.sweep.set_targets(targets)

    async def __aenter__(self) -> Self:
        """Read the client's lists, and let the lane be as wide as the loops it is compared with."""
        await self.client.refresh()
        self.sweep.replan({"bench": frozenset(self._nodes)})
        lane = self.client.gate.lane(self.sweep.collector.lane)
        lane.demand["bench"] = 1e6  # loopback answers so fast that the pace alone would ask for one at a time
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.client.transport.aclose()

    async def poll(self, nodes: Sequence[str]) -> None:
        """Poll some nodes once."""
        self.store.awaited = len(nodes)
        self.store.complete.clear()
        self.sweep.hasten(nodes)
        self.sweep.tick()
        await self.store.complete.wait()


def measure(base: str, nodes: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds per poll of every side in every round."""

    async def take_turns() -> dict[str, list[float]]:
        async with Ours(base, nodes) as ours, poll_peers.httpx_client() as client, ClientSession() as session:
            sides: dict[str, Loop] = {
                "ours": lambda: ours.poll(nodes),
                "httpx over aiohttp": lambda: poll_peers.with_httpx(client, base, nodes, WIDTH),
                "aiohttp": lambda: poll_peers.with_aiohttp(session, base, nodes, WIDTH),
            }
            if poll_peers.have_pycurl():
                sides["pycurl"] = lambda: poll_peers.with_pycurl(base, nodes, WIDTH)
            return await _in_turns(sides, rounds, len(nodes))

    return asyncio.run(take_turns())


def measure_paced(base: str, nodes: Sequence[str]) -> dict[str, list[float]]:
    """Return the CPU seconds per poll of ours and of the bare loop at the pace of real operation."""

    async def take_turns() -> dict[str, list[float]]:
        async with Ours(base, nodes) as ours, poll_peers.httpx_client() as client:
            few = nodes[:PACED_POLLS]
            sides: dict[str, Loop] = {
                "ours": lambda: _paced(few, lambda node: ours.poll([node])),
                "httpx over aiohttp": lambda: _paced(
                    few, lambda node: poll_peers.one_with_httpx(client, base, node)
                ),
            }
            return await _in_turns(sides, PACED_ROUNDS, len(few))

    return asyncio.run(take_turns())


async def _in_turns(sides: Mapping[str, Loop], rounds: int, polls: int) -> dict[str, list[float]]:
    """Return the CPU seconds per poll of every side in every round; one more round before them warms up."""
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, side in sides.items():
            start = time.process_time()
            async with asyncio.timeout(ROUND_SECONDS):
                await side()
            if number:
                spent[name].append((time.process_time() - start) / polls)
    return spent


async def _paced(nodes: Sequence[str], one: Callable[[str], Awaitable[None]]) -> None:
    due = time.monotonic()
    for node in nodes:
        await one(node)
        due += 1 / PACE_PER_SECOND
        await asyncio.sleep(due - time.monotonic())


def profile(base: str, nodes: Sequence[str]) -> None:
    """Print where the time of our side goes."""

    async def alone() -> None:
        profiler = cProfile.Profile()
        async with Ours(base, nodes) as ours:
            await ours.poll(nodes)
            profiler.enable()
            await ours.poll(nodes)
            profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)

    asyncio.run(alone())


def run(rounds: int = 9, nodes: int = 2000) -> list[Result]:
    """Measure, print every side, and return the lines of the table."""
    ids = node_server.node_ids(nodes)
    with node_server.running(nodes) as base:
        fast = measure(base, ids, rounds)
        paced = measure_paced(base, ids)
    print(f"CPU of a poll of one node, {nodes} nodes, {WIDTH} in flight, median of {rounds} rounds in turns")
    mine = _print(fast)
    if not poll_peers.have_pycurl():
        print("  pycurl               not installed")
    print(f"the same, {PACE_PER_SECOND:.0f} a second, one in flight, {PACED_ROUNDS} rounds of {PACED_POLLS}")
    at_pace = _print(paced)
    return [
        Result("CPU of a poll / bare httpx over aiohttp", f"{mine:.2f}", f"at most {GOAL}", met=mine <= GOAL),
        Result(f"  the same at {PACE_PER_SECOND:.0f} polls a second", f"{at_pace:.2f}"),
    ]


def _print(spent: Mapping[str, list[float]]) -> float:
    """Print every side beside the bare loop; returns the ratio of ours."""
    bare = spent["httpx over aiohttp"]
    for name, seconds in spent.items():
        print(
            f"  {name:20} {statistics.median(seconds) * 1e6:6.0f} us   {ratio(seconds, bare):.2f} of httpx over aiohttp"
        )
    return ratio(spent["ours"], bare)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--nodes", type=int, default=2000)
    parser.add_argument(
        "--profile", action="store_true", help="print where the time of our side goes instead"
    )
    options = parser.parse_args()
    if options.profile:
        with node_server.running(options.nodes) as base:
            profile(base, node_server.node_ids(options.nodes))
        return 0
    results = run(options.rounds, options.nodes)
    print(table(results))
    return exit_code(results)


if __name__ == "__main__":
    sys.exit(main())
