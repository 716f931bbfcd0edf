"""The nonce fence: finds out whether a request without an answer arrived, and keeps it from arriving later.

A node remembers each nonce it has accepted, in memory, for any call. A read signed with the nonce of the lost request
is therefore accepted only if that request has not arrived, and from then on it would be refused. Requests to a node
are handled one after the other, so a request queued before the read has arrived, and one behind it comes too late.

A node that was restarted has forgotten its nonces. The canary, a nonce it accepted before the request was sent, tells:
as long as it refuses the canary, the memory goes back to before the request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum

from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.failures import nonce_refused

Ask = Callable[[str], Awaitable[object]]


class Finding(StrEnum):
    """What the fence found out."""

    NEVER_ARRIVED = "never_arrived"  # and never can
    ARRIVED = "arrived"  # it, or our own earlier inquiry with its nonce
    FORGOTTEN = "forgotten"  # the node was restarted: nobody knows
    OPEN = "open"  # ask again later


async def inquire(nonce: str, canary: str, ask: Ask, fresh_nonce: Callable[[], str]) -> Finding:
    """Ask a node with the nonce of a lost request. `ask` makes a harmless signed read with a nonce, exactly once.

    The nonce is spent afterwards in any case, also when no answer comes.
    """
    accepted = await _accepted(nonce, ask)
    if accepted is None:
        return Finding.OPEN
    forgotten = await _accepted(canary, ask)
    # a nonce never seen before must work, or a refusal says something of our signature and nothing of memory
    if forgotten is None or await _accepted(fresh_nonce(), ask) is not True:
        return Finding.OPEN
    if forgotten:
        return Finding.FORGOTTEN
    return Finding.NEVER_ARRIVED if accepted else Finding.ARRIVED


async def _accepted(nonce: str, ask: Ask) -> bool | None:
    """Tell whether a node takes a nonce, `None` when it did not say."""
    try:
        await ask(nonce)
    except DbcError as error:
        return False if nonce_refused(error) else None
    return True
