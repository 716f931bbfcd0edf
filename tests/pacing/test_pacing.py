"""Gentle polling holds what it promises, by the simulator's ledger and in virtual time.

The full form, six hours of deaths, is `make evidence`; its result is in docs/pacing.md.
"""

from __future__ import annotations

import pytest

from tests.pacing.proof import HOUR, MINUTE, PROBE_SECONDS, Plan, Report, run, table

MOST_LOST = 32
CAP_PER_KIND, CAP = 16, 48

PLANS = {
    "a fleet of 100": Plan(nodes=100, spread=2 * HOUR, outage_after=1 * HOUR),
    "a fleet of 100 under probes": Plan(
        nodes=100, spread=2 * HOUR, outage_after=1 * HOUR, probed_every=MINUTE / 2
    ),
    "a fleet of 2000": Plan(nodes=2000, spread=50 * MINUTE, outage_after=25 * MINUTE),
}


@pytest.fixture(scope="module", params=PLANS, ids=str)
def report(request: pytest.FixtureRequest) -> Report:
    """Play one plan; every test of this module judges the same run."""
    measured = run(PLANS[request.param])
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{table(measured)}")  # noqa: T201 -- the proof is to be read
    return measured


def test_healthy_machines_are_read_within_two_intervals(report: Report) -> None:
    late = {
        name: watch.steady
        for name, watch in report.ages.items()
        if watch.steady > 2 * report.plan.intervals[name]
    }
    assert late == {}


def test_what_is_in_flight_stays_within_the_caps(report: Report) -> None:
    for (client, kind), peak in report.peak.items():
        assert peak <= (CAP if kind == "all" else CAP_PER_KIND), (client, kind)


def test_an_incident_costs_a_client_few_sessions(report: Report) -> None:
    start = report.plan.incident
    for client, lost in report.lost_in(start - MINUTE, start + 6 * MINUTE).items():
        assert lost <= MOST_LOST, client


def test_deaths_one_by_one_cost_no_session(report: Report) -> None:
    incident = report.plan.incident
    assert [one for one in report.lost if not incident - MINUTE <= one.sent_at < incident + 6 * MINUTE] == []


def test_a_small_fleet_loses_nothing_but_at_the_instant_itself(report: Report) -> None:
    if report.plan.nodes > 100:
        pytest.skip("a promise for small fleets: larger ones need requests side by side")
    assert [one for one in report.lost if one.dead_for > 0] == []


def test_nothing_is_signed_without_a_live_order(report: Report) -> None:
    assert report.signed > 0
    assert report.without_order == 0


def test_probes_end_in_time_and_most_of_them_well(report: Report) -> None:
    if report.plan.probed_every is None:
        pytest.skip("a promise for fleets that are probed")
    assert report.slowest_probe <= PROBE_SECONDS + 0.001
    assert report.probes["good"] > report.probes.total() / 2
    assert report.probes["suspect"] > 0


def test_no_poll_fails_by_a_mistake_of_ours(report: Report) -> None:
    assert report.errors == 0
