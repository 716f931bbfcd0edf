"""docker-compose.yml: what it mounts exists, what it configures is accepted, and nothing in it is open to others."""

from __future__ import annotations

import http.client
import json
import re
import runpy
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml

from dbc_exporter import check_config
from dbc_exporter.clock import SystemClock
from dbc_exporter.config import flags
from dbc_exporter.config.load import read
from dbc_exporter.config.settings import Settings
from dbc_exporter.demo import demo_settings
from dbc_exporter.simulator import run as simulator_run
from dbc_exporter.simulator.builtin import demo_scenario
from dbc_exporter.simulator.fleet import build_world
from dbc_exporter.simulator.run import Running
from dbc_exporter.targets import Kind

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
FILES = ROOT / "packaging" / "compose"
EXAMPLES = ROOT / "examples" / "remediation"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def needs(program: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        shutil.which(program) is None, reason=f"{program} is not installed (Debian: {package})"
    )


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FILES / name).read_text(encoding="utf-8"))
    return found


def mounts(service: str) -> Iterator[tuple[Path | str, str, str]]:
    """Yield source, place and mode of what is mounted; the source of a file or folder of ours is a path."""
    for line in SERVICES[service].get("volumes", ()):
        source, place, mode = (*line.split(":"), "rw")[:3]
        yield (ROOT / source if source.startswith(".") else source), place, mode


@pytest.mark.real
@needs("docker-compose", "docker-compose")
def test_compose_itself_accepts_the_file() -> None:
    command = ["docker-compose", "--file", str(FILE), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_exists_and_only_volumes_can_be_written(service: str) -> None:
    for source, _place, mode in mounts(service):
        if isinstance(source, Path):
            assert source.exists(), source
            assert mode == "ro", source
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_hardened_pinned_and_published_on_loopback_only(service: str) -> None:
    given = SERVICES[service]
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"dbc-exporter:local|docker\.io/[\w/-]+:v?\d+\.\d+\.\d+", given["image"])
    assert all(port.startswith("127.0.0.1:") for port in given.get("ports", ()))


def test_dependencies_and_shared_networks_name_services() -> None:
    for given in SERVICES.values():
        assert set(given.get("depends_on", ())) <= SERVICES.keys()
        mode = given.get("network_mode", "none")
        assert mode == "none" or mode.removeprefix("service:") in SERVICES


def test_the_configured_addresses_are_services() -> None:
    names = {"localhost"} | {name for name, given in SERVICES.items() if "network_mode" not in given}
    texts = [path.read_text(encoding="utf-8") for path in FILES.rglob("*.yml")]
    hosts = {host for text in texts for host in re.findall(r"\b([a-z][\w-]*):(?:[1-9]\d{3,4})\b", text)}
    assert {"simulator", "exporter", "alertmanager", "prometheus"} <= hosts <= names


def test_the_programs_are_where_the_dockerfile_puts_them() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    programs = [given["entrypoint"][0] for given in SERVICES.values() if "entrypoint" in given]
    assert programs == ["/opt/dbc-exporter/bin/python"] * 2
    assert "python3 -m venv --without-pip /opt/dbc-exporter" in dockerfile


def test_the_simulator_understands_its_command_line() -> None:
    command, *arguments = SERVICES["simulator"]["command"]
    parser = flags.command_parser(flags.Command(command))
    simulator_run.add_arguments(parser)
    parsed = parser.parse_args(arguments)
    assert simulator_run.choose_scenario(parsed) == demo_scenario()
    assert parsed.listen == ("0.0.0.0", 5050)  # noqa: S104 (a container's own addresses)


async def test_the_targets_are_those_of_the_demonstration() -> None:
    fleet = build_world(demo_scenario(), clock=SystemClock())
    try:
        known = demo_settings(Settings(), Running(fleet, {}))
    finally:
        await fleet.stop()
    expected = [target.model_dump(mode="json", exclude_defaults=True) for target in known.targets.static]
    for target in expected:
        if "credential" in target:
            target["labels"]["remediation"] = "vms"
    assert {target.kind for target in known.targets.static} == {Kind.COMPUTE, Kind.MANAGER}
    assert yaml.safe_load((FILES / "targets.yml").read_text(encoding="utf-8")) == expected


@pytest.fixture
def exporter_files(tmp_path: Path) -> Path:
    """Lay out what the exporter's container has, with credentials as they are made at the start."""
    folder, credentials = tmp_path / "etc", tmp_path / "credentials"
    folder.mkdir()
    credentials.mkdir()
    for source, place, _mode in mounts("exporter"):
        if isinstance(source, Path):
            shutil.copy(source, folder / Path(place).name)
    seed = credentials / "renter.seed"
    seed.write_text("0x" + "22" * 32)
    seed.chmod(0o600)
    make_token(credentials / "webhook.token")
    settings = folder / "dbc-exporter.yml"
    text = settings.read_text().replace("/credentials/", f"{credentials}/")
    settings.write_text(text.replace("/var/lib/dbc-exporter", str(tmp_path)))
    return settings


def make_token(path: Path) -> str:
    """Run the script of the service `token`."""
    subprocess.run(["python3", str(FILES / "make_token.py"), str(path)], check=True)
    return path.read_text()


