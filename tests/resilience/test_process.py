"""The exporter as a process: it starts without its client, reloads, drains, and remembers after a restart."""

from __future__ import annotations

import http.client
import json
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import STOP_SECONDS, Served, free_port

NODES = 5
SUCCESS = "dbc_collector_last_success_timestamp_seconds"
RELOADED = "dbc_exporter_config_last_reload_successful"


class Simulator(Served):
    """A simulated client as a process of its own, with a control port."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.client_port = free_port()
        control = free_port()
        command = [sys.executable, "-m", "dbc_exporter", "simulator", "--nodes", str(NODES)]
        listen = ["--listen", f"127.0.0.1:{self.client_port}", "--control-listen", f"127.0.0.1:{control}"]
        super().__init__([*command, *listen], control, directory)

    def fault(self, name: str, **parameters: Any) -> None:
        """Make trouble now."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", "/faults", json.dumps({"fault": name, "all": True, **parameters}))
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()


class Exporter(Served):
    """`dbc-exporter serve` with a settings file, discovery and a state file."""

    def __init__(self, directory: Path, client_port: int) -> None:
        directory.mkdir(exist_ok=True)
        self.file = directory / "dbc.yml"
        self.state = directory / "state"
        self._client_port = client_port
        if not self.file.exists():
            self.write()
        port = free_port()
        command = [sys.executable, "-m", "dbc_exporter", "serve", f"--config.file={self.file}"]
        super().__init__([*command, f"--web.listen-address=127.0.0.1:{port}"], port, directory)

    def write(self, extra: str = "") -> None:
        self.file.write_text(
            f"clients: [{{name: one, url: 'http://127.0.0.1:{self._client_port}'}}]\n"
            f"storage: {{path: {self.state}}}\n"
            "collectors: {client: {interval_seconds: 5}, node: {interval_seconds: 15}}\n" + extra
        )

    def samples(self, family: str) -> dict[str, float]:
        """Return a family's samples by labels."""
        answer = self.get(f"/metrics?name[]={family}")
        assert answer.status == 200
        pattern = re.compile(rf"{family}(?:\{{(.*)\}})? (\S+)")
        return {m[1] or "": float(m[2]) for m in map(pattern.fullmatch, answer.body.splitlines()) if m}

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def terminate(self) -> int:
        """Ask it to end and return the exit code."""
        self.signal(signal.SIGTERM)
        return self._process.wait(STOP_SECONDS)

    def everybody_known(self) -> bool:
        """Tell whether every node was polled and told to be up, which happens a tick after its first answer."""
        return all(len(self.samples(name)) == NODES for name in ("dbc_node_cpu_cores", "dbc_node_up"))

    def reloaded(self, value: float) -> bool:
        return self.samples(RELOADED) == {"": value}


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator(tmp_path / "simulator") as simulator:
        simulator.wait(lambda: simulator.get("/state").status == 200, "control port")
        yield simulator


@pytest.fixture
def exporter(tmp_path: Path, network: Simulator) -> Iterator[Exporter]:
    with Exporter(tmp_path / "exporter", network.client_port) as exporter:
        exporter.wait(exporter.everybody_known, "known fleet")
        yield exporter
        assert "Traceback" not in exporter.stderr
        assert "never retrieved" not in exporter.stderr


def test_sigterm_ends_it_with_0_and_the_state_on_disk(exporter: Exporter) -> None:
    assert exporter.terminate() == 0
    assert re.search(r"\bevent=stopping\b", exporter.stderr)
    assert (exporter.state / "state.db").exists()


def test_sigterm_does_not_wait_for_requests_that_hang(exporter: Exporter, network: Simulator) -> None:
    network.fault("freeze_nodes")
    exporter.wait(lambda: any(exporter.samples("dbc_client_in_flight").values()), "request in flight")
    assert exporter.terminate() == 0


def test_it_is_healthy_and_serves_while_its_client_is_down(exporter: Exporter, network: Simulator) -> None:
    network.fault("kill_clients")
    state = 'client="one",state="unreachable"'
    exporter.wait(lambda: exporter.samples("dbc_client_state")[state] == 1, "unreachable client")
    assert exporter.get("/-/healthy").status == 200
    exporter.wait(lambda: exporter.samples("dbc_node_up") == {}, "word that nobody is vouched for")
    assert set(exporter.samples("dbc_target_present").values()) == {1}
    network.fault("restart_clients")
    exporter.wait(lambda: len(exporter.samples("dbc_node_up")) == NODES, "known nodes")


