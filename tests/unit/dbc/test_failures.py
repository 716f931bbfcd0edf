"""What a refusal tells somebody who must know what became of a request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbc_exporter.dbc import reads, writes
from dbc_exporter.dbc.envelope import understand
from dbc_exporter.dbc.errors import DbcError, Reason, unsent
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.failures import chain_silent, kept_by_client, nonce_refused, not_rented
from tests.shared import needs_captures
from tests.unit.dbc.captures import one
from tests.unit.dbc.scripted import A, envelope

REFUSED = "check authority failed: "
QUESTIONS = (nonce_refused, chain_silent, not_rented)


def error_of(raw: RawAnswer) -> DbcError:
    for call in (writes.power(A, "on"), reads.task_list(A)):
        with pytest.raises(DbcError) as caught:
            understand(call, raw)
    return caught.value


@pytest.mark.parametrize(
    ("said", "yes"),
    [
        (f"{REFUSED}nonce check failed", nonce_refused),
        (f"{REFUSED}query machine_status failed", chain_silent),
        (f"{REFUSED}machine is not be rented", not_rented),
        (f"{REFUSED}wallet not rented", not_rented),
        (f"{REFUSED}machine has already expired", not_rented),
        (f"{REFUSED}session_id is invalid", None),
        (f"{REFUSED}not in verify time", None),
        (REFUSED, None),
        ("check authority failed", None),
        ("verify sign failed", None),
        ("no session id", None),
        ("task not exist", None),
        ("nonce check failed", None),
        (f"task {REFUSED}nonce check failed", None),
    ],
)
@pytest.mark.parametrize("errcode", [-3, 1])
def test_a_nodes_refusals_are_told_apart(
    said: str, yes: Callable[[DbcError], bool] | None, errcode: int
) -> None:
    error = error_of(envelope(said, errcode=errcode))
    assert [question for question in QUESTIONS if question(error)] == ([] if yes is None else [yes])
    assert not kept_by_client(error)
    assert error.sent


@needs_captures
@pytest.mark.parametrize(
    ("number", "yes"),
    [
        ("144", nonce_refused),
        ("063", nonce_refused),
        ("160", not_rented),
        ("162", chain_silent),
        ("072", None),
        ("132", None),
        ("164", None),
    ],
)
def test_recorded_refusals_are_told_apart(number: str, yes: Callable[[DbcError], bool] | None) -> None:
    answer = one(number).answer
    assert answer is not None
    error = error_of(answer)
    assert [question for question in QUESTIONS if question(error)] == ([] if yes is None else [yes])


@pytest.mark.parametrize(
    "raw",
    [
        envelope(f"{REFUSED}nonce check failed", errcode=-1, status=500),
        envelope(f"{REFUSED}nonce check failed", errcode=-25, status=400),
        RawAnswer(200, "text/html", f"{REFUSED}nonce check failed".encode()),
    ],
)
def test_only_a_nodes_own_word_counts(raw: RawAnswer) -> None:
    assert not any(question(error_of(raw)) for question in QUESTIONS)


def test_nothing_is_read_out_of_failures_of_our_own() -> None:
    for reason in Reason:
        error = DbcError(reason, "the call needs a credential (renter)")
        assert not any(question(error) for question in QUESTIONS)


@pytest.mark.parametrize(
    "raw",
    [
        envelope("create node request failed", errcode=-32701, status=400),
        envelope("create request session failed", errcode=-32701, status=400),
        envelope("broadcast request failed", errcode=-32701, status=400),
        envelope("session_id and wallet all invalid", errcode=-25, status=400),
        envelope("invalid command", errcode=-25, status=400),
        envelope("not support uri:x", errcode=-32601, status=404),
    ],
)
def test_a_client_that_refuses_a_request_has_kept_it(raw: RawAnswer) -> None:
    error = error_of(raw)
    assert kept_by_client(error)
    assert error.sent, "it left us all the same"


@pytest.mark.parametrize(
    "raw",
    [
        envelope("restart task timeout", errcode=-1, status=500),
        envelope("response parse error", errcode=-1, status=500),
        envelope("add timer failed", errcode=-32701, status=400),
        envelope("create node request failed", errcode=-3),
        envelope("broadcast request failed", errcode=-1, status=500),
        RawAnswer(400, "text/html", b"<html>400 Bad Request</html>"),
        RawAnswer(502, "text/html", b"<html></html>"),
    ],
)
def test_any_other_answer_leaves_it_open_whether_the_request_was_passed_on(raw: RawAnswer) -> None:
    error = error_of(raw)
    assert error.sent
    assert not kept_by_client(error)


@pytest.mark.parametrize("reason", [Reason.WEDGED, Reason.ISOLATED, Reason.UNREACHABLE])
def test_what_is_concluded_from_a_silence_is_no_refusal_of_the_client(reason: Reason) -> None:
    error = DbcError(reason, "the client itself was in trouble meanwhile")
    assert error.sent
    assert not kept_by_client(error)


def test_every_failure_may_have_been_sent_unless_it_is_certain_that_it_was_not() -> None:
    assert [reason for reason in Reason if not DbcError(reason).sent] == [Reason.NOT_SENT]


def test_what_fails_before_the_sending_is_marked_and_keeps_its_reason() -> None:
    with pytest.raises(DbcError) as caught, unsent():
        raise DbcError(Reason.UNREACHABLE, "the client itself is silent")
    assert (caught.value.reason, caught.value.sent) == (Reason.UNREACHABLE, False)
    assert not kept_by_client(caught.value)
