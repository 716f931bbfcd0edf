"""The long proof of gentle polling, in virtual time: 2,000 nodes, then 100, through deaths, freezes and outages.

    python -m benchmarks.pacing [--nodes 2000 100] [--hours 6]

Prints predicted and measured ages, requests in flight against their caps, and lost sessions by the simulator's own
ledger. Takes about ten minutes of CPU; `docs/performance.md` says what to look for. Needs the source tree:
the proof itself lives with the tests.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.pacing.proof import HOUR, Plan, run, table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[2000, 100], help="one run for each number")
    parser.add_argument("--hours", type=float, default=6.0, help="the time over which nodes die one by one")
    options = parser.parse_args()
    for nodes in options.nodes:
        start = time.process_time()
        spread = options.hours * HOUR
        report = run(Plan(nodes=nodes, spread=spread, outage_after=spread / 2))
        print(table(report))
        print(f"({time.process_time() - start:.0f} s of CPU)\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