def test_it_starts_without_its_client_and_finds_it_later(tmp_path: Path) -> None:
    with Simulator(tmp_path / "simulator") as network:
        network.wait(lambda: network.get("/state").status == 200, "control port")
        network.fault("kill_clients")
        with Exporter(tmp_path / "exporter", network.client_port) as exporter:
            exporter.wait(lambda: exporter.get("/-/ready").status == 200, "readiness")
            assert exporter.get("/-/healthy").status == 200
            assert exporter.samples("dbc_client_up") == {'client="one"': 0}
            network.fault("restart_clients")
            exporter.wait(exporter.everybody_known, "known fleet")


def test_a_good_reload_takes_effect_and_loses_nothing_meanwhile(exporter: Exporter) -> None:
    exporter.write("targets: {discover: {enabled: true, labels: {site: north}}}\n")
    before = exporter.samples(SUCCESS)
    exporter.signal(signal.SIGHUP)

    def labelled() -> bool:
        assert exporter.everybody_known()
        assert set(exporter.samples("dbc_target_present").values()) == {1}
        infos = exporter.samples("dbc_target_info")
        return len(infos) == NODES and all('label_site="north"' in labels for labels in infos)

    exporter.wait(labelled, "labels")
    assert before.keys() <= exporter.samples(SUCCESS).keys()
    assert exporter.reloaded(1)


def test_many_reloads_while_polling_lose_nothing(exporter: Exporter) -> None:
    for _ in range(20):
        exporter.signal(signal.SIGHUP)
        assert exporter.everybody_known()
        assert set(exporter.samples("dbc_target_present").values()) == {1}
        assert len(exporter.samples("dbc_node_up")) == NODES
    newest = max(exporter.samples(SUCCESS).values())
    exporter.wait(lambda: max(exporter.samples(SUCCESS).values()) > newest, "further polls")


def test_reloads_without_end_do_not_stop_the_polling(exporter: Exporter) -> None:
    states = exporter.stderr.count("client state changed")
    before = exporter.samples(SUCCESS)

    def polled() -> bool:
        exporter.signal(signal.SIGHUP)
        assert exporter.everybody_known()
        after = exporter.samples(SUCCESS)
        newer = [labels for labels in before if after[labels] > before[labels]]
        return all(any(f'collector="{name}"' in labels for labels in newer) for name in ("client", "node"))

    exporter.wait(polled, "polls between reloads")
    assert exporter.stderr.count("client state changed") == states


def test_a_bad_reload_keeps_what_runs_and_says_so(exporter: Exporter) -> None:
    exporter.write("cliens: []\n")
    exporter.signal(signal.SIGHUP)
    exporter.wait(lambda: exporter.reloaded(0), "refusal")
    assert "cliens" in exporter.stderr
    assert exporter.everybody_known()
    newest = max(exporter.samples(SUCCESS).values())
    exporter.wait(lambda: max(exporter.samples(SUCCESS).values()) > newest, "further polls")
    exporter.write()
    exporter.signal(signal.SIGHUP)
    exporter.wait(lambda: exporter.reloaded(1), "good reload")


def test_a_settings_file_that_is_gone_keeps_what_runs(exporter: Exporter) -> None:
    exporter.file.rename(exporter.file.with_suffix(".away"))
    exporter.signal(signal.SIGHUP)
    exporter.wait(lambda: exporter.reloaded(0), "refusal")
    assert exporter.everybody_known()
    exporter.file.with_suffix(".away").rename(exporter.file)
    exporter.signal(signal.SIGHUP)
    exporter.wait(lambda: exporter.reloaded(1), "good reload")


def test_after_a_restart_without_a_client_targets_and_freshness_are_still_there(
    exporter: Exporter, network: Simulator, tmp_path: Path
) -> None:
    network.fault("kill_clients")
    before = exporter.samples(SUCCESS)
    assert exporter.terminate() == 0
    with Exporter(tmp_path / "exporter", network.client_port) as again:
        again.wait(lambda: again.samples("dbc_client_up") == {'client="one"': 0}, "first look")
        assert again.samples("dbc_target_present") == dict.fromkeys(
            (labels for labels in again.samples("dbc_target_present")), 1
        )
        assert len(again.samples("dbc_target_present")) == NODES
        after = again.samples(SUCCESS)
        assert before.keys() <= after.keys()
        assert all(abs(after[key] - before[key]) < 60 for key in before)
        assert again.samples("dbc_node_cpu_cores") == {}, "values are read again, not remembered"
        assert again.samples("dbc_exporter_state_persistent") == {"": 1}
        network.fault("restart_clients")
        again.wait(again.everybody_known, "known fleet")
        assert set(again.samples("dbc_target_present").values()) == {1}
