"""A DBC client whose answers are scripted at the level of the transport, and the exporter's parts on top of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dbc_exporter.clock import Clock
from dbc_exporter.dbc.authority import Credential
from dbc_exporter.dbc.calls import Authority
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.gate import Gate

A, B, C = ("a" * 64, "b" * 64, "c" * 64)

Node = Callable[[str], Any]
"""What a node says to a path: a message, a `RawAnswer`, a `DbcError` to raise, or None to stay silent."""


def envelope(message: Any, *, errcode: int = 0, status: int = 200) -> RawAnswer:
    """Return an answer as the server wraps it."""
    return RawAnswer(
        status, "application/json", json.dumps({"errcode": errcode, "message": message}).encode()
    )


def config(_path: str) -> Any:
    """Answer like a compute node that has nothing to hide."""
    return {"version": "0.4.1.8", "cpu": {"cores": "8"}}


NODE_TIMEOUT = envelope("query node info timeout", errcode=-1, status=500)
WEDGED = envelope("create request session failed", errcode=-32701, status=400)
UNKNOWN_NODE = envelope("create node request failed", errcode=-32701, status=400)
HTML = RawAnswer(200, "text/html", b"<html></html>")


@dataclass
class Scripted:
    """A transport. `local` overrides answers from memory by the last word of the path."""

    clock: Clock
    nodes: dict[str, Node] = field(default_factory=dict)
    servers: list[str] = field(default_factory=list)
    peers: int = 3
    version: str = "0.4.1.8"
    refused: bool = False
    frozen: bool = False
    local: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[float, str, str, bool]] = field(default_factory=list)
    """Forwarded requests: when, path, node, signed."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """The bodies of forwarded requests."""
    repeatable: list[bool] = field(default_factory=list)
    """Whether forwarded requests might have been sent once more."""
    looks: list[tuple[float, str]] = field(default_factory=list)
    """Requests answered from memory: when, path."""

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        """Answer as the script says."""
        del method
        request = json.loads(body) if body else {"peer_nodes_list": []}
        peers = request["peer_nodes_list"]
        if peers:
            self.asked.append((self.clock.monotonic(), path, peers[0], "sign" in request))
            self.bodies.append(request)
            self.repeatable.append(retry)
        else:
            self.looks.append((self.clock.monotonic(), path))
        if self.refused:
            raise DbcError(Reason.UNREACHABLE, "connection refused")
        said = None if self.frozen else self._said(path, peers)
        if said is None:
            await asyncio.sleep(deadline_seconds)
            raise DbcError(Reason.OWN_DEADLINE, "no answer in time")
        if isinstance(said, DbcError):
            raise said
        await asyncio.sleep(0.03 if peers else 0)
        return said if isinstance(said, RawAnswer) else envelope(said)

    def _said(self, path: str, peers: list[str]) -> Any:
        if peers:
            node = self.nodes.get(peers[0])
            return UNKNOWN_NODE if node is None else node(path)
        word = path.removeprefix("/api/v1/")
        if word in self.local:
            return self.local[word]
        if word == "":
            return {"client_version": self.version}
        if word == "mining_nodes":
            return {"mining_nodes": [{"node_id": node, "name": "n", "version": "v"} for node in self.nodes]}
        if word == "bare_metal":
            return {"bare_metal_nodes": [{"node_id": server} for server in self.servers]}
        return {"peer_nodes": [{"node_id": f"{n:064x}"} for n in range(self.peers)]}

    def forwarded(self, word: str = "") -> int:
        """Return how many requests were forwarded whose path ends so."""
        return sum(path.endswith(word) for _, path, _, _ in self.asked)

    async def aclose(self) -> None:
        """Nothing to close."""


class Signer:
    """Signs with text."""

    name = "renter"
    serves = frozenset({Authority.OPTIONAL, Authority.RENTER, Authority.WALLET})
    can_fence = True

    def addresses(self) -> frozenset[str]:
        return frozenset({"wallet"})

    def sign(self, *, nonce: str | None = None) -> dict[str, Any]:
        return {"wallet": "wallet", "nonce": nonce or "n", "sign": "00"}


SIGNER: Credential = Signer()


def client_of(transport: Scripted, name: str = "one", busy: set[str] | None = None, **more: Any) -> DbcClient:
    """Return the exporter's view of a scripted client."""
    clock = transport.clock
    return DbcClient(name, transport, Gate(clock, set() if busy is None else busy), clock, **more)
