"""A transport that hands requests to a simulated client without a socket, in virtual or real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.simulator.client import ClientNode
from dbc_exporter.simulator.protocol import ConnectionLost, Request


class WorldTransport:
    """Talks to one `ClientNode` in process.

    `spoil` is what befalls answers on their way, and `loses` tells of which paths none arrives.
    """

    def __init__(self, client: ClientNode) -> None:
        self._client = client
        self.spoil: Callable[[RawAnswer], RawAnswer] | None = None
        self.loses: Callable[[str], bool] | None = None

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        """Exchange one request for one answer."""
        del retry
        request = Request(method=method, target=path, version="1.1", body=body)
        try:
            async with asyncio.timeout(deadline_seconds):
                response = await self._client.handle(request)
                if self.loses and self.loses(path):
                    await asyncio.Event().wait()
        except TimeoutError:
            raise DbcError(Reason.OWN_DEADLINE) from None
        except ConnectionRefusedError:
            raise DbcError(Reason.UNREACHABLE, "connection refused") from None
        except ConnectionLost:
            raise DbcError(Reason.UNREACHABLE, "connection closed without an answer") from None
        answer = RawAnswer(response.status, response.content_type, response.body)
        return self.spoil(answer) if self.spoil else answer

    async def aclose(self) -> None:
        """Nothing to close."""
