"""One request as a client carries it, whatever kind of call it was made from.

Who may make one from a call that writes is decided where it is made: `client` does so from reads only, `actuation`
from writes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from dbc_exporter.dbc.authority import Credential
from dbc_exporter.dbc.calls import UNSIGNED, ReadCall, WriteCall
from dbc_exporter.dbc.envelope import request_body, understand
from dbc_exporter.dbc.exchange import RawAnswer

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


async def _nothing() -> None:
    """Be called before a read is sent."""


@dataclass(frozen=True, slots=True)
class Request(Generic[T_co]):
    """What to send and how to understand the answer.

    `pack` builds the body, signed afresh, and `understand` reads the answer; both raise `DbcError`. With `once` the
    request is never repeated, not even when a kept connection turns out closed. `before_send` is awaited when nothing
    stands between the request and its sending any more; what it raises keeps the request back.
    """

    kind: str
    method: str
    path: str
    signed: bool
    pack: Callable[[], bytes] = field(repr=False)
    understand: Callable[[RawAnswer], T_co] = field(repr=False)
    once: bool = False
    before_send: Callable[[], Awaitable[None]] = field(default=_nothing, repr=False)


def request_of(
    call: ReadCall[T] | WriteCall[T],
    credential: Credential | None,
    rent_order: str | None,
    *,
    nonce: str | None,
    once: bool,
    before_send: Callable[[], Awaitable[None]] = _nothing,
) -> Request[T]:
    """Make a request of a call."""
    return Request(
        call.kind,
        call.method,
        call.path,
        call.authority not in UNSIGNED,
        partial(request_body, call, credential, rent_order, nonce=nonce),
        partial(understand, call),
        once,
        before_send,
    )
