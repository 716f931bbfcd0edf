"""HTTP to one DBC client: few sockets, one deadline, a cap on answers, and nothing done behind our back.

This is the only module that speaks HTTP to a client; httpx runs over aiohttp's connector. Requests go to httpx'
transport directly: what `httpx.AsyncClient` adds (redirects, cookies, authentication, decoding) is unwanted here, and
costs as much CPU as the exchange itself.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from dbc_exporter import __version__
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer

KEEPALIVE_SECONDS = 25.0  # the server closes idle connections after 30 s
ANSWER_CAP_BYTES = 8 * 1024 * 1024
_HEADERS = {
    "User-Agent": f"dbc-exporter/{__version__}",
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}
_URLS_KEPT = 256  # most requests go to a few paths: the node is in the body


@dataclass(slots=True)
class _Attempt:
    """One sending of a request: whether a connection was opened for it, or a kept one taken."""

    opened: bool = False


_attempt: ContextVar[_Attempt] = ContextVar("attempt")


class HttpTransport:
    """A `Transport` over TCP or TLS.

    `base_url` is the client's scheme, host and port. `verify` is true, false, or a context with own certificates.
    Without `proxy` none is used, unless `trust_env` lets the environment name one.
    """

    def __init__(
        self,
        base_url: str,
        *,
        pool_size: int = 8,
        answer_cap_bytes: int = ANSWER_CAP_BYTES,
        keepalive_seconds: float = KEEPALIVE_SECONDS,
        verify: ssl.SSLContext | bool = True,
        proxy: str | None = None,
        trust_env: bool = False,
    ) -> None:
        base = base_url.rstrip("/")
        self._headers = httpx.Headers({"Host": httpx.URL(base).netloc.decode("ascii"), **_HEADERS})
        self._url = lru_cache(_URLS_KEPT)(lambda path: httpx.URL(f"{base}{path}"))
        self._answer_cap_bytes = answer_cap_bytes
        self._pool_size = pool_size
        self._keepalive_seconds = keepalive_seconds
        self._trust_env = trust_env
        self._tls = httpx.create_ssl_context(verify=verify, trust_env=trust_env)
        self._http = AiohttpTransport(
            client=self._new_session,
            verify=self._tls,
            trust_env=trust_env,
            proxy=None if proxy is None else httpx.Proxy(proxy),
        )

    def _new_session(self) -> aiohttp.ClientSession:
        """Build aiohttp's side when the loop runs: it owns pool, keep-alive and TLS."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._pool_size,
                keepalive_timeout=self._keepalive_seconds,
                ssl=self._tls,
                socket_factory=_open_socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self._trust_env,
        )

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        """Exchange one request for one answer, all within the deadline.

        With `retry`, for reads only, the request goes out once more when a kept connection turns out closed. Raises
        `DbcError` (own_deadline, unreachable, too_large, malformed).
        """
        try:
            async with asyncio.timeout(deadline_seconds):
                try:
                    return await self._exchange(method, path, body)
                except (httpx.HTTPError, aiohttp.ClientError) as error:
                    if not (retry and _was_closed_meanwhile(error)):
                        raise
                return await self._exchange(method, path, body)
        except TimeoutError:
            raise DbcError(Reason.OWN_DEADLINE, f"no answer within {deadline_seconds:g} s") from None
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise _failure(error) from None

    async def _exchange(self, method: str, path: str, body: bytes) -> RawAnswer:
        _attempt.set(_Attempt())
        request = httpx.Request(method, self._url(path), headers=self._headers, content=body)
        response = await self._http.handle_async_request(request)
        try:
            return await self._read(response)
        finally:
            await response.aclose()

    async def _read(self, response: httpx.Response) -> RawAnswer:
        declared = response.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > self._answer_cap_bytes:
            raise self._too_large()
        chunks: list[bytes] = []
        length = 0
        async for chunk in cast("httpx.AsyncByteStream", response.stream):
            length += len(chunk)
            if length > self._answer_cap_bytes:
                raise self._too_large()
            chunks.append(chunk)
        return RawAnswer(response.status_code, response.headers.get("content-type", ""), b"".join(chunks))

    def _too_large(self) -> DbcError:
        return DbcError(Reason.TOO_LARGE, f"an answer of more than {self._answer_cap_bytes} bytes")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Open a socket as aiohttp does, and note for whom: cheaper than aiohttp's tracing."""
    _attempt.get().opened = True
    family, kind, protocol, *_ = address
    return socket.socket(family, kind, protocol)


def _was_closed_meanwhile(error: Exception) -> bool:
    """Tell a kept connection found closed from an answer that broke off or a connection nobody accepted."""
    cause = _cause(error)
    broken = isinstance(cause, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
    return broken and not isinstance(cause, aiohttp.ClientConnectorError) and not _attempt.get().opened


def _cause(error: Exception) -> BaseException:
    """Give aiohttp's own error: httpx's are made of the most of them, not of all."""
    return (error.__cause__ or error) if isinstance(error, httpx.HTTPError) else error


def _failure(error: Exception) -> DbcError:
    """Name what went wrong, without addresses."""
    cause = _cause(error)
    if isinstance(cause, aiohttp.ClientResponseError):
        return DbcError(Reason.MALFORMED, "the answer is no HTTP")
    if isinstance(cause, aiohttp.ClientPayloadError):
        return DbcError(Reason.UNREACHABLE, "closed half-way through the answer")
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return DbcError(Reason.UNREACHABLE, "closed without an answer")
    if isinstance(cause, aiohttp.ClientConnectorDNSError):
        return DbcError(Reason.UNREACHABLE, "the name does not resolve")
    if isinstance(cause, aiohttp.ClientSSLError):
        return DbcError(Reason.UNREACHABLE, "TLS failed")
    if isinstance(cause, ConnectionRefusedError) or isinstance(
        getattr(cause, "os_error", None), ConnectionRefusedError
    ):
        return DbcError(Reason.UNREACHABLE, "connection refused")
    if isinstance(cause, aiohttp.ClientConnectorError):
        return DbcError(Reason.UNREACHABLE, "no connection")
    return DbcError(Reason.UNREACHABLE, "connection reset")
