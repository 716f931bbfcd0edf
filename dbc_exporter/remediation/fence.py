"""The nonce fence: finds out whether a request without an answer arrived, and keeps it from arriving later.

A node's process remembers every nonce it accepted, for any call. It handles requests one after the other, and looks
at the nonce before it does anything. So of two requests with one nonce only the first is carried out:

* A read with the nonce of the lost request is accepted: the request has not arrived at this process. Should it stand
  behind the read in a queue, wherever that is, it finds its nonce spent and is refused.
* The read is refused: the request stood before it, or an earlier read of ours did whose answer was lost.

A new process has forgotten all nonces, and its accepting one proves nothing. The canary tells: a nonce that was
accepted right before the request was sent and never used since. While it is refused, the memory goes back to before
the request. It is asked after the nonce, so it speaks for the process that accepted the nonce, and only once.

What is left: a request held back outside the node (in a client that stands still) past a verdict "never arrived" is
carried out after all if the node is restarted before it comes. It still is carried out once only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum

from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.dbc.failures import nonce_refused

Ask = Callable[[str], Awaitable[object]]
_PAST_AUTHORITY = frozenset({Failure.BMC, Failure.UNREADABLE})  # said only to whom the node has accepted


class Finding(StrEnum):
    """What the fence found out."""

    NEVER_ARRIVED = "never_arrived"  # and never can, in this process of the node
    ARRIVED = "arrived"
    SPENT = "spent"  # it can arrive no more, but whether it had is unknown
    FORGOTTEN = "forgotten"  # the node was restarted: nobody will ever know
    OPEN = "open"  # the node did not say: ask again later


async def inquire(
    nonce: str,
    canary: str,
    ask: Ask,
    fresh_nonce: Callable[[], str],
    burning: Callable[[], Awaitable[None]],
    *,
    first: bool,
) -> Finding:
    """Ask a node with the nonce of a lost request. `ask` makes a harmless signed read with a nonce, exactly once.

    `burning` is awaited right before the nonce is used; `first` tells that this never happened before. A nonce never
    seen before must work first: else a refusal would say something of our signature and nothing of the node's memory,
    and the nonce is not used.
    """
    if not await _accepted(fresh_nonce(), ask):
        return Finding.OPEN
    await burning()
    accepted = await _accepted(nonce, ask)
    if accepted is None:
        return Finding.OPEN
    if not accepted:
        return Finding.ARRIVED if first else Finding.SPENT
    forgotten = await _accepted(canary, ask)
    if forgotten is None:
        return Finding.SPENT  # the canary may be spent now, by us, and can be asked no more
    return Finding.FORGOTTEN if forgotten else Finding.NEVER_ARRIVED


async def _accepted(nonce: str, ask: Ask) -> bool | None:
    """Tell whether a node takes a nonce, `None` when it did not say."""
    try:
        await ask(nonce)
    except DbcError as error:
        if nonce_refused(error):
            return False
        return True if error.reason in _PAST_AUTHORITY else None
    return True
