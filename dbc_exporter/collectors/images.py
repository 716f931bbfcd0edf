"""Base images on a node. Public: a renter's signature would only add the renter's own VM files."""

from __future__ import annotations

from dbc_exporter.collectors.single import SingleCallCollector
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.calls import ReadCall
from dbc_exporter.facts import ImageList
from dbc_exporter.targets import Kind, Target


class ImagesCollector(SingleCallCollector):
    """`/images` of a compute node."""

    name = "images"
    kinds = frozenset({Kind.COMPUTE})
    lane = "list images"

    def call(self, target: Target) -> ReadCall[ImageList]:
        """Return the call for a node's images."""
        return reads.images(target.id)
