"""Node configuration: hardware, load, disks and base images of a compute node. Public."""

from __future__ import annotations

from dbc_exporter.collectors.single import SingleCallCollector
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.calls import ReadCall
from dbc_exporter.facts import NodeConfig
from dbc_exporter.targets import Kind, Target


class NodeCollector(SingleCallCollector):
    """`/mining_nodes` with one compute node."""

    name = "node"
    kinds = frozenset({Kind.COMPUTE})
    lane = "query node info"

    def call(self, target: Target) -> ReadCall[NodeConfig]:
        """Return the call for a node's configuration."""
        return reads.node_config(target.id)
