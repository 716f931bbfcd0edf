"""Nothing signed is sent before a live order of ours is known."""

from __future__ import annotations

import pytest

from dbc_exporter.collectors.base import Unavailable
from dbc_exporter.collectors.orders import BELIEVED_SECONDS, OrderBook, OrdersCollector, RenterGuard
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.facts import OrderStatus, RentOrder, RentOrders
from dbc_exporter.targets import Target
from tests.unit.collectors.answers import NODE, RENTED, WALLET, Answers, HandClock

WHOLE_MACHINE = Target(NODE, credential="renter")


def book(clock: HandClock | None = None) -> OrderBook:
    return OrderBook(clock or HandClock(), {"renter": frozenset({WALLET}), "session": frozenset()})


def orders(*rows: tuple[str, str, str], unreadable: tuple[str, ...] = ()) -> RentOrders:
    known = tuple(RentOrder(order, renter, status) for order, renter, status in rows)
    return RentOrders(orders=known, unreadable=unreadable)


@pytest.mark.parametrize(
    ("target", "rows", "live"),
    [
        (WHOLE_MACHINE, [(WALLET, WALLET, "renting")], True),
        (WHOLE_MACHINE, [(WALLET, WALLET, "waitingVerifying")], True),
        (WHOLE_MACHINE, [(WALLET, WALLET, "rentExpired")], False),
        (WHOLE_MACHINE, [("7", "5Other", "renting")], False),
        (WHOLE_MACHINE, [], False),
        (RENTED, [("101", WALLET, "renting")], True),
        (RENTED, [("101", WALLET, "rentExpired")], False),
        (RENTED, [("102", WALLET, "renting")], True),  # configured, and the node does not know it yet
        (RENTED, [], True),
        (Target(NODE), [(WALLET, WALLET, "renting")], False),  # nobody to sign
        (Target(NODE, credential="session"), [(WALLET, WALLET, "renting")], False),  # whose wallet?
    ],
)
def test_an_order_is_live_when_the_node_or_the_configuration_says_so_and_nothing_says_it_ended(
    target: Target, rows: list[tuple[str, str, str]], live: bool
) -> None:
    assert book().is_live(target, orders(*rows)) is live


@pytest.mark.parametrize("lost", ["rent_orders", "rent_orders.id"])
@pytest.mark.parametrize(
    ("target", "rows", "live"),
    [
        (WHOLE_MACHINE, [("7", WALLET, "renting")], True),
        (WHOLE_MACHINE, [("7", WALLET, "rentExpired")], None),  # the one that cannot be read may be the next
        (WHOLE_MACHINE, [("7", "5Other", "renting")], None),
        (WHOLE_MACHINE, [], None),
        (RENTED, [("101", WALLET, "renting")], True),
        (RENTED, [("101", WALLET, "rentExpired")], False),
        (RENTED, [("102", WALLET, "renting")], None),
        (RENTED, [], None),
        (Target(NODE), [("7", WALLET, "renting")], False),
    ],
)
def test_while_an_order_cannot_be_read_only_what_decides_without_it_is_said(
    lost: str, target: Target, rows: list[tuple[str, str, str]], live: bool | None
) -> None:
    assert book().is_live(target, orders(*rows, unreadable=(lost,))) is live


def test_an_unreadable_detail_of_an_order_leaves_what_is_known_of_it() -> None:
    assert book().is_live(RENTED, orders(unreadable=("rent_orders.rent_end",))) is True


async def test_what_was_heard_is_believed_for_a_short_time_only() -> None:
    clock = HandClock()
    known = book(clock)
    assert known.live(RENTED) is None
    known.hear(RENTED, orders(("101", WALLET, "renting")))
    assert known.live(RENTED) is True
    clock.now += BELIEVED_SECONDS + 1
    assert known.live(RENTED) is None


async def test_a_node_that_cannot_tell_its_orders_leaves_the_configured_one() -> None:
    known = book()
    await known.refresh(RENTED, Answers({"rent_orders": DbcError(Reason.REFUSED_LOCALLY, "not support uri")}))
    assert known.live(RENTED) is True


@pytest.mark.parametrize("reason", [Reason.UNPARSABLE, Reason.UNREADABLE])
async def test_a_node_whose_answer_cannot_be_read_leaves_it_unknown(reason: Reason) -> None:
    known = book()
    await known.refresh(RENTED, Answers({"rent_orders": DbcError(reason)}))
    assert known.heard_lately(RENTED)
    assert known.live(RENTED) is None


async def test_a_silent_node_says_nothing_of_its_orders() -> None:
    known = book()
    with pytest.raises(DbcError):
        await known.refresh(RENTED, Answers({"rent_orders": DbcError(Reason.NODE_TIMEOUT)}))
    assert known.live(RENTED) is None


async def test_the_guard_asks_once_and_refuses_without_a_live_order() -> None:
    reader = Answers({"rent_orders": orders()})
    guard = RenterGuard(book())
    for _ in range(2):
        with pytest.raises(Unavailable, match="no_live_order"):
            await guard.require_live_order(WHOLE_MACHINE, reader)
    assert reader.asked == ["rent_orders"]


async def test_the_guard_asks_once_and_refuses_while_an_order_that_may_be_ours_cannot_be_read() -> None:
    reader = Answers({"rent_orders": orders(unreadable=("rent_orders",))})
    guard = RenterGuard(book())
    for _ in range(2):
        with pytest.raises(Unavailable, match="orders_unreadable"):
            await guard.require_live_order(RENTED, reader)
    assert reader.asked == ["rent_orders"]


async def test_orders_are_counted_by_status_and_ours_is_named_where_we_have_a_credential() -> None:
    reader = Answers(
        {"rent_orders": orders(("1", WALLET, "renting"), ("2", "x", "renting"), ("3", "x", "rentExpired"))}
    )
    collector = OrdersCollector(book())
    assert (await collector.fetch(WHOLE_MACHINE, reader)).objects == {
        "": OrderStatus(live=True, by_status=(("rentExpired", 1), ("renting", 2)))
    }
    assert (await collector.fetch(Target(NODE), reader)).objects == {
        "": OrderStatus(live=None, by_status=(("rentExpired", 1), ("renting", 2)))
    }
