"""Real processes on loopback, watched over HTTP until they show what a test waits for."""

from __future__ import annotations

import gzip
import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, TypeVar

T = TypeVar("T")

LIMIT_SECONDS = 120.0  # generous: the machine may be busy
PAUSE_SECONDS = 0.3
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `body` is already unpacked."""

    status: int
    headers: Mapping[str, str]
    body: str


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Served:
    """A process that serves HTTP on loopback; its output goes to files. Stopped by its own id at the end."""

    def __init__(self, command: Sequence[str], port: int, directory: Path) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self._command = command
        self._directory = directory

    def __enter__(self) -> Self:
        self._out, self._err = self._file("stdout"), self._file("stderr")
        self._process = subprocess.Popen(self._command, stdout=self._out, stderr=self._err)
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._out.close()
        self._err.close()

    def _file(self, name: str) -> IO[str]:
        return (self._directory / name).open("w", encoding="utf-8")

    @property
    def stdout(self) -> str:
        return (self._directory / "stdout").read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return (self._directory / "stderr").read_text(encoding="utf-8")

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page; raises OSError while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_SECONDS)
        try:
            connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            body = answer.read()
            if answer.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            return Answer(answer.status, dict(answer.headers), body.decode())
        finally:
            connection.close()

    def wait(self, look: Callable[[], T | None], what: str, seconds: float = LIMIT_SECONDS) -> T:
        """Look again and again until there is something to see, and return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if found := look():
                    return found
            except OSError:
                pass  # not listening yet
            if self.ended():
                raise AssertionError(f"ended while waiting for {what}: {self.stdout}\n{self.stderr}")
        raise AssertionError(f"no {what} within {seconds:g} s: {self.stdout}\n{self.stderr}")

    def ended(self) -> bool:
        """Give the process a moment; tell whether it ended in it."""
        try:
            self._process.wait(PAUSE_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return True

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(STOP_SECONDS)


def demo(directory: Path) -> Served:
    """Return the demonstration, to be entered."""
    port = free_port()
    listen = f"--web.listen-address=127.0.0.1:{port}"
    return Served([sys.executable, "-m", "dbc_exporter", "demo", listen], port, directory)
