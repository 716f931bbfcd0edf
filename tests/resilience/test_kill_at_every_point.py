"""Remediation killed with SIGKILL at every commit, send and receive, and started again: what became of the restart.

Real processes, the real journal on disk, real HTTP and real signatures, judged by the simulator's ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.resilience.killing import (
    KILLED,
    Row,
    Story,
    Written,
    carried_out,
    kill_everywhere,
    lanes,
    written_about,
)

GONE, NOT_GONE = "the order has left", "the order is about to leave"
STORIES = (
    Story("a restart"),
    Story("a restart that does not help", begins="sending is about to be committed", helps=False),
    Story("its answer is lost", loses="the answer", begins="the order is answered"),
    Story("the order is lost", loses="the request", begins=NOT_GONE),
    Story("killed once more, it had arrived", killed_before=(GONE,)),
    Story("killed once more, it never left", killed_before=(NOT_GONE,)),
)
COMMITS = ("alert_fired", "intended", "sending", "settling", "ambiguous", "burning", "alert_ended", "ended")
REQUESTS = (
    "a knock before signed calls",
    "a read with the canary",
    "a read of the node",
    "a read of the VM",
    "a read of the orders",
    "the order",
    "a read with a fresh nonce",
    "a read with the order's nonce",
    "a read with the canary again",
)
SIDES_OF_A_COMMIT = ("is about to be committed", "is committed", "is marked")
SIDES_OF_A_REQUEST = ("is about to leave", "has left", "is answered")
WELL = "recovered (well_again)"
NEVER_LEFT = 3  # deaths between the commit and the sending
SPENDS_THE_NONCE = "a read with the order's nonce has left"


@dataclass
class Deaths:
    """Every row; how often the restart with each nonce was carried out, and what was written about it."""

    rows: list[Row]
    carried_out: Counter[str]
    written: dict[str, tuple[str, ...]]

    def executions(self, row: Row) -> int:
        return sum(self.carried_out[intent.nonce] for intent in row.became if intent.nonce)

    def table(self) -> str:
        """Write the rows in columns."""
        lines = [("killed when", "on disk at the restart", "what became of it", "restarts")]
        for story in STORIES:
            lines.append((f"-- {story.name}", "", "", ""))
            for row in (row for row in self.rows if row.story is story):
                found, became = ("; ".join(map(str, some)) or "nothing" for some in (row.found, row.became))
                lines.append((row.point, found, became, str(self.executions(row))))
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deaths]:
    with lanes(tmp_path_factory.mktemp("killed")) as (simulator, made):
        rows = kill_everywhere(STORIES, made)
        yield Deaths(rows, Counter(carried_out(simulator)), written_about(made))


def test_the_table(deaths: Deaths, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{deaths.table()}\n{len(deaths.rows)} deaths")  # noqa: T201 (the table is to be seen)
    assert {row.story for row in deaths.rows} == set(STORIES)


def test_every_commit_and_every_request_is_a_point_on_all_its_sides(deaths: Deaths) -> None:
    expected = {f"{name} {side}" for name in COMMITS for side in SIDES_OF_A_COMMIT}
    expected |= {f"{name} {side}" for name in REQUESTS for side in SIDES_OF_A_REQUEST}
    expected |= {f"policy {side}" for side in SIDES_OF_A_COMMIT}
    assert {row.point for row in deaths.rows} == expected


def test_every_process_died_there_by_sigkill(deaths: Deaths) -> None:
    assert [row for row in deaths.rows if set(row.ends) != {KILLED} or row.last_point != row.point] == []


def test_no_order_is_carried_out_twice(deaths: Deaths) -> None:
    assert [nonce for nonce, times in deaths.carried_out.items() if times > 1] == []


def test_every_order_carried_out_was_on_disk_before_as_intended_and_as_sending(deaths: Deaths) -> None:
    nobody = ("", "")
    assert [
        nonce
        for nonce in deaths.carried_out
        if deaths.written.get(nonce, nobody)[:2] != ("intended", "sending")
    ] == []


def test_what_was_about_to_leave_is_found_on_disk_with_its_nonce(deaths: Deaths) -> None:
    found = [row.found[-1] for row in deaths.rows if row.point.startswith("the order ")]
    assert {(intent.state, bool(intent.nonce)) for intent in found} == {("sending", True)}


def test_a_vm_that_a_restart_helps_is_restarted_exactly_once_whenever_the_process_dies(
    deaths: Deaths,
) -> None:
    assert [row for row in deaths.rows if row.story.helps and deaths.executions(row) != 1] == []


def test_a_vm_that_still_hangs_after_the_restart_is_not_restarted_by_the_next_life(deaths: Deaths) -> None:
    rows = [row for row in deaths.rows if not row.story.helps]
    assert Counter(deaths.executions(row) for row in rows) == {0: NEVER_LEFT, 1: len(rows) - NEVER_LEFT}
    assert {len(row.became) for row in rows} == {1}


def test_nothing_is_restarted_after_an_order_that_arrived(deaths: Deaths) -> None:
    for row in deaths.rows:
        arrived = [bool(deaths.carried_out[intent.nonce]) for intent in row.became]
        assert not any(arrived[:-1]), row


def test_no_intent_is_lost(deaths: Deaths) -> None:
    for row in deaths.rows:
        assert [one.id for one in row.found] == [one.id for one in row.became[: len(row.found)]], row
        assert {one.state for one in row.became} == {"ended"}, row


def test_each_intent_ends_as_the_point_of_death_demands(deaths: Deaths) -> None:
    assert [row for row in deaths.rows if str(row.became[0]) != _fate(deaths, row)] == []
    assert {str(row.became[-1]) for row in deaths.rows if row.story.helps} == {WELL}


def _fate(deaths: Deaths, row: Row) -> str:
    """Say how the first intent must end, from what was on disk and from what the ledger knows of it."""
    if not row.found:
        return WELL
    first: Written = row.found[0]
    if first.state == "intended":
        return "cancelled (superseded)"
    if deaths.carried_out[first.nonce]:
        return WELL if row.story.helps else "ineffective (still_bad)"
    if first.state != "ended" and _may_have_spent_the_nonce(row):
        return "unverified (still_bad)"
    return "not_executed (never_arrived)"


def _may_have_spent_the_nonce(row: Row) -> bool:
    """Tell whether our own question had left by then."""
    points = [f"{name} {side}" for name in REQUESTS for side in SIDES_OF_A_REQUEST]
    if row.point == "ended is about to be committed":
        return True
    return row.point in points and points.index(row.point) >= points.index(SPENDS_THE_NONCE)
