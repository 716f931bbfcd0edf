"""How long it takes from the start of the process to the first answered scrape, with the DBC client up and down.

    python -m benchmarks.start [--rounds 7]

The bare interpreter's start (`python -c pass`) is printed beside it. Wall time, so other load on the machine shows.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.measure import Result, exit_code, table
from benchmarks.processes import exporter, free_port, scraping, simulator

NODES = 2000


def until_first_scrape(client_url: str) -> float:
    """Start an exporter and return the seconds until a scrape was answered."""
    port = free_port()
    start = time.perf_counter()
    with exporter(client_url, port), scraping(port):
        return time.perf_counter() - start


def bare_interpreter() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - start


def run(rounds: int = 7) -> list[Result]:
    """Measure in turns, print the details and return the lines of the table."""
    down = f"http://127.0.0.1:{free_port()}"
    with simulator(NODES) as up:
        sides: dict[str, Callable[[], float]] = {
            "DBC client up": lambda: until_first_scrape(up),
            "DBC client down": lambda: until_first_scrape(down),
            "python -c pass": bare_interpreter,
        }
        took: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, side in sides.items():
                took[name].append(side())
    print(f"start of the process to the first answered scrape, {rounds} rounds in turns")
    for name, seconds in took.items():
        print(f"  {name:16} median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s")
    return [
        Result(f"start to first scrape, {name}", f"{statistics.median(took[name]):.2f} s")
        for name in ("DBC client up", "DBC client down")
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    results = run(parser.parse_args().rounds)
    print(table(results))
    return exit_code(results)


if __name__ == "__main__":
    sys.exit(main())
