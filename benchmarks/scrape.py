"""CPU of a gzip scrape of 120,000 series: ours against a prometheus_client custom collector serving the same series.

    python -m benchmarks.scrape [--rounds 5] [--nodes 2000]

Both sides run in this process, in turns; CPU time, not wall time. prometheus_client is asked through its own WSGI
application and gets its samples ready-made, so that only its collect, write and compress are counted.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from benchmarks.measure import Result, exit_code, ratio, table
from dbc_exporter import facts
from dbc_exporter.clock import SystemClock
from dbc_exporter.metrics.exposition import Exposition
from dbc_exporter.metrics.options import RenderOptions
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.render import render
from dbc_exporter.metrics.store import Store
from dbc_exporter.targets import Target

TEXT = "text/plain;version=0.0.4"
PROMETHEUS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
FORMS = {"text 0.0.4": TEXT, "as Prometheus asks": PROMETHEUS}
GOAL = 15
FLEET = {"collect[]": ["node", "tasks", "reachability", "orders", "targets", "freshness"]}


def config(number: int) -> facts.NodeConfig:
    disks = tuple(
        facts.Disk(f"/data{i}", "SSD", 2e12, 1e12 + number * 4096, 0.5 + number / 1e5) for i in (1, 2)
    )
    return facts.NodeConfig(
        version="0.4.1.8",
        os="Ubuntu 22.04.3 LTS",
        cpu_model="Intel(R) Xeon(R) Gold 6326 CPU @ 2.90GHz",
        cpu_hertz=2.9e9,
        cpu_cores=64,
        cpu_sockets=2,
        cpu_usage_ratio=(number % 1000) / 1000,
        gpus=8,
        gpus_used=number % 9,
        memory_size_bytes=540_000_000_000.0,
        memory_free_bytes=1e9 + number * 1024,
        memory_usage_ratio=(number % 997) / 997,
        system_disk_size_bytes=5e11,
        disks=disks,
        images=(facts.Image("ubuntu.qcow2", 3e9),),
    )


def commit_all(store: Store, ids: list[str]) -> None:
    for number, node_id in enumerate(ids):
        owner = Owner(node_id=node_id)
        store.attempt(owner, "node", 60.0)
        store.commit(owner, "node", {"": config(number)})
        store.attempt(owner, "tasks", 300.0)
        store.commit(owner, "tasks", {"": facts.TaskList()})
        store.put(owner, "reachability", "", facts.Reachability(visible=True, up=True))
        store.put(owner, "orders", "", facts.OrderStatus(live=True, by_status=(("renting", 1),)))


def fleet(nodes: int) -> tuple[Store, list[str]]:
    ids = [f"{number * 0x9E3779B97F4A7C15:064x}"[-64:] for number in range(1, nodes + 1)]
    store = Store(SystemClock())
    store.set_targets([Target(node_id, expected_gpus=8, labels=(("rack", "r1"),)) for node_id in ids])
    commit_all(store, ids)
    return store, ids


class Ready(Collector):
    """The same series as ready-made values: (name, help, label names, [(label values, value)])."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = [
            (
                family.name,
                family.documentation,
                list(family.samples[0].labels),
                [(list(sample.labels.values()), sample.value) for sample in family.samples],
            )
            for family in families
        ]
        self.series = sum(len(samples) for *_, samples in self._families)

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        for name, text, names, samples in self._families:
            family = GaugeMetricFamily(name, text, labels=names)
            for values, value in samples:
                family.add_metric(values, value)
            yield family


def asked(registry: CollectorRegistry, accept: str) -> bytes:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/metrics",
        "QUERY_STRING": "",
        "HTTP_ACCEPT": accept,
        "HTTP_ACCEPT_ENCODING": "gzip",
    }
    body: Iterable[bytes] = make_wsgi_app(registry)(environ, lambda *_: None)
    return b"".join(body)


def cpu(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def render_often(owner: Owner, fact: facts.Fact, times: int) -> None:
    options = RenderOptions()
    for _ in range(times):
        render(owner, "", fact, options)


def run(rounds: int = 5, nodes: int = 2000) -> list[Result]:
    """Measure both forms of the exposition, print the details and return the lines of the table."""
    store, ids = fleet(nodes)
    exposition = Exposition(store, OwnMetrics(version="bench", python="3"))
    ready = Ready(text_string_to_metric_families(exposition.reply({}, FLEET).body.decode()))
    registry = CollectorRegistry()
    registry.register(ready)
    print(f"CPU of a gzip scrape of {ready.series} series, {nodes} nodes, median of {rounds} rounds in turns")
    spent = in_turns(exposition, registry, rounds)
    results = []
    for name, accept in FORMS.items():
        ours, theirs = spent["ours", name], spent["theirs", name]
        mine, other = statistics.median(ours), statistics.median(theirs)
        factor = ratio(theirs, ours)
        plain = same_series(exposition, registry, accept, ready.series)
        print(
            f"  {name:18}  ours {mine * 1e3:.1f} ms, prometheus_client {other * 1e3:.0f} ms, {plain / 1e6:.1f} MB plain"
        )
        what = f"gzip scrape of {ready.series} series / prometheus_client, {name}"
        results.append(Result(what, f"1/{factor:.0f}", f"at most 1/{GOAL}", met=factor >= GOAL))
    print_commit(store, ids)
    return results


def in_turns(
    exposition: Exposition, registry: CollectorRegistry, rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Return the CPU seconds of every scrape by side and form.

    All four take turns in every round, so that each of ours meets the caches as one of theirs has left them.
    """
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, accept in FORMS.items():
            headers = {"Accept": accept, "Accept-Encoding": "gzip"}
            ours = cpu(lambda: exposition.reply(headers, FLEET))  # noqa: B023 - called at once
            theirs = cpu(lambda: asked(registry, accept))  # noqa: B023 - called at once
            if number:  # the first round warms up
                spent["ours", name].append(ours)
                spent["theirs", name].append(theirs)
    return spent


def same_series(exposition: Exposition, registry: CollectorRegistry, accept: str, series: int) -> int:
    """Insist that both sides serve all series; returns the plain size of theirs in bytes."""
    headers = {"Accept": accept, "Accept-Encoding": "gzip"}
    bodies = [exposition.reply(headers, FLEET).body, asked(registry, accept)]
    plain = [gzip.decompress(body) for body in bodies]
    for text in plain:
        assert sum(1 for line in text.splitlines() if not line.startswith(b"#")) == series
    return len(plain[1])


def print_commit(store: Store, ids: list[str]) -> None:
    """Print what it costs to keep the lines ready."""
    again = cpu(lambda: commit_all(store, ids)) / len(ids)
    one = cpu(lambda: render_often(Owner(node_id=ids[0]), config(1), 2000)) / 2000
    print(
        f"  commit of 4 objects of a node {again * 1e6:.0f} us, of that rendering its configuration {one * 1e6:.0f} us"
    )
    print(
        f"  rows for the state file {statistics.median(cpu(store.saved) for _ in range(5)) * 1e3:.1f} ms, a sweep with nothing due {cpu(store.sweep) * 1e6:.0f} us"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nodes", type=int, default=2000)
    options = parser.parse_args()
    results = run(options.rounds, options.nodes)
    print(table(results))
    return exit_code(results)


if __name__ == "__main__":
    sys.exit(main())
