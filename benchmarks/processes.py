"""The exporter and the simulator as the processes they are in use, and a scraper that asks as Prometheus does."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

_ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
_PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 0.005


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _process(arguments: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "dbc_exporter", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def simulator(nodes: int) -> Iterator[str]:
    """Run a simulated DBC client with so many nodes; gives its address once it listens."""
    address = f"127.0.0.1:{free_port()}"
    with _process(["simulator", "--nodes", str(nodes), "--listen", address]) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError("the simulator did not start")
        yield f"http://{address}"


@contextmanager
def exporter(client_url: str, port: int) -> Iterator[subprocess.Popen[str]]:
    """Start the exporter with its default settings for one DBC client; gives it at once."""
    address = f"127.0.0.1:{port}"
    arguments = ["--dbc.client", client_url, "--web.listen-address", address, "--log.level", "error"]
    with _process(arguments) as process:
        yield process


@contextmanager
def shard(settings: Path, number: int, port: int) -> Iterator[subprocess.Popen[str]]:
    """Start the exporter as one of several shards, with their common settings file; gives it at once."""
    arguments = ["--config.file", str(settings), "--shard", str(number), "--log.level", "error"]
    with _process([*arguments, "--web.listen-address", f"127.0.0.1:{port}"]) as process:
        yield process


class Scraper:
    """Scrapes one exporter over a kept connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
        self._headers = {"Accept": _ACCEPT, "Accept-Encoding": "gzip"}

    def scrape(self) -> tuple[float, int]:
        """Scrape once; returns the seconds until the last byte and the bytes of the (compressed) body."""
        start = time.perf_counter()
        body = self._get("/metrics", self._headers)
        return time.perf_counter() - start, len(body)

    def series_of(self, family: str = "") -> int:
        """Return how many series of a family (of all, without one) the exporter shows now."""
        return len(self.samples(family))

    def samples(self, family: str = "") -> dict[str, float]:
        """Return the samples of a family (of all, without one) by their series."""
        body = self._get(f"/metrics?name[]={quote(family)}" if family else "/metrics", {}).decode()
        pairs = (line.rpartition(" ") for line in body.splitlines() if not line.startswith("#"))
        return {series: float(value) for series, _, value in pairs}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _get(self, path: str, headers: dict[str, str]) -> bytes:
        self._connection.request("GET", path, headers=headers)
        response = self._connection.getresponse()
        body = response.read()
        assert response.status == 200, response.status
        return body


@contextmanager
def scraping(port: int) -> Iterator[Scraper]:
    """Wait until the exporter listens, then scrape it over one connection."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        scraper = Scraper(port)
        try:
            scraper.scrape()
            break
        except ConnectionRefusedError:
            scraper.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)
    try:
        yield scraper
    finally:
        scraper.close()
