"""The points at which a process can be told to die: around commits of the journal, and around requests.

The journal and the transport are the shipped ones, with points on all their sides.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import msgspec

from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.transport import HttpTransport
from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.model import Intent

OpenSocket = Callable[[aiohttp.AddrInfoType], socket.socket]
ORDER, CANARY, NONCE = "the order", "the canary", "the order's nonce"
KNOCK = "a knock before signed calls"
READS = {"tasks": "a read of the VM", "mining_nodes": "a read of the node", "rent_orders": KNOCK}


class Points:
    """Writes down every point passed, and dies at one. The same point passed again gets a number."""

    def __init__(self, file: str, kill_at: str) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._kill_at = kill_at
        self._passed: dict[str, int] = {}

    def __call__(self, name: str) -> None:
        times = self._passed[name] = self._passed.get(name, 0) + 1
        named = name if times == 1 else f"{name} ({times})"
        os.write(self._file, f"{named}\n".encode())
        if named == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Story:
    """What every nonce and every request is for, and what leaves right now."""

    points: Points
    nonces: dict[str, str] = field(default_factory=dict)
    leaving: tuple[str, bytes] | None = None
    ordered: bool = False
    """Whether the order of the intent at hand has been given, so that unknown nonces are the fence's."""
    _before: str = ""

    def name(self, path: str, body: bytes) -> str:
        """Name a request; "" for those the client answers from memory."""
        said = msgspec.json.decode(body) if body else {}
        if not said.get("peer_nodes_list"):
            return ""
        before, self._before = self._before, self._named(path.removeprefix("/api/v1/"), said)
        if self._before == KNOCK and before == READS["tasks"]:
            self._before = "a read of the orders"
        return self._before

    def _named(self, below: str, said: dict[str, str]) -> str:
        nonce = said.get("nonce", "")
        if below.startswith("tasks/restart/"):
            self.nonces[nonce], self.ordered = NONCE, True
            return ORDER
        if below == "tasks":
            known = self.nonces.setdefault(nonce, "a fresh nonce" if self.ordered else CANARY)
            return f"a read with {known}{' again' if known == CANARY and self.ordered else ''}"
        return READS[below.partition("/")[0]]

    def recall(self, intents: tuple[Intent, ...]) -> None:
        """Know the nonces that an earlier life used."""
        for intent in intents:
            if intent.nonce and intent.open:
                self.nonces |= {intent.nonce: NONCE, intent.canary: CANARY}
                self.ordered = True

    def left(self, data: bytes) -> None:
        """Hear of bytes that the kernel has taken."""
        if self.leaving is not None and self.leaving[1] in data:
            name, _ = self.leaving
            self.leaving = None
            self.points(f"{name} has left")


class WatchedSocket(socket.socket):
    """Tells what has left."""

    story: Story

    def send(self, data, flags=0):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 (bytes of any kind)
        sent = super().send(data, flags)
        if sent == len(data):
            self.story.left(bytes(data))
        return sent


def open_socket(shipped: OpenSocket, address: aiohttp.AddrInfoType) -> socket.socket:
    """Open a socket as the transport does, and watch it."""
    plain = shipped(address)
    return WatchedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())


@dataclass
class KillableTransport:
    """The shipped transport, with points on both sides of it and a network that loses things."""

    inner: HttpTransport
    story: Story
    loses: str

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        name = self.story.name(path, body)
        if not name:
            return await self.inner.send(method, path, body, deadline_seconds=deadline_seconds, retry=retry)
        self.story.points(f"{name} is about to leave")
        loses, self.loses = (self.loses, "") if name == ORDER else ("", self.loses)
        if loses == "the request":
            raise DbcError(Reason.OWN_DEADLINE)
        self.story.leaving = name, body
        answer = await self.inner.send(method, path, body, deadline_seconds=deadline_seconds, retry=retry)
        self.story.points(f"{name} is answered")
        if loses == "the answer":
            raise DbcError(Reason.OWN_DEADLINE)
        return answer

    async def aclose(self) -> None:
        await self.inner.aclose()


class KillableJournal(Journal):
    """The shipped journal, with points around every commit that writes an event, named after it."""

    story: Story
    _written: str = ""

    def _note(
        self, kind: str, at: float, *, subject: str = "", intent: str = "", body: object = None
    ) -> None:
        super()._note(kind, at, subject=subject, intent=intent, body=body)
        self._written = kind

    def _commit(self) -> None:
        if self._written:
            self.story.points(f"{self._written} is about to be committed")
        super()._commit()
        if self._written:
            self.story.points(f"{self._written} is committed")

    def _write_mark(self) -> None:
        super()._write_mark()
        self.story.points(f"{self._written} is marked")
        self.story.ordered = self.story.ordered and self._written != "intended"
        self._written = ""
