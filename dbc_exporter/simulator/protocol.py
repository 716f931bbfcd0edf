"""What passes between the simulator's parts: HTTP requests and answers, forwarded requests, nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dbc_exporter.simulator.host import NodeHost

COMPUTE, BARE_METAL_SERVER, BARE_METAL_MANAGER = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to a client node; `target` is the raw request target, never decoded."""

    method: str
    target: str
    version: str = "1.1"
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer; `close` asks the shell to close the connection after it."""

    status: int
    body: bytes
    content_type: str = "application/json"
    close: bool = False


class ConnectionLost(Exception):  # noqa: N818 - an event of the wire, named as such
    """The client process died and closed the socket without an answer."""


@dataclass(frozen=True, slots=True)
class NodeRequest:
    """A request as the client node forwards it over p2p.

    `kind` is the text the server puts before " timeout" (`query node info`, `list task`, `bare metal power`);
    `segments` is the path below `/api/v1` (`("tasks", "restart", "<id>")`).
    """

    kind: str
    segments: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def additional(self) -> Mapping[str, Any]:
        """The `additional` object of the body."""
        found = self.body.get("additional")
        return found if isinstance(found, dict) else {}

    def text(self, key: str) -> str:
        """Return a string member of the body, `""` where it is absent or no string."""
        found = self.body.get(key)
        return found if isinstance(found, str) else ""


class SimNode(Protocol):
    """A node process behind the p2p network: a compute node or a bare-metal manager.

    `alive` and `frozen` are set by `NodeHost` (kill, restart, freeze, thaw); a node only reads them.
    """

    node_id: str
    name: str
    version: str
    node_type: int
    alive: bool
    frozen: bool

    def addresses(self) -> Mapping[str, int]:
        """Return every node id served by this process with its gossiped node type.

        After a change call `host.addresses_changed()`: new ids are announced with the next gossip round.
        """
        ...

    def attached(self, host: NodeHost) -> None:
        """Take the host this process runs on; called once, by `World.add_node`."""
        ...

    def started(self) -> None:
        """Begin (or begin again, after a kill) with an empty memory; persistent state stays."""
        ...

    async def answer(self, addressed_to: str, request: NodeRequest) -> str | None:
        """Return the answer's JSON text as the node would build it, None where it never answers.

               Called for one request at a time.
        Time is spent through `host.work(seconds)`, which also stands still while the process is frozen.
        """
        ...


def node_answer(message: str, errcode: int = 0) -> str:
    """Return a node's plain answer; `message` is pasted raw, as the node does it."""
    return f'{{"errcode":{errcode}, "message":"{message}"}}'


NOT_SUPPORTED_ON_BARE_METAL = node_answer("bare metal nodes are not supported", -3)
