from __future__ import annotations

import pytest

from tests.contract.recorded import read
from tests.contract.replay import Outcome, close_lab, open_lab, replay
from tests.shared import CAPTURES, needs_captures

MAY_DIFFER: dict[str, str] = {}
"""Recordings whose answer the simulator does not give, each with the reason."""


@needs_captures
async def test_the_simulator_answers_every_recorded_request_as_the_real_server_did(
    capsys: pytest.CaptureFixture[str],
) -> None:
    recorded = [exchange for path in sorted(CAPTURES.glob("*.txt")) if (exchange := read(path))]
    lab = await open_lab()
    try:
        outcomes = await replay(lab, recorded)
    finally:
        await close_lab(lab)
    with capsys.disabled():
        print(_table(outcomes))  # noqa: T201 - the table is what a reader of the test run is shown
    differing = {outcome.recorded.name for outcome in outcomes if outcome.found}
    assert len(outcomes) == len(recorded) > 100
    assert differing == set(MAY_DIFFER)
    assert len(MAY_DIFFER) <= 5


def _table(outcomes: list[Outcome]) -> str:
    heading = f"{'recorded exchange':<44} {'answer':<8} {'all bytes':<10} {'waits':<6}"
    same = sum(not outcome.found for outcome in outcomes)
    identical = sum(outcome.identical for outcome in outcomes)
    summary = f"{same} of {len(outcomes)} same, {identical} of them to the byte (but for the date)"
    reasons = [f"{name}: {reason}" for name, reason in MAY_DIFFER.items()]
    return "\n".join(["", heading, *(outcome.row for outcome in outcomes), summary, *reasons])
