"""What handlers ask of a request: who it is from, whether a browser of another site sent it, its bounded body."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import web
from multidict import CIMultiDict

from dbc_exporter.web.outside import OUTSIDE

ACTOR = web.RequestKey("actor", str)
"""Who is asking: a user of the web configuration, `token`, or a client certificate's name; absent for strangers."""


def same_origin(request: web.Request) -> bool:
    """Tell whether a browser page of another origin is not behind this request. Programs send no `Origin`."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host or origin == request.app[OUTSIDE].origin


def joined_headers(request: web.Request) -> Mapping[str, str]:
    """Return the headers with repeated ones joined, as RFC 9110 5.3 reads them; look-ups ignore case."""
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


async def body(request: web.Request, most: int) -> bytes | None:
    """Return the body, or `None` as soon as it is longer than `most` bytes."""
    if request.content_length is not None and request.content_length > most:
        return None
    received = bytearray()
    async for piece in request.content.iter_any():
        received += piece
        if len(received) > most:
            return None
    return bytes(received)
