"""The HTTP server: opens the sockets, serves until told to stop, and lets answers under way finish."""

from __future__ import annotations

import socket
from pathlib import Path

from aiohttp import web

from dbc_exporter.clock import Clock
from dbc_exporter.logs import get_logger
from dbc_exporter.web.guard import Guard
from dbc_exporter.web.listen import Address, ListenError, open_all, remove_file
from dbc_exporter.web.live import LiveConfig
from dbc_exporter.web.outside import OUTSIDE, Outside, under
from dbc_exporter.web.routes import routes
from dbc_exporter.web.tls import PerHandshakeContext
from dbc_exporter.web.types import Sources
from dbc_exporter.web.webhook import counting

log = get_logger(__name__)

_KEEP_ALIVE_SECONDS = 90.0  # longer than the usual scrape intervals, so that a scraper keeps its connection


class WebServer:
    """Serves the pages of `sources`.

    The constructor reads the web configuration and raises `WebConfigError`. `telemetry_path` is where the exposition
    is served. All paths begin with `prefix` (`/dbc`, or nothing); browsers may come to know us by `external_url`. At
    `stop`, answers under way get `drain_seconds` in all before they are cut off.
    """

    def __init__(
        self,
        sources: Sources,
        clock: Clock,
        *,
        telemetry_path: str = "/metrics",
        config_file: Path | None = None,
        prefix: str = "",
        external_url: str | None = None,
        drain_seconds: float = 10.0,
    ) -> None:
        self._live = LiveConfig(config_file)
        self._listeners: list[socket.socket] = []
        app = web.Application()
        app[OUTSIDE] = Outside(external_url, prefix)
        app.add_routes(under(prefix, routes(sources, clock, self._live, telemetry_path)))
        app.middlewares.append(counting(sources.remediation))
        Guard(self._live, clock, sources.remediation).install(app)
        # aiohttp waits this long once for the handlers and once more after cancelling them.
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=drain_seconds / 2,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
        )

    @property
    def scheme(self) -> str:
        """Return `https` where the web configuration sets TLS, else `http`."""
        return "https" if self._live.https else "http"

    async def start(self, *listen_addresses: str) -> tuple[Address, ...]:
        """Listen on `host:port`, `:port`, `[v6]:port` and `unix:///path`; return what was bound over TCP.

        Raises ListenError, with nothing left open.
        """
        self._listeners = await open_all(listen_addresses)
        await self._runner.setup()
        context = PerHandshakeContext(self._live.context) if self._live.https else None
        try:
            for listener in self._listeners:
                await web.SockSite(self._runner, listener, ssl_context=context).start()
        except OSError as error:
            await self.stop()
            raise ListenError(f"listen addresses {', '.join(listen_addresses)}: {error.strerror}") from None
        bound = []
        for listener in self._listeners:
            if listener.family == socket.AF_UNIX:
                log.info("listening", url=f"{self.scheme}+unix://{listener.getsockname()}")
            else:
                bound.append(Address(*listener.getsockname()[:2]))
                log.info("listening", url=f"{self.scheme}://{bound[-1]}")
        return tuple(bound)

    async def stop(self) -> None:
        """Stop accepting, let answers under way finish within the limit, close everything. May be called twice."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            remove_file(listener)
        await self._runner.cleanup()
        for listener in listeners:
            listener.close()
