"""The real parts that bring evidence: blackbox exporter, Prometheus and Alertmanager, set up as examples/remediation.

The shipped files are used as they are but for addresses, targets and times, which are cut to about a second.
"""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self

import pytest
import yaml

from tests.e2e.processes import Served, free_port

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "remediation"
WEBHOOK = "http://localhost:10177/api/v1/alertmanager"
USER = "alertmanager"
PACKAGES = ("prometheus", "prometheus-alertmanager", "prometheus-blackbox-exporter")
MISSING = [name for name in PACKAGES if shutil.which(name) is None]
needs_alerting = pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (Debian packages; see scripts/real-parts.sh)"
)


@dataclass(frozen=True)
class Probed:
    """What is probed: an address and the catalogue's ids. Without a task id it is a bare-metal server."""

    address: str
    node_id: str
    task_id: str = ""

    def target(self) -> dict[str, Any]:
        """Return a group of a target file."""
        ids = {"node_id": self.node_id} | ({"task_id": self.task_id} if self.task_id else {})
        return {"targets": [self.address], "labels": ids}


def blackbox(directory: Path) -> Served:
    """Return a blackbox exporter with the shipped modules, to be entered."""
    own, port = _folder(directory, "blackbox"), free_port()
    command = ["prometheus-blackbox-exporter", f"--config.file={EXAMPLES / 'blackbox.yml'}"]
    return Served([*command, f"--web.listen-address=127.0.0.1:{port}"], port, own)


def alertmanager(directory: Path, webhook: str, password: str) -> Served:
    """Return an Alertmanager that sends evidence and the watchdog to a webhook, to be entered."""
    own, port = _folder(directory, "alertmanager"), free_port()
    config = _example("alertmanager.yml", {WEBHOOK: webhook})
    watchdog, _own, evidence = config["route"]["routes"]
    for route in (watchdog, evidence):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    watchdog["repeat_interval"] = "1s"
    _write(own / "alertmanager.yml", config)
    (own / "dbc-exporter.password").write_text(password, encoding="utf-8")
    command = ["prometheus-alertmanager", f"--config.file={own / 'alertmanager.yml'}"]
    command += [f"--storage.path={own / 'data'}", "--cluster.listen-address="]
    return Served([*command, f"--web.listen-address=127.0.0.1:{port}"], port, own)


def prometheus(
    directory: Path,
    manager: Served,
    prober: Served,
    probed: Sequence[Probed],
    *,
    exporter: str | None = None,
    hold: str = "2s",
    resend: str = "3s",
) -> Served:
    """Return a Prometheus that probes through blackbox and alerts with the shipped rules, to be entered.

    `exporter` is an exporter's `host:port` to scrape as well. `hold` is the rules' `for`. Alertmanager hears of an
    alert again every `resend`, and ends one it has not heard of for four times that long.
    """
    own, port = _folder(directory, "prometheus"), free_port()
    addresses = {"localhost:9093": manager.address, "localhost:9115": prober.address}
    config = _example("prometheus.yml", addresses | {"localhost:10177": exporter or "localhost:10177"})
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    if exporter is None:
        config["scrape_configs"] = [
            job for job in config["scrape_configs"] if job["job_name"] != "dbc-exporter"
        ]
    _write(own / "prometheus.yml", config)
    _write(own / "rules.yml", _quicker(_example("rules.yml", {}), hold))
    targets = _folder(own, "targets")
    _write(targets / "vms.yml", [one.target() for one in probed if one.task_id])
    _write(targets / "servers.yml", [one.target() for one in probed if not one.task_id])
    command = ["prometheus", f"--config.file={own / 'prometheus.yml'}", f"--storage.tsdb.path={own / 'data'}"]
    command += [f"--rules.alert.resend-delay={resend}", f"--web.listen-address=127.0.0.1:{port}"]
    return Served(command, port, own)


@dataclass(frozen=True)
class Delivery:
    """One notification as it arrived at `arrived` (Unix time); `user` and `password` are those of basic authentication."""

    arrived: float
    path: str
    user: str
    password: str
    body: dict[str, Any]


@dataclass
class Webhook:
    """Receives what Alertmanager sends, on a free port of loopback, and answers 200 as long as it is entered."""

    deliveries: list[Delivery] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.deliveries.append))
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1})
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where Alertmanager is to send to."""
        return f"http://127.0.0.1:{self._server.server_port}/api/v1/alertmanager"

    def alerts(self, name: str, status: str) -> list[dict[str, Any]]:
        """Return every alert of a name that arrived with a status, `firing` or `resolved`, in order."""
        arrived = [alert for delivery in list(self.deliveries) for alert in delivery.body["alerts"]]
        return [one for one in arrived if (one["labels"]["alertname"], one["status"]) == (name, status)]

    def names(self) -> set[str]:
        """Return the names of all alerts that arrived."""
        return {one["labels"]["alertname"] for each in list(self.deliveries) for one in each.body["alerts"]}


def _handler(record: Callable[[Delivery], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            user, _, password = _basic(self.headers.get("Authorization", "")).partition(":")
            record(Delivery(time.time(), self.path, user, password, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Stay silent."""

    return Handler


def _basic(header: str) -> str:
    scheme, _, credentials = header.partition(" ")
    return base64.b64decode(credentials).decode() if scheme == "Basic" else ""


def _folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


def _example(name: str, replaced: dict[str, str]) -> Any:
    """Read a shipped file with some of its texts replaced, each of which must be there."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    for old, new in replaced.items():
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, new)
    return yaml.safe_load(text)


def _quicker(rules: Any, hold: str) -> Any:
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        if "for" in rule:
            rule["for"] = hold
    return rules


def _write(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
