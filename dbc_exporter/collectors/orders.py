"""Rent orders: which orders a node knows, and whether one of ours is alive. Public.

Every authenticated read asks here first, because it costs the network two chain calls and is refused anyway when no
order of ours runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field

from dbc_exporter.clock import Clock
from dbc_exporter.collectors.base import Outcome, Unavailable
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.pool import Reader
from dbc_exporter.facts import OrderStatus, RentOrder, RentOrders, lost_orders
from dbc_exporter.targets import Kind, Target

LIVE_STATUSES = frozenset({"renting", "waitingVerifying"})
BELIEVED_SECONDS = 30.0
CANNOT_SAY = frozenset(
    {Reason.REFUSED_BY_NODE, Reason.REFUSED_LOCALLY, Reason.NOT_FOUND, Reason.UNPARSABLE, Reason.UNREADABLE}
)
_SAID_UNREADABLY = frozenset({Reason.UNPARSABLE, Reason.UNREADABLE})


@dataclass(slots=True)
class OrderBook:
    """What nodes said of their orders, and which wallets are ours.

    `wallets` maps a credential's name to its addresses; a session may know none.
    """

    clock: Clock
    wallets: Mapping[str, frozenset[str]]
    _heard: dict[str, tuple[float, RentOrders]] = field(default_factory=dict)

    def hear(self, target: Target, orders: RentOrders) -> None:
        """Keep a node's answer."""
        self._heard[target.id] = (self.clock.monotonic(), orders)

    def retain(self, watched: Container[str]) -> None:
        """Forget the answers of nodes that are watched no more."""
        self._heard = {node: heard for node, heard in self._heard.items() if node in watched}

    async def refresh(self, target: Target, read: Reader) -> None:
        """Ask a node for its orders.

        One that cannot say (an old version) is heard as knowing none, and an answer that cannot be read as one whose
        rows cannot. Raises `DbcError` when the node was not reached.
        """
        try:
            orders = await read(reads.rent_orders(target.id), target)
        except DbcError as error:
            if error.reason not in CANNOT_SAY:
                raise
            orders = RentOrders(unreadable=("rent_orders",) if error.reason in _SAID_UNREADABLY else ())
        self.hear(target, orders)

    def live(self, target: Target) -> bool | None:
        """Tell whether an order of ours runs on a node, or None when nothing recent was heard or it cannot be told."""
        return self.is_live(target, self._heard[target.id][1]) if self.heard_lately(target) else None

    def heard_lately(self, target: Target) -> bool:
        """Tell whether what a node said of its orders is still believed."""
        heard = self._heard.get(target.id)
        return heard is not None and self.clock.monotonic() - heard[0] <= BELIEVED_SECONDS

    def is_live(self, target: Target, orders: RentOrders) -> bool | None:
        """Judge one answer: a node's cache may not know a new order yet, so a configured one counts until it ended.

        None when an order that could not be read may be ours and no other decides.
        """
        if target.credential is None:
            return False
        ours = [order for order in orders.orders if self._is_ours(target, order)]
        if any(order.status in LIVE_STATUSES for order in ours):
            return True
        if lost_orders(orders) and not (ours and target.rent_order):
            return None
        return target.rent_order is not None and not ours

    def _is_ours(self, target: Target, order: RentOrder) -> bool:
        if target.rent_order is not None:
            return order.order_id == target.rent_order
        return order.renter in self.wallets.get(target.credential or "", frozenset())


@dataclass(slots=True)
class RenterGuard:
    """What every authenticated collector does first."""

    book: OrderBook

    def unavailable(self, target: Target) -> str | None:
        """Return `no_credential` for a target without one."""
        return None if target.credential else "no_credential"

    async def require_live_order(self, target: Target, read: Reader) -> None:
        """Make sure an order of ours runs.

        Raises `Unavailable` (`no_live_order`, or `orders_unreadable` where that cannot be told) or `DbcError`.
        """
        if not self.book.heard_lately(target):
            await self.book.refresh(target, read)
        live = self.book.live(target)
        if not live:
            raise Unavailable("orders_unreadable" if live is None else "no_live_order")


@dataclass(slots=True)
class OrdersCollector:
    """`/rent_orders` of a compute node."""

    book: OrderBook
    name: str = "orders"
    kinds: frozenset[Kind] = frozenset({Kind.COMPUTE})
    lane: str = "query node rent orders"
    authenticated: bool = False
    calls_per_target: float = 1.0

    def unavailable(self, target: Target) -> str | None:
        """Every compute node can be asked."""
        del target
        return None

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """Count orders by status; say whether ours is alive where a credential makes it ours to say."""
        orders = await read(reads.rent_orders(target.id), target)
        self.book.hear(target, orders)
        counts = Counter(order.status for order in orders.orders)
        live = self.book.is_live(target, orders) if target.credential else None
        status = OrderStatus(live=live, by_status=tuple(sorted(counts.items())), unreadable=orders.unreadable)
        return Outcome({"": status})


KnownTasks = Callable[[Target], tuple[str, ...] | None]
