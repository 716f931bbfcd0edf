"""How long a scrape takes while 2,000 nodes are polled, and what the exporter costs per second.

    python -m benchmarks.latency [--nodes 2000] [--seconds 40]

The exporter (default settings, public collectors) and the simulated DBC client are processes of their own, on
loopback. A node answers after 30 ms. Scrapes ask for gzip as Prometheus does, twice a second; then the simulator is
ended, and the same scrapes are timed while the exporter has nothing to poll.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.measure import Result, cpu_seconds, exit_code, resident_bytes, table
from benchmarks.processes import Scraper, exporter, free_port, scraping, simulator

FAMILY = "dbc_node_cpu_cores"
BETWEEN_SCRAPES_SECONDS = 0.5
FILL_PATIENCE_SECONDS = 240.0
SETTLE_SECONDS = 20.0  # the first round is over, the regular rhythm has begun
REST_SECONDS = 5.0


@dataclass
class Measured:
    """Everything one run tells. Times in seconds, CPU in seconds per second."""

    filled: float
    polled: list[float]
    at_rest: list[float]
    series: int
    bytes_of_a_scrape: int
    cpu_polling: float
    cpu_scraped: float
    memory: int


def measure(nodes: int, seconds: float) -> Measured:
    """Let one exporter poll a simulated fleet, and scrape it meanwhile and afterwards."""
    port = free_port()
    with ExitStack() as fleet, ExitStack() as ours:
        url = fleet.enter_context(simulator(nodes))
        process = ours.enter_context(exporter(url, port))
        scraper = ours.enter_context(scraping(port))
        filled = fill(scraper, nodes)
        time.sleep(SETTLE_SECONDS)
        cpu_polling = cpu_per_second(process.pid, seconds)
        with ThreadPoolExecutor(1) as thread:
            cpu = thread.submit(cpu_per_second, process.pid, seconds)
            polled, size = scrape_for(scraper, seconds)
            cpu_scraped = cpu.result()
        memory = resident_bytes(process.pid)
        series = scraper.series_of()
        fleet.close()
        time.sleep(REST_SECONDS)
        at_rest, _ = scrape_for(scraper, seconds / 2)
    return Measured(filled, polled, at_rest, series, size, cpu_polling, cpu_scraped, memory)


def fill(scraper: Scraper, nodes: int) -> float:
    """Wait until every node is shown; returns the seconds that took."""
    start = time.monotonic()
    while scraper.series_of(FAMILY) < nodes:
        if time.monotonic() - start > FILL_PATIENCE_SECONDS:
            raise TimeoutError(f"not all of {nodes} nodes are shown after {FILL_PATIENCE_SECONDS:.0f} s")
        time.sleep(1.0)
    return time.monotonic() - start


def cpu_per_second(pid: int, seconds: float) -> float:
    """Return the CPU seconds per second that a process uses in so many seconds."""
    before, start = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / (time.monotonic() - start)


def scrape_for(scraper: Scraper, seconds: float) -> tuple[list[float], int]:
    """Scrape twice a second; returns the seconds of each scrape and the bytes of the last."""
    took: list[float] = []
    size = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        one, size = scraper.scrape()
        took.append(one)
        time.sleep(max(0.0, BETWEEN_SCRAPES_SECONDS - one))
    return took, size


def spread(took: Sequence[float]) -> str:
    """Write the median, the 95th percentile and the longest of some times."""
    steps = statistics.quantiles(took, n=20)
    p50, p95, longest = (1e3 * value for value in (steps[9], steps[18], max(took)))
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, max {longest:.0f} ms"


def run(nodes: int = 2000, seconds: float = 40.0) -> list[Result]:
    """Measure, print the details and return the lines of the table."""
    found = measure(nodes, seconds)
    size = f"{found.bytes_of_a_scrape / 1e3:.0f} kB gzip"
    print(
        f"{nodes} nodes polled by one exporter; {len(found.polled)} scrapes of {found.series} series ({size}), two a second"
    )
    print(f"  while polling:  {spread(found.polled)}")
    print(f"  nothing to poll: {spread(found.at_rest)}")
    print(
        f"  CPU of the exporter: {found.cpu_polling:.1%} of a core polling, {found.cpu_scraped:.1%} with the scrapes"
    )
    print(f"  all nodes shown {found.filled:.0f} s after the start; {found.memory / 1e6:.0f} MB resident")
    return [
        Result(f"scrape while {nodes} nodes are polled", spread(found.polled)),
        Result(
            "  the median / the same with nothing to poll",
            f"{statistics.median(found.polled) / statistics.median(found.at_rest):.2f}",
        ),
        Result(f"  CPU of polling {nodes} nodes a minute", f"{found.cpu_polling:.1%} of a core"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each of the two measurements")
    options = parser.parse_args()
    results = run(options.nodes, options.seconds)
    print(table(results))
    return exit_code(results)


if __name__ == "__main__":
    sys.exit(main())
