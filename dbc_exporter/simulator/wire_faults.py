"""Ways in which an HTTP server's answer can arrive broken; each client's shell applies at most one at a time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from dbc_exporter.simulator.protocol import Response
from dbc_exporter.simulator.wire import Head, answer_bytes, html_bytes

HUGE_BODY_BYTES = 32 * 1024 * 1024
GARBAGE_BYTES = 512


@dataclass(frozen=True, slots=True)
class Broken:
    """What goes out in place of a proper answer.

    `bytes_per_second` None sends at once. `reset` ends with a TCP reset, else `close` ends with an orderly end.
    """

    data: bytes
    close: bool = True
    reset: bool = False
    bytes_per_second: float | None = None


Breaker = Callable[[Head, Response, float, random.Random], Broken]

_BREAKERS: dict[str, Breaker] = {}


def _breaker(name: str) -> Callable[[Breaker], Breaker]:
    def register(function: Breaker) -> Breaker:
        _BREAKERS[name] = function
        return function

    return register


@_breaker("garbage")
def _garbage(_head: Head, _response: Response, _wall: float, rng: random.Random) -> Broken:
    return Broken(rng.randbytes(GARBAGE_BYTES))


@_breaker("html")
def _html(_head: Head, _response: Response, wall: float, _rng: random.Random) -> Broken:
    page = b"<html><head><title>Sign in</title></head><body>Please sign in to continue.</body></html>\n"
    return Broken(html_bytes(200, page, wall))


@_breaker("huge")
def _huge(head: Head, _response: Response, wall: float, _rng: random.Random) -> Broken:
    start, end = b'{"errcode":0, "message":"', b'"}\r\n'
    body = start + b"x" * (HUGE_BODY_BYTES - len(start) - len(end)) + end
    return Broken(answer_bytes(head, Response(200, body), wall), close=False)


@_breaker("half")
def _half(head: Head, response: Response, wall: float, _rng: random.Random) -> Broken:
    whole = answer_bytes(head, response, wall)
    return Broken(whole[: len(whole) - (len(response.body) + 1) // 2])


@_breaker("reset")
def _reset(_head: Head, _response: Response, _wall: float, _rng: random.Random) -> Broken:
    return Broken(b"", reset=True)


@_breaker("truncated_json")
def _truncated_json(head: Head, response: Response, wall: float, _rng: random.Random) -> Broken:
    cut = Response(response.status, response.body[: len(response.body) // 2])
    return Broken(answer_bytes(head, cut, wall), close=False)


@_breaker("empty")
def _empty(head: Head, response: Response, wall: float, _rng: random.Random) -> Broken:
    return Broken(answer_bytes(head, Response(response.status, b""), wall), close=False)


@_breaker("no_answer")
def _no_answer(_head: Head, _response: Response, _wall: float, _rng: random.Random) -> Broken:
    return Broken(b"")


DRIP = "drip"
DELAY = "delay"
KINDS = (*sorted(_BREAKERS), DRIP, DELAY)
"""Every wire fault by name."""


@dataclass(slots=True)
class WireFault:
    """One kind of trouble; hits each answer with probability `share`."""

    kind: str
    rng: random.Random = field(repr=False)
    share: float = 1.0
    delay_seconds: float = 5.0
    bytes_per_second: float = 1.0

    def hits(self) -> bool:
        """Draw whether the next answer is hit."""
        return self.share >= 1.0 or self.rng.random() < self.share

    def spoil(self, head: Head, response: Response, wall: float) -> Broken:
        """Return what is sent in place of `response`; a `delay` is the caller's to wait for."""
        breaker = _BREAKERS.get(self.kind)
        if breaker is not None:
            return breaker(head, response, wall, self.rng)
        whole = answer_bytes(head, response, wall)
        close = response.close or not head.keep_alive
        return Broken(
            whole, close=close, bytes_per_second=self.bytes_per_second if self.kind == DRIP else None
        )


@dataclass(slots=True)
class Wire:
    """The way from one client's process to whoever asks it; `fault` None is a sound one."""

    fault: WireFault | None = None
