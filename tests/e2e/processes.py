"""Real processes on loopback ports, started for a test and ended with it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

ROOT = Path(__file__).resolve().parents[2]
GENEROUS_SECONDS = 120.0
LOOK_SECONDS = 0.3


def free_port() -> int:
    """Return a loopback port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def get(url: str, **headers: str) -> str:
    """Return the body of an answer with status 200."""
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 -- loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        text: str = answer.read().decode()
        return text


def until(condition: Callable[[], object], what: str, within: float = GENEROUS_SECONDS) -> None:
    """Ask again and again until a condition holds; an unreachable server is a condition that does not."""
    limit = time.monotonic() + within
    while True:
        try:
            if condition():
                return
        except (URLError, ConnectionError, TimeoutError):
            pass
        assert time.monotonic() < limit, f"not within {within:g} s: {what}"
        time.sleep(LOOK_SECONDS)  # between two looks at another process; no result depends on it


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command with its output in a file; it is ended by SIGTERM, or killed when it does not end."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def exporter(*arguments: str) -> list[str]:
    """Return the command line of an exporter command."""
    return [sys.executable, "-m", "dbc_exporter", *arguments]
