"""What the web side is told, and by whom: plain callables that return plain records.

The application builds a `Sources` from its parts. Nothing here knows where a view comes from, so any function of the
right shape fits. Times of day are Unix seconds, durations seconds; `None` always means unknown or "not yet".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from dbc_exporter.web.remediation_types import Desk


class Freshness(StrEnum):
    """The life of one collector's values on one target."""

    FRESH = "fresh"
    AGEING = "ageing"
    WITHDRAWN = "withdrawn"
    NEVER = "never"
    UNAVAILABLE = "unavailable"


class ReplyLike(Protocol):
    """What an exposition function returns; `body` may come in pieces, which are sent as one."""

    @property
    def status(self) -> int:
        """HTTP status, 200 or 304 as a rule."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers to send as they are; `Content-Encoding` says that the body is compressed already."""

    @property
    def body(self) -> bytes | Sequence[bytes]:
        """The body, whole or in pieces."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The plainest `ReplyLike`."""

    status: int
    headers: Mapping[str, str]
    body: bytes | Sequence[bytes]


class Exposition(Protocol):
    """Answers the telemetry path from memory, and never waits for a poll.

    It is called on the event loop. One that joins and compresses a large body is a coroutine and does so in a thread.
    """

    def __call__(
        self, request_headers: Mapping[str, str], query: Mapping[str, list[str]], /
    ) -> ReplyLike | Awaitable[ReplyLike]:
        """Header names are looked up without regard to case; `query` maps a name to all its values."""


class Probe(Protocol):
    """Answers `/probe`: asks one target now, and tells what is known of it."""

    def __call__(
        self, target_id: str, seconds: float, request_headers: Mapping[str, str], /
    ) -> Awaitable[ReplyLike | None]:
        """Take `seconds` at most; `None` where no such target is watched."""


@dataclass(frozen=True, slots=True)
class Health:
    """One verdict and the sentence that explains it."""

    ok: bool
    detail: str


class ReloadError(Exception):
    """The new settings or targets were refused; the text says why and holds no secret. The old ones stay."""


@dataclass(frozen=True, slots=True)
class CollectorView:
    """Freshness of one collector on one target.

    `age_seconds` is the time since the last success by the monotonic clock. `last_error` is already redacted and cut
    short; of an unavailable collector it names what is missing.
    """

    name: str
    interval_seconds: float | None
    state: Freshness
    last_attempt: float | None = None
    last_success: float | None = None
    age_seconds: float | None = None
    last_error: str | None = None
    next_poll: float | None = None


@dataclass(frozen=True, slots=True)
class TargetView:
    """One watched machine. `up`, `visible` and `suspect` are `None` where nobody knows."""

    id: str
    kind: str
    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    client: str | None = None
    manager: str | None = None
    visible: bool | None = None
    up: bool | None = None
    suspect: bool | None = None
    collectors: Sequence[CollectorView] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    """Requests of one kind under way through a client, against the limit in force."""

    kind: str
    in_flight: int
    limit: int


@dataclass(frozen=True, slots=True)
class ClientView:
    """One DBC client. `url` carries no user information; `state` is the pacing's own word for it."""

    name: str
    url: str
    state: str
    version: str | None = None
    visible: int | None = None
    peers: int | None = None
    lanes: Sequence[Lane] = ()
    unanswered: int | None = None
    ceiling: int | None = None


@dataclass(frozen=True, slots=True)
class About:
    """The process itself, and how many there are of it."""

    version: str
    start_time: float
    config_path: str | None = None
    total_shards: int = 1


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything the pages show or start, as callables. Each may raise; only the page that asked suffers.

    `health` looks at the event loop and the scheduler's heartbeat and never at a DBC client. `target` finds one
    of `targets` by its id, and `inventory` is all of them without what costs time: what is known of them now; `listable` tells whether it may be
    followed, which it may not before anybody could look for machines. `reload` raises `ReloadError` where the new settings
    were refused. `remediation` gives `None` while that is not configured.
    """

    exposition: Exposition
    health: Callable[[], Health]
    ready: Callable[[], Health]
    reload: Callable[[], Awaitable[None]]
    targets: Callable[[], Sequence[TargetView]]
    target: Callable[[str], TargetView | None]
    inventory: Callable[[], Sequence[TargetView]]
    clients: Callable[[], Sequence[ClientView]]
    about: Callable[[], About]
    probe: Probe
    listable: Callable[[], Health]
    remediation: Callable[[], Desk | None] = lambda: None
