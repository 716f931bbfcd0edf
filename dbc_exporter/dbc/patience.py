"""How long we wait with a DBC client, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

REMEMBERED_SECONDS = 240.0  # a client lists a node for 300 s after it last heard of it; the rest is margin


@dataclass(frozen=True, slots=True)
class Patience:
    """Times of one client; the defaults suit the real server.

    `look`: peers are looked at this recently before anything is forwarded. `local_deadline`: answers from memory take
    microseconds, more than this means trouble. `troubled`: how long a client with unusable answers is left alone.
    `settle`: after a start, a client hears of its nodes within this time. `wedge_retry`: between two tries of a wedged
    client.
    """

    look: float = 2.0
    local_deadline: float = 10.0
    troubled: float = 30.0
    settle: float = 60.0
    wedge_retry: float = 60.0
