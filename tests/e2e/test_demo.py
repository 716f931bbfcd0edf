"""The demonstration as a visitor meets it: a process on loopback, its output, its pages, and Ctrl-C."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from dbc_exporter.clock import SystemClock
from dbc_exporter.config.settings import Settings
from dbc_exporter.demo import demo_settings, happenings
from dbc_exporter.metrics.catalogue import ALL
from dbc_exporter.metrics.family import COLLECTORS
from dbc_exporter.simulator.builtin import demo_scenario
from dbc_exporter.simulator.fleet import build_world
from dbc_exporter.simulator.run import Running
from tests.e2e.processes import Served, demo
from tests.e2e.series import filled_by_collectors, labels, read_text

NODES, SERVERS, MANAGERS = 12, 8, 1
QUIET_SECONDS = 60.0


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run the demonstration."""
    with demo(tmp_path_factory.mktemp("demo")) as process:
        process.wait(lambda: process.get("/-/ready").status == 200, "ready demonstration")
        yield process


def complaints(process: Served) -> list[str]:
    """Return what was logged that is no plain information."""
    return [line for line in process.stderr.splitlines() if " level=info " not in line]


def test_it_says_what_it_builds_what_will_happen_and_where_to_look(shown: Served) -> None:
    assert shown.stdout == (
        "==> building a simulated DBC network\n"
        f"==> {NODES} GPU nodes, {SERVERS} bare-metal servers, 2 DBC clients\n"
        "==> what will happen, in minutes from now:\n"
        "     0:00 hang vms gpu-3/1\n"
        "     0:00 vm error gpu-8/2\n"
        "     1:30 kill nodes gpu-5 for 6:00\n"
        "     2:00 gpu lost gpu-9\n"
        "     2:30 stop vms gpu-4/1 for 3:00\n"
        "     3:00 vanish transfer gpu-2/*\n"
        "     4:00 power loss bm-1-2 for 3:00\n"
        "     5:00 kill clients client-1 for 2:00\n"
        "     8:00 chain outage for 1:30\n"
        "    10:00 quote in description gpu-10/1 for 3:00\n"
        f"==> metrics: http://{shown.address}/metrics   pages: http://{shown.address}/\n"
        "==> Ctrl-C ends it\n"
    )


def test_its_timeline_never_takes_both_clients_away() -> None:
    killed = [entry for entry in demo_scenario().faults if entry.fault == "kill_clients"]
    assert [entry.names for entry in killed] == [["client-1"]]
    assert [client.name for client in demo_scenario().clients] == ["client-1", "client-2"]


async def test_it_watches_all_of_its_fleet_whatever_shard_the_settings_are_for() -> None:
    running = Running(build_world(demo_scenario(), clock=SystemClock()), {"one": "http://127.0.0.1:1"})
    settings = demo_settings(Settings(shard=1, total_shards=3), running)
    await running.fleet.stop()
    assert (settings.shard, settings.total_shards, len(settings.clients)) == (0, 1, 1)


def test_a_timeline_is_told_in_the_order_of_time() -> None:
    told = happenings(reversed(demo_scenario().faults))
    assert [line.split()[0] for line in told] == [
        line.split()[0] for line in happenings(demo_scenario().faults)
    ]


@pytest.mark.parametrize("collector", COLLECTORS)
def test_every_family_of_a_collector_shows_the_fleet(shown: Served, collector: str) -> None:
    expected = {family.name for family in ALL if family.collector == collector}
    shown.wait(
        lambda: expected <= filled_by_collectors(read_text(shown.get("/metrics").body)),
        f"page with all of {sorted(expected)}",
    )


def test_every_machine_is_found_and_up(shown: Served) -> None:
    def all_up() -> bool:
        series = read_text(shown.get("/metrics").body)
        return sum(value for key, value in series.items() if ("__name__", "dbc_node_up") in key) == (
            NODES + SERVERS + MANAGERS
        )

    shown.wait(all_up, "page with every machine up")


def test_targets_carry_the_labels_a_visitor_can_use(shown: Served) -> None:
    series = read_text(shown.get("/metrics").body)
    ours = {
        (info.get("label_site"), info.get("label_gpu_model"))
        for info in labels(series, "dbc_target_info")
        if info["kind"] == "compute"
    }
    assert ours == {
        ("shanghai", "NVIDIA GeForce RTX 4090"),
        ("frankfurt", "NVIDIA A100-SXM4-80GB"),
        ("frankfurt", "NVIDIA GeForce RTX 4090"),
    }
    names = {name for info in labels(series, "dbc_target_info") for name in info if name.startswith("label_")}
    assert names == {"label_site", "label_gpu_model"}


def test_the_list_of_targets_shows_every_machine_by_name(shown: Served) -> None:
    def listed() -> set[str] | None:
        found = json.loads(shown.get("/targets", Accept="application/json").body)
        names = {target["name"] for target in found["targets"] if target["name"]}
        return names if found["total"] == NODES + SERVERS + MANAGERS and len(names) >= NODES else None

    names = shown.wait(listed, "list with every machine")
    page = shown.get("/targets").body
    assert {"gpu-1", "gpu-10", "idle-12"} <= names
    assert all(name in page for name in names)


def test_the_landing_page_shows_both_clients_and_the_count_of_machines(shown: Served) -> None:
    def complete() -> str | None:
        page = shown.get("/").body
        return page if f">{NODES + SERVERS + MANAGERS}<" in page else None

    page = shown.wait(complete, "landing page that counts every machine")
    assert "client-1" in page
    assert "client-2" in page


def test_in_the_quiet_first_minute_no_poll_fails_and_nothing_is_complained_of(shown: Served) -> None:
    def minute_later() -> str | None:
        body = shown.get("/metrics").body
        started = read_text(body)[frozenset({("__name__", "process_start_time_seconds")})]
        return body if time.time() - started > QUIET_SECONDS else None

    body = shown.wait(minute_later, "first minute")
    assert labels(read_text(body), "dbc_collector_failures_total") == []
    assert labels(read_text(body), "dbc_client_request_failures_total") == []
    assert complaints(shown) == []


def test_control_c_ends_it_without_a_complaint(tmp_path_factory: pytest.TempPathFactory) -> None:
    with demo(tmp_path_factory.mktemp("interrupted")) as process:
        process.wait(
            lambda: "dbc_image_transfer_state{" in process.get("/metrics").body, "first signed answers"
        )
        assert process.interrupt() == 0
        assert process.stdout.endswith("==> ended\n")
        assert complaints(process) == []
