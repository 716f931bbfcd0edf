"""The rest between two actions of one episode."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.remediation.ladder import rest
from dbc_exporter.remediation.policy import Cooldown

COOLDOWNS = st.builds(
    Cooldown, base=st.floats(1, 86_400), factor=st.floats(1, 10), longest=st.floats(1, 86_400)
)


@given(COOLDOWNS, st.integers(0, 1))
def test_after_the_first_action_is_the_base(cooldown: Cooldown, tries: int) -> None:
    assert rest(cooldown, tries) == pytest.approx(min(cooldown.base, cooldown.longest))


@given(COOLDOWNS, st.integers(1, 1000))
def test_grows_by_the_factor_with_each_try_until_it_is_the_longest(cooldown: Cooldown, tries: int) -> None:
    grown = min(cooldown.longest, rest(cooldown, tries) * cooldown.factor)
    assert rest(cooldown, tries + 1) == pytest.approx(grown)


@given(COOLDOWNS, st.integers(1, 10**9))
def test_is_finite_after_any_number_of_tries(cooldown: Cooldown, tries: int) -> None:
    assert 0 < rest(cooldown, tries) <= cooldown.longest * (1 + 1e-9)
