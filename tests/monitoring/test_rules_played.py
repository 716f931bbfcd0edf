"""When alerts fire, stay and end, played by promtool over series of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.monitoring.played import GONE, Expected, clock, play, steps
from tests.monitoring.promtool import needs_promtool

pytestmark = [pytest.mark.real, needs_promtool]

HOURS = 8 * 60.0
JOB = 'job="dbc", instance="i"'
NODE = f'{JOB}, node_id="n"'
VM = f'{NODE}, task_id="t"'
CLIENT = f'{JOB}, client="c"'
AT_NODE = {"job": "dbc", "node_id": "n"}
AT_VM = {**AT_NODE, "task_id": "t"}
AT_CLIENT = {"job": "dbc", "client": "c"}
INTERVALS = {"client": 15, "node": 60, "tasks": 300, "transfers": 60, "power": 300, "bare_metal": 300}


def fleet(kind: str = "compute", desired: str = "running", **intervals: int) -> dict[str, str]:
    """Return what is there all the time: an exporter, and a target."""
    series = {
        f"dbc_exporter_build_info{{{JOB}}}": steps(("1", HOURS)),
        f"dbc_exporter_scheduler_heartbeat_timestamp_seconds{{{JOB}}}": clock((1, HOURS)),
        f'dbc_target_info{{{NODE}, kind="{kind}", desired_state="{desired}"}}': steps(("1", HOURS)),
        f"dbc_target_present{{{NODE}}}": steps(("1", HOURS)),
    }
    for collector, seconds in {**INTERVALS, **intervals}.items():
        owner = CLIENT if collector == "client" else NODE
        name = f'dbc_collector_interval_seconds{{{owner}, collector="{collector}"}}'
        series[name] = steps((str(seconds), HOURS))
    return series


def states(name: str, labels: str, **parts: str) -> dict[str, str]:
    return {f'{name}{{{labels}, state="{state}"}}': values for state, values in parts.items()}


def well(name: str, *labels: Mapping[str, str]) -> tuple[str, list[Mapping[str, str]]]:
    return name, list(labels)


# -- clients ---------------------------------------------------------------------------------------------------


def test_a_client_that_is_down_for_two_minutes_pages_once_and_until_it_is_up(tmp_path: Path) -> None:
    series = fleet() | states(
        "dbc_client_state",
        CLIENT,
        ok=steps(("1", 5), ("0", 20), ("1", 60)),
        unreachable=steps(("0", 5), ("1", 20), ("0", 60)),
        unknown=steps(("0", 85)),
    )
    assert not play(
        tmp_path,
        series,
        [
            (6.5, "DbcClientDown", []),
            (7, "DbcClientDown", [AT_CLIENT]),
            (24.5, "DbcClientDown", [AT_CLIENT]),
            (25, "DbcClientDown", []),
            (24, "DbcClientIsolated", []),
            (24, "DbcClientTroubled", []),
        ],
    )


def test_a_client_of_a_restarted_exporter_is_not_up_before_it_was_asked(tmp_path: Path) -> None:
    series = fleet() | states(
        "dbc_client_state",
        CLIENT,
        isolated=steps(("1", 20), ("0", 2), ("1", 20)),
        unknown=steps(("0", 20), ("1", 2), ("0", 20)),
    )
    assert not play(
        tmp_path, series, [(21, "DbcClientIsolated", [AT_CLIENT]), (23, "DbcClientIsolated", [AT_CLIENT])]
    )


def test_a_longer_interval_makes_the_wait_longer(tmp_path: Path) -> None:
    down = states("dbc_client_state", CLIENT, unreachable=steps(("1", 60)), unknown=steps(("0", 60)))
    assert not play(
        tmp_path,
        fleet(client=300) | down,
        [(19.5, "DbcClientDown", []), (20, "DbcClientDown", [AT_CLIENT])],
    )


def test_sessions_that_go_on_being_lost_are_told_before_the_ceiling(tmp_path: Path) -> None:
    series = fleet() | {
        f"dbc_client_unanswered_ceiling{{{CLIENT}}}": steps(("512", HOURS)),
        f"dbc_client_unanswered{{{CLIENT}}}": steps(("100", 60), ("200", 7 * 60)),
    }
    assert not play(
        tmp_path,
        series,
        [
            (60, "DbcClientUnansweredGrowing", []),
            (71, "DbcClientUnansweredGrowing", [AT_CLIENT]),
            (479, "DbcClientUnansweredGrowing", []),
        ],
    )


# -- nodes -----------------------------------------------------------------------------------------------------


def test_a_node_that_left_the_list_pages_and_goes_on_while_nobody_can_look(tmp_path: Path) -> None:
    visible = steps(("1", 5), ("0", 10), (GONE, 120), ("0", 2), ("1", 60))
    series = fleet() | {
        f"dbc_node_visible{{{NODE}}}": visible,
        f"dbc_node_up{{{NODE}}}": steps(("1", 5), (GONE, 200)),
    }
    assert not play(
        tmp_path,
        series,
        [
            (5.5, "DbcNodeNotVisible", []),
            (6, "DbcNodeNotVisible", [AT_NODE]),
            (75, "DbcNodeNotVisible", [AT_NODE]),
            (136, "DbcNodeNotVisible", [AT_NODE]),
            (137.5, "DbcNodeNotVisible", []),
            (14, "DbcNodeUnreachable", []),
        ],
    )


def test_an_alert_goes_on_when_everything_is_gone_but_not_for_ever(tmp_path: Path) -> None:
    there = fleet() | {f"dbc_node_visible{{{NODE}}}": steps(("0", HOURS))}
    series = {name: " ".join([steps((values.split("x")[0], 20)), "stale"]) for name, values in there.items()}
    assert not play(
        tmp_path,
        series,
        [
            (80, "DbcNodeNotVisible", [AT_NODE]),
            (370, "DbcNodeNotVisible", [AT_NODE]),
            (381, "DbcNodeNotVisible", []),
            (26, "DbcExporterAbsent", [{"job": "dbc"}]),
        ],
    )


def test_what_has_not_fired_yet_does_not_begin_to_while_nobody_can_look(tmp_path: Path) -> None:
    series = fleet() | {f"dbc_node_visible{{{NODE}}}": steps(("1", 5), ("0", 0.5), (GONE, 60))}
    assert not play(tmp_path, series, [(t, "DbcNodeNotVisible", []) for t in (6, 7, 10, 60)])


def test_a_target_that_left_the_inventory_is_nobodys_business(tmp_path: Path) -> None:
    series = fleet() | {
        f"dbc_node_visible{{{NODE}}}": steps(("0", 20), (GONE, 60)),
        f"dbc_target_present{{{NODE}}}": steps(("1", 20), ("0", 60)),
    }
    assert not play(tmp_path, series, [(19, "DbcNodeNotVisible", [AT_NODE]), (21, "DbcNodeNotVisible", [])])


def test_a_node_that_dies_pages_once_until_it_answers_again(tmp_path: Path) -> None:
    series = fleet() | {
        f"dbc_node_visible{{{NODE}}}": steps(("1", 10), ("0", 30), ("1", 60)),
        f"dbc_node_up{{{NODE}}}": steps(("1", 5), ("0", 20), (GONE, 16), ("1", 60)),
    }
    assert not play(
        tmp_path,
        series,
        [
            (7.5, "DbcNodeUnreachable", []),
            (8, "DbcNodeUnreachable", [AT_NODE]),
            (39, "DbcNodeUnreachable", [AT_NODE]),
            (40.5, "DbcNodeUnreachable", [AT_NODE]),
            (41, "DbcNodeUnreachable", []),
            *((minute, "DbcNodeNotVisible", []) for minute in (12, 20, 30, 39)),
            (20, "DbcManagerDeaf", []),
        ],
    )


def test_a_node_that_leaves_the_list_before_it_was_asked_pages_once_too(tmp_path: Path) -> None:
    series = fleet() | {
        f"dbc_node_visible{{{NODE}}}": steps(("1", 5), ("0", 30)),
        f"dbc_node_up{{{NODE}}}": steps(("1", 6), ("0", 29)),
    }
    expected = [(minute, "DbcNodeNotVisible", [AT_NODE]) for minute in (6.0, 10, 20, 34)]
    assert not play(
        tmp_path, series, [*expected, *((minute, "DbcNodeUnreachable", []) for minute in (10, 20, 34))]
    )


def test_full_memory_is_no_news_unless_the_node_fails_to_answer(tmp_path: Path) -> None:
    timeouts = f'dbc_collector_failures_total{{{NODE}, collector="node", reason="node_timeout"}}'
    series = fleet() | {
        f"dbc_node_memory_usage_ratio{{{NODE}}}": steps(("0.99", HOURS)),
        timeouts: steps(("1", 120), ("1+0.1", 120)),
        f"dbc_node_up{{{NODE}}}": steps(("1", HOURS)),
    }
    expected = [
        (119.0, "DbcNodeMemoryShort", []),
        (160, "DbcNodeMemoryShort", [AT_NODE]),
        (160, "DbcNodeSlow", [AT_NODE]),
    ]
    assert not play(tmp_path, series, expected)


@pytest.mark.parametrize(("slow", "fires"), [(2, True), (3, False)])
def test_many_slow_nodes_have_a_common_cause_that_is_none_of_theirs(
    tmp_path: Path, slow: int, fires: bool
) -> None:
    series = fleet()
    for number in range(6):
        node = f'{JOB}, node_id="n{number}"'
        series[f"dbc_node_up{{{node}}}"] = steps(("1", 120))
        series[f'dbc_target_info{{{node}, kind="compute", desired_state="none"}}'] = steps(("1", 120))
        if number < slow:
            name = f'dbc_collector_failures_total{{{node}, collector="node", reason="node_timeout"}}'
            series[name] = steps(("1+0.1", 120))
    told = [{"job": "dbc", "node_id": f"n{number}"} for number in range(slow)] if fires else []
    assert not play(tmp_path, series, [(90.0, "DbcNodeSlow", told)])


def test_each_full_disk_is_an_alert_of_its_own_and_a_removed_one_none(tmp_path: Path) -> None:
    series = fleet() | {
        f'dbc_node_disk_usage_ratio{{{NODE}, disk="/a"}}': steps(("0.95", 60), (GONE, 60)),
        f'dbc_node_disk_size_bytes{{{NODE}, disk="/a"}}': steps(("9", 60), (GONE, 60)),
        f'dbc_node_disk_usage_ratio{{{NODE}, disk="/b"}}': steps(("0.5", 120)),
        f'dbc_node_info{{{NODE}, version="1"}}': steps(("1", 120)),
    }
    expected = [(30.0, "DbcNodeDiskShort", [{**AT_NODE, "disk": "/a"}]), (61.0, "DbcNodeDiskShort", [])]
    assert not play(tmp_path, series, expected)


def test_versions_are_held_against_that_of_most_nodes(tmp_path: Path) -> None:
    series = fleet() | {f'dbc_client_info{{{CLIENT}, version="0.4.1.8"}}': steps(("1", HOURS))}
    for number, version in enumerate(("0.4.1.9", "0.4.1.9", "0.4.1.9", "0.4.1.7")):
        series[f'dbc_target_info{{{JOB}, node_id="n{number}", kind="compute"}}'] = steps(("1", HOURS))
        series[f'dbc_node_info{{{JOB}, node_id="n{number}", version="{version}"}}'] = steps(("1", HOURS))
    old = {"job": "dbc", "node_id": "n3", "version": "0.4.1.7"}
    assert not play(
        tmp_path,
        series,
        [
            (359, "DbcNodeVersionDiffers", []),
            (361, "DbcNodeVersionDiffers", [old]),
            (361, "DbcClientVersionDiffers", [{**AT_CLIENT, "version": "0.4.1.8"}]),
        ],
    )


# -- virtual machines, transfers, bare metal -------------------------------------------------------------------


def test_a_vm_that_should_run_and_is_closed_pages(tmp_path: Path) -> None:
    series = (
        fleet()
        | states(
            "dbc_vm_state",
            VM,
            closed=steps(("0", 5), ("1", 15), ("0", 60)),
            running=steps(("1", 5), ("0", 15), ("1", 60)),
            unknown=steps(("0", 80)),
        )
        | {f"dbc_node_tasks_parsable{{{NODE}}}": steps(("1", 80))}
    )
    expected = [(14.5, "DbcVmStopped", []), (15.0, "DbcVmStopped", [AT_VM]), (21.0, "DbcVmStopped", [])]
    assert not play(tmp_path, series, expected)
    elsewhere = {
        name.replace('desired_state="running"', 'desired_state="none"'): v for name, v in series.items()
    }
    assert not play(tmp_path, elsewhere, [(15.0, "DbcVmStopped", [])])


def test_a_vm_whose_state_cannot_be_read_is_not_well_again_but_a_deleted_one_is(tmp_path: Path) -> None:
    series = (
        fleet()
        | states(
            "dbc_vm_state",
            VM,
            error=steps(("1", 20), ("0", 20), (GONE, 60)),
            unknown=steps(("0", 20), ("1", 20), (GONE, 60)),
        )
        | {f"dbc_node_tasks_parsable{{{NODE}}}": steps(("1", 20), ("0", 30), ("1", 60))}
    )
    expected = [
        (19.0, "DbcVmError", [AT_VM]),
        (39.0, "DbcVmError", [AT_VM]),
        (49.0, "DbcVmError", [AT_VM]),
        (51.0, "DbcVmError", []),
    ]
    assert not play(tmp_path, series, expected)


def test_the_end_of_a_lease_ends_the_alerts_of_its_vms(tmp_path: Path) -> None:
    series = fleet() | states(
        "dbc_vm_state", VM, creating=steps(("1", 60), (GONE, 60)), unknown=steps(("0", 60), (GONE, 60))
    )
    series[f"dbc_node_order_live{{{NODE}}}"] = steps(("1", 70), ("0", 50))
    expected = [
        (29.0, "DbcVmStuckCreating", []),
        (69.0, "DbcVmStuckCreating", [AT_VM]),
        (71.0, "DbcVmStuckCreating", []),
    ]
    assert not play(tmp_path, series, expected)


TRANSFER = f'{NODE}, image="x", direction="download"'
AT_TRANSFER = {**AT_NODE, "image": "x", "direction": "download"}


def test_a_transfer_that_moves_slowly_is_not_stalled(tmp_path: Path) -> None:
    moving = states("dbc_image_transfer_state", TRANSFER, downloading=steps(("1", 300)))
    slow = {f"dbc_image_transfer_progress_ratio{{{TRANSFER}}}": steps(("0.1+0.0001", 120), ("0.2", 180))}
    expected = [
        (119.0, "DbcTransferStalled", []),
        (149.0, "DbcTransferStalled", []),
        (152.0, "DbcTransferStalled", [AT_TRANSFER]),
    ]
    assert not play(tmp_path, fleet() | moving | slow, expected)


@pytest.mark.parametrize(("listed", "fires"), [("0", True), ("9", False)])
def test_a_transfer_that_ended_without_its_file_has_vanished(
    tmp_path: Path, listed: str, fires: bool
) -> None:
    series = fleet() | states(
        "dbc_image_transfer_state",
        TRANSFER,
        downloading=steps(("1", 10), ("0", 60)),
        finished=steps(("0", 70)),
        unknown=steps(("0", 10), ("1", 60)),
    )
    series[f'dbc_image_size_bytes{{{NODE}, image="x"}}'] = steps((listed, 70))
    assert not play(tmp_path, series, [(13.0, "DbcTransferVanished", [AT_TRANSFER] if fires else [])])


def test_a_download_that_finished_before_does_not_answer_for_the_next_one(tmp_path: Path) -> None:
    """The first download is finished for an hour, its image is deleted, and the second one fails."""
    series = fleet() | states(
        "dbc_image_transfer_state",
        TRANSFER,
        downloading=steps(("1", 10), ("0", 100), ("1", 20), ("0", 60)),
        finished=steps(("0", 10), ("1", 60), ("0", 120)),
        unknown=steps(("0", 70), ("1", 40), ("0", 20), ("1", 60)),
    )
    series[f'dbc_image_size_bytes{{{NODE}, image="x"}}'] = steps((GONE, 10), ("9", 60), (GONE, 120))
    expected = [
        (69.0, "DbcTransferVanished", []),
        (109.0, "DbcTransferVanished", []),
        (133.0, "DbcTransferVanished", [AT_TRANSFER]),
        (189.0, "DbcTransferVanished", [AT_TRANSFER]),
    ]
    assert not play(tmp_path, series, expected)


def test_a_server_that_should_be_on_pages_when_it_is_off_and_not_when_nobody_knows(tmp_path: Path) -> None:
    off = states(
        "dbc_bare_metal_power_state",
        f'{NODE}, manager_id="m"',
        off=steps(("0", 15), ("1", 30), ("0", 60)),
        unknown=steps(("1", 15), ("0", 30), ("1", 30), ("0", 30)),
    )
    reachable = {
        f'dbc_bare_metal_bmc_reachable{{{NODE}, manager_id="m"}}': steps(("1", 45), ("0", 30), ("1", 30))
    }
    series = fleet("bare_metal_server", "on") | off | reachable
    assert not play(
        tmp_path,
        series,
        [
            (14, "DbcServerOff", []),
            (24.5, "DbcServerOff", []),
            (25, "DbcServerOff", [AT_NODE]),
            (74, "DbcServerOff", [AT_NODE]),
            (76, "DbcServerOff", []),
            (61, "DbcServerBmcUnreachable", [AT_NODE]),
            (76, "DbcServerBmcUnreachable", []),
        ],
    )


def test_a_silent_manager_is_deaf_and_no_node(tmp_path: Path) -> None:
    series = fleet("bare_metal_manager", "none") | {f"dbc_node_up{{{NODE}}}": steps(("1", 5), ("0", 60))}
    expected = [
        (14.5, "DbcManagerDeaf", []),
        (15.0, "DbcManagerDeaf", [AT_NODE]),
        (30.0, "DbcNodeUnreachable", []),
    ]
    assert not play(tmp_path, series, expected)


# -- remediation -----------------------------------------------------------------------------------------------


def remediation(**gauges: str) -> dict[str, str]:
    rounds = {f"dbc_remediation_last_round_timestamp_seconds{{{JOB}}}": clock((1, HOURS))}
    return fleet() | rounds | {f"dbc_remediation_{name}{{{JOB}}}": values for name, values in gauges.items()}


def test_blindness_of_a_client_in_trouble_is_not_told_twice(tmp_path: Path) -> None:
    disarmed = {
        f'dbc_remediation_disarmed{{{JOB}, reason="{reason}"}}': steps(("1", 120))
        for reason in ("blind", "watchdog_silent", "mode_dry_run")
    }
    trouble = states("dbc_client_state", CLIENT, ok=steps(("0", 60), ("1", 60)))
    blind, silent = ({"job": "dbc", "reason": reason} for reason in ("blind", "watchdog_silent"))
    expected = [
        (29.0, "DbcRemediationDisarmed", []),
        (50.0, "DbcRemediationDisarmed", [silent]),
        (95.0, "DbcRemediationDisarmed", [blind, silent]),
    ]
    assert not play(tmp_path, remediation() | disarmed | trouble, expected)


def test_an_action_that_does_not_end_is_told_until_it_does(tmp_path: Path) -> None:
    series = remediation(oldest_open_intent_timestamp_seconds=steps(("0", 150), (GONE, 30)))
    expected = [
        (120.0, "DbcRemediationActionStuck", []),
        (122.0, "DbcRemediationActionStuck", [{"job": "dbc"}]),
    ]
    assert not play(tmp_path, series, [*expected, (151.0, "DbcRemediationActionStuck", [])])


def test_proposals_page_at_once_and_quarantine_only_while_it_grows(tmp_path: Path) -> None:
    series = remediation(
        proposals_open=steps(("0", 5), ("1", 5), ("0", 5)), quarantined=steps(("1", 30), ("2", 450))
    )
    job = {"job": "dbc"}
    assert not play(
        tmp_path,
        series,
        [
            (5, "DbcRemediationApprovalWaiting", [job]),
            (10, "DbcRemediationApprovalWaiting", []),
            (29, "DbcRemediationQuarantineGrowing", []),
            (32, "DbcRemediationQuarantineGrowing", [job]),
            (395, "DbcRemediationQuarantineGrowing", []),
        ],
    )


def test_rounds_that_stopped_and_actions_without_effect_are_told(tmp_path: Path) -> None:
    series = remediation() | {
        f"dbc_remediation_last_round_timestamp_seconds{{{JOB}}}": clock((1, 10), (0, 60)),
        f'dbc_remediation_actions_total{{{JOB}, action="restart", result="ineffective"}}': steps(
            ("0", 10), ("1", 10), ("3", 60)
        ),
    }
    expected = [
        (12.0, "DbcRemediationStuck", []),
        (14.0, "DbcRemediationStuck", [{"job": "dbc"}]),
        (19.0, "DbcRemediationIneffective", []),
        (22.0, "DbcRemediationIneffective", [{"job": "dbc", "action": "restart"}]),
    ]
    assert not play(tmp_path, series, expected)


def test_what_remediation_said_ends_with_its_policy_and_not_with_its_exporter(tmp_path: Path) -> None:
    """The exporter is down for half an hour, and comes back without remediation."""
    said = {
        f"dbc_remediation_breaker_open{{{JOB}}}": "1",
        f'dbc_remediation_disarmed{{{JOB}, reason="paused"}}': "1",
        f'dbc_remediation_policy_info{{{JOB}, hash="h"}}': "1",
        f"dbc_remediation_last_round_timestamp_seconds{{{JOB}}}": "0+30",
    }
    series = {name: steps((value, 60), (GONE, 60)) for name, value in said.items()}
    series[f"dbc_exporter_build_info{{{JOB}}}"] = steps(("1", 60), (GONE, 30), ("1", 30))
    firing = {
        "DbcRemediationBreakerOpen": [{"job": "dbc"}],
        "DbcRemediationDisarmed": [{"job": "dbc", "reason": "paused"}],
    }
    expected = [
        (minute, name, labels if minute < 90 else [])
        for name, labels in firing.items()
        for minute in (59.0, 75, 89, 91)
    ]
    assert not play(tmp_path, series, expected)


# -- the exporter ----------------------------------------------------------------------------------------------

LAST = f'dbc_collector_last_success_timestamp_seconds{{{NODE}, collector="node"}}'
TRIED = f'dbc_collector_last_attempt_timestamp_seconds{{{NODE}, collector="node"}}'


@pytest.mark.parametrize(("up", "fires"), [("1", True), ("0", False)])
def test_old_data_of_a_machine_that_answers_are_stale(tmp_path: Path, up: str, fires: bool) -> None:
    series = fleet() | {
        LAST: clock((1, 10), (0, 60)),
        TRIED: clock((1, 70)),
        f"dbc_node_up{{{NODE}}}": steps((up, 70)),
    }
    stale = [{"job": "dbc", "collector": "node"}] if fires else []
    expected = [(17.0, "DbcExporterTargetsStale", []), (19.0, "DbcExporterTargetsStale", stale)]
    late = [(50.0, "DbcExporterFreshnessSlo", [{"job": "dbc"}] if fires else [])]
    assert not play(tmp_path, series, [*expected, *late])


def test_what_never_succeeded_is_stale_too_but_not_what_cannot_be_had(tmp_path: Path) -> None:
    series = fleet() | {
        TRIED: clock((1, 60)),
        TRIED.replace('"node"', '"tasks"'): clock((1, 60)),
        f'dbc_collector_unavailable{{{NODE}, collector="tasks", reason="no_live_order"}}': steps(("1", 60)),
        f"dbc_node_up{{{NODE}}}": steps(("1", 60)),
    }
    assert not play(
        tmp_path, series, [(30.0, "DbcExporterTargetsStale", [{"job": "dbc", "collector": "node"}])]
    )


def test_a_scheduler_without_heartbeat_pages(tmp_path: Path) -> None:
    series = fleet() | {
        f"dbc_exporter_scheduler_heartbeat_timestamp_seconds{{{JOB}}}": clock((1, 10), (0, 20))
    }
    expected = [
        (11.0, "DbcExporterSchedulerStuck", []),
        (13.0, "DbcExporterSchedulerStuck", [{"job": "dbc", "instance": "i"}]),
    ]
    assert not play(tmp_path, series, expected)


def test_an_exporter_that_comes_back_was_absent(tmp_path: Path) -> None:
    series = {f"dbc_exporter_build_info{{{JOB}}}": steps(("1", 10), (GONE, 60), ("1", 60))}
    expected = [
        (14.0, "DbcExporterAbsent", []),
        (16.0, "DbcExporterAbsent", [{"job": "dbc"}]),
        (71.0, "DbcExporterAbsent", []),
    ]
    assert not play(tmp_path, series, expected)


DAY = 24 * 60.0


def test_an_exporter_that_is_gone_for_good_pages_once_and_goes_on(tmp_path: Path) -> None:
    series = {f"dbc_exporter_build_info{{{JOB}}}": steps(("1", 10), (GONE, 2 * DAY), ("1", 60))}
    gone = [{"job": "dbc"}]
    expected = [(minutes, "DbcExporterAbsent", gone) for minutes in (16, DAY + 5, DAY + 20, 2 * DAY)]
    assert not play(tmp_path, series, [*expected, (2 * DAY + 11, "DbcExporterAbsent", [])])


def test_an_exporter_that_got_another_job_is_missed_for_a_day(tmp_path: Path) -> None:
    series = {
        f"dbc_exporter_build_info{{{JOB}}}": steps(("1", 10), (GONE, 2 * DAY)),
        'dbc_exporter_build_info{job="new", instance="i"}': steps((GONE, 20), ("1", 2 * DAY)),
    }
    gone = [{"job": "dbc"}]
    expected: list[Expected] = [(minutes, "DbcExporterAbsent", gone) for minutes in (16, 30, DAY)]
    assert not play(tmp_path, series, [*expected, (DAY + 11, "DbcExporterAbsent", [])])


def test_where_there_never_was_an_exporter_any_is_missed_until_one_is_there(tmp_path: Path) -> None:
    series = {f"dbc_exporter_build_info{{{JOB}}}": steps((GONE, 60), ("1", 60))}
    expected = [
        (6.0, "DbcExporterAbsent", [{"job": "any"}]),
        (59.0, "DbcExporterAbsent", [{"job": "any"}]),
        (61.0, "DbcExporterAbsent", []),
    ]
    assert not play(tmp_path, series, expected)


# -- several shards --------------------------------------------------------------------------------------------


def shards(**claims: str) -> dict[str, str]:
    """Return what exporters say of themselves: by instance, which shard of two it is and while what it is scraped."""
    series = {}
    for instance, claim in claims.items():
        shard, values = claim.split(":")
        for number in "01":
            labels = f'job="dbc", instance="{instance}", shard="{number}", total_shards="2"'
            series[f"dbc_exporter_shard{{{labels}}}"] = values.replace("1x", f"{int(number == shard)}x")
    return series


def test_a_shard_that_nobody_is_pages_until_somebody_is(tmp_path: Path) -> None:
    missing = [{"job": "dbc", "shard": "1", "total_shards": "2"}]
    series = fleet() | shards(i=f"0:{steps(('1', 60))}", j=f"1:{steps(('1', 10), (GONE, 20), ('1', 30))}")
    expected = [
        (11.5, "DbcExporterShardMissing", []),
        (12.5, "DbcExporterShardMissing", missing),
        (29.5, "DbcExporterShardMissing", missing),
        (30.0, "DbcExporterShardMissing", []),
        (45.0, "DbcExporterShardDoubled", []),
    ]
    assert not play(tmp_path, series, expected)


def test_a_shard_that_never_was_there_is_missing_too(tmp_path: Path) -> None:
    series = fleet() | shards(i=f"0:{steps(('1', 60))}")
    missing = [{"job": "dbc", "shard": "1", "total_shards": "2"}]
    assert not play(tmp_path, series, [(3.0, "DbcExporterShardMissing", missing)])


def test_two_exporters_that_are_one_shard_page_unless_one_takes_the_others_place(tmp_path: Path) -> None:
    doubled = [{"job": "dbc", "shard": "1", "total_shards": "2"}]
    moved = shards(
        i=f"0:{steps(('1', 60))}",
        j=f"1:{steps(('1', 10), (GONE, 50))}",
        k=f"1:{steps((GONE, 8), ('1', 52))}",
    )
    assert not play(
        tmp_path, fleet() | moved, [(minute, "DbcExporterShardDoubled", []) for minute in (9.5, 20)]
    )
    both = fleet() | shards(
        i=f"0:{steps(('1', 60))}",
        j=f"1:{steps(('1', 60))}",
        k=f"1:{steps((GONE, 10), ('1', 20), (GONE, 30))}",
    )
    expected = [
        (14.5, "DbcExporterShardDoubled", []),
        (15.5, "DbcExporterShardDoubled", doubled),
        (29.5, "DbcExporterShardDoubled", doubled),
        (30.5, "DbcExporterShardDoubled", []),
        (20.0, "DbcExporterShardMissing", []),
    ]
    assert not play(tmp_path, both, expected)


def test_exporters_of_different_fleets_in_one_job_are_no_shards(tmp_path: Path) -> None:
    alone = {
        f'dbc_exporter_shard{{job="dbc", instance="{one}", shard="0", total_shards="1"}}': steps(("1", 60))
        for one in "ij"
    }
    expected: list[Expected] = [
        (minute, f"DbcExporterShard{what}", []) for minute in (20, 50) for what in ("Doubled", "Missing")
    ]
    assert not play(tmp_path, fleet() | alone, expected)


AT_UNPOLLED = [{**AT_NODE, "shard": "1"}]


def present(*parts: tuple[str, float]) -> dict[str, str]:
    return {'dbc_target_present{job="dbc", instance="j", node_id="n"}': steps(*parts)}


def elsewhere(*parts: tuple[str, float]) -> dict[str, str]:
    return {f'dbc_target_elsewhere{{{NODE}, shard="1"}}': steps(*parts)}


def without_target() -> dict[str, str]:
    return {name: values for name, values in fleet().items() if not name.startswith("dbc_target_present")}


def test_a_machine_that_nobody_watches_is_named_within_two_intervals_until_somebody_does(
    tmp_path: Path,
) -> None:
    series = without_target() | elsewhere(("1", 60)) | present(("1", 10), (GONE, 20), ("1", 30))
    expected = [
        (10.5, "DbcExporterTargetUnpolled", []),
        (11.0, "DbcExporterTargetUnpolled", AT_UNPOLLED),
        (29.5, "DbcExporterTargetUnpolled", AT_UNPOLLED),
        (30.0, "DbcExporterTargetUnpolled", []),
    ]
    assert not play(tmp_path, series, expected)


def test_a_machine_that_left_the_fleet_is_nobodys_business_in_shards_either(tmp_path: Path) -> None:
    series = without_target() | elsewhere(("1", 20), (GONE, 40)) | present(("1", 10), ("0", 50))
    expected: list[Expected] = [(minute, "DbcExporterTargetUnpolled", []) for minute in (15, 30, 50)]
    assert not play(tmp_path, series, expected)


def test_a_machine_nobody_watches_stays_named_when_who_told_it_is_gone_too(tmp_path: Path) -> None:
    series = without_target() | elsewhere(("1", 20), (GONE, 400)) | present(("1", 10), (GONE, 410))
    expected = [
        (60.0, "DbcExporterTargetUnpolled", AT_UNPOLLED),
        (20 + 361.0, "DbcExporterTargetUnpolled", []),
    ]
    assert not play(tmp_path, series, expected)


def test_a_clients_lane_is_overfull_only_while_all_clients_work(tmp_path: Path) -> None:
    load = {f'dbc_client_pace_load_ratio{{{CLIENT}, kind="list_task"}}': steps(("1.2", 180))}
    for ok, fires in (("1", True), ("0", False)):
        state = states("dbc_client_state", f'{JOB}, client="other"', ok=steps((ok, 180)))
        labels = [{**AT_CLIENT, "kind": "list_task"}] if fires else []
        assert not play(tmp_path, fleet() | load | state, [(40.0, "DbcExporterFleetTooLarge", labels)])


def test_the_dead_mans_switch_fires_always(tmp_path: Path) -> None:
    assert not play(tmp_path, {}, [(0, "DbcDeadMansSwitch", [{}]), (100, "DbcDeadMansSwitch", [{}])])


# -- conditions of one number ------------------------------------------------------------------------------------

AT_INSTANCE = {"job": "dbc", "instance": "i"}
AT_FAMILY = {"job": "dbc", "family": "dbc_vm_info"}
ONE_NUMBER = [
    ("DbcClientWedged", f'dbc_client_state{{{CLIENT}, state="wedged"}}', "1", 2, AT_CLIENT),
    ("DbcClientAtCeiling", f'dbc_client_state{{{CLIENT}, state="ceiling"}}', "1", 2, AT_CLIENT),
    ("DbcNodeCpuShort", f"dbc_node_cpu_usage_ratio{{{NODE}}}", "0.96", 30, AT_NODE),
    ("DbcNodeGpusMissing", f"dbc_node_gpus{{{NODE}}}", "7", 5, AT_NODE),
    ("DbcVmListUnparsable", f"dbc_node_tasks_parsable{{{NODE}}}", "0", 10, AT_NODE),
    ("DbcRemediationBreakerOpen", f"dbc_remediation_breaker_open{{{JOB}}}", "1", 1, {"job": "dbc"}),
    ("DbcRemediationAmbiguousOpen", f"dbc_remediation_ambiguous_open{{{JOB}}}", "1", 30, {"job": "dbc"}),
    (
        "DbcExporterConfigReloadFailed",
        f"dbc_exporter_config_last_reload_successful{{{JOB}}}",
        "0",
        1,
        AT_INSTANCE,
    ),
    (
        "DbcExporterSeriesBudgetExceeded",
        f'dbc_exporter_series_budget_exceeded{{{JOB}, family="dbc_vm_info"}}',
        "1",
        10,
        AT_FAMILY,
    ),
]
"""Alert, what it looks at, its bad value, for how many minutes that must last, and the alert's labels."""
WELL = {"7": "8", "0.96": "0.95", "1": "0", "0": "1"}


