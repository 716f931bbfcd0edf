"""Answers for the pages: asks the sources, chooses HTML or JSON, and never lets one failing source hide another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from dbc_exporter.clock import Clock
from dbc_exporter.logs import get_logger
from dbc_exporter.web.negotiate import prefers_json
from dbc_exporter.web.pages.data import target_json, targets_json
from dbc_exporter.web.pages.html import Html
from dbc_exporter.web.pages.landing import landing
from dbc_exporter.web.pages.layout import PAGE_HEADERS, document
from dbc_exporter.web.pages.query import QueryError, read_query, select
from dbc_exporter.web.pages.remediation import remediation, remediation_off
from dbc_exporter.web.pages.show import title
from dbc_exporter.web.pages.target_detail import target_detail
from dbc_exporter.web.pages.target_list import target_list
from dbc_exporter.web.respond import respond, text
from dbc_exporter.web.types import Sources

log = get_logger(__name__)

_Answer = TypeVar("_Answer")
_JSON_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store", "Vary": "Accept"}


class Pages:
    """The handlers of `/`, `/targets`, `/targets/<id>` and `/remediation`."""

    def __init__(self, sources: Sources, clock: Clock, telemetry_path: str) -> None:
        self._sources = sources
        self._clock = clock
        self._telemetry_path = telemetry_path

    async def landing(self, request: web.Request) -> web.Response:
        """Show what can be shown, also while some source fails."""
        content = landing(
            about=_ask("the process", self._sources.about),
            health=_ask("health", self._sources.health),
            ready=_ask("readiness", self._sources.ready),
            clients=_ask("clients", self._sources.clients),
            targets=_ask("targets", self._sources.targets),
            now=self._clock.wall(),
        )
        page = self._framed("Overview", content, current="Overview")
        return await respond(request, 200, PAGE_HEADERS, page)

    async def targets(self, request: web.Request) -> web.Response:
        """List the targets that match the query; JSON has all of them, HTML one page."""
        try:
            as_json = _wants_json(request)
            query = read_query(request.query)
        except QueryError as error:
            return text(400, str(error))
        watched = self._sources.targets()
        now = self._clock.wall()
        if as_json:
            return await respond(
                request, 200, _JSON_HEADERS, targets_json(select(watched, query), len(watched), now)
            )
        page = self._framed("Targets", target_list(watched, query, now), current="Targets", scripted=True)
        return await respond(request, 200, PAGE_HEADERS, page)

    async def target(self, request: web.Request) -> web.Response:
        """Show one target."""
        try:
            as_json = _wants_json(request)
        except QueryError as error:
            return text(400, str(error))
        target = self._sources.target(request.match_info["id"])
        if target is None:
            return text(404, "no such target is watched")
        now = self._clock.wall()
        if as_json:
            return await respond(request, 200, _JSON_HEADERS, target_json(target, now))
        content = target_detail(target, now)
        page = self._framed(title(target), content, root="..")
        return await respond(request, 200, PAGE_HEADERS, page)

    async def remediation(self, request: web.Request) -> web.Response:
        """Show how remediation stands, or that it is off."""
        try:
            as_json = _wants_json(request)
        except QueryError as error:
            return text(400, str(error))
        desk = self._sources.remediation()
        if desk is None:
            if as_json:
                return text(404, "remediation is not configured")
            page = self._framed("Remediation", remediation_off(), current="Remediation")
            return await respond(request, 200, PAGE_HEADERS, page)
        status = await desk.status()
        if as_json:
            return await respond(request, 200, _JSON_HEADERS, msgspec.json.encode(status))
        page = self._framed("Remediation", remediation(status), current="Remediation")
        return await respond(request, 200, PAGE_HEADERS, page)

    def _framed(
        self, heading: str, content: Html, *, root: str = ".", current: str = "", scripted: bool = False
    ) -> bytes:
        return document(
            heading,
            content,
            root=root,
            telemetry_path=self._telemetry_path,
            current=current,
            scripted=scripted,
            remediation=_ask("remediation", self._sources.remediation) is not None,
        )


def _wants_json(request: web.Request) -> bool:
    chosen = request.query.get("format")
    if chosen not in {None, "", "html", "json"}:
        raise QueryError("format: must be html or json")
    return chosen == "json" or (
        not chosen and prefers_json(", ".join(request.headers.getall("Accept", [])) or None)
    )


def _ask(what: str, source: Callable[[], _Answer]) -> _Answer | None:
    try:
        return source()
    except Exception:
        log.exception("a page could not ask", source=what)
        return None
