"""Suspects are probed apart, ever more rarely, and at once when they announce themselves again."""

from __future__ import annotations

from dbc_exporter.dbc.suspects import FIRST_SECONDS, LONGEST_SECONDS, Suspects


def anyone(_node: str) -> bool:
    return True


def test_the_first_probe_waits_a_little() -> None:
    suspects = Suspects()
    suspects.add("a", 0.0)
    assert suspects.due(FIRST_SECONDS - 1, anyone) is None
    assert suspects.due(FIRST_SECONDS, anyone) == "a"


def test_probes_back_off_to_ten_minutes() -> None:
    suspects = Suspects()
    suspects.add("a", 0.0)
    waits = []
    for _ in range(8):
        suspects.stayed_silent("a", 0.0)
        entry = suspects.get("a")
        assert entry is not None
        waits.append(entry.next_probe)
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_SECONDS


def test_a_node_that_is_listed_again_goes_before_all_others() -> None:
    suspects = Suspects()
    for node in "abc":
        suspects.add(node, 0.0)
        suspects.stayed_silent(node, 0.0)
    suspects.listed_again("b", 1.0)
    assert suspects.due(1.0, anyone) == "b"


def test_only_nodes_that_may_be_asked_are_due() -> None:
    suspects = Suspects()
    suspects.add("a", 0.0)
    suspects.add("b", 0.0)
    assert suspects.due(100.0, lambda node: node == "b") == "b"
    assert suspects.due(100.0, lambda _node: False) is None


def test_suspecting_twice_changes_nothing_and_clearing_tells() -> None:
    suspects = Suspects()
    suspects.add("a", 0.0)
    suspects.stayed_silent("a", 0.0)
    suspects.add("a", 50.0)
    entry = suspects.get("a")
    assert entry is not None
    assert entry.probes == 1
    assert suspects.clear("a")
    assert not suspects.clear("a")
