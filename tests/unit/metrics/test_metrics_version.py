"""How who looks at the store often learns that nothing is new, and when a fact was read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbc_exporter import facts
from dbc_exporter.dbc.errors import Reason
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.targets import Target
from tests.unit.metrics.fleet import FakeClock

NODE, OTHER = Owner(node_id="a" * 64), Owner(node_id="b" * 64)
TARGETS = [Target(NODE.node_id), Target(OTHER.node_id)]
HERE = facts.Reachability(visible=True, up=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> Store:
    store = Store(clock)
    store.set_targets(TARGETS)
    poll(store)
    store.put(NODE, "reachability", "", HERE)
    return store


def poll(store: Store, gpus: int = 4) -> None:
    store.attempt(NODE, "node", 60.0)
    store.commit(NODE, "node", {"": facts.NodeConfig(gpus=gpus)})


def too_old(store: Store, clock: FakeClock) -> None:
    clock.advance(180.0)
    store.sweep()


NEWS: dict[str, Callable[[Store, FakeClock], None]] = {
    "another value": lambda store, _: poll(store, gpus=3),
    "the same value, read again": lambda store, _: poll(store),
    "a list that is empty now": lambda store, _: (store.commit(NODE, "node", {}), None)[1],
    "a failure": lambda store, _: store.fail(NODE, "node", Reason.AUTHORITY),
    "a reason why it cannot be polled": lambda store, _: store.unavailable(NODE, "node", "no_credential"),
    "another state": lambda store, _: store.put(NODE, "reachability", "", facts.Reachability()),
    "a value that became too old": too_old,
    "a collector switched off": lambda store, _: store.retain_collectors([]),
    "a target that left": lambda store, _: store.set_targets(TARGETS[1:]),
}


@pytest.mark.parametrize("what", NEWS)
def test_the_version_of_an_owner_differs_after(what: str, store: Store, clock: FakeClock) -> None:
    before, others = store.version(NODE), store.version(OTHER)
    NEWS[what](store, clock)
    assert store.version(NODE) != before
    assert store.version(OTHER) == others


def test_the_version_stays_while_nothing_is_new(store: Store, clock: FakeClock) -> None:
    before = store.version(NODE)
    clock.advance(179.0)
    store.sweep()
    store.put(NODE, "reachability", "", facts.Reachability(visible=True, up=True))
    store.set_targets(TARGETS)
    assert store.version(NODE) == before


def test_a_version_never_comes_back(store: Store) -> None:
    before = store.version(NODE)
    store.drop_owner(NODE)
    seen = {before}
    for _ in range(5):
        poll(store)
        assert store.version(NODE) not in seen
        seen.add(store.version(NODE))


def test_a_reading_has_the_monotonic_time_of_its_poll(store: Store, clock: FakeClock) -> None:
    read_at = clock.monotonic()
    clock.advance(100.0)
    assert store.readings(NODE, "node") == {"": (facts.NodeConfig(gpus=4), read_at)}


def test_no_reading_is_older_than_a_value_may_be(store: Store, clock: FakeClock) -> None:
    clock.advance(180.0)
    assert store.readings(NODE, "node") == {}


def test_nothing_was_read_of_a_stranger(store: Store) -> None:
    assert store.readings(Owner(node_id="f" * 64), "node") == {}
    assert store.version(Owner(node_id="f" * 64)) == 0
