"""Every benchmark one after the other, with one table of ratios and goals at the end: `make bench`.

Exits 1 when a goal was missed.
"""

from __future__ import annotations

import sys

from benchmarks import decide, explain, latency, poll, scrape, start
from benchmarks.measure import exit_code, table


def main() -> int:
    results = []
    for benchmark in (poll, scrape, latency, start, decide, explain):
        print(f"== {benchmark.__name__}", flush=True)
        results += benchmark.run()
        print(flush=True)
    print(table(results))
    return exit_code(results)


if __name__ == "__main__":
    sys.exit(main())