@pytest.mark.parametrize(
    ("name", "of", "bad", "hold", "labels"), ONE_NUMBER, ids=[name for name, *_ in ONE_NUMBER]
)
def test_a_bad_value_is_told_once_it_has_lasted_and_until_it_is_good(
    tmp_path: Path, name: str, of: str, *, bad: str, hold: float, labels: Mapping[str, str]
) -> None:
    around = {
        f'dbc_client_state{{{CLIENT}, state="unknown"}}': steps(("0", HOURS)),
        f"dbc_target_expected_gpus{{{NODE}}}": steps(("8", HOURS)),
    }
    series = remediation() | around | {of: steps((WELL[bad], 10), (bad, 50), (WELL[bad], 10))}
    assert not play(
        tmp_path,
        series,
        [(9.5 + hold, name, []), (10 + hold, name, [labels]), (59.5, name, [labels]), (60, name, [])],
    )


@pytest.mark.parametrize(
    ("name", "of", "most", "hold", "label"),
    [
        ("DbcRemediationInvariantViolated", "dbc_remediation_invariant_violations_total", 0, 0, "what"),
        ("DbcExporterParseFailures", "dbc_parse_failures_total", 3, 1, "field"),
    ],
)
def test_more_events_of_the_last_hour_than_are_borne_are_told(
    tmp_path: Path, name: str, of: str, *, most: int, hold: float, label: str
) -> None:
    counted = {
        f'{of}{{{JOB}, {label}="few"}}': steps(("0", 10), (f"{most}", 90)),
        f'{of}{{{JOB}, {label}="many"}}': steps(("0", 10), (f"{most + 1}", 90)),
    }
    fires = {"job": "dbc", label: "many"}
    assert not play(
        tmp_path,
        remediation() | counted,
        [(9.5 + hold, name, []), (10 + hold, name, [fires]), (69, name, [fires]), (71, name, [])],
    )


ACTIONS = f'dbc_remediation_actions_total{{{JOB}, action="restart", result="ineffective"}}'
BORNE = [
    ("DbcRemediationIneffective", ACTIONS, "1"),
    ("DbcNodeSlow", f'dbc_collector_failures_total{{{NODE}, collector="node", reason="node_timeout"}}', "4"),
    ("DbcExporterParseFailures", f'dbc_parse_failures_total{{{JOB}, field="f"}}', "3"),
]


@pytest.mark.parametrize(("name", "counter", "borne"), BORNE, ids=[name for name, *_ in BORNE])
def test_as_many_events_as_are_borne_are_no_more_between_two_scrapes(
    tmp_path: Path, name: str, counter: str, borne: str
) -> None:
    """Scrapes and evaluations seldom fall together, and `increase()` goes beyond the last scrape."""
    around = {f"dbc_node_up{{{NODE}}}": steps(("1", 120))}
    series = remediation() | around | {counter: steps(("0", 20), (borne, 100))}
    quiet: list[Expected] = [(minutes, name, []) for minutes in (21, 25, 30, 32, 40, 60)]
    assert not play(tmp_path, series, quiet, every=37)
