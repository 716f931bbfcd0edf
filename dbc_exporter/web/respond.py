"""Turning a body into an HTTP response: compression off the event loop where it would be felt, and safe headers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiohttp import web
from isal import isal_zlib
from multidict import CIMultiDict

from dbc_exporter.web.negotiate import accepts_gzip

_WORTH_COMPRESSING = 1024
_THREAD_FROM = 1024 * 1024
_GZIP_LEVEL = 1
_GZIP_WINDOW = 31  # 15 bits of window in a gzip frame, zlib's way of saying so

SAFE_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


async def respond(
    request: web.Request, status: int, headers: Mapping[str, str], body: bytes | Sequence[bytes]
) -> web.Response:
    """Build a response, gzipped where the asker takes that and nobody has encoded the body yet."""
    out = CIMultiDict(headers)
    pieces = [body] if isinstance(body, bytes) else body
    size = sum(len(piece) for piece in pieces)
    if "Content-Encoding" not in out and size >= _WORTH_COMPRESSING:
        _vary(out, "Accept-Encoding")
        if accepts_gzip(", ".join(request.headers.getall("Accept-Encoding", []))):
            out["Content-Encoding"] = "gzip"
            if size > _THREAD_FROM:
                return web.Response(status=status, headers=out, body=await asyncio.to_thread(_gzip, pieces))
            return web.Response(status=status, headers=out, body=_gzip(pieces))
    return web.Response(status=status, headers=out, body=b"".join(pieces))


def text(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Build a short answer in plain text that nobody may cache."""
    fixed = {"Cache-Control": "no-store", **(headers or {})}
    return web.Response(status=status, text=message.rstrip("\n") + "\n", headers=fixed)


def _gzip(pieces: Sequence[bytes]) -> bytes:
    compressed: bytes = isal_zlib.compress(b"".join(pieces), _GZIP_LEVEL, _GZIP_WINDOW)
    return compressed


def _vary(headers: CIMultiDict[str], name: str) -> None:
    listed = [part.strip() for part in headers.get("Vary", "").split(",") if part.strip()]
    if name.lower() not in (part.lower() for part in listed):
        headers["Vary"] = ", ".join([*listed, name])
