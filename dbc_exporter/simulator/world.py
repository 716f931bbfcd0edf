"""A DBC network without sockets: nodes, the clients that forward requests to them, the chain, the ledger."""

from __future__ import annotations

from dbc_exporter.clock import Clock
from dbc_exporter.simulator.chain import Chain
from dbc_exporter.simulator.client import ClientNode
from dbc_exporter.simulator.host import Address, NodeHost
from dbc_exporter.simulator.ledger import Ledger
from dbc_exporter.simulator.protocol import SimNode
from dbc_exporter.simulator.timing import Timing


class World:
    """Holds everything; runs on whatever asyncio loop its coroutines are awaited on.

    `clock.monotonic` must be the loop's own time (`SystemClock` under a normal loop, `LoopClock` under a virtual
    one). `time_factor` below 1 makes the slow things (VM creation, transfers, power) faster.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        seed: int = 0,
        time_factor: float = 1.0,
        timing: Timing | None = None,
        verify_signatures: bool = True,
    ) -> None:
        self.clock = clock
        self.now = clock.monotonic
        self.seed = seed
        self.time_factor = time_factor
        self.timing = timing or Timing()
        self.verify_signatures = verify_signatures
        self.ledger = Ledger(self.now)
        self.chain = Chain()
        self.hosts: dict[str, NodeHost] = {}
        self.addresses: dict[str, Address] = {}
        self._sorted: list[Address] | None = None
        self.clients: dict[str, ClientNode] = {}
        self.image_servers: dict[str, dict[str, int]] = {}
        """Image centres by id, each with its files and their sizes in bytes."""

    @property
    def nodes(self) -> dict[str, SimNode]:
        """The node processes by their own id (a manager's servers are in `addresses`)."""
        return {node_id: host.node for node_id, host in self.hosts.items()}

    def add_node(self, node: SimNode, *, fresh: bool = False) -> NodeHost:
        """Add a node process: long running and listed, or (`fresh`) started just now and listed in about 11 s."""
        host = self.hosts[node.node_id] = NodeHost(self, node, fresh=fresh)
        since = self.now() if fresh else float("-inf")
        self.take_addresses(host, since=since)
        node.attached(host)
        node.started()
        return host

    def add_client(self, name: str, *, version: str = "0.4.1.8", fresh: bool = False) -> ClientNode:
        """Add a client node: connected long ago, or (`fresh`) started just now and still to hear its first gossip."""
        client = self.clients[name] = ClientNode(self, name, version=version, fresh=fresh)
        return client

    def take_addresses(self, host: NodeHost, since: float | None = None) -> None:
        """Bring the address book up to date with a host's addresses."""
        now = self.now()
        present = host.node.addresses()
        for node_id, node_type in present.items():
            known = self.addresses.get(node_id)
            if known is None or known.until < now:
                self.addresses[node_id] = Address(node_id, node_type, host, now if since is None else since)
        for node_id in host.address_ids.difference(present):
            self.addresses[node_id].until = min(self.addresses[node_id].until, now)
        host.address_ids.update(present)
        self._sorted = None

    def sorted_addresses(self) -> list[Address]:
        """Return the address book by node id, the order of every list."""
        if self._sorted is None:
            self._sorted = [self.addresses[node_id] for node_id in sorted(self.addresses)]
        return self._sorted
