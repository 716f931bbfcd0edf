"""Writes `docs/metrics.md` from the catalogue: `python -m dbc_exporter.metrics.docs [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dbc_exporter.metrics.catalogue import ALL
from dbc_exporter.metrics.family import OWNERS, Family

PATH = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"

_HEAD = """\
# Metrics

<!-- Written by `python -m dbc_exporter.metrics.docs` from the catalogue; change the catalogue, not this page. -->

Values about DBC clients, nodes and virtual machines are polled in the background and served from memory: a scrape
waits for nothing, and a value can be as old as its collector's interval.

* **Unknown is absent.** A value that could not be read has no sample; it is never 0 and never the last one kept for
  good. `dbc_parse_failures_total` counts, by field, what was in an answer and could not be read.
* **Old is visible, then gone.** `dbc_collector_last_success_timestamp_seconds` tells how old the values of a collector
  are, `dbc_collector_interval_seconds` how often it polls. Three intervals (`freshness.withdraw_after_intervals`)
  after an object was last read its values are withdrawn; the freshness series stay. An alert on stale data:

  ```promql
  time() - dbc_collector_last_success_timestamp_seconds > 3 * dbc_collector_interval_seconds
    unless on (client, node_id, collector) dbc_collector_unavailable
  ```

* **Freshness survives a restart** where `storage.path` is set; values do not, they come back with the first poll.
  Counters start at 0 with each start of the exporter.
* **A target that leaves** the inventory loses its values at once and keeps `dbc_target_present 0`, its
  `dbc_target_info` and its freshness until it is forgotten (`freshness.tombstone_seconds`).
* **State sets** (`*_state`) have one series per state, exactly one of them 1.
* **Labels.** Series carry ids only. Names and other texts that change are on `*_info` series, the operator's own
  labels on `dbc_target_info` with the prefix `label_`; join with `* on (node_id) group_left (label_rack)
  dbc_target_info`. An empty label means the text is unknown. `node_id` of freshness series is empty for collectors
  that ask a client, `client` for those that ask a node.
* **Samples carry no timestamps**, so that Prometheus notices at once when one is gone.

`/metrics?collect[]=<group>` serves only the groups below, `/metrics?name[]=<metric>` only the metrics named.
"""

_GROUPS = {
    "client": "DBC clients",
    "node": "Node configuration and load",
    "orders": "Rent orders",
    "tasks": "Tasks",
    "vms": "Virtual machines",
    "disks": "Disks",
    "snapshots": "Snapshots",
    "images": "Images on nodes",
    "centre_images": "Images on image centres",
    "transfers": "Image transfers",
    "lan": "LAN networks",
    "bare_metal": "Bare metal",
    "power": "Bare-metal power",
    "reachability": "Reachability of nodes",
    "targets": "Targets",
    "freshness": "Freshness",
    "exporter": "The exporter and its requests",
    "remediation": "Remediation",
    "probe": "Probes, served by `/probe` alone",
    "process": "The process",
}


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    for owner in OWNERS:
        families = [family for family in ALL if family.collector == owner]
        parts.append(f"\n## {_GROUPS[owner]} (`{owner}`)\n")
        parts.extend(_entry(family) for family in families)
    return "".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; 1 when it differs."""
    parser = argparse.ArgumentParser(prog="python -m dbc_exporter.metrics.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the page instead of writing it")
    if not parser.parse_args(arguments).check:
        PATH.write_text(page(), encoding="utf-8")
        return 0
    if PATH.is_file() and PATH.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write(f"{PATH} does not match the catalogue; run python -m dbc_exporter.metrics.docs\n")
    return 1


def _entry(family: Family) -> str:
    facts = [f"{family.type}", family.stability.value]
    if family.unit:
        facts.insert(1, family.unit)
    lines = [
        f"\n### `{family.name}`\n",
        f"\n{family.help}\n",
        f"\n* {', '.join(facts)}; source: {family.source}\n",
    ]
    for name in family.labels:
        values = family.enums.get(name)
        closed = f": {', '.join(f'`{value}`' for value in values)}" if values else ""
        lines.append(f"* label `{name}`{closed}\n")
    if family.user_labels:
        lines.append("* labels `label_…`: the operator's own\n")
    return "".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
