"""What happens to every request before its handler: rate limit, client names, authentication, safe headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from dbc_exporter.clock import Clock
from dbc_exporter.logs import get_logger
from dbc_exporter.web.auth import PasswordCheck, TooManyLoginsError, parse_basic
from dbc_exporter.web.live import LiveConfig
from dbc_exporter.web.ratelimit import TokenBucket
from dbc_exporter.web.remediation_types import Desk
from dbc_exporter.web.request import ACTOR
from dbc_exporter.web.respond import SAFE_HEADERS, text
from dbc_exporter.web.tls import common_name, subject_alternative_names
from dbc_exporter.web.webconfig import WebConfig
from dbc_exporter.web.webhook import NAME, bearer, right_token

log = get_logger(__name__)

_SERVER = "dbc-exporter"  # instead of the library's own, which tells its version

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Enforces the web configuration on an application, also on paths that do not exist."""

    def __init__(
        self, live: LiveConfig, clock: Clock, remediation: Callable[[], Desk | None] = lambda: None
    ) -> None:
        self._live = live
        self._remediation = remediation
        self._bucket = TokenBucket(clock)
        self._passwords = PasswordCheck()

    def install(self, app: web.Application) -> None:
        """Put the guard before every handler of `app`, and its headers on every response."""
        app.middlewares.append(self._handle)
        app.on_response_prepare.append(self._add_headers)
        app.on_cleanup.append(self._close)

    @web.middleware
    async def _handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        config = self._live.current()
        if not self._bucket.allows(config.rate_limit):
            return text(429, "too many requests")
        if (complaint := _complaint(request, config)) is not None:
            refusal = text(403, complaint)
            refusal.force_close()
            return refusal
        try:
            actor = await self._actor(request, config)
        except TooManyLoginsError:
            return text(429, "too many logins are being checked", {"Retry-After": "1"})
        if actor is None:
            scheme = 'Basic realm="dbc-exporter", charset="UTF-8"' if config.users else "Bearer"
            return text(401, "unauthorized", {"WWW-Authenticate": scheme})
        if actor:
            request[ACTOR] = actor
        return await _answer(request, handler)

    async def _actor(self, request: web.Request, config: WebConfig) -> str | None:
        """Return who is asking: "" for somebody who need not say so, `None` for who may not ask."""
        authorization = request.headers.get("Authorization")
        desk = self._remediation()
        if request.match_info.route.name == NAME and desk is not None and desk.webhook_token:
            given = bearer(authorization)
            if given is not None:
                return "token" if right_token(given, desk.webhook_token) else None
            if not config.users:
                return None
        if config.users:
            allowed = await self._passwords.allows(authorization, config.users)
            credentials = parse_basic(authorization)
            return credentials[0] if allowed and credentials else None
        return f"certificate {_certified(request)}" if config.requires_client_certificate else ""

    async def _add_headers(self, _request: web.Request, response: web.StreamResponse) -> None:
        for name, value in SAFE_HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["Server"] = _SERVER
        response.headers.update(self._live.in_force.headers)

    async def _close(self, _app: web.Application) -> None:
        self._passwords.close()


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        # The page says nothing of the cause: an exception's text is written for us, not for whoever asks.
        log.exception("request failed", method=request.method, route=request.match_info.route.name)
        return text(500, "internal error; the log has the cause")


def _certified(request: web.Request) -> str:
    certificate = request.transport.get_extra_info("peercert") if request.transport else None
    return common_name(certificate) or "without a name"


def _complaint(request: web.Request, config: WebConfig) -> str | None:
    """Tell what is wrong with the client's certificate, if anything is."""
    if config.tls is None or not config.requires_client_certificate or request.transport is None:
        return None
    certificate = request.transport.get_extra_info("peercert")
    if not certificate:  # the handshake was before certificates were demanded
        return "a client certificate is demanded now; connect again"
    if config.tls.client_sans and subject_alternative_names(certificate).isdisjoint(config.tls.client_sans):
        return "the client certificate has none of the allowed names"
    return None
