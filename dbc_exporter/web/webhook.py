"""Alertmanager's webhook: takes evidence, answers once it is stored, and commands nothing.

Alertmanager repeats a delivery after a network error and after 5xx; after any 4xx it is gone. So 503 stands for what
could not be stored, and for nothing else. Of a delivery that is too large it is stored that there was one: they are
large in large outages.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from dbc_exporter.web.live import LiveConfig
from dbc_exporter.web.remediation_types import BadDeliveryError, Desk, UnusableError
from dbc_exporter.web.request import body, same_origin
from dbc_exporter.web.respond import text

NAME = "alertmanager"
PATH = "/api/v1/alertmanager"
MOST_BYTES = 1024 * 1024
_RETRY = {"Retry-After": "10"}


class Webhook:
    """The endpoint. It exists while remediation is configured and somebody must say who they are to use it."""

    def __init__(self, desk: Callable[[], Desk | None], live: LiveConfig) -> None:
        self._desk = desk
        self._live = live

    async def handle(self, request: web.Request) -> web.Response:
        """Take a delivery."""
        desk = self._desk()
        if desk is None or not (self._live.in_force.authenticated or desk.webhook_token):
            raise web.HTTPNotFound
        if request.method != "POST":
            raise web.HTTPMethodNotAllowed(request.method, ["POST"])
        if not same_origin(request):
            return text(403, "a page of another origin may not deliver alerts")
        received = await body(request, MOST_BYTES)
        answer = await _stored(desk, received)
        if received is None:
            answer.force_close()  # the rest of it is not read
        return answer


async def _stored(desk: Desk, received: bytes | None) -> web.Response:
    """Store a delivery, or that one was too large (`None`), and say what became of it."""
    try:
        if received is None:
            await desk.too_large()
            return text(413, f"a delivery has at most {MOST_BYTES} bytes")
        await desk.take(received)
    except BadDeliveryError as error:
        return text(400, str(error))
    except UnusableError as error:
        return text(503, f"not stored: {error}", _RETRY)
    return text(202, "stored")


def bearer(authorization: str | None) -> str | None:
    """Return the token of a `Bearer` header; `None` where there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def right_token(given: str, token: str) -> bool:
    """Compare a token in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def counting(desk: Callable[[], Desk | None]) -> Middleware:
    """Return a middleware that tells how requests to the webhook were answered, whoever answered them."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.route.name != NAME:
            return await handler(request)
        code = 500
        try:
            response = await handler(request)
            code = response.status
        except web.HTTPException as error:
            code = error.status
            raise
        finally:
            open_desk = desk()
            if open_desk is not None:
                open_desk.answered(code)
        return response

    return count
