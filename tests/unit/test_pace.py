"""The arithmetic of polling: what fits keeps its interval, what does not is stretched and said so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.pace import Load, predict, table


def tasks(targets: int, interval: float = 900.0, calls: float = 3.0) -> Load:
    return Load("tasks", "list task", targets, calls, interval, 5.0)


def nodes(targets: int) -> Load:
    return Load("node", "query node info", targets, 1.0, 60.0, 0.03)


def test_two_thousand_nodes_need_one_request_in_flight_at_each_of_two_clients() -> None:
    (node,) = predict([nodes(2000)], 2)
    assert node.in_flight == 1
    assert node.round_seconds == 60.0
    assert not node.stretched


def test_what_the_caps_cannot_carry_is_stretched() -> None:
    (signed,) = predict([tasks(2000)], 2)  # 1000 nodes x 3 calls x 5 s at a client, 14.4 in flight at 90 %
    assert signed.in_flight == 16
    assert signed.stretched
    assert signed.round_seconds == pytest.approx(15_000 / 14.4)


def test_another_client_takes_half_of_the_load() -> None:
    one, two = (predict([tasks(700)], clients)[0] for clients in (1, 2))
    assert one.in_flight == pytest.approx(2 * two.in_flight, abs=1)


def test_collectors_of_one_kind_share_its_lane() -> None:
    alone = predict([tasks(1000, calls=1)], 2)[0]
    first, second = predict([tasks(1000, calls=1), tasks(1000, calls=2)], 2)
    assert first.in_flight == second.in_flight > alone.in_flight


def test_lanes_that_together_need_more_than_a_client_has_are_cut_in_proportion() -> None:
    loads = [Load(f"c{n}", f"kind {n}", 1000, 1, 300, 5.0) for n in range(6)]
    predictions = predict(loads, 1, in_total=48)
    assert sum(one.in_flight for one in predictions) <= 48
    assert all(one.stretched for one in predictions)


@given(st.integers(1, 10_000), st.integers(1, 8), st.floats(0.01, 8), st.floats(15, 3600))
def test_predictions_are_never_better_than_the_interval_nor_beyond_the_caps(
    targets: int, clients: int, latency: float, interval: float
) -> None:
    (one,) = predict([Load("x", "kind", targets, 1, interval, latency)], clients)
    assert 1 <= one.in_flight <= 16
    assert one.age_seconds >= one.round_seconds >= interval
    carried = one.in_flight * one.round_seconds
    assert carried * 1.001 >= targets / clients * latency * 0.9


def test_the_table_names_what_is_stretched_and_what_polls_nothing() -> None:
    text = table(predict([nodes(10), tasks(5000)], 1), {"power": "no_manager"})
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert "(stretched)" in lines["tasks"]
    assert "(stretched)" not in lines["node"]
    assert "no_manager" in lines["power"]
