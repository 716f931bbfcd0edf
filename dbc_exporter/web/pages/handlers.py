"""Answers for the pages: asks the sources, chooses HTML or JSON, and never lets one failing source hide another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from dbc_exporter.clock import Clock
from dbc_exporter.logs import get_logger
from dbc_exporter.web.negotiate import prefers_json
from dbc_exporter.web.pages.data import target_json, targets_json
from dbc_exporter.web.pages.landing import landing
from dbc_exporter.web.pages.layout import PAGE_HEADERS, document
from dbc_exporter.web.pages.query import QueryError, read_query, select
from dbc_exporter.web.pages.show import title
from dbc_exporter.web.pages.target_detail import target_detail
from dbc_exporter.web.pages.target_list import target_list
from dbc_exporter.web.respond import respond, text
from dbc_exporter.web.types import Sources

log = get_logger(__name__)

_Answer = TypeVar("_Answer")
_JSON_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store", "Vary": "Accept"}


class Pages:
    """The handlers of `/`, `/targets` and `/targets/<id>`."""

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
        page = document(
            "Overview", content, root=".", telemetry_path=self._telemetry_path, current="Overview"
        )
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
        page = document(
            "Targets",
            target_list(watched, query, now),
            root=".",
            telemetry_path=self._telemetry_path,
            current="Targets",
            scripted=True,
        )
        return await respond(request, 200, PAGE_HEADERS, page)

    async def target(self, request: web.Request) -> web.Response:
        """Show one target."""
        try:
            as_json = _wants_json(request)
        except QueryError as error:
            return text(400, str(error))
        wanted = request.match_info["id"]
        target = next((each for each in self._sources.targets() if each.id == wanted), None)
        if target is None:
            return text(404, "no such target is watched")
        now = self._clock.wall()
        if as_json:
            return await respond(request, 200, _JSON_HEADERS, target_json(target, now))
        content = target_detail(target, now)
        page = document(title(target), content, root="..", telemetry_path=self._telemetry_path)
        return await respond(request, 200, PAGE_HEADERS, page)


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
        log.exception("landing page could not ask", source=what)
        return None
