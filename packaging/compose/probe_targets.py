# ruff: noqa: INP001 -- a script that is mounted into a container, no part of a package
"""Prometheus' HTTP service discovery for blackbox: one target per simulated VM, with the ids of dbc-exporter's metrics."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import urlopen

CLOSED = 1
"""A port nobody listens on. A VM that never answered has none of its own, and does not answer there either."""


def targets(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the target groups for what the simulator's control port tells."""
    return [
        {
            "targets": [f"127.0.0.1:{vm['tcp_port'] or CLOSED}"],
            "labels": {"node_id": node["node_id"], "task_id": vm["task_id"]},
        }
        for node in state["compute"]
        for vm in node["vms"]
    ]


def serve(listen: tuple[str, int], control: str) -> ThreadingHTTPServer:
    """Return a server that answers every GET with the targets as they are then, or 502; `control` is a URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                with urlopen(control, timeout=5) as answer:  # noqa: S310 (our own constant, or the command line)
                    body = json.dumps(targets(json.load(answer))).encode()
            except OSError as error:  # Prometheus keeps the targets it had
                self.send_error(502, explain=str(error))
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Stay silent: Prometheus asks every few seconds."""

    return ThreadingHTTPServer(listen, Handler)


if __name__ == "__main__":
    address = ("0.0.0.0", 9116)  # noqa: S104 (a container's own addresses)
    with serve(address, sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:5049/state") as server:
        server.serve_forever()
