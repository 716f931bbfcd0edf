"""A fleet on the simulator's World, and the truth about it: what really runs, answers, is rented and away."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dbc_exporter.simulator.bare_metal import ManagerNode
from dbc_exporter.simulator.bare_metal_server import BareMetalServer
from dbc_exporter.simulator.bmc import Bmc
from dbc_exporter.simulator.compute import ComputeNode
from dbc_exporter.simulator.fleet import Fleet, build_world
from dbc_exporter.simulator.scenario import Scenario
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.simulator.vm import RUNNING, Vm
from dbc_exporter.targets import DesiredState, Kind, Target

SITES = ("north", "south", "east", "west")
CLIENTS = ("one", "two")
GPUS = 4
ROLES = (
    "undesired",  # its owner does not want it up
    "never",  # the rule says so
    "doubled",  # two rules mean it
    "unclaimed",  # nobody vouches for its neighbours: a person must approve
    "gpus_unknown",  # nobody says how many GPUs it should have
    "session",  # its credential makes no nonces: a person must approve
)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a town is."""

    nodes: int = 16
    vms: int = 3
    managers: int = 2
    servers: int = 4

    @property
    def subjects(self) -> int:
        return self.nodes * self.vms + self.managers * self.servers


@dataclass(frozen=True, slots=True)
class Guest:
    """One VM or server, by the ids remediation knows it by."""

    node_id: str
    task_id: str
    site: str
    node: ComputeNode | ManagerNode
    vm: Vm | None = None
    server: BareMetalServer | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.node_id, self.task_id

    @property
    def machine(self) -> str:
        return self.node.node_id

    @property
    def bmc(self) -> Bmc:
        assert isinstance(self.node, ManagerNode)
        assert self.server is not None
        return self.node.bmc(self.server)


@dataclass
class Town:
    """The world, everybody in it, and what no API tells: which servers' systems are dead, or answer no ping alone."""

    clock: LoopClock
    size: Size
    seed: int
    dead: set[str] = field(default_factory=set)
    no_ping: set[str] = field(default_factory=set)
    roles: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fleet: Fleet = build_world(Scenario.model_validate(self._scenario()), clock=self.clock)
        self.world = self.fleet.world
        self.wallet = self.fleet.wallets["renter"].wallet
        self.guests: list[Guest] = sorted(self._guests(), key=lambda guest: guest.key)
        self.by_key = {guest.key: guest for guest in self.guests}
        self.on_machine: dict[str, list[Guest]] = defaultdict(list)
        for guest in self.guests:
            self.on_machine[guest.machine].append(guest)
        self._by_node: dict[str, list[Guest]] = defaultdict(list)
        for guest in self.guests:
            self._by_node[guest.node_id].append(guest)
        self.servers = [guest for guest in self.guests if guest.server is not None]
        self._cast()
        self.targets_now = self.targets()
        self._seen = 0

    def _cast(self) -> None:
        """Give some nodes a role: something about them forbids actions, always."""
        ids = [member.id for member in self.fleet.compute]
        step = max(1, len(ids) // len(ROLES))
        self.roles = {role: ids[place * step] for place, role in enumerate(ROLES)}
        self.roles["no_credential"] = self.fleet.servers[-1].id

    def _scenario(self) -> dict[str, Any]:
        size, rented = self.size, {"wallet": "renter"}
        vms = {"count": size.vms, "cpu_cores": 4, "memory": "16GiB", "gpus": 1}
        return {
            "version": 1,
            "seed": self.seed,
            "verify_signatures": False,
            "clients": [{"name": name} for name in CLIENTS],
            "latency": {"authenticated": [0.05, 0.5], "power_on": 20, "power_off": 2},
            "compute": [
                {
                    "name": f"{site}-{{n}}",
                    "count": size.nodes // len(SITES) + (place < size.nodes % len(SITES)),
                    "labels": {"site": site},
                    "gpus": GPUS,
                    "vms": vms,
                    "rented_by": rented,
                }
                for place, site in enumerate(SITES)
            ],
            "managers": [
                {
                    "name": f"manager-{number}",
                    "labels": {"site": SITES[number % len(SITES)]},
                    "servers": [{"count": size.servers, "rented_by": rented}],
                }
                for number in range(size.managers)
            ],
        }

    def _guests(self) -> Iterator[Guest]:
        for member in self.fleet.compute:
            for vm in member.subject.vms.values():
                yield Guest(member.id, vm.task_id, member.labels["site"], member.subject, vm=vm)
        for member in self.fleet.servers:
            manager, server = member.subject
            yield Guest(member.id, "", member.labels["site"], manager, server=server)

    # -- the truth

    def answers(self, guest: Guest) -> bool:
        """Whether a probe from outside would find it well."""
        if guest.vm is not None:
            return guest.vm.reachable
        return guest.bmc.is_on() and guest.node_id not in self.dead

    def on_node(self, node_id: str) -> list[Guest]:
        """Return the guests that requests to a node are about."""
        return self._by_node.get(node_id, [])

    def is_on(self, guest: Guest) -> bool:
        return guest.vm.domain == RUNNING if guest.vm is not None else guest.bmc.is_on()

    def rented(self, guest: Guest) -> bool:
        return self.world.chain.has_live_order(guest.node_id, self.wallet)

    def settle(self) -> None:
        """Let power commands have the effect on dead servers that the simulator does not know of."""
        rows = self.world.ledger.executed
        for row in rows[self._seen :]:
            if "reset" in row.action or row.action.endswith("on"):
                self.dead.discard(row.target)
        self._seen = len(rows)

    def targets(self) -> tuple[Target, ...]:
        roles = self.roles
        compute = [
            Target(
                id=member.id,
                credential="session" if member.id == roles["session"] else "renter",
                desired_state=DesiredState.NONE if member.id == roles["undesired"] else DesiredState.RUNNING,
                expected_gpus=None if member.id == roles["gpus_unknown"] else GPUS,
                labels=(("site", member.labels["site"]),),
            )
            for member in self.fleet.compute
        ]
        servers = [
            Target(
                id=guest.node_id,
                kind=Kind.SERVER,
                manager=guest.machine,
                credential=None if guest.node_id == roles["no_credential"] else "renter",
                desired_state=DesiredState.ON,
                labels=(("site", guest.site),),
            )
            for guest in self.guests
            if guest.server is not None
        ]
        managers = [Target(id=member.id, kind=Kind.MANAGER) for member in self.fleet.managers]
        return (*compute, *managers, *servers)

    def pick(self, dice: random.Random) -> Guest:
        return dice.choice(self.guests)
