"""`/probe?target=<id>`: asks one watched target now, within the time that Prometheus gives the scrape."""

from __future__ import annotations

import math
import re

from aiohttp import web

from dbc_exporter.web.request import joined_headers
from dbc_exporter.web.respond import respond, text
from dbc_exporter.web.types import Probe

TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"
USUAL_SECONDS = 10.0  # Prometheus' own default, for whoever names none
RESERVE_SECONDS = 0.5  # of the time of a scrape, for the way back

_ID = re.compile(r"[0-9a-f]{64}")


class Prober:
    """The handler. `probe` asks; it knows the targets, and nobody else is ever asked."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    async def handle(self, request: web.Request) -> web.Response:
        """Probe one target."""
        wanted = request.query.getall("target", [])
        if len(wanted) != 1 or not _ID.fullmatch(wanted[0]):
            return text(400, "target: give one node id, 64 lower-case hex characters")
        seconds = budget(request.headers.get(TIMEOUT_HEADER))
        if seconds is None:
            return text(400, f"{TIMEOUT_HEADER}: must be a number of seconds, more than 0")
        reply = await self._probe(wanted[0], seconds, joined_headers(request))
        if reply is None:
            return text(404, "no such target is watched; only those of the inventory are probed")
        return await respond(request, reply.status, reply.headers, reply.body)


def budget(timeout: str | None) -> float | None:
    """Return how long a probe may take under a scrape's timeout; `None` where that is no time."""
    if timeout is None:
        return USUAL_SECONDS - RESERVE_SECONDS
    try:
        seconds = float(timeout)
    except ValueError:
        return None
    return max(0.0, seconds - RESERVE_SECONDS) if math.isfinite(seconds) and seconds > 0 else None
