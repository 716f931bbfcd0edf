"""Rules behind the pages: escaping, conditions, queries, values as people read them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbc_exporter.web.pages.condition import (
    Condition,
    condition,
    count_conditions,
    count_freshness,
    first_error,
)
from dbc_exporter.web.pages.html import join, raw, tag
from dbc_exporter.web.pages.query import Order, Query, QueryError, read_query, select
from dbc_exporter.web.pages.show import ago, duration, every, moment, number, short_id, until
from dbc_exporter.web.types import Freshness
from tests.unit.web.web_fakes import NOW, collector, fleet, healthy_node


def test_text_is_escaped_wherever_it_meets_markup() -> None:
    evil = "<script>\"'&"
    safe = "&lt;script&gt;&quot;&#x27;&amp;"
    assert tag("b", evil, title=evil) == f'<b title="{safe}">{safe}</b>'
    assert join([evil, tag("i")], evil) == f"{safe}{safe}<i></i>"
    assert tag("p", tag("b", evil)) == f"<p><b>{safe}</b></p>"


def test_attributes_may_be_flags_or_left_out() -> None:
    assert (
        tag("option", "x", selected=True, disabled=False, title=None, cls="a")
        == '<option selected class="a">x</option>'
    )
    assert tag("input", name="q", aria_label="Search") == '<input name="q" aria-label="Search">'
    assert raw("<b>") + "" == "<b>"


@pytest.mark.parametrize(
    ("known", "word"),
    [
        ({"up": False}, Condition.DOWN),
        ({"up": False, "suspect": True, "visible": False}, Condition.DOWN),
        ({"up": None, "suspect": True}, Condition.SUSPECT),
        ({"up": True, "suspect": True}, Condition.SUSPECT),
        ({"up": None, "visible": False}, Condition.UNLISTED),
        ({"up": None, "visible": None, "suspect": None}, Condition.UNKNOWN),
        ({"up": None, "visible": True}, Condition.UNKNOWN),
        ({"up": True, "visible": None, "suspect": None}, Condition.UP),
        ({"up": True}, Condition.UP),
    ],
)
def test_a_targets_condition_is_its_worst_known_fact_and_unknown_is_not_down(
    known: dict[str, bool | None], word: Condition
) -> None:
    assert condition(healthy_node(0, **known)) is word


def test_summaries_count_every_target_and_collector_and_show_every_state() -> None:
    targets = fleet(40)
    conditions, freshness = count_conditions(targets), count_freshness(targets)
    assert set(conditions) == set(Condition)
    assert set(freshness) == set(Freshness)
    assert sum(conditions.values()) == 40
    assert sum(freshness.values()) == sum(len(target.collectors) for target in targets)
    assert conditions[Condition.DOWN] == 4


def test_what_is_unavailable_is_no_error() -> None:
    missing = collector("vms", 900, Freshness.UNAVAILABLE, error="no_credential")
    failed = collector("node", 60, Freshness.AGEING, error="node_timeout")
    assert first_error(healthy_node(0, collectors=(missing,))) is None
    assert first_error(healthy_node(0, collectors=(missing, failed))) == "node: node_timeout"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (18_720, "5 h 12 min"),
        (93_784, "1 d 2 h"),
        (86_400, "1 d"),
    ],
)
def test_durations_are_shown_in_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_unknown_is_a_dash_and_never_a_zero() -> None:
    dash = "\N{EN DASH}"
    assert (ago(None), until(None, NOW), every(None), number(None)) == (dash, dash, dash, dash)
    assert dash in moment(None)
    assert number(0) == "0"


def test_times_and_numbers_are_shown_as_people_read_them() -> None:
    assert ago(12) == "12 s ago"
    assert until(NOW + 12, NOW) == "in 12 s"
    assert until(NOW - 1, NOW) == "due"
    assert "2026-09-21 14:13:20 UTC" in moment(NOW)
    assert number(1_234_567) == "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567"
    assert short_id("a" * 60 + "bcde") == "aaaaaaaaaa\N{HORIZONTAL ELLIPSIS}aabcde"
    assert short_id("short") == "short"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("gpu-001", {"gpu-001"}),
        ("GPU-001", {"gpu-001"}),
        ("site=oslo gpu-00", {"gpu-000", "gpu-002"}),
        ("nothing like it", set()),
        ("node_timeout", {"gpu-003"}),
    ],
)
def test_every_word_must_be_found_in_id_name_label_or_error(words: str, names: set[str]) -> None:
    assert {target.name for target in select(fleet(4), Query(words=words))} == names


def test_an_id_finds_its_target() -> None:
    targets = fleet(20)
    assert select(targets, Query(words=targets[7].id[:16])) == [targets[7]]


def test_restrictions_hold_together() -> None:
    targets = fleet(40)
    assert len(select(targets, Query(condition=Condition.DOWN))) == 4
    assert len(select(targets, Query(freshness=Freshness.WITHDRAWN))) == 4
    assert len(select(targets, Query(kind="bare_metal_server"))) == 4
    assert len(select(targets, Query(client="client-1", condition=Condition.SUSPECT))) == 4
    assert select(targets, Query(client="client-0", condition=Condition.DOWN)) == []


def test_the_worst_come_first_unless_another_order_is_asked_for() -> None:
    targets = fleet(20)
    words = [condition(target) for target in select(targets, Query())]
    assert words == sorted(words, key=list(Condition).index)
    names = [target.name for target in select(targets, Query(order=Order.NAME)) if target.name]
    assert names == sorted(names)


@pytest.mark.parametrize("descending", [False, True])
def test_what_is_unknown_comes_last_in_both_directions(descending: bool) -> None:
    never = replace(healthy_node(1), collectors=(collector("node", 60, Freshness.NEVER),))
    old = replace(healthy_node(2), collectors=(collector("node", 60, Freshness.AGEING),))
    order = select([never, old, healthy_node(3)], Query(order=Order.AGE, descending=descending))
    assert order[-1] == never
    assert (order[0] == old) is descending


def test_a_query_survives_its_own_link() -> None:
    query = Query("a b&c", Condition.DOWN, Freshness.NEVER, "compute", "c=1", Order.AGE, True, 3)
    values = dict(pair.split("=", 1) for pair in query.link()[1:].split("&"))
    assert values["q"] == "a+b%26c"
    assert values["client"] == "c%3D1"
    decoded = values | {"q": "a b&c", "client": "c=1"}
    assert read_query(decoded) == query
    assert Query().link() == "?"


@pytest.mark.parametrize(
    "values",
    [
        {"page": "0"},
        {"page": "-1"},
        {"page": "x"},
        {"page": "9" * 30},
        {"condition": "x"},
        {"freshness": "x"},
        {"sort": "x"},
    ],
)
def test_a_parameter_that_cannot_be_understood_is_named(values: dict[str, str]) -> None:
    with pytest.raises(QueryError, match=next(iter(values))):
        read_query(values)
