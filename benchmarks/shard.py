"""What one shard of three costs, by the nodes it watches: the figures of docs/scaling.md.

    python -m benchmarks.shard [--nodes 500 1000 3300] [--seconds 120]

The exporter (default settings, public collectors, one DBC client) and the simulated DBC client are processes of their
own, on loopback. The client lists the nodes of all three shards; a node answers after 30 ms. Everything is polled at
its own interval, compute nodes every 60 s, and nobody scrapes; then scrapes as Prometheus makes them are timed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.latency import SETTLE_SECONDS, cpu_per_second, fill, scrape_for, spread
from benchmarks.measure import Result, cpu_seconds, resident_bytes, table
from benchmarks.processes import Scraper, free_port, scraping, shard, simulator
from dbc_exporter.config.settings import ClientSettings, CollectorsSettings
from dbc_exporter.dbc.lanes import UTILISATION
from dbc_exporter.pace_report import AUTHENTICATED_SECONDS, PUBLIC_SECONDS

SHARDS = 3
SCRAPING_SECONDS = 30.0
LISTED_PATIENCE_SECONDS = 60.0
VMS = 2  # on a rented node
LOOPBACK_SECONDS = 0.03  # the simulator's, and that of a machine in the same place
RUNS = "dbc_exporter_scheduler_runs_total"


@dataclass(frozen=True)
class Measured:
    """One shard. CPU in seconds per second and in seconds per scrape; polls per second."""

    nodes: int
    filled: float
    polls: float
    node_polls: float
    cpu: float
    cpu_of_a_scrape: float
    memory: int
    series: int
    bytes_of_a_scrape: int
    scrapes: Sequence[float]


def measure(nodes: int, seconds: float) -> Measured:
    """Let a shard with about so many nodes poll, then scrape it."""
    with ExitStack() as running, tempfile.TemporaryDirectory() as folder:
        client = running.enter_context(simulator(nodes * SHARDS))
        settings = Path(folder) / "settings.yml"
        settings.write_text(
            json.dumps({"total_shards": SHARDS, "clients": [{"url": client, "shard": 0}]}), encoding="utf-8"
        )
        port = free_port()
        process = running.enter_context(shard(settings, 0, port))
        scraper = running.enter_context(scraping(port))
        mine = _mine(scraper, nodes * SHARDS)
        filled = fill(scraper, mine)
        time.sleep(SETTLE_SECONDS)
        before, began = scraper.samples(RUNS), time.monotonic()
        scraper.close()  # opened again when it is used; the exporter ends connections that idle
        cpu = cpu_per_second(process.pid, seconds)
        lasted = time.monotonic() - began
        after = scraper.samples(RUNS)
        polls = {series: (count - before.get(series, 0.0)) / lasted for series, count in after.items()}
        used = cpu_seconds(process.pid)
        took, size = scrape_for(scraper, SCRAPING_SECONDS)
        scraped = (cpu_seconds(process.pid) - used - cpu * SCRAPING_SECONDS) / len(took)
        return Measured(
            mine,
            filled,
            sum(polls.values()),
            polls[f'{RUNS}{{collector="node"}}'],
            cpu,
            scraped,
            resident_bytes(process.pid),
            scraper.series_of(),
            size,
            took,
        )


def _mine(scraper: Scraper, everybody: int) -> int:
    """Wait until the client lists everybody; returns how many of them are the shard's."""
    deadline = time.monotonic() + LISTED_PATIENCE_SECONDS
    while sum(scraper.samples("dbc_client_visible_nodes").values()) < everybody:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the client does not list {everybody} nodes")
        time.sleep(1.0)
    return int(scraper.samples("dbc_exporter_targets")['dbc_exporter_targets{kind="compute"}'])


def carried(calls_per_second: float, latency_seconds: float) -> int:
    """Return the nodes that one DBC client carries with so many calls of a kind each, at the widest that is allowed."""
    width: int = ClientSettings.model_fields["max_in_flight_per_kind"].default
    return int(width * UTILISATION / calls_per_second / latency_seconds)


def limits() -> list[Result]:
    """Reckon what one DBC client carries at the default intervals."""
    every = CollectorsSettings()
    node = 1 / every.node.interval_seconds
    rented = 1 / every.tasks.interval_seconds + VMS / every.vms.interval_seconds
    return [
        Result(f"{what} at {latency:g} s an answer", f"{carried(calls, latency)} nodes a client")
        for what, calls, latency in (
            ("node configurations", node, LOOPBACK_SECONDS),
            ("node configurations", node, PUBLIC_SECONDS),
            (f"task lists and details of {VMS} VMs", rented, AUTHENTICATED_SECONDS),
        )
    ]


def run(sizes: Sequence[int], seconds: float) -> list[Result]:
    """Measure every size, print it and return the lines of the table."""
    results = []
    for size in sizes:
        one = measure(size, seconds)
        print(
            f"{one.nodes} nodes of {size * SHARDS}: {one.polls:.1f} polls a second ({one.node_polls:.1f} of `node`), "
            f"all shown {one.filled:.0f} s after the client listed them"
        )
        print(f"  CPU {one.cpu:.1%} of a core, and {one.cpu_of_a_scrape * 1e3:.0f} ms for each scrape")
        print(
            f"  {one.memory / 1e6:.0f} MB resident, {one.series} series, {one.series / one.nodes:.1f} a node"
        )
        print(f"  scrape {one.bytes_of_a_scrape / 1e3:.0f} kB gzip, {spread(one.scrapes)}", flush=True)
        results.append(Result(f"CPU of a shard of {one.nodes} nodes", f"{one.cpu:.1%} of a core"))
        results.append(Result("  memory, series", f"{one.memory / 1e6:.0f} MB, {one.series}"))
    return [*results, *limits()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[500, 1000, 3300], help="of one shard")
    parser.add_argument("--seconds", type=float, default=120.0, help="of polling that are measured")
    options = parser.parse_args()
    print(table(run(options.nodes, options.seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
