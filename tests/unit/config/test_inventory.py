"""Who is watched, from what is configured and what DBC lists."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.config.settings import DiscoverSettings
from dbc_exporter.facts import BareMetalList, BareMetalServer, ListedNode, NodeList
from dbc_exporter.inventory import Seen, merge, wanted
from dbc_exporter.targets import Kind, Target

A, B, C, M, S, T = (letter * 64 for letter in "abcdef")


def discover(**values: Any) -> DiscoverSettings:
    return DiscoverSettings.model_validate(values)


def nodes(*listed: tuple[str, str | None]) -> NodeList:
    return NodeList(nodes=tuple(ListedNode(node_id, name) for node_id, name in listed))


def managed(*ids: str) -> BareMetalList:
    return BareMetalList(servers=tuple(BareMetalServer(node_id=node_id) for node_id in ids))


def test_configured_targets_come_first_and_unchanged() -> None:
    configured = Target(B, labels=(("site", "x"),))
    seen = Seen(nodes={"one": nodes((C, None), (B, None)), "two": nodes((A, None), (C, None))})
    settings = discover(credential="me", labels={"pool": "p"})
    targets = merge([configured], seen, settings, enabled=True)
    assert targets[0] == configured
    assert [target.id for target in targets] == [B, A, C]
    assert targets[1] == Target(A, credential="me", labels=(("pool", "p"),))


def test_nothing_is_discovered_unless_enabled() -> None:
    seen = Seen(nodes={"one": nodes((A, None))}, servers={"one": nodes((S, None))})
    assert merge([], seen, discover(), enabled=False) == ()


def test_patterns_choose_by_id_or_name_and_exclusion_is_stronger() -> None:
    settings = discover(include=["pool7-*", "aaaa*"], exclude=["*-test"])
    assert wanted(ListedNode(B, "pool7-1"), settings)
    assert wanted(ListedNode(A, None), settings)
    assert not wanted(ListedNode(B, "pool7-test"), settings)
    assert not wanted(ListedNode(A, "x-test"), settings)
    assert not wanted(ListedNode(B, "POOL7-1"), settings)
    assert not wanted(ListedNode(B, None), settings)
    assert wanted(ListedNode(B, None), discover())


def test_listed_servers_are_targets_and_get_the_manager_that_lists_them() -> None:
    seen = Seen(servers={"one": nodes((S, None), (T, None))}, managed={M: managed(S)})
    targets = merge([], seen, discover(), enabled=True)
    assert targets == (Target(S, kind=Kind.SERVER, manager=M), Target(T, kind=Kind.SERVER))


def test_servers_of_a_configured_manager_are_watched_also_without_discovery() -> None:
    manager = Target(M, kind=Kind.MANAGER, clients=("one",), credential="key", labels=(("site", "x"),))
    seen = Seen(managed={M: managed(S)})
    assert merge([manager], seen, discover(), enabled=False)[1:] == (
        Target(S, kind=Kind.SERVER, manager=M, clients=("one",), labels=(("site", "x"),)),
    )
    assert merge([manager], seen, discover(bare_metal=False), enabled=False) == (manager,)
    assert merge([manager], seen, discover(exclude=[S]), enabled=False) == (manager,)


def test_an_unlisted_node_is_a_target_as_it_was_when_it_was_listed() -> None:
    settings = discover(credential="me", labels={"pool": "p"}, exclude=["*-test"])
    gone = Seen(unlisted=nodes((A, "gone"), (B, "gone-test")))
    listed = Seen(nodes={"one": nodes((A, "gone"), (B, "gone-test"))})
    assert merge([], gone, settings, enabled=True) == merge([], listed, settings, enabled=True)
    assert merge([], gone, settings, enabled=False) == ()


def test_what_is_listed_as_something_else_now_is_that() -> None:
    seen = Seen(servers={"one": nodes((S, None))}, unlisted=nodes((S, None)))
    assert merge([], seen, discover(), enabled=True) == (Target(S, kind=Kind.SERVER),)


def test_a_configured_server_gets_its_manager_when_it_has_none() -> None:
    seen = Seen(managed={M: managed(S, T)})
    targets = merge(
        [Target(S, kind=Kind.SERVER), Target(T, kind=Kind.SERVER, manager=A)], seen, discover(), enabled=False
    )
    assert [target.manager for target in targets] == [M, A]


def test_what_is_no_node_id_is_never_a_target() -> None:
    seen = Seen(
        nodes={"one": nodes(("", None), ("x" * 64, None), (A.upper(), None))}, managed={M: managed("short")}
    )
    assert merge([Target(M, kind=Kind.MANAGER)], seen, discover(), enabled=True) == (
        Target(M, kind=Kind.MANAGER),
    )


@given(
    st.lists(st.sampled_from([A, B, C]), unique=True),
    st.lists(st.sampled_from([A, B, C, S]), max_size=6),
    st.lists(st.sampled_from([B, C, S, T]), max_size=6),
)
def test_every_id_comes_once_and_the_order_of_lists_does_not_matter(
    configured: list[str], first: list[str], second: list[str]
) -> None:
    given_targets = [Target(node_id) for node_id in configured]
    one, two = (nodes(*((node_id, None) for node_id in ids)) for ids in (first, second))
    targets = merge(given_targets, Seen(nodes={"one": one, "two": two}), discover(), enabled=True)
    assert merge(given_targets, Seen(nodes={"two": two, "one": one}), discover(), enabled=True) == targets
    found = [target.id for target in targets]
    assert len(found) == len(set(found))
    assert set(found) == {*configured, *first, *second}
