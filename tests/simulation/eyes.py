"""Puts what the polling engine would have read of the town into the store, without its requests.

It keeps what it told, so that the oracle can ask what was known. Nodes can be left out (nothing new is told: facts go
stale) or garbled (the answer cannot be read).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dbc_exporter.collectors.orders import LIVE_STATUSES
from dbc_exporter.dbc.answers_vm import task_state
from dbc_exporter.dbc.errors import Reason
from dbc_exporter.facts import (
    Fact,
    NodeConfig,
    OrderStatus,
    Power,
    PowerState,
    Reachability,
    Task,
    TaskList,
    TaskState,
    Transfer,
    TransferState,
    Vm,
)
from dbc_exporter.metrics.store import Store
from dbc_exporter.simulator.compute import ComputeNode
from dbc_exporter.simulator.host import NodeHost
from dbc_exporter.sweep import owner_of
from dbc_exporter.targets import Kind, Target
from tests.simulation.town import Guest, Town

INTERVAL = 300.0
NOTICED_AFTER = 60.0  # a silent node is called down
FORGOTTEN_AFTER = 307.0
LONGEST_GAP = 3 * INTERVAL


@dataclass(frozen=True, slots=True)
class Told:
    """The latest word about one guest."""

    at: float
    state: str
    since: float = 0.0
    samples: int = 1
    live: bool | None = None


@dataclass
class Eyes:
    """Feeds a store. `chain_down` is how signed reads fail for everybody."""

    town: Town
    store: Store
    left_out: set[str] = field(default_factory=set)
    garbled: set[str] = field(default_factory=set)
    transfers: set[str] = field(default_factory=set)
    clients_down: bool = False
    unheard: set[str] = field(default_factory=set)
    told: dict[tuple[str, str], Told] = field(default_factory=dict)
    well_at: dict[tuple[str, str], float] = field(default_factory=dict)
    there: dict[str, Reachability] = field(default_factory=dict)
    chain_failed: dict[str, float] = field(default_factory=dict)
    away_at: dict[str, float] = field(default_factory=dict)
    back_at: dict[str, float] = field(default_factory=dict)
    leased: dict[str, bool] = field(default_factory=dict)
    transfers_told: set[str] = field(default_factory=set)
    since: float = 0.0
    _round: int = 0

    def look(self, now: float, every: float) -> None:
        """Tell what is due in this round; rounds are `every` seconds apart."""
        rounds = max(1, round(INTERVAL / every))
        self._round += 1
        for place, target in enumerate(self.town.targets_now):
            self._reachability(target, now)
            if (
                (place + self._round) % rounds == 0
                and target.id not in self.left_out
                and not self.clients_down
            ):
                self._tell(target, now)

    def first_look(self, now: float) -> None:
        """Tell everything at once, as a first sweep does: what an earlier process was told is forgotten."""
        self.since = now
        self.transfers_told.clear()
        self.leased.clear()
        self.chain_failed.clear()
        for target in self.town.targets_now:
            self._reachability(target, now)
            self._tell(target, now)

    def _host(self, target: Target) -> NodeHost:
        return self.town.world.hosts[target.manager or target.id]

    def _reachability(self, target: Target, now: float) -> None:
        host = self._host(target)
        quiet = 0.0
        if host.dead_since is not None:
            quiet = now - host.dead_since
        elif host.node.frozen:
            quiet = NOTICED_AFTER + 1
        if self.clients_down or target.id in self.unheard:
            there = Reachability()
        elif quiet > NOTICED_AFTER:
            there = Reachability(visible=quiet < FORGOTTEN_AFTER or host.node.frozen, up=False, suspect=True)
        else:
            there = Reachability(visible=True, up=True)
        machine = target.manager or target.id
        if there.up is False:
            self.away_at[machine] = now
        elif there.up and self.away_at.get(machine, -1.0) >= self.back_at.get(machine, float("-inf")):
            self.back_at[machine] = now
        self.there[target.id] = there
        self.store.put(owner_of(target), "reachability", "", there)

    def _tell(self, target: Target, now: float) -> None:
        host = self._host(target)
        if host.dead_since is not None or host.node.frozen or target.kind is Kind.MANAGER:
            return
        node = host.node
        if isinstance(node, ComputeNode):
            config = NodeConfig(gpus=node.hardware.gpus)
            self._commit(target, "node", {"": config})
            live = self.leased[target.id] = self._live(target)
            self._commit(target, "orders", {"": OrderStatus(live=live)})
            self._commit(target, "transfers", self._transfers(target))
            self._signed(target, node, now, live=live)
            return
        guest = self.town.by_key[target.id, ""]
        power = self._power(guest)
        self._commit(target, "power", {"": power})
        self._note(guest.key, now, power.state.value)

    def _note(self, key: tuple[str, str], now: float, state: str, *, live: bool | None = None) -> None:
        before = self.told.get(key)
        if before is not None and before.state == state and now - before.at <= LONGEST_GAP:
            self.told[key] = Told(now, state, before.since, before.samples + 1, live)
        else:
            self.told[key] = Told(now, state, now, 1, live)
        if state in ("running", "on"):
            self.well_at[key] = now

    def _signed(self, target: Target, node: ComputeNode, now: float, *, live: bool) -> None:
        owner = owner_of(target)
        if not live:
            self.chain_failed.pop(target.id, None)
            self.store.attempt(owner, "tasks", INTERVAL)
            self.store.unavailable(owner, "tasks", "no_live_order")
            return
        self.store.unavailable(owner, "tasks", None)
        if self.town.world.chain.outage:
            for name in ("tasks", "vms"):
                self.store.attempt(owner, name, INTERVAL)
                self.store.fail(owner, name, Reason.AUTHORITY, chain_silent=True)
            self.chain_failed.setdefault(target.id, now)
            return
        self.chain_failed.pop(target.id, None)
        mine = [vm for vm in node.vms.values() if vm.wallet == self.town.wallet]
        rows: list[Task] = []
        facts: dict[str, Fact] = {}
        readable = target.id not in self.garbled
        for vm in mine:
            shown = vm.shown_status(libvirt=node.libvirt_alive)
            state = (task_state(shown) or TaskState.UNKNOWN) if readable else TaskState.UNKNOWN
            rows.append(Task(vm.task_id, state))
            facts[vm.task_id] = Vm(task_id=vm.task_id, state=state, gpus=len(vm.gpus))
            self._note((target.id, vm.task_id), now, state.value, live=live)
        self._commit(target, "tasks", {"": TaskList(tasks=tuple(rows), parsable=readable)})
        self._commit(target, "vms", facts)

    def _transfers(self, target: Target) -> dict[str, Transfer]:
        if target.id not in self.transfers:
            self.transfers_told.discard(target.id)
            return {}
        self.transfers_told.add(target.id)
        image = "base.qcow2"
        return {
            image: Transfer(
                image=image, direction="download", state=TransferState.DOWNLOADING, progress_ratio=0.5
            )
        }

    def _power(self, guest: Guest) -> Power:
        bmc = guest.bmc
        if not bmc.reachable or bmc.silent_failure is not None:
            return Power(state=PowerState.UNKNOWN, bmc_reachable=False)
        return Power(state=PowerState.ON if bmc.is_on() else PowerState.OFF, bmc_reachable=True)

    def _live(self, target: Target) -> bool:
        orders = self.town.world.chain.orders(target.id)
        return any(
            order.renter == self.town.wallet and order.rent_status in LIVE_STATUSES for order in orders
        )

    def _commit(self, target: Target, collector: str, facts: Mapping[str, Fact]) -> None:
        owner = owner_of(target)
        self.store.attempt(owner, collector, INTERVAL)
        self.store.commit(owner, collector, facts)
