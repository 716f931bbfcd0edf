"""Base images on a node. Public: a renter's signature would only add the renter's own VM files."""

from __future__ import annotations

from dbc_exporter.collectors.base import Outcome
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.pool import Reader
from dbc_exporter.targets import Kind, Target


class ImagesCollector:
    """`/images` of a compute node."""

    name = "images"
    kinds = frozenset({Kind.COMPUTE})
    lane = "list images"
    authenticated = False
    calls_per_target = 1.0

    def unavailable(self, target: Target) -> str | None:
        """Every compute node can be asked."""
        del target
        return None

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """Read the node's images as one list."""
        return Outcome({"": await read(reads.images(target.id), target)})
