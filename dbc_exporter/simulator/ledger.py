"""The truth about a simulated run, for tests to judge a client by: who did what, what was lost, what was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Executed:
    """A write that a node carried out: a VM verb, a power command, a transfer, a disk or snapshot change."""

    time: float
    node: str
    target: str
    action: str
    wallet: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A forwarded request carrying credentials, as its node received it.

    `live_order` says whether the credentials' wallet had a live order (or, for managers' own calls, the right)
    on the addressed machine at that moment.
    """

    time: float
    node: str
    kind: str
    wallet: str
    live_order: bool


@dataclass(slots=True)
class LostSession:
    """A session whose timeout handler is gone and whose node does not answer.

    `node_dead_since` is None when the node was alive (its key was out of date); `answered_at` is set when a frozen
    node thawed and answered after all.
    """

    time: float
    client: str
    kind: str
    node: str
    sent_at: float
    node_dead_since: float | None
    answered_at: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a process: killed, restarted, frozen, thawed, wedged, crashed, isolated."""

    time: float
    subject: str
    what: str


@dataclass(slots=True)
class Ledger:
    """Append-only lists of what happened, and cheap counters for what happens a million times.

    Times are those of the loop the world runs on, in seconds.
    """

    now: Callable[[], float]
    executed: list[Executed] = field(default_factory=list)
    authenticated: list[Authenticated] = field(default_factory=list)
    lost: list[LostSession] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    received: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Forwarded requests by (kind, node)."""
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Ends of forwarded requests by (client, kind, `answered`|`late`|`timeout`|`refused`|`unparsable`)."""
    in_flight: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Sessions pending now by (client, kind); kind `""` is the client's total."""
    peak_in_flight: Counter[tuple[str, str]] = field(default_factory=Counter)

    def execute(self, node: str, target: str, action: str, *, wallet: str = "", nonce: str = "") -> None:
        """Record a write that was carried out."""
        self.executed.append(Executed(self.now(), node, target, action, wallet, nonce))

    def event(self, subject: str, what: str) -> None:
        """Record something that happened to a process."""
        self.events.append(Event(self.now(), subject, what))

    def secret(self, value: str) -> str:
        """Record a secret that is about to be handed out, and return it."""
        if value:
            self.secrets.add(value)
        return value

    def credentials(self, node: str, kind: str, wallet: str, *, live_order: bool) -> None:
        """Record that a node received a request with credentials."""
        self.authenticated.append(Authenticated(self.now(), node, kind, wallet, live_order))

    def session_opened(self, client: str, kind: str) -> None:
        """Count a session in."""
        for key in ((client, kind), (client, "")):
            count = self.in_flight[key] = self.in_flight[key] + 1
            self.peak_in_flight[key] = max(self.peak_in_flight[key], count)

    def session_closed(self, client: str, kind: str, outcome: str) -> None:
        """Count a session out."""
        self.in_flight[client, kind] -= 1
        self.in_flight[client, ""] -= 1
        self.outcomes[client, kind, outcome] += 1

    def sessions_dropped(self, client: str) -> None:
        """Forget a dead client process's sessions."""
        for key in [key for key in self.in_flight if key[0] == client]:
            self.in_flight[key] = 0
