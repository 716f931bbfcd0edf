"""A client node's HTTP port: real sockets in front of `ClientNode.handle`, with evhttp's manners."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
from typing import cast

from dbc_exporter.simulator.client import ClientNode
from dbc_exporter.simulator.protocol import ConnectionLost, Request, Response
from dbc_exporter.simulator.wire import CONTINUE, Head, Refused, RequestReader, answer_bytes, refusal_bytes
from dbc_exporter.simulator.wire_faults import DELAY, Broken, Wire, WireFault

IDLE_SECONDS = 30.0
BACKLOG = 128
READ_AHEAD_BYTES = 256 * 1024
_LINGER_ZERO = struct.pack("ii", 1, 0)


class ClientServer:
    """Listens for one client node; closed while the client's process is down, open again on the same port after."""

    def __init__(
        self, client: ClientNode, *, wire: Wire | None = None, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self.client = client
        self.wire = wire or Wire()
        self.idle_seconds = idle_seconds
        self.host = ""
        self.port = 0
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._reopening: asyncio.Task[None] | None = None

    async def open(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one, kept for all later openings. Raises OSError when it is taken."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), host, port, backlog=BACKLOG, reuse_address=True
        )
        self.host, self.port = self._server.sockets[0].getsockname()[:2]
        if self._follow not in self.client.changed:
            self.client.changed.append(self._follow)

    async def opened(self) -> None:
        """Wait until the port is open again after the client's restart."""
        if self._reopening is not None:
            await self._reopening

    async def close(self) -> None:
        """Stop listening for good and drop all connections."""
        with contextlib.suppress(ValueError):
            self.client.changed.remove(self._follow)
        if self._reopening is not None:
            self._reopening.cancel()
        self._drop()

    @property
    def url(self) -> str:
        """The client's base address, without the API's path."""
        return f"http://{self.host}:{self.port}"

    def _follow(self) -> None:
        """Do as the process did: its end closes everything, its start listens again."""
        if not self.client.alive:
            self._drop()
        elif self._server is None:
            self._reopening = asyncio.get_running_loop().create_task(self.open(self.host, self.port))

    def _drop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            connection.drop()


class Connection(asyncio.Protocol):
    """One connection: requests are answered one after the other, in order."""

    def __init__(self, server: ClientServer) -> None:
        self._server = server
        self._reader = RequestReader()
        self._serving: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = False

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection; it is closed if nothing comes for the idle time."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)
        self._wait_idle()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget a connection that the peer or the server closed; a request in hand is given up."""
        self._server.connections.discard(self)
        self._cancel_idle()
        self._writable.set()
        if self._serving is not None:
            self._serving.cancel()

    def data_received(self, data: bytes) -> None:
        """Take bytes; while a request is being answered they wait."""
        self._reader.feed(data)
        if self._serving is None:
            self._advance()
        elif self._reader.buffered > READ_AHEAD_BYTES:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Answer what is in hand to a peer that has said its last word, then close."""
        self._ended = True
        if self._serving is None:
            last = self._reader.end()
            if last is None:
                return False
            self._serve(*last)
        return True

    def pause_writing(self) -> None:
        """Hold slow answers back while the peer does not read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on writing."""
        self._writable.set()

    def drop(self) -> None:
        """Close at once, as the end of the process does."""
        self._transport.abort()

    # -- requests

    def _advance(self) -> None:
        """Start on the next complete request if there is one."""
        self._cancel_idle()
        try:
            found = self._reader.next()
        except Refused as refused:
            self._transport.write(refusal_bytes(refused.status, self._server.client.world.clock.wall()))
            self._transport.close()
            return
        if found is not None:
            self._serve(*found)
            return
        if self._reader.continue_due():
            self._transport.write(CONTINUE)
        if self._ended:
            self._transport.close()
        else:
            self._wait_idle()

    def _serve(self, head: Head, body: bytes) -> None:
        self._serving = asyncio.get_running_loop().create_task(self._answer(head, body))
        self._serving.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._serving = None
        if task.cancelled() or self._transport.is_closing():
            return
        error = task.exception()
        if error is not None:
            self._transport.abort()
            raise error
        self._transport.resume_reading()
        self._advance()

    async def _answer(self, head: Head, body: bytes) -> None:
        client = self._server.client
        request = Request(head.method, head.target, f"1.{head.minor}", body)
        try:
            response = await client.handle(request)
        except (ConnectionLost, ConnectionRefusedError):
            self._transport.abort()
            return
        fault = self._server.wire.fault
        if fault is not None and fault.hits():
            await self._answer_badly(fault, head, response)
            return
        self._transport.write(answer_bytes(head, response, client.world.clock.wall()))
        if response.close or not head.keep_alive:
            self._transport.close()

    async def _answer_badly(self, fault: WireFault, head: Head, response: Response) -> None:
        if fault.kind == DELAY:
            await asyncio.sleep(fault.delay_seconds)
        broken = fault.spoil(head, response, self._server.client.world.clock.wall())
        await self._write(broken)
        if broken.reset:
            self._reset()
        elif broken.close:
            self._transport.close()

    async def _write(self, broken: Broken) -> None:
        if broken.bytes_per_second is None:
            self._transport.write(broken.data)
            return
        step = max(1, math.ceil(broken.bytes_per_second / 10))
        for start in range(0, len(broken.data), step):
            await self._writable.wait()
            self._transport.write(broken.data[start : start + step])
            await asyncio.sleep(step / broken.bytes_per_second)

    def _reset(self) -> None:
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()

    # -- idle connections

    def _wait_idle(self) -> None:
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(self._server.idle_seconds, self._transport.close)

    def _cancel_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
