"""The production loop in towns with troubles, in virtual time: no promise is broken, and things happen all the same."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import pytest

from tests.simulation.killers import PLANS
from tests.simulation.once import once
from tests.simulation.pinned import PINNED
from tests.simulation.run import Plan

LEAST_ACTIONS, LEAST_KINDS, LEAST_KILLS = 10, 30, 3  # of each run, or it proves nothing
SEEDS = range(1, 7)
NOTHING_TO_DO = ("shards", "half dead")  # one of several shards never acts; one alert of two proves nothing
QUIET = {
    "hang": 30.0,
    "flap": 8.0,
    "server_dies": 10.0,
    "power_fails": 10.0,
    "host_reboots": 5.0,
    "owner_stops": 5.0,
    "old_delivery": 10.0,
}


class TestTown:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_no_promise_is_broken_whatever_happens_in_it(self, seed: int) -> None:
        report = once(Plan(seed=seed))
        assert report.violations == []
        assert report.acts.total() >= LEAST_ACTIONS
        assert len(report.faults) >= LEAST_KINDS
        assert report.kills.total() >= LEAST_KILLS

    @pytest.mark.parametrize("name", [name for name in PLANS if name != "usual"])
    def test_no_promise_is_broken_under_troubles_of_one_kind(self, name: str) -> None:
        report = once(dataclasses.replace(PLANS[name], seed=7))
        assert report.violations == []
        assert bool(report.acts) is (name not in NOTHING_TO_DO)

    @pytest.mark.parametrize("found", PINNED)
    def test_what_was_found_once_is_found_no_more(self, found: str) -> None:
        assert once(PINNED[found]).violations == []


class TestRun:
    def test_of_a_seed_is_the_same_whatever_order_sets_have(self) -> None:
        def line(hash_seed: str) -> str:
            command = [sys.executable, "-m", "tests.simulation.once", "5", "crashes"]
            run = subprocess.run(
                command,
                env={**os.environ, "PYTHONHASHSEED": hash_seed},
                capture_output=True,
                text=True,
                check=True,
            )
            return run.stdout

        assert line("1") == line("2")

    def test_is_the_same_when_every_delivery_comes_twice_and_old_ones_come_again(self) -> None:
        plan = Plan(seed=3, hours=6, calm=1, faults=200, mix=QUIET, only=True)
        usual, repeated = once(plan), once(dataclasses.replace(plan, twice=True))
        assert usual.acts.total() > 0
        assert (repeated.digest, repeated.acts) == (usual.digest, usual.acts)
