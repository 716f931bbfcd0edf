"""A World filled from a scenario, with everything in it found by name, label and kind."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from functools import partial

from dbc_exporter.clock import Clock
from dbc_exporter.simulator import compute_fleet, manager_fleet
from dbc_exporter.simulator.bmc import BmcNetwork
from dbc_exporter.simulator.chain import Order
from dbc_exporter.simulator.fault_registry import Hits
from dbc_exporter.simulator.keys import Key, derive_key, key_from_seed
from dbc_exporter.simulator.scenario import FaultEntry, Rental, Scenario
from dbc_exporter.simulator.selection import Member
from dbc_exporter.simulator.timeline import Timeline
from dbc_exporter.simulator.timing import Timing
from dbc_exporter.simulator.wire_faults import Wire
from dbc_exporter.simulator.world import World


class Fleet:
    """A built scenario.

    `compute`, `managers` and `servers` list the members by kind (a server's subject is its manager and its record).
    `wallets` and `manager_keys` hold the key pairs, by wallet name and by manager id. `start` sets the timeline and
    the transfers going; `stop` ends whatever the fleet itself keeps running.
    """

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.scenario = scenario
        self.world = World(
            clock=clock,
            seed=scenario.seed,
            time_factor=scenario.time_factor,
            timing=_timing(scenario),
            verify_signatures=scenario.verify_signatures,
        )
        self.bmcs = BmcNetwork()
        self.compute: list[Member] = []
        self.managers: list[Member] = []
        self.servers: list[Member] = []
        self.wires: dict[str, Wire] = {}
        self.wallets: dict[str, Key] = {}
        self.manager_keys: dict[str, Key] = {}
        self.timeline = Timeline(self)
        self._injected = 0
        self._compute_numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    # -- life

    def start(self) -> None:
        """Let the timeline and the transfers begin, now being their zero. Needs a running loop."""
        for transfer in self.scenario.transfers:
            self.timeline.later(transfer.at, partial(compute_fleet.start_transfer, self, transfer))
        for entry in self.scenario.faults:
            self.timeline.run(entry)

    async def stop(self) -> None:
        """End the timeline, the managers' rounds and what faults keep running."""
        self.timeline.stop()
        for member in self.managers:
            member.subject.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a background task until it is done or the fleet stops."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def inject(self, entry: FaultEntry) -> list[Member]:
        """Let a validated fault line happen at once; returns what it hits."""
        self._injected += 1
        return self.timeline.inject(entry, f"call {self._injected}")

    # -- members

    def candidates(self, hits: Hits) -> Iterable[Member]:
        """Return everything a fault of this kind may hit now."""
        if hits == "nodes":
            return self.compute
        if hits == "managers":
            return self.managers
        if hits == "servers":
            return self._present_servers()
        if hits == "clients":
            return [Member(name, name, {}, client) for name, client in self.world.clients.items()]
        if hits == "vms":
            return compute_fleet.vms(self.compute)
        if hits == "transfers":
            return compute_fleet.transfers(self.compute)
        return [Member("network", "network", {}, None)]

    def find_compute(self, name: str) -> Member | None:
        """Return the compute node of this name or id."""
        return next((member for member in self.compute if name in (member.name, member.id)), None)

    def add_compute(self, group: int, *, fresh: bool = False) -> Member:
        """Add one more compute node like those of a group of the scenario."""
        return compute_fleet.add_node(self, group, fresh=fresh)

    def next_number(self) -> int:
        """Return the next compute node's number; a number is never used twice."""
        return next(self._compute_numbers)

    def remove_compute(self, node_id: str) -> None:
        """Take a compute node away for good; it stays listed until the clients forget it."""
        self.world.hosts[node_id].kill()
        self.compute = [member for member in self.compute if member.id != node_id]

    def rent(self, machine_id: str, rental: Rental | None, number: int, gpus: int = 0) -> None:
        """Write a group's rental of one machine on the chain; without one the machine is online and free."""
        machine = self.world.chain.machine(machine_id)
        if rental is None:
            return
        wallet = self.wallets[rental.wallet].wallet
        order_id = rental.order_id.replace("{n}", str(number)) if rental.order_id else wallet
        order = Order(order_id, wallet, rent_status=rental.status, gpu_index=tuple(range(gpus)))
        self.world.chain.rent(machine_id, order)
        machine.status = rental.machine_status

    def _present_servers(self) -> list[Member]:
        known = {member.id for member in self.servers}
        added = [
            Member(server.node_id, server.uuid, {"manager": manager.name}, (manager.subject, server))
            for manager in self.managers
            for server in manager.subject.servers.values()
            if server.node_id not in known
        ]
        here = [member for member in self.servers if member.id in member.subject[0].servers]
        return here + added


def build_world(scenario: Scenario, *, clock: Clock) -> Fleet:
    """Build everything a scenario names; needs a running loop, as managers' prune rounds begin at once.

    Under `VirtualTimeLoop` pass that loop's `LoopClock`; 2,000 nodes take well under a second unless signatures are
    verified.
    """
    fleet = Fleet(scenario, clock)
    real = scenario.verify_signatures
    for wallet in scenario.wallets:
        made = (
            key_from_seed(wallet.seed, real=real)
            if wallet.seed
            else derive_key(scenario.seed, "wallet", wallet.name, real=real)
        )
        fleet.wallets[wallet.name] = made
    for centre in scenario.image_servers:
        fleet.world.image_servers[centre.name] = {image.name: image.size for image in centre.images}
    for index, group in enumerate(scenario.compute):
        for _ in range(group.count):
            compute_fleet.add_node(fleet, index)
    for manager_group in scenario.managers:
        for _ in range(manager_group.count):
            manager_fleet.add_manager(fleet, manager_group)
    for given in scenario.clients:
        client = fleet.world.add_client(given.name, version=given.version)
        fleet.wires[given.name] = Wire()
        for member in fleet.compute:
            client.networks.update(member.subject.networks)
    return fleet


def _timing(scenario: Scenario) -> Timing:
    latency = scenario.latency
    return Timing(
        request_timeout=scenario.request_timeout,
        public_answer=latency.public,
        authenticated_extra=latency.authenticated,
        image_scan=latency.images,
        create_vm=latency.create_vm,
        transfer_bytes_per_second=latency.transfer_bytes_per_second,
    )
