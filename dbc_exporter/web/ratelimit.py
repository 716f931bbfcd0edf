"""A token bucket over all requests, as `rate_limit` of the web configuration asks for."""

from __future__ import annotations

from dbc_exporter.clock import Clock
from dbc_exporter.web.webconfig import RateLimit


class TokenBucket:
    """Lets `burst` requests through at once and one more per interval. A changed limit starts with a full bucket."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limit: RateLimit | None = None
        self._tokens = 0.0
        self._filled_at = 0.0

    def allows(self, limit: RateLimit | None) -> bool:
        """Take a token under `limit` (`None`: no limit) and tell whether there was one."""
        now = self._clock.monotonic()
        if limit != self._limit:
            self._limit = limit
            self._tokens = float(limit.burst) if limit else 0.0
            self._filled_at = now
        if limit is None:
            return True
        gained = (now - self._filled_at) / limit.interval_seconds
        self._tokens = min(float(limit.burst), self._tokens + gained)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
