"""A server that answers with recorded exchanges, byte for byte, matched by what a request asks."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_MARK = b">>>> REQUEST\n"
_ANSWER = re.compile(rb"<<<< RESPONSE \(\d+ bytes\)\n")
NO_SUCH_PATH = b'{"errcode": -32601, "message": "not support uri"}'
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(NO_SUCH_PATH),
    NO_SUCH_PATH,
)

Key = tuple[str, str, str, bool]


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    key: Key
    answer: bytes


def key_of(method: str, path: str, body: bytes) -> Key | None:
    """Reduce a request to what decides its answer: verb, path, addressed node with parameters, signed or not."""
    try:
        parsed: dict[str, Any] = json.loads(body or b"{}")
        peers = parsed.get("peer_nodes_list") or [""]
        additional = dict(parsed.get("additional") or {})
    except (ValueError, AttributeError, TypeError):
        return None
    for extra in ("image_server", "local_dir"):
        if path.endswith("progress"):
            additional.pop(extra, None)
    signed = any(field in parsed for field in ("session_id", "wallet", "multisig_accounts"))
    return method, path.partition("?")[0], f"{peers[0]}{json.dumps(additional, sort_keys=True)}", signed


def read_exchange(file: Path) -> Exchange | None:
    """Read one recording; None for those without one request and one answer."""
    data = file.read_bytes()
    answer = _ANSWER.search(data)
    if data.count(_MARK) != 1 or answer is None:
        return None
    request = data[data.index(_MARK) + len(_MARK) : answer.start()]
    head, _, body = request.replace(b"\r\n", b"\n").partition(b"\n\n")
    words = head.split(b"\n", 1)[0].decode("latin-1").split(" ")
    key = key_of(words[0], words[1], body.strip()) if len(words) == 3 else None
    raw = data[answer.end() :].rstrip(b"\r\n")
    if key is None or not raw:
        return None
    top, _, content = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = [line for line in top.split(b"\n") if not line.lower().startswith(b"content-length")]
    lines.append(b"Content-Length: %d" % len(content))
    return Exchange(key, b"\r\n".join(lines) + b"\r\n\r\n" + content)


class ReplayServer:
    """Serves recordings on loopback; for one key, files later in the list win."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.answers: dict[Key, bytes] = {}
        self.unanswered: list[Key | None] = []
        for file in files:
            exchange = read_exchange(file)
            if exchange is not None:
                self.answers[exchange.key] = exchange.answer
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()

    def _answer(self, key: Key | None) -> bytes:
        """Return the recorded answer; public questions may have been recorded with a signature they did not need."""
        if key is not None:
            for candidate in (key, (*key[:3], not key[3])):
                if candidate in self.answers:
                    return self.answers[candidate]
        self.unanswered.append(key)
        return NOT_FOUND

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1])) if length else b""
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                key = key_of(method, path, body)
                writer.write(self._answer(key))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
