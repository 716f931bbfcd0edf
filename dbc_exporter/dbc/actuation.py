"""Sends what changes a machine, and the signed reads that tell later whether it arrived.

The only way from a `WriteCall` to a node; remediation alone imports it. A wallet's nonce works once per node process,
for any call, so a read with the nonce of an earlier request finds out whether that one arrived (`failures` has the
words for what it brings back).

Whoever calls learns from `DbcError.sent` whether a request may have left. A call that is cancelled may have left if
its `before_send` was called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from dbc_exporter.dbc import checks
from dbc_exporter.dbc.calls import UNSIGNED, ReadCall, WriteCall
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.pool import Pool, Way
from dbc_exporter.dbc.request import request_of
from dbc_exporter.targets import Target

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends signed calls under the pool's rules for signed reads: a usable client, a listed node, a live order of ours.

    Nothing goes to a node under suspicion. Calls about a bare-metal server are addressed to it and queue at its
    manager, whose process also remembers their nonces.
    """

    pool: Pool

    async def signed_read(self, call: ReadCall[T], target: Target, nonce: str) -> T:
        """Make a signed read with a nonce of the caller's choice; it leaves at most once. Raises `DbcError`."""
        self._check(call, target, nonce)

        def send(client: DbcClient, way: Way) -> Awaitable[T]:
            return client.forward(
                call, way.queue, way.credential, target.rent_order, way.still_open, nonce=nonce
            )

        return await self.pool.through(target, call.kind, call.authority, send)

    async def order(
        self,
        call: WriteCall[T],
        target: Target,
        nonce: str | None,
        before_send: Callable[[], Awaitable[None]],
    ) -> T:
        """Send a write at most once, signed with the given nonce (None: a fresh one, or a session).

        `before_send` is awaited at most once, after every check and right before the bytes leave: there the caller
        writes down what it is about to do. What it raises comes out of here, and nothing is sent. The answer says
        that the order was taken, not that it was carried out. Raises `DbcError`.
        """
        self._check(call, target, nonce)

        def send(client: DbcClient, way: Way) -> Awaitable[T]:
            request = request_of(
                call, way.credential, target.rent_order, nonce=nonce, once=True, before_send=before_send
            )
            return client.carry(request, way.queue, way.still_open)

        return await self.pool.through(target, call.kind, call.authority, send)

    def _check(self, call: ReadCall[T] | WriteCall[T], target: Target, nonce: str | None) -> None:
        """Refuse what would go to somebody else, or be signed in another way than the caller believes."""
        if call.authority in UNSIGNED:
            raise checks.refused("only a signed call is sent here")
        if call.peer != target.id:
            raise checks.refused("the call is addressed to another node than its target")
        if nonce is None:
            return
        credential = self.pool.credential(target)
        if not nonce or (credential is not None and not credential.can_fence):
            raise DbcError(Reason.AUTHORITY, "no nonce of our choice can be signed", sent=False)
