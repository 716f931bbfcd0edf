"""A manager's own automation: it looks every server up on the chain and switches off what is no longer rented.

It runs in the service thread: three seconds per server in which the manager is deaf, answers nothing and gossips
nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dbc_exporter.simulator.bare_metal_server import BareMetalServer
from dbc_exporter.simulator.chain import LIVE_ORDER, ONLINE, RENTED

if TYPE_CHECKING:
    from dbc_exporter.simulator.bare_metal import ManagerNode

AFTER_START = 180.0
"""Seconds from a manager's start to its first round."""
EVERY = 900.0
"""Seconds from one round's end to the next one's start."""
PER_SERVER = 3.0


async def rounds(manager: ManagerNode, first_after: float) -> None:
    """Run rounds for as long as the manager's process lives."""
    await asyncio.sleep(first_after)
    while True:
        await one_round(manager)
        await asyncio.sleep(EVERY)


async def one_round(manager: ManagerNode) -> None:
    """Hold the service thread for one pass over all servers."""
    if not manager.servers:
        return
    async with manager.host.occupied():
        for server in list(manager.servers.values()):
            await _check(manager, server)


async def _check(manager: ManagerNode, server: BareMetalServer) -> None:
    host, chain = manager.host, manager.host.world.chain
    await host.work(PER_SERVER)
    if chain.outage:
        await host.work(host.random.uniform(*host.world.timing.chain_outage_answer))
        return
    status = chain.status(server.node_id)
    live = any(order.rent_status in LIVE_ORDER for order in chain.orders(server.node_id))
    if status in RENTED and live:
        server.owes_power_off = True
    elif status in ONLINE | RENTED and server.owes_power_off:
        server.owes_power_off = False
        await manager.run_power(server, "off")
        manager.record(server, "power off", manager.node_id, "")
