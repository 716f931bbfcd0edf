"""Sources whose target is a DBC client itself, all answered from its memory but the image centres."""

from __future__ import annotations

from dataclasses import dataclass

from dbc_exporter.dbc import reads
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.facts import Fact


class ClientCollector:
    """Version, peers and node lists of a client; what all other polling rests on."""

    name = "client"

    async def fetch(self, client: DbcClient) -> dict[str, Fact]:
        """Refresh the client's own view."""
        await client.refresh()
        return {}


class LanCollector:
    """`/lan` without a peer: the VXLAN networks a client knows."""

    name = "lan"

    async def fetch(self, client: DbcClient) -> dict[str, Fact]:
        """Read the networks as one list."""
        return {"": await client.local(reads.lan_list())}


@dataclass(slots=True)
class CentreImagesCollector:
    """Images of the image centres a client knows.

    Off by default: the client runs rsync for it in its only HTTP thread, and answers nobody meanwhile.
    """

    name: str = "centre_images"

    async def fetch(self, client: DbcClient) -> dict[str, Fact]:
        """Read every centre's images, one centre after the other."""
        servers = await client.local(reads.image_servers())
        return {server: await client.local(reads.centre_images(server)) for server in servers.servers}
