"""The HTTP server: opens the sockets, serves until told to stop, and lets answers under way finish."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from dbc_exporter.clock import Clock
from dbc_exporter.logs import get_logger
from dbc_exporter.web.guard import Guard
from dbc_exporter.web.listen import Address, open_sockets
from dbc_exporter.web.live import LiveConfig
from dbc_exporter.web.routes import routes
from dbc_exporter.web.tls import PerHandshakeContext
from dbc_exporter.web.types import Sources
from dbc_exporter.web.webhook import counting

log = get_logger(__name__)

_KEEP_ALIVE_SECONDS = 90.0  # longer than the usual scrape intervals, so that a scraper keeps its connection


class WebServer:
    """Serves the pages of `sources`.

    The constructor reads the web configuration and raises `WebConfigError`. `telemetry_path` is where the exposition
    is served. At `stop`, answers under way get `drain_seconds` in all before they are cut off.
    """

    def __init__(
        self,
        sources: Sources,
        clock: Clock,
        *,
        telemetry_path: str = "/metrics",
        config_file: Path | None = None,
        drain_seconds: float = 10.0,
    ) -> None:
        self._live = LiveConfig(config_file)
        app = web.Application()
        app.add_routes(routes(sources, clock, self._live, telemetry_path))
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

    async def start(self, listen_address: str) -> tuple[Address, ...]:
        """Listen on `host:port`, `:port` or `[v6]:port` and return what was bound. Raises ListenError."""
        sockets = await open_sockets(listen_address)
        await self._runner.setup()
        context = PerHandshakeContext(self._live.context) if self._live.https else None
        for listener in sockets:
            await web.SockSite(self._runner, listener, ssl_context=context).start()
        bound = tuple(Address(*listener.getsockname()[:2]) for listener in sockets)
        for address in bound:
            log.info("listening", url=f"{self.scheme}://{address}")
        return bound

    async def stop(self) -> None:
        """Stop accepting, let answers under way finish within the limit, close everything. May be called twice."""
        await self._runner.cleanup()
