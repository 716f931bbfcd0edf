"""The demonstration shows every collector at work, and a real Prometheus reads what it serves."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from dbc_exporter.metrics.catalogue import ALL, family_of
from tests.e2e.processes import exporter, free_port, get, running, until

COLLECTORS = (
    "client", "node", "orders", "tasks", "vms", "disks", "snapshots", "images", "centre_images",
    "transfers", "lan", "bare_metal", "power",
)  # fmt: skip
# constant in a running demonstration; what moves is compared by name and labels alone
CONSTANT = re.compile(
    r"dbc_(target_info|target_expected_gpus|node_info|node_listed_info|node_gpus|node_cpu_cores|vm_info|vm_cpu_cores"
    r"|collector_interval_seconds|exporter_build_info|lan_networks|bare_metal_servers)"
)


@dataclass(frozen=True)
class Demo:
    """A running demonstration."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def metrics(self, **headers: str) -> str:
        return get(f"{self.url}/metrics", **headers)


def families(text: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def owned_by(collector: str) -> set[str]:
    return {family.name for family in ALL if family.collector == collector}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    port, log = free_port(), tmp_path_factory.mktemp("demo") / "log"
    with running(exporter("demo", f"--web.listen-address=127.0.0.1:{port}"), log) as process:
        one = Demo(f"http://127.0.0.1:{port}", log, process)

        def every_collector_was_heard() -> bool:
            shown = families(one.metrics())
            return all(owned_by(collector) & shown for collector in COLLECTORS)

        until(every_collector_was_heard, "families of every collector")
        yield one


def test_it_shows_families_of_every_collector(demo: Demo) -> None:
    shown = families(demo.metrics())
    assert {collector for collector in COLLECTORS if not owned_by(collector) & shown} == set()


def test_it_says_what_it_is_doing_and_where_to_look(demo: Demo) -> None:
    said = demo.log.read_text()
    assert said.startswith("==> ")
    assert f"{demo.url}/metrics" in said


def test_its_pages_show_the_fleet(demo: Demo) -> None:
    targets = json.loads(get(f"{demo.url}/targets?format=json"))
    assert "gpu-1" in json.dumps(targets)
    assert "<html" in get(f"{demo.url}/")
    assert get(f"{demo.url}/-/healthy")


def test_both_formats_are_read_by_the_reference_parsers_and_agree(demo: Demo) -> None:
    text = {f.name for f in parse_text(demo.metrics())}
    accept = "application/openmetrics-text;version=1.0.0"
    opened = {f.name for f in parse_openmetrics(demo.metrics(Accept=accept))}  # type: ignore[no-untyped-call]
    missing = {name for name in text if name not in opened and not name.startswith(("process_", "python_"))}
    assert missing == set()


def test_every_series_is_declared(demo: Demo) -> None:
    for family in parse_text(demo.metrics()):
        for sample in family.samples:
            declared = family_of(sample.name)
            assert declared is not None, sample.name
            allowed = set(declared.labels) | {"le"}
            labels = {name for name in sample.labels if not name.startswith("label_")}
            assert labels <= allowed, (sample.name, labels - allowed)


@pytest.mark.real
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_mend(demo: Demo) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=demo.metrics(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.real
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")
def test_a_real_prometheus_reads_the_same_series(demo: Demo, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "prometheus.yml").write_text(
        "scrape_configs: [{job_name: dbc, scrape_interval: 2s, static_configs: "
        f"[{{targets: ['{demo.url.removeprefix('http://')}']}}]}}]\n"
    )
    command = [
        "prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=debug",
    ]  # fmt: skip
    log = tmp_path / "log"
    with running(command, log):
        until(lambda: query(port, 'up{job="dbc"}') == {frozenset(): 1.0}, "a scrape that went well")
        before = samples(demo.metrics())
        until(
            lambda: query(port, "scrape_samples_scraped")[frozenset()] >= len(before) * 0.9, "a whole scrape"
        )
        seen = query(port, '{__name__=~".+", job="dbc"}', names=True)
    after = samples(demo.metrics())
    stable = before.keys() & after.keys()
    assert len(stable) > 1000
    assert {series for series in stable if series not in seen} == set()
    constant = {s for s in stable if before[s] == after[s] and CONSTANT.match(dict(s)["__name__"])}
    assert {series for series in constant if seen[series] != before[series]} == set()
    complaints = re.findall(
        r".*(?:level=warn|level=error|append failed|out of order|duplicate).*", log.read_text()
    )
    assert [line for line in complaints if "SIGTERM" not in line] == []


def samples(text: str) -> dict[frozenset[tuple[str, str]], float]:
    """Read an exposition as Prometheus stores it: empty labels are no labels."""
    return {
        frozenset({("__name__", s.name), *((k, v) for k, v in s.labels.items() if v)}): s.value
        for family in parse_text(text)
        for s in family.samples
    }


def query(port: int, promql: str, *, names: bool = False) -> dict[frozenset[tuple[str, str]], float]:
    """Ask Prometheus now; the labels it adds itself are left out."""
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(promql)}"
    result = json.loads(get(url))["data"]["result"]
    own = {"job", "instance"} | (set() if names else {"__name__"})
    return {
        frozenset((k, v) for k, v in row["metric"].items() if k not in own): float(row["value"][1])
        for row in result
    }


def test_ctrl_c_ends_it_cleanly(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30) == 0
    said = demo.log.read_text()
    assert "==> ended" in said
    assert "Traceback" not in said
    assert "level=error" not in said
