"""The page of remediation: what a person reads there."""

from __future__ import annotations

import re

import pytest

from dbc_exporter.web.pages.remediation import remediation, remediation_off
from dbc_exporter.web.remediation_api import BadQuestionError, parse_time
from dbc_exporter.web.remediation_types import Incident, Quarantine
from tests.unit.web.desk_fakes import SERVER, VM, action, busy, proposal, quiet
from tests.unit.web.web_fakes import NOW, node_id


def words(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split())


def test_while_it_is_off_the_page_says_so_plainly() -> None:
    assert "Remediation is off" in remediation_off()


def test_a_quiet_armed_day_reads_well_and_shows_no_empty_lists_of_pauses_and_quarantines() -> None:
    page = words(remediation(quiet()))
    assert "Mode act Armed armed" in page
    assert "Kill switch not thrown Breaker closed" in page
    assert "Nothing waits for approval." in page
    assert "Nothing that an action could cure is wrong." in page
    assert "Nothing was done." in page
    assert "Pauses" not in page
    assert "Quarantine" not in page


def test_what_disarms_it_is_named_with_its_code_its_words_and_its_numbers() -> None:
    page = words(remediation(busy()))
    assert "not armed killed the kill switch is thrown (/etc/stop exists)" in page
    assert "Kill switch thrown /etc/stop exists" in page


def test_an_open_breaker_says_why_and_how_to_close_it() -> None:
    page = words(remediation(busy()))
    assert "Breaker open 3 of the last 4 actions had no effect." in page
    assert "dbc-exporter remediation clear breaker" in page


def test_a_waiting_proposal_comes_with_the_line_that_approves_it_and_an_answered_one_with_who_did() -> None:
    page = words(remediation(busy()))
    assert "force_restart hung force_restart VmUnresponsive@1.000 waiting in 14 min" in page
    assert "dbc-exporter remediation approve p1" in page
    assert "rejected by bert" in page
    assert "approve p2" not in page


def test_an_incident_shows_its_problem_its_time_the_verdict_and_what_is_in_the_way() -> None:
    page = words(remediation(busy()))
    assert (
        "vms hung 20 min ago wait restart cooling_down the last action was too short a time ago (9 s)" in page
    )


def test_an_unknown_beginning_is_a_dash() -> None:
    unknown = Incident(target=SERVER, problem="off", verdict="refuse")
    assert "off \N{EN DASH} refuse" in words(remediation(quiet(incidents=(unknown,))))


def test_a_pause_and_a_quarantine_say_how_to_end_them() -> None:
    page = words(remediation(busy()))
    assert "everything anna moving racks in 1 h dbc-exporter remediation resume z1" in page
    assert f"dbc-exporter remediation clear {SERVER}" in page


def test_an_action_shows_its_evidence_its_result_and_how_long_it_took() -> None:
    page = words(remediation(busy()))
    assert "restart for hung recovered took 9 min 50 s well_again it is well again" in page
    assert "hung restart VmUnresponsive@1.000" in page


def test_an_action_under_way_shows_its_state_and_who_approved_it() -> None:
    assert "ambiguous \N{EN DASH} approved by anna" in words(remediation(busy()))


def test_budgets_show_what_is_used_of_what_and_by_which_node_most() -> None:
    page = remediation(busy())
    assert "fleet 10 min 1 of 2" in words(page)
    assert f'href="targets/{node_id(1)}"' in page


def test_a_target_links_to_the_page_of_its_node() -> None:
    assert f'href="targets/{node_id(1)}" title="{VM}"' in remediation(quiet(actions=(action(),)))


def test_a_flood_of_incidents_is_cut_short_and_says_where_the_rest_is() -> None:
    flood = tuple(
        Incident(target=node_id(number), problem="off", verdict="refuse") for number in range(10_000)
    )
    page = remediation(quiet(incidents=flood))
    assert len(page) < 200_000
    assert "9\N{NARROW NO-BREAK SPACE}800 more are in the JSON of this page." in page


def test_whatever_people_and_machines_wrote_is_escaped() -> None:
    evil = "<script>alert(1)</script>"
    status = quiet(
        breaker=evil,
        killed=evil,
        proposals=(proposal(evidence=evil, actor=evil, target=evil),),
        actions=(action(evidence=evil, reason=evil, words=evil, approved_by=evil),),
        quarantines=(Quarantine(target=evil, reason=evil, words=evil),),
        pauses=tuple(
            type(one)(id=evil, node_id=evil, actor=evil, reason=evil, created=NOW, expires=NOW)
            for one in busy().pauses
        ),
    )
    assert "<script" not in remediation(status)


@pytest.mark.parametrize(
    ("given", "unix"),
    [
        (None, None),
        ("", None),
        ("1790000000", 1_790_000_000.0),
        ("1790000000.5", 1_790_000_000.5),
        ("2026-09-21T14:13:20Z", NOW),
        ("2026-09-21T14:13:20", NOW),
        ("2026-09-21T16:13:20+02:00", NOW),
        ("2026-09-21T16:13:20 02:00", NOW),
    ],
)
def test_a_moment_is_unix_seconds_or_a_time_of_rfc_3339(given: str | None, unix: float | None) -> None:
    assert parse_time(given) == unix


@pytest.mark.parametrize("given", ["yesterday", "nan", "inf", "-1", "1e300", "2026-13-01T00:00:00Z"])
def test_anything_else_is_no_moment(given: str) -> None:
    with pytest.raises(BadQuestionError, match="at: must be"):
        parse_time(given)
