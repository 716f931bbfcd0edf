"""The operator's endpoints of remediation: JSON in, JSON out, strict.

What changes something exists only where everybody must say who they are, and is written down with that name.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from dbc_exporter.web.live import LiveConfig
from dbc_exporter.web.remediation_types import Desk, RefusedError, UnusableError
from dbc_exporter.web.request import ACTOR, body, same_origin
from dbc_exporter.web.respond import respond, text

_PREFIX = "/api/v1/remediation"
_MOST_BYTES = 16 * 1024
_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
_TARGET = r"^[0-9a-f]{64}(/[A-Za-z0-9]{1,64})?\Z"
_OFF = "remediation is not configured"

_Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
_Target = Annotated[str, Meta(pattern=_TARGET)]
_NodeId = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _Answer(Struct, forbid_unknown_fields=True):
    id: _Id


class _Pause(Struct, forbid_unknown_fields=True):
    seconds: Annotated[float, Meta(gt=0)]
    reason: Annotated[str, Meta(min_length=1)]
    node_id: _NodeId | None = None


class _Resume(Struct, forbid_unknown_fields=True):
    id: _Id | None = None


class _Clear(Struct, forbid_unknown_fields=True):
    target: _Target | None = None
    breaker: bool = False


T = TypeVar("T", bound=Struct)


class BadQuestionError(Exception):
    """The request cannot be understood; the text says what."""


class RemediationApi:
    """The handlers. `desk` gives remediation, `None` where it is not configured."""

    def __init__(self, desk: Callable[[], Desk | None], live: LiveConfig) -> None:
        self._desk = desk
        self._live = live

    def routes(self) -> list[web.RouteDef]:
        """Return the route table."""
        changes = {
            "approve": self._approve,
            "reject": self._reject,
            "pause": self._pause,
            "resume": self._resume,
            "clear": self._clear,
        }
        return [
            web.get(f"{_PREFIX}/status", self.status, name="remediation_status"),
            web.get(f"{_PREFIX}/explain", self.explain, name="remediation_explain"),
            *(
                web.route("*", f"{_PREFIX}/{word}", self._changing(change), name=f"remediation_{word}")
                for word, change in changes.items()
            ),
        ]

    async def status(self, request: web.Request) -> web.Response:
        """Say how things stand."""
        desk = self._desk()
        return text(404, _OFF) if desk is None else await _json(request, await desk.status())

    async def explain(self, request: web.Request) -> web.Response:
        """Explain one target, now or at a time."""
        desk = self._desk()
        if desk is None:
            return text(404, _OFF)
        target = request.query.get("target", "")
        if not re.match(_TARGET, target):
            return text(400, "target: must be a node id, or node id and task id with a slash")
        try:
            return await _json(request, await desk.explain(target, parse_time(request.query.get("at"))))
        except BadQuestionError as error:
            return text(400, str(error))
        except UnusableError as error:
            return text(503, str(error))

    def _changing(
        self, change: Callable[[Desk, bytes, str], Awaitable[Any]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            desk = self._desk()
            if desk is None or not self._live.in_force.authenticated:
                raise web.HTTPNotFound
            if request.method != "POST":
                raise web.HTTPMethodNotAllowed(request.method, ["POST"])
            if not same_origin(request):
                return text(403, "a page of another origin may not change anything")
            received = await body(request, _MOST_BYTES)
            if received is None:
                refusal = text(413, f"a request has at most {_MOST_BYTES} bytes")
                refusal.force_close()
                return refusal
            try:
                return await _json(request, await change(desk, received, request[ACTOR]))
            except BadQuestionError as error:
                return text(400, str(error))
            except RefusedError as error:
                return text(409, str(error))
            except UnusableError as error:
                return text(503, str(error))

        return handle

    async def _approve(self, desk: Desk, received: bytes, actor: str) -> Any:
        return await desk.answer(_read(received, _Answer).id, approve=True, actor=actor)

    async def _reject(self, desk: Desk, received: bytes, actor: str) -> Any:
        return await desk.answer(_read(received, _Answer).id, approve=False, actor=actor)

    async def _pause(self, desk: Desk, received: bytes, actor: str) -> Any:
        asked = _read(received, _Pause)
        return await desk.pause(asked.node_id or "", asked.seconds, asked.reason, actor)

    async def _resume(self, desk: Desk, received: bytes, actor: str) -> Any:
        return {"resumed": await desk.resume(_read(received, _Resume).id, actor)}

    async def _clear(self, desk: Desk, received: bytes, actor: str) -> Any:
        asked = _read(received, _Clear)
        if asked.breaker == (asked.target is not None):
            raise BadQuestionError('name either a target or "breaker": true')
        if asked.target is None:
            await desk.clear_breaker(actor)
            return {"cleared": "breaker"}
        await desk.clear(asked.target, actor)
        return {"cleared": asked.target}


def parse_time(given: str | None) -> float | None:
    """Read a moment as Unix seconds or RFC 3339; `None` and "" mean now. Raises BadQuestionError."""
    if not given:
        return None
    try:
        return float(msgspec.convert(given, Annotated[float, Meta(ge=0, le=1e11)], strict=False))
    except msgspec.ValidationError:
        pass
    try:
        when = datetime.fromisoformat(
            given.replace(" ", "+")
        )  # an unescaped + of an offset arrives as a blank
    except ValueError:
        raise BadQuestionError("at: must be Unix seconds or a time such as 2026-11-24T10:00:00Z") from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _read(received: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(received, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadQuestionError(f"body: {error}") from None


async def _json(request: web.Request, answer: Any) -> web.Response:
    return await respond(request, 200, _HEADERS, msgspec.json.encode(answer) + b"\n")
