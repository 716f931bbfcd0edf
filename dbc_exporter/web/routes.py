"""Which path answers with what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from dbc_exporter.clock import Clock
from dbc_exporter.logs import get_logger
from dbc_exporter.web.live import LiveConfig
from dbc_exporter.web.pages.handlers import Pages
from dbc_exporter.web.probe import Prober
from dbc_exporter.web.remediation_api import RemediationApi
from dbc_exporter.web.request import joined_headers, same_origin
from dbc_exporter.web.respond import respond, text
from dbc_exporter.web.sd import Discovery
from dbc_exporter.web.types import Health, ReloadError, Sources
from dbc_exporter.web.webhook import NAME, PATH, Webhook

log = get_logger(__name__)


def routes(sources: Sources, clock: Clock, live: LiveConfig, telemetry_path: str) -> list[web.RouteDef]:
    """Build the route table. A telemetry path of `/` takes the landing page's place."""
    pages = Pages(sources, clock, telemetry_path)
    machine = _Machine(sources, live)
    webhook = Webhook(sources.remediation, live)
    table = [
        web.get(telemetry_path, machine.metrics, name="metrics"),
        # a HEAD would poll all the same
        web.get("/probe", Prober(sources.probe).handle, name="probe", allow_head=False),
        web.get("/sd", Discovery(sources).handle, name="sd"),
        web.get("/-/healthy", machine.healthy, name="healthy"),
        web.get("/-/ready", machine.ready, name="ready"),
        web.route("*", "/-/reload", machine.reload, name="reload"),
        web.get("/targets", pages.targets, name="targets"),
        web.get("/targets/{id}", pages.target, name="target"),
        web.get("/remediation", pages.remediation, name="remediation"),
        web.route("*", PATH, webhook.handle, name=NAME),
        *RemediationApi(sources.remediation, live).routes(),
    ]
    if telemetry_path != "/":
        table.append(web.get("/", pages.landing, name="landing"))
    return table


class _Machine:
    """The endpoints that programs ask."""

    def __init__(self, sources: Sources, live: LiveConfig) -> None:
        self._sources = sources
        self._live = live
        self._reloading = asyncio.Lock()

    async def metrics(self, request: web.Request) -> web.Response:
        query = {name: request.query.getall(name) for name in request.query}
        reply = self._sources.exposition(joined_headers(request), query)
        if isinstance(reply, Awaitable):
            reply = await reply
        return await respond(request, reply.status, reply.headers, reply.body)

    async def healthy(self, _request: web.Request) -> web.Response:
        return _verdict("health", self._sources.health)

    async def ready(self, _request: web.Request) -> web.Response:
        return _verdict("readiness", self._sources.ready)

    async def reload(self, request: web.Request) -> web.Response:
        if not self._live.in_force.authenticated:
            raise web.HTTPNotFound
        if request.method != "POST":
            raise web.HTTPMethodNotAllowed(request.method, ["POST"])
        if not same_origin(request):
            return text(403, "a page of another origin may not reload")
        async with self._reloading:
            try:
                await self._sources.reload()
            except ReloadError as error:
                return text(500, f"not reloaded, the old settings stay: {error}")
        return text(200, "reloaded")


def _verdict(what: str, ask: Callable[[], Health]) -> web.Response:
    try:
        health = ask()
    except Exception:
        log.exception("check failed", check=what)
        return text(503, f"the {what} check failed; the log has the cause")
    return text(200 if health.ok else 503, health.detail)
