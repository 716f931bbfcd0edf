"""Everything that can go wrong between us and a DBC client, as one closed set.

Whose trouble it is decides what may be concluded: client trouble says nothing about a machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum


class Reason(StrEnum):
    """Closed set of failure reasons; also the values of the `reason` label."""

    REFUSED_LOCALLY = "refused_locally"  # 400 -25/-32600/404: the client did not like the request
    UNKNOWN_NODE = "unknown_node"  # 400 "create node request failed": the client does not list the node
    REFUSED_BY_NODE = "refused_by_node"  # 200 with errcode != 0
    NOT_FOUND = "not_found"  # the node says the task, image, snapshot ... does not exist
    AUTHORITY = "authority"  # 200 "check authority failed", "verify sign failed", missing credentials
    NODE_TIMEOUT = "node_timeout"  # 500 "<kind> timeout" after the server's 30 s
    OWN_DEADLINE = "own_deadline"  # no answer within our deadline: the session is probably lost
    UNPARSABLE = "unparsable"  # 500 "response parse error": free text broke the node's JSON
    WEDGED = "wedged"  # 400 "create request session failed": the client needs a restart
    ISOLATED = "isolated"  # 400 "broadcast request failed", or no peers: the client is alone
    UNREACHABLE = "unreachable"  # connection refused, reset, closed without an answer, DNS, TLS
    UNREADABLE = "unreadable"  # the node answered, in a shape that is not that of the answer
    MALFORMED = "malformed"  # the client answered with HTML, no JSON, no envelope, or a list that is none
    TOO_LARGE = "too_large"  # the answer is over the cap
    SERVER_ERROR = "server_error"  # any other 5xx
    NOT_SENT = "not_sent"  # our own gate held the request back (ceiling, suspect, not visible, busy)
    BMC = "bmc"  # IPMI failed behind a manager


CLIENT_TROUBLE = frozenset(
    {
        Reason.WEDGED,
        Reason.ISOLATED,
        Reason.UNREACHABLE,
        Reason.MALFORMED,
        Reason.TOO_LARGE,
        Reason.SERVER_ERROR,
    }
)
SILENCE = frozenset({Reason.NODE_TIMEOUT, Reason.OWN_DEADLINE})


class DbcError(Exception):
    """A call that brought no facts.

    `reason` is one of the closed set, `said` is the server's own text, cut short and redacted, and `kind` the
    server's kind of request. The exception's text never holds a request body.

    `sent` is false only where it is certain that nothing of the request left this process: it was held back, or no
    connection came about. In every doubt it is true, also where the client says that it passed nothing on
    (`failures.kept_by_client` tells that).
    """

    def __init__(self, reason: Reason, said: str = "", kind: str = "", *, sent: bool = True) -> None:
        super().__init__(f"{reason.value}: {said}" if said else reason.value)
        self.reason = reason
        self.said = said
        self.kind = kind
        self.sent = sent and reason is not Reason.NOT_SENT


@contextmanager
def unsent() -> Iterator[None]:
    """Mark what fails inside as not sent: for everything that comes before the sending."""
    try:
        yield
    except DbcError as error:
        error.sent = False
        raise
