"""Node configuration: hardware, load, disks and base images of a compute node. Public."""

from __future__ import annotations

from dbc_exporter.collectors.base import Outcome
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.pool import Reader
from dbc_exporter.targets import Kind, Target


class NodeCollector:
    """`/mining_nodes` with one compute node."""

    name = "node"
    kinds = frozenset({Kind.COMPUTE})
    lane = "query node info"
    authenticated = False
    calls_per_target = 1.0

    def unavailable(self, target: Target) -> str | None:
        """Every compute node can be asked."""
        del target
        return None

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """Read the node's configuration as one object."""
        return Outcome({"": await read(reads.node_config(target.id), target)})