def test_the_exporters_settings_and_policy_are_accepted_without_a_warning(exporter_files: Path) -> None:
    found = read(["check-config", f"--config.file={exporter_files}"], {})
    report = check_config.report(found)
    assert found.warnings == ()
    assert "OK: nothing contradicts itself" in report
    assert "mode dry_run" in report


def test_the_token_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "webhook.token"
    first = make_token(path)
    assert re.fullmatch(r"[0-9a-f]{64}", first)
    assert make_token(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert make_token(tmp_path / "other") != first


def test_evidence_is_routed_as_in_the_example() -> None:
    ours = loaded("alertmanager.yml")
    example = yaml.safe_load((EXAMPLES / "alertmanager.yml").read_text(encoding="utf-8"))
    assert ours["route"] == example["route"]
    (mine,), (its,) = (each["receivers"][1]["webhook_configs"] for each in (ours, example))
    assert mine["url"] == its["url"].replace("localhost", "exporter")
    assert mine["send_resolved"] is its["send_resolved"]
    assert mine["http_config"] == {"authorization": {"credentials_file": "/credentials/webhook.token"}}


def test_vms_are_probed_as_in_the_example() -> None:
    (ours,), (its,) = (
        [job for job in config["scrape_configs"] if job["job_name"] == "dbc-vm"]
        for config in (
            loaded("prometheus.yml"),
            yaml.safe_load((EXAMPLES / "prometheus.yml").read_text(encoding="utf-8")),
        )
    )
    del ours["http_sd_configs"], its["file_sd_configs"]
    its["relabel_configs"][-1]["replacement"] = "simulator:9115"
    assert ours == its


@pytest.mark.real
@needs("promtool", "prometheus")
def test_prometheus_accepts_its_configuration_with_every_rule_file(tmp_path: Path) -> None:
    for source, place, _mode in mounts("prometheus"):
        if isinstance(source, Path):
            laid = tmp_path / place.lstrip("/")
            laid.parent.mkdir(parents=True, exist_ok=True)
            laid.symlink_to(source)
    config = tmp_path / "etc/prometheus/prometheus.yml"
    real = tmp_path / "etc/prometheus/copy.yml"  # promtool looks for rules beside the file it was given
    shutil.copy(config, real)
    done = subprocess.run(
        ["promtool", "check", "config", str(real)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ours = len(list((ROOT / "alerts").glob("*.rules.yml")))
    assert ours > 0
    assert f"SUCCESS: {ours + 1} rule files found" in done.stdout


@pytest.mark.real
@needs("amtool", "prometheus-alertmanager")
def test_alertmanager_accepts_its_configuration() -> None:
    command = ["amtool", "check-config", str(FILES / "alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_finds_its_data_source_and_its_dashboards() -> None:
    provisioning = FILES / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((provisioning / "dashboards/dbc.yml").read_text())["providers"]
    places = {place: source for source, place, _mode in mounts("grafana")}
    assert places[provider["options"]["path"]] == ROOT / "./dashboards"
    assert places["/etc/grafana/provisioning"] == ROOT / "./packaging/compose/grafana/provisioning"


# -- the service discovery of probes --


class _Control(BaseHTTPRequestHandler):
    """A simulator's control port with two VMs, one of which never answered."""

    vms = ({"task_id": "t1", "tcp_port": 4001}, {"task_id": "t2", "tcp_port": None})

    def do_GET(self) -> None:
        body = json.dumps({"compute": [{"node_id": "n1", "vms": self.vms}]}).encode()
        self.send_response(http.client.OK)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def served() -> Iterator[list[ThreadingHTTPServer]]:
    """Serve what is put into the list, from when it is put there; closed at the end."""
    serving = _Serving()
    yield serving
    for server in serving:
        server.shutdown()
        server.server_close()


class _Serving(list[ThreadingHTTPServer]):
    def append(self, server: ThreadingHTTPServer) -> None:
        super().append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


def url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/"


def test_each_vm_is_probed_at_its_own_port_and_under_its_ids(served: list[ThreadingHTTPServer]) -> None:
    serve = runpy.run_path(str(FILES / "probe_targets.py"))["serve"]
    served.append(ThreadingHTTPServer(("127.0.0.1", 0), _Control))
    served.append(serve(("127.0.0.1", 0), url(served[0])))
    with urlopen(url(served[1])) as answer:  # noqa: S310 (loopback)
        assert answer.headers["Content-Type"] == "application/json"  # Prometheus insists
        assert json.load(answer) == [
            {"targets": ["127.0.0.1:4001"], "labels": {"node_id": "n1", "task_id": "t1"}},
            {"targets": ["127.0.0.1:1"], "labels": {"node_id": "n1", "task_id": "t2"}},
        ]


def test_while_the_simulator_is_away_the_discovery_fails_and_takes_no_target_away(
    served: list[ThreadingHTTPServer],
) -> None:
    """Prometheus keeps the targets it had when an answer is no 200."""
    serve = runpy.run_path(str(FILES / "probe_targets.py"))["serve"]
    served.append(serve(("127.0.0.1", 0), "http://127.0.0.1:1/state"))
    with pytest.raises(HTTPError) as caught:
        urlopen(url(served[0]))  # noqa: S310 (loopback)
    assert caught.value.code == http.client.BAD_GATEWAY
    caught.value.close()
