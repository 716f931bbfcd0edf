"""What the web side is told of remediation, and what it may ask of it: plain records and one protocol.

Times are Unix seconds, `None` means unknown or "not yet". A target is a node id, or node id and task id with a slash.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

_JSON_NAMES = {
    name: f"{name}_timestamp_seconds"
    for name in ("at", "generated", "since", "created", "expires", "sent", "ended")
}


class RefusedError(Exception):
    """It cannot be done; the text says why."""


class BadDeliveryError(Exception):
    """A delivery of alerts cannot be understood; the text names the field."""


class UnusableError(Exception):
    """It could not be written down, so it did not happen; the text says why."""


class Record(Struct, frozen=True, kw_only=True, rename=_JSON_NAMES):
    """What is shown, and written as JSON; nothing is left out there."""


class Obstacle(Record, frozen=True, kw_only=True):
    """A reason by its code, in words, and with the numbers of the moment."""

    reason: str
    words: str
    detail: str = ""


class Incident(Record, frozen=True, kw_only=True):
    """A problem that goes on. `obstacle` is the first thing in the way of acting on it."""

    target: str
    problem: str
    verdict: str
    action: str | None = None
    rule: str = ""
    since: float | None = None
    obstacle: Obstacle | None = None


class Proposal(Record, frozen=True, kw_only=True):
    """An action that a person is asked about. `answer` is waiting, approved or rejected, `actor` who gave it."""

    id: str
    target: str
    action: str
    evidence: str
    created: float
    expires: float
    answer: str = "waiting"
    actor: str = ""


class Action(Record, frozen=True, kw_only=True):
    """Something that was intended, and what became of it."""

    id: str
    target: str
    action: str
    problem: str
    state: str
    evidence: str
    created: float
    sent: float | None = None
    ended: float | None = None
    result: str | None = None
    reason: str = ""
    words: str = ""
    approved_by: str = ""


class Pause(Record, frozen=True, kw_only=True):
    """Somebody wants nothing done to a node, or (empty `node_id`) to anything."""

    id: str
    node_id: str
    actor: str
    reason: str
    created: float
    expires: float


class Quarantine(Record, frozen=True, kw_only=True):
    """A target that a person must look at."""

    target: str
    reason: str
    words: str


class Budget(Record, frozen=True, kw_only=True):
    """A budget and its use; of one for each client, node or domain the fullest is shown, and whose (`of`) it is."""

    scope: str
    window_seconds: float
    most: int
    used: int
    label: str = ""
    of: str = ""


class Status(Record, frozen=True, kw_only=True):
    """Everything at a glance. `actions` are the latest, newest first; `policy` is the hash of the policy's text."""

    generated: float
    mode: str
    armed: bool
    policy: str
    healthy: int = 0
    unknown: int = 0
    killed: str = ""
    breaker: str = ""
    obstacles: tuple[Obstacle, ...] = ()
    pauses: tuple[Pause, ...] = ()
    quarantines: tuple[Quarantine, ...] = ()
    incidents: tuple[Incident, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    actions: tuple[Action, ...] = ()
    budgets: tuple[Budget, ...] = ()


class Explained(Record, frozen=True, kw_only=True):
    """Why something was or was not done: for people (`text`), and as data."""

    target: str
    at: float
    text: str
    explanation: Any = None


class Desk(Protocol):
    """Remediation as the web side meets it. What changes something raises `RefusedError` or `UnusableError`."""

    @property
    def webhook_token(self) -> str | None:
        """The bearer token that may deliver alerts, and nothing else; `None` where none is configured."""

    async def take(self, body: bytes) -> None:
        """Take a delivery of alerts: stored when this returns. Raises `BadDeliveryError` or `UnusableError`."""

    async def too_large(self) -> None:
        """Take it that a delivery was too large to be read: stored when this returns. Raises `UnusableError`."""

    def answered(self, code: int) -> None:
        """Hear how a request to the webhook was answered (HTTP status)."""

    async def status(self) -> Status:
        """Return how things stand."""

    async def explain(self, target: str, at: float | None) -> Explained:
        """Return why something was or was not done about a target, now (`None`) or then. Raises `UnusableError`."""

    async def answer(self, proposal: str, *, approve: bool, actor: str) -> Proposal:
        """Approve or reject a proposal."""

    async def pause(self, node_id: str, seconds: float, reason: str, actor: str) -> Pause:
        """Want nothing done to a node, or (empty id) to anything, for a while."""

    async def resume(self, pause: str | None, actor: str) -> tuple[str, ...]:
        """End one pause, or (`None`) all of the actor's own, and return their ids."""

    async def clear(self, target: str, actor: str) -> None:
        """End a quarantine."""

    async def clear_breaker(self, actor: str) -> None:
        """Close the breaker."""
