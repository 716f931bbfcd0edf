"""What the end of a sending means: every text that a node is known to say, and whatever else may come back."""

from __future__ import annotations

import pytest

from dbc_exporter.dbc import failures
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.dbc.outcomes import Accepted, PowerTaken
from dbc_exporter.remediation.model import Result
from dbc_exporter.remediation.outcome import Settling, of_answer, of_failure
from dbc_exporter.remediation.reasons import Reason

RESTART, POWER = "restart task", "bare metal power"

REFUSALS = [
    (RESTART, "task not exist", Reason.LIBVIRT_DEAD),
    (RESTART, "task is paused", Reason.REFUSED_BY_NODE),
    (RESTART, "task is crashed", Reason.REFUSED_BY_NODE),
    (RESTART, "task is being shutdown", Reason.REFUSED_BY_NODE),
    ("start task", "task is running", Reason.REFUSED_BY_NODE),
    (RESTART, "check cpu failed", Reason.REFUSED_BY_NODE),
    (RESTART, "check gpu failed", Reason.REFUSED_BY_NODE),
    (RESTART, "check memory failed", Reason.REFUSED_BY_NODE),
    (RESTART, "check ssh_port failed", Reason.REFUSED_BY_NODE),
    (RESTART, "check rdp_port failed", Reason.REFUSED_BY_NODE),
    (RESTART, "check vnc_port failed", Reason.REFUSED_BY_NODE),
    (RESTART, "cpu count exceeds the maximum", Reason.REFUSED_BY_NODE),
    (RESTART, "get cpu tune failed", Reason.REFUSED_BY_NODE),
    (RESTART, "gpu 0000:01:00.0 is already in use", Reason.REFUSED_BY_NODE),
    (RESTART, "gpu device 0000:01:00.0 not found in system", Reason.REFUSED_BY_NODE),
    (RESTART, "public ip being used", Reason.REFUSED_BY_NODE),
    (RESTART, "restart task failed, please try again in a minute", Reason.REFUSED_BY_NODE),
    ("start task", "start task failed, please try again in a minute", Reason.REFUSED_BY_NODE),
    (RESTART, "bare metal nodes are not supported", Reason.REFUSED_BY_NODE),
    (POWER, "Not supported", Reason.REFUSED_BY_NODE),
    (POWER, "invalid command", Reason.REFUSED_BY_NODE),
    (POWER, "bare metal node id 44bd not existed", Reason.REFUSED_BY_NODE),
    (RESTART, "check authority failed: machine is not be rented", Reason.NO_LIVE_ORDER),
    (RESTART, "check authority failed: wallet not rented", Reason.NO_LIVE_ORDER),
    (RESTART, "check authority failed: machine has already expired", Reason.NO_LIVE_ORDER),
    (RESTART, "check authority failed: query machine_status failed", Reason.CHAIN_SILENT),
    (RESTART, "check authority failed: session_id is invalid", Reason.REFUSED_BY_NODE),
    (RESTART, "check authority failed: not in verify time", Reason.REFUSED_BY_NODE),
    (POWER, "Error: Unable to establish LAN session", Reason.BMC_REFUSED),
    (POWER, "Set Chassis Power Control to Reset failed: Command not supported", Reason.BMC_REFUSED),
    (POWER, "unsupported command", Reason.BMC_REFUSED),
]


@pytest.mark.parametrize(("kind", "said", "reason"), REFUSALS)
def test_the_nodes_own_words_of_a_closed_list_are_a_refusal(kind: str, said: str, reason: Reason) -> None:
    assert of_failure(failures.of_node(said, kind)) == (Result.REFUSED, reason)


OPEN = [
    failures.of_node("check authority failed: nonce check failed", RESTART),
    failures.of_node("check authority failed", RESTART),
    failures.of_node("task is running now", RESTART),
    failures.of_node("check gpu failed, but restarted", RESTART),
    failures.of_node("something new", RESTART),
    failures.of_node("", RESTART),
    failures.of_node("task_id not exist", RESTART),
    failures.of_node(
        "Chassis Power Control: Reset <line> Error: Close Session command failed", "bare metal power"
    ),
    DbcError(Failure.BMC, "Set Chassis Power Control to Reset failed: Timeout"),
    DbcError(Failure.BMC, "Set Chassis Power Control to Up/On failed: Unknown"),
    DbcError(Failure.BMC, "Unable to set Chassis Power Control to Up/On"),
    failures.of_node("get node info error: timed out", "bare metal power"),
    failures.of_client(500, "restart task timeout", RESTART),
    failures.of_client(500, "response parse error", RESTART),
    failures.of_client(500, "add timer failed", RESTART),
    failures.of_client(400, "create node request failed", RESTART),
    failures.of_client(400, "create request session failed", RESTART),
    failures.of_client(400, "broadcast request failed", RESTART),
    failures.of_client(502, "bad gateway", RESTART),
    failures.of_client(500, "task is paused", RESTART),
    failures.of_client(400, "task not exist", RESTART),
    DbcError(Failure.OWN_DEADLINE),
    DbcError(Failure.UNREACHABLE, "connection reset"),
    DbcError(Failure.UNREACHABLE, "closed without an answer"),
    DbcError(Failure.WEDGED, "the client itself was in trouble meanwhile"),
    DbcError(Failure.ISOLATED, "the client itself was in trouble meanwhile"),
    DbcError(Failure.MALFORMED, "HTML"),
    DbcError(Failure.UNREADABLE, "no text"),
    DbcError(Failure.UNPARSABLE, "a field is said twice"),
    DbcError(Failure.TOO_LARGE),
]


@pytest.mark.parametrize("error", OPEN, ids=str)
def test_everything_else_after_the_bytes_left_stays_open(error: DbcError) -> None:
    assert of_failure(error) is None


@pytest.mark.parametrize("reason", list(Failure))
def test_what_certainly_did_not_leave_was_not_carried_out_whatever_the_reason(reason: Failure) -> None:
    error = DbcError(reason, "task not exist", sent=False)
    assert of_failure(error) == (Result.NOT_EXECUTED, Reason.NOT_SENT)


@pytest.mark.parametrize("reason", list(Failure))
def test_no_reason_alone_proves_a_refusal(reason: Failure) -> None:
    known = {Failure.NOT_SENT: (Result.NOT_EXECUTED, Reason.NOT_SENT)}
    assert of_failure(DbcError(reason, "words nobody knows")) == known.get(reason)


def test_a_success_says_only_that_the_order_was_taken() -> None:
    assert of_answer(Accepted()) is Settling.TAKEN
    assert of_answer(PowerTaken(acknowledged=True)) is Settling.TAKEN


def test_a_power_command_answered_in_other_words_is_not_acknowledged() -> None:
    assert of_answer(PowerTaken(acknowledged=False)) is Settling.UNACKNOWLEDGED
