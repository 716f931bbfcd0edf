"""The chain as the nodes see it: the status of each machine, its rent orders, and whether RPC answers at all."""

from __future__ import annotations

from dataclasses import dataclass, field

VERIFYING = frozenset({"addingCustomizeInfo", "distributingOrder", "committeeVerifying", "committeeRefused"})
ONLINE = frozenset({"waitingFulfill", "online"})
RENTED = frozenset({"creating", "rented"})
LIVE_ORDER = frozenset({"renting", "waitingVerifying"})


@dataclass(slots=True)
class Order:
    """A rent order; `rent_end` is a block number. The id of a whole-machine rental is the renter's wallet."""

    id: str
    renter: str
    rent_end: int = 3_100_000
    rent_status: str = "renting"
    gpu_index: tuple[int, ...] = ()


@dataclass(slots=True)
class Machine:
    """One machine on the chain; `status` is the chain's word, `verifiers` the committee wallets in their window."""

    status: str = "online"
    orders: list[Order] = field(default_factory=list)
    verifiers: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Chain:
    """Machines by id. During an `outage` every RPC hangs until its time is over, then fails."""

    outage: bool = False
    machines: dict[str, Machine] = field(default_factory=dict)

    def machine(self, node_id: str) -> Machine:
        """Return a machine's entry, made (`online`, nobody's) if the chain does not know it yet."""
        return self.machines.setdefault(node_id, Machine())

    def status(self, node_id: str) -> str:
        """Return a machine's status word, `""` for one the chain does not know."""
        found = self.machines.get(node_id)
        return found.status if found else ""

    def orders(self, node_id: str) -> list[Order]:
        """Return a machine's orders, live and past."""
        found = self.machines.get(node_id)
        return found.orders if found else []

    def rent(self, node_id: str, order: Order) -> Order:
        """Let a wallet rent (a part of) a machine."""
        machine = self.machine(node_id)
        machine.status = "rented"
        machine.orders.append(order)
        return order

    def has_live_order(self, node_id: str, wallet: str) -> bool:
        """Say whether a wallet rents (a part of) this machine now."""
        return any(
            order.renter == wallet and order.rent_status in LIVE_ORDER for order in self.orders(node_id)
        )
