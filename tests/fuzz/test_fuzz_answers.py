"""Damaged answers of every endpoint, all the way to the exposition, held against what is true of them.

`DBC_FUZZ_EXAMPLES` sets how many per endpoint (1,000); `DBC_FUZZ_SEED` plays one of them again.
"""

from __future__ import annotations

import pytest

from tests.fuzz.endpoints import ENDPOINTS
from tests.fuzz.play import examples, failures, undamaged


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_good_answer_is_shown_as_it_was_made(name: str) -> None:
    assert undamaged(name, ENDPOINTS[name]) == []


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_damaged_answer_shows_the_truth_or_nothing(name: str) -> None:
    reports = failures(name, ENDPOINTS[name], examples())
    assert not reports, "\n\n" + "\n\n".join(reports)
