"""A client node whose answers are scripted, behind its real HTTP port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dbc_exporter.clock import SystemClock
from dbc_exporter.simulator.client import ClientNode
from dbc_exporter.simulator.protocol import ConnectionLost, Request, Response
from dbc_exporter.simulator.server import ClientServer
from dbc_exporter.simulator.wire_faults import Wire
from dbc_exporter.simulator.world import World

BODY = b'{"errcode":0, "message":"ok"}\r\n'


class ScriptedClient(ClientNode):
    """Answers everything with BODY, `/crash` by dying, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(World(clock=SystemClock()), "client", version="0.4.1.8", fresh=False)
        self.asked: list[Request] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def handle(self, request: Request) -> Response:
        self.asked.append(request)
        await self.hold.wait()
        if request.target == "/crash":
            raise ConnectionLost
        return Response(200, BODY)


class Port:
    """The open port and raw access to it."""

    def __init__(self, server: ClientServer, client: ScriptedClient) -> None:
        self.server = server
        self.client = client

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        return await asyncio.open_connection(self.server.host, self.server.port, limit=1 << 26)

    async def until_closed(self, sent: bytes, *, end: bool = False) -> bytes:
        """Send bytes and return everything that comes until the server closes the connection."""
        reader, writer = await self.connect()
        writer.write(sent)
        if end:
            writer.write_eof()
        try:
            return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def open_port(*, idle_seconds: float = 30.0) -> AsyncIterator[Port]:
    """Serve a scripted client on a free port of loopback."""
    client = ScriptedClient()
    server = ClientServer(client, wire=Wire(), idle_seconds=idle_seconds)
    await server.open()
    try:
        yield Port(server, client)
    finally:
        await server.close()
        await asyncio.sleep(0)


def post(body: bytes = b"{}", *headers: str, target: str = "/api/v1/x", version: str = "1.1") -> bytes:
    """Return a POST request's bytes."""
    lines = [f"POST {target} HTTP/{version}", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
