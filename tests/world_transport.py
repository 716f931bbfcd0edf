"""A transport that hands requests to a simulated client without a socket, in virtual or real time."""

from __future__ import annotations

import asyncio
from collections import Counter

from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.simulator.client import ClientNode
from dbc_exporter.simulator.protocol import ConnectionLost, Request


class WorldTransport:
    """Talks to one `ClientNode` in process, and counts what is in flight by the first word of the path."""

    def __init__(self, client: ClientNode) -> None:
        self._client = client
        self.in_flight: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        """Exchange one request for one answer."""
        del retry
        kind = (
            "local"
            if b'"peer_nodes_list":[]' in body.replace(b" ", b"") or method == "GET"
            else path.split("/")[3]
        )
        for key in (kind, "all"):
            self.in_flight[key] += 1
            self.peak[key] = max(self.peak[key], self.in_flight[key])
        try:
            return await self._exchange(method, path, body, deadline_seconds)
        finally:
            for key in (kind, "all"):
                self.in_flight[key] -= 1

    async def _exchange(self, method: str, path: str, body: bytes, deadline_seconds: float) -> RawAnswer:
        request = Request(method=method, target=path, version="1.1", body=body)
        try:
            async with asyncio.timeout(deadline_seconds):
                response = await self._client.handle(request)
        except TimeoutError:
            raise DbcError(Reason.OWN_DEADLINE) from None
        except ConnectionRefusedError:
            raise DbcError(Reason.UNREACHABLE, "connection refused") from None
        except ConnectionLost:
            raise DbcError(Reason.UNREACHABLE, "connection closed without an answer") from None
        return RawAnswer(response.status, response.content_type, response.body)

    async def aclose(self) -> None:
        """Nothing to close."""
