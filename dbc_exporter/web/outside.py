"""How the server looks from outside: the path before all of its own, and the URL that a reverse proxy gives it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Outside:
    """`external_url` as Prometheus has it, without a slash at its end; `prefix` is the path before all of ours."""

    external_url: str | None = None
    prefix: str = ""

    @property
    def origin(self) -> str | None:
        """The origin that browsers name where they know us by the external URL."""
        if self.external_url is None:
            return None
        parts = urlsplit(self.external_url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
        return f"{parts.scheme}://{host}{port}"


OUTSIDE = web.AppKey("outside", Outside)


def under(prefix: str, table: Iterable[web.RouteDef]) -> list[web.RouteDef]:
    """Put a route table under a prefix; who asks for what lies above it is sent to the landing page."""
    if not prefix:
        return list(table)
    moved = [web.RouteDef(route.method, prefix + route.path, route.handler, route.kwargs) for route in table]
    return [*moved, web.get("/", _enter), web.get(prefix, _enter)]


async def _enter(request: web.Request) -> web.Response:
    outside = request.app[OUTSIDE]
    raise web.HTTPFound(f"{outside.external_url or outside.prefix}/")
