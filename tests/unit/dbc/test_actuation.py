"""Sending what changes a machine: once, after every check, and never in doubt about what has surely not left."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from dbc_exporter.collectors.orders import BELIEVED_SECONDS, OrderBook
from dbc_exporter.dbc import reads, transport, writes
from dbc_exporter.dbc.actuation import Sender
from dbc_exporter.dbc.authority import Credential, SessionCredential
from dbc_exporter.dbc.client import UNCONNECTED
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.failures import kept_by_client
from dbc_exporter.dbc.observer import NullObserver
from dbc_exporter.dbc.outcomes import Accepted
from dbc_exporter.dbc.patience import Patience
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.dbc.request import request_of
from dbc_exporter.dbc.transport import HttpTransport
from dbc_exporter.facts import RentOrders
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.targets import Kind, Target
from tests.unit.dbc.scripted import (
    HTML,
    NODE_TIMEOUT,
    SIGNER,
    UNKNOWN_NODE,
    WEDGED,
    A,
    B,
    C,
    Node,
    Scripted,
    client_of,
    config,
    envelope,
)
from tests.virtual import settle, virtually

LIVE = {"rent_orders": [{"id": "order", "renter": "wallet", "rent_status": "renting"}]}
ENDED = {"rent_orders": [{"id": "order", "renter": "wallet", "rent_status": "rentExpired"}]}
RENTED = Target(A, credential="renter")
NONCE = "3QRjS1PsbDReGJKVBBRqxUh9RqXB5jbfHJ8bMgGoJ3C9HHHHm9rCmmh"
TASK = "Task1"
TIMEOUT = envelope("restart task timeout", errcode=-1, status=500)


def node(said: Callable[[], Any] = lambda: "ok", orders: Any = LIVE) -> Node:
    """Return a node that says this to everything signed."""

    def answer(path: str) -> Any:
        if path.endswith("/rent_orders"):
            return orders
        return said() if "/tasks" in path or "/power" in path else config(path)

    return answer


class Counting(NullObserver):
    """Remembers what was reported."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, Reason | None]] = []

    def finished(self, client: str, kind: str, seconds: float, reason: Reason | None) -> None:
        del client, seconds
        self.ended.append((kind, reason))


class Case:
    """A sender over one scripted client. `written` counts the calls of `before_send`."""

    def __init__(self, clock: LoopClock, credential: Credential, transport: type[Scripted]) -> None:
        self.clock = clock
        self.transport = transport(clock, {A: node(), B: node()})
        self.observer = Counting()
        self.client = client_of(self.transport, observer=self.observer)
        book = OrderBook(clock, {"renter": frozenset({"wallet"})})
        self.pool = Pool([self.client], clock, {"renter": credential}, orders=book)
        self.sender = Sender(self.pool)
        self.written = 0

    async def know(self) -> None:
        """Look at the client and read the rent orders."""
        await self.client.refresh()
        assert self.pool.orders
        await self.pool.orders.refresh(RENTED, self.pool.read)

    async def write(self) -> None:
        self.written += 1

    async def order(self, target: Target = RENTED, nonce: str | None = NONCE) -> object:
        return await self.sender.order(writes.restart(A, TASK), target, nonce, self.write)

    async def failure(self, awaitable: Awaitable[object]) -> DbcError:
        with pytest.raises(DbcError) as caught:
            await awaitable
        return caught.value

    def signed(self) -> list[str]:
        """Return the paths of the signed requests."""
        return [path.removeprefix("/api/v1") for _, path, _, signed in self.transport.asked if signed]


Story = Callable[[Case], Awaitable[None]]


def played(story: Story, credential: Credential = SIGNER, transport: type[Scripted] = Scripted) -> None:
    async def play(clock: LoopClock) -> None:
        case = Case(clock, credential, transport)
        await case.know()
        await story(case)
        await case.client.aclose()

    virtually(play)


# -- what is sent


def test_a_write_is_sent_once_signed_with_the_nonce_and_cannot_be_repeated() -> None:
    async def story(case: Case) -> None:
        assert await case.order() == Accepted()
        assert case.signed() == [f"/tasks/restart/{TASK}"]
        assert case.transport.bodies[-1]["nonce"] == NONCE
        assert case.transport.repeatable[-1] is False
        assert case.observer.ended[-1] == ("restart task", None)

    played(story)


def test_a_read_with_a_nonce_is_sent_once_and_cannot_be_repeated() -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = node(list)
        await case.sender.signed_read(reads.task_list(A), RENTED, NONCE)
        assert case.signed() == ["/tasks"]
        assert case.transport.bodies[-1]["nonce"] == NONCE
        assert case.transport.repeatable[-1] is False

    played(story)


def test_other_reads_may_be_repeated() -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = node(list)
        await case.pool.read(reads.task_list(A), RENTED)
        assert case.transport.bodies[-1]["nonce"] != NONCE
        assert case.transport.repeatable[-1] is True

    played(story)


def test_the_targets_rent_order_goes_along() -> None:
    async def story(case: Case) -> None:
        await case.order(Target(A, credential="renter", rent_order="order"))
        assert case.transport.bodies[-1]["rent_order"] == "order"

    played(story)


def test_a_session_signs_a_write_without_a_nonce() -> None:
    async def story(case: Case) -> None:
        await case.order(nonce=None)
        assert case.transport.bodies[-1]["session_id"] == "session"
        assert "nonce" not in case.transport.bodies[-1]

    played(story, SessionCredential("renter", SecretStr("session"), SecretStr("ab" * 64), wallet="wallet"))


def test_the_orders_are_read_first_when_they_are_not_known() -> None:
    async def story(case: Case) -> None:
        await asyncio.sleep(BELIEVED_SECONDS + 1)
        asked = len(case.transport.asked)
        await case.order()
        paths = [path.removeprefix("/api/v1") for _, path, *_ in case.transport.asked[asked:]]
        assert paths == ["/rent_orders", f"/tasks/restart/{TASK}"]
        assert case.written == 1

    played(story)


def test_a_servers_power_command_is_addressed_to_it_and_waits_for_its_manager() -> None:
    server = Target(B, Kind.SERVER, manager=A, credential="renter")

    async def story(case: Case) -> None:
        case.transport.nodes[A] = lambda _path: None
        hanging = asyncio.ensure_future(case.pool.read(reads.bare_metal_list(A), Target(A, Kind.MANAGER)))
        await settle()
        case.pool.orders = _Always()
        sending = asyncio.ensure_future(
            case.sender.order(writes.power(B, "reset"), server, NONCE, case.write)
        )
        await settle()
        assert case.written == 0, "the manager works one request at a time"
        hanging.cancel()
        case.transport.nodes[B] = node(lambda: "Chassis Power Control: Reset")
        await settle()
        case.client.gate.wake()
        assert (await sending).acknowledged
        assert case.transport.bodies[-1]["peer_nodes_list"] == [B]

    played(story)


class _Always:
    """Knows that an order of ours runs everywhere."""

    def live(self, target: Target) -> bool:
        del target
        return True

    def is_live(self, target: Target, orders: RentOrders) -> bool:
        del target, orders
        return True

    async def refresh(self, target: Target, read: object) -> None:
        """Ask nobody."""

    def retain(self, watched: object) -> None:
        """Forget nothing."""


def test_one_request_is_in_flight_per_node_writes_included() -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = node(lambda: None)
        first = asyncio.ensure_future(case.order())
        second = asyncio.ensure_future(case.sender.order(writes.start(A, TASK), RENTED, "other", case.write))
        await settle()
        assert case.written == len(case.signed()) == 1
        case.transport.nodes[A] = node()
        await case.failure(first)
        await second
        assert case.written == len(case.signed()) == 2

    played(story)


def test_an_answer_to_a_write_proves_its_node_alive() -> None:
    async def story(case: Case) -> None:
        await asyncio.sleep(200)
        await case.client.refresh()
        assert case.pool.reachability(RENTED).up is None
        case.pool.orders = _Always()
        await case.order()
        assert case.pool.reachability(RENTED).up is True

    played(story)


def test_the_silence_of_a_write_says_nothing_of_its_node() -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = node(lambda: TIMEOUT)
        await case.failure(case.order())
        assert A not in case.pool.suspects
        assert case.pool.reachability(RENTED).up is not False

    played(story)


# -- right before sending


def test_what_is_written_down_is_written_after_every_check_and_before_any_byte() -> None:
    events: list[str] = []

    class Heard(Scripted):
        async def send(
            self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
        ) -> RawAnswer:
            events.append(path.removeprefix("/api/v1/"))
            return await super().send(method, path, body, deadline_seconds=deadline_seconds, retry=retry)

    async def story(case: Case) -> None:
        await asyncio.sleep(Patience().look + BELIEVED_SECONDS)
        events.clear()

        async def write() -> None:
            events.append("written")

        await case.sender.order(writes.restart(A, TASK), RENTED, NONCE, write)
        assert events == ["peers/active", "rent_orders", "written", f"tasks/restart/{TASK}"]

    played(story, transport=Heard)


@pytest.mark.parametrize("raised", [RuntimeError("the disk is full"), DbcError(Reason.NOT_SENT, "withdrawn")])
def test_what_before_send_raises_comes_out_sends_nothing_and_frees_the_gate(raised: Exception) -> None:
    async def refuse() -> None:
        raise raised

    async def story(case: Case) -> None:
        with pytest.raises(type(raised)) as caught:
            await case.sender.order(writes.restart(A, TASK), RENTED, NONCE, refuse)
        assert caught.value is raised
        assert case.signed() == []
        assert case.client.gate.tickets == set()
        assert case.client.gate.busy == set()
        await case.order()
        assert len(case.signed()) == 1

    played(story)


def test_a_write_that_is_cancelled_while_it_waits_is_never_written_down_nor_sent() -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = node(lambda: None)
        hanging = asyncio.ensure_future(case.pool.read(reads.task_list(A), RENTED))
        await settle()
        waiting = asyncio.ensure_future(case.order())
        await settle()
        waiting.cancel()
        await case.failure(hanging)
        await settle()
        assert (case.written, case.signed()) == (0, ["/tasks"])

    played(story)


# -- what has surely not left


async def _no_peers(case: Case) -> None:
    await asyncio.sleep(Patience().look + 0.1)
    case.transport.peers = 0


async def _client_gone(case: Case) -> None:
    await asyncio.sleep(Patience().look + 0.1)
    case.transport.refused = True


async def _client_silent(case: Case) -> None:
    await asyncio.sleep(Patience().look + 0.1)
    case.transport.frozen = True


async def _at_the_ceiling(case: Case) -> None:
    case.client.unanswered = case.client.unanswered_ceiling


async def _suspect(case: Case) -> None:
    case.pool.suspects.add(A, case.clock.monotonic())


async def _unlisted(case: Case) -> None:
    del case.transport.nodes[A]
    await case.client.refresh()


async def _no_order_any_more(case: Case) -> None:
    case.transport.nodes[A] = node(orders=ENDED)
    await asyncio.sleep(BELIEVED_SECONDS + 1)


async def _orders_cannot_be_read(case: Case) -> None:
    case.transport.nodes[A] = node(orders=NODE_TIMEOUT)
    await asyncio.sleep(BELIEVED_SECONDS + 1)


async def _node_left_the_client(case: Case) -> None:
    case.transport.nodes[A] = node(orders=UNKNOWN_NODE)
    await asyncio.sleep(BELIEVED_SECONDS + 1)


async def _nobody_knows_orders(case: Case) -> None:
    case.pool.orders = None


async def _no_credential(case: Case) -> None:
    case.pool.credentials = {}
    case.pool.orders = _Always()


HELD_BACK: list[tuple[Callable[[Case], Awaitable[None]], Reason]] = [
    (_no_peers, Reason.ISOLATED),
    (_client_gone, Reason.UNREACHABLE),
    (_client_silent, Reason.UNREACHABLE),
    (_at_the_ceiling, Reason.NOT_SENT),
    (_suspect, Reason.NOT_SENT),
    (_unlisted, Reason.NOT_SENT),
    (_no_order_any_more, Reason.NOT_SENT),
    (_orders_cannot_be_read, Reason.NODE_TIMEOUT),
    (_node_left_the_client, Reason.UNKNOWN_NODE),
    (_nobody_knows_orders, Reason.NOT_SENT),
    (_no_credential, Reason.AUTHORITY),
]


def _read_with_nonce(case: Case) -> Awaitable[object]:
    return case.sender.signed_read(reads.task_list(A), RENTED, NONCE)


@pytest.mark.parametrize("attempt", [Case.order, _read_with_nonce])
@pytest.mark.parametrize(("trouble", "reason"), HELD_BACK)
def test_what_is_held_back_is_known_as_not_sent(
    trouble: Callable[[Case], Awaitable[None]], reason: Reason, attempt: Callable[[Case], Awaitable[object]]
) -> None:
    async def story(case: Case) -> None:
        await trouble(case)
        error = await case.failure(attempt(case))
        assert (error.reason, error.sent) == (reason, False)
        assert not kept_by_client(error), "it was never asked"
        assert (case.written, case.signed()) == (0, [])
        assert case.client.gate.tickets == set()

    played(story)


def test_a_node_whose_credential_is_missing_is_not_taken_for_one_that_answered() -> None:
    async def story(case: Case) -> None:
        await asyncio.sleep(200)
        await case.client.refresh()
        await _no_credential(case)
        await case.failure(case.order())
        assert case.pool.reachability(RENTED).up is None

    played(story)


def test_a_refused_connection_carried_nothing() -> None:
    async def story(case: Case) -> None:
        case.transport.refused = True
        error = await case.failure(case.order())
        assert (error.reason, error.sent, case.written) == (Reason.UNREACHABLE, False, 1)

    played(story)


def test_a_repeatable_read_is_never_called_unsent_once_it_was_tried() -> None:
    async def story(case: Case) -> None:
        case.transport.refused = True
        error = await case.failure(case.pool.read(reads.task_list(A), RENTED))
        assert (error.reason, error.sent) == (Reason.UNREACHABLE, True)

    played(story)


async def test_the_transports_words_for_no_connection_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"no greeting of TLS\r\n" * 9)
        writer.close()

    hanging_up = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = hanging_up.sockets[0].getsockname()[1]
    said = [
        await _said(f"http://127.0.0.1:{free}"),
        await _said("http://nowhere.invalid:5050"),
        await _said(f"https://127.0.0.1:{port}"),
    ]
    hanging_up.close()

    def no_descriptors(_address: object) -> socket.socket:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(transport, "_open_socket", no_descriptors)
    said.append(await _said(f"http://127.0.0.1:{free}"))
    assert sorted(said) == sorted(UNCONNECTED)


async def _said(url: str) -> str:
    http = HttpTransport(url)
    try:
        with pytest.raises(DbcError) as caught:
            await http.send("POST", "/api/v1/tasks", b"{}", deadline_seconds=30.0)
    finally:
        await http.aclose()
    assert caught.value.reason is Reason.UNREACHABLE
    return caught.value.said


# -- what may have left


def _reset() -> DbcError:
    return DbcError(Reason.UNREACHABLE, "connection reset")


NO_CREDENTIALS = envelope("session_id and wallet all invalid", errcode=-25, status=400)
UNTOLD = envelope("task_id is invalid", errcode=-25, status=400)
ALONE = envelope("broadcast request failed", errcode=-32701, status=400)
BAD_GATEWAY = RawAnswer(502, "text/html", b"<html></html>")


@pytest.mark.parametrize(
    ("said", "reason", "kept"),
    [
        (_reset, Reason.UNREACHABLE, False),
        (lambda: None, Reason.OWN_DEADLINE, False),
        (lambda: TIMEOUT, Reason.NODE_TIMEOUT, False),
        (lambda: HTML, Reason.MALFORMED, False),
        (lambda: BAD_GATEWAY, Reason.SERVER_ERROR, False),
        (lambda: envelope("task not exist", errcode=1), Reason.NOT_FOUND, False),
        (lambda: envelope("task is running", errcode=1), Reason.REFUSED_BY_NODE, False),
        (lambda: envelope("no connection", errcode=1), Reason.REFUSED_BY_NODE, False),
        (lambda: envelope("check authority failed: nonce check failed", errcode=-3), Reason.AUTHORITY, False),
        (lambda: UNKNOWN_NODE, Reason.UNKNOWN_NODE, True),
        (lambda: WEDGED, Reason.WEDGED, True),
        (lambda: ALONE, Reason.ISOLATED, True),
        (lambda: NO_CREDENTIALS, Reason.AUTHORITY, True),
        (lambda: UNTOLD, Reason.REFUSED_LOCALLY, True),
    ],
)
def test_what_was_sent_may_have_left_and_is_never_sent_again(
    said: Callable[[], Any], reason: Reason, *, kept: bool
) -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = node(said)
        error = await case.failure(case.order())
        assert (error.reason, error.sent, kept_by_client(error)) == (reason, True, kept)
        assert case.written == 1
        assert case.signed() == [f"/tasks/restart/{TASK}"]
        assert case.observer.ended.count(("restart task", reason)) == 1
        assert case.client.gate.tickets == set()

    played(story)


@pytest.mark.parametrize("said", [_reset, lambda: None, lambda: TIMEOUT])
def test_a_read_with_a_nonce_is_never_sent_again_either(said: Callable[[], Any]) -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = node(said)
        error = await case.failure(case.sender.signed_read(reads.task_list(A), RENTED, NONCE))
        assert error.sent is True
        assert case.signed() == ["/tasks"]

    played(story)


def test_a_silence_put_down_to_its_clients_trouble_may_have_left_too() -> None:
    async def story(case: Case) -> None:
        case.transport.nodes[A] = node(lambda: None)
        sending = asyncio.ensure_future(case.order())
        await settle()
        case.transport.nodes[B] = lambda _path: WEDGED
        await case.failure(case.pool.read(reads.node_config(B), Target(B)))
        error = await case.failure(sending)
        assert (error.reason, error.sent, kept_by_client(error)) == (Reason.WEDGED, True, False)

    played(story)


def test_a_late_answer_to_a_write_gives_its_session_back() -> None:
    late = asyncio.Event()

    class Slow(Scripted):
        async def send(
            self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
        ) -> RawAnswer:
            if b'"sign"' in body:
                await late.wait()
            return await super().send(method, path, body, deadline_seconds=deadline_seconds, retry=retry)

    async def story(case: Case) -> None:
        error = await case.failure(case.order())
        assert (error.reason, case.client.unanswered) == (Reason.OWN_DEADLINE, 1)
        late.set()
        await asyncio.sleep(1)
        assert case.client.unanswered == 0

    played(story, transport=Slow)


# -- what is refused outright


@pytest.mark.parametrize("target", [Target(B, credential="renter"), Target(C, credential="renter")])
def test_a_call_about_another_node_than_its_target_is_refused(target: Target) -> None:
    async def story(case: Case) -> None:
        for attempt in (case.order(target), case.sender.signed_read(reads.task_list(A), target, NONCE)):
            error = await case.failure(attempt)
            assert (error.reason, error.sent) == (Reason.REFUSED_LOCALLY, False)
            assert not kept_by_client(error)
        assert case.signed() == []

    played(story)


def test_a_call_that_carries_no_signature_is_refused() -> None:
    async def story(case: Case) -> None:
        error = await case.failure(case.sender.signed_read(reads.node_config(A), RENTED, NONCE))
        assert (error.reason, error.sent) == (Reason.REFUSED_LOCALLY, False)

    played(story)


def test_an_empty_nonce_is_not_replaced_by_another() -> None:
    async def story(case: Case) -> None:
        error = await case.failure(case.order(nonce=""))
        assert (error.reason, error.sent, case.signed()) == (Reason.AUTHORITY, False, [])

    played(story)


def test_a_credential_that_cannot_sign_a_nonce_of_our_choice_is_refused() -> None:
    async def story(case: Case) -> None:
        error = await case.failure(case.order())
        assert (error.reason, error.sent, case.signed()) == (Reason.AUTHORITY, False, [])

    played(story, SessionCredential("renter", SecretStr("session"), SecretStr("ab" * 64), wallet="wallet"))


def test_a_call_that_cannot_be_built_is_known_as_not_sent() -> None:
    with pytest.raises(DbcError) as caught:
        writes.restart(A, "no task id/../")
    assert caught.value.sent is False


# -- what is never told


@pytest.mark.parametrize(
    "said", [lambda: "ok", _reset, lambda: None, lambda: envelope(f"bad {NONCE}", errcode=1), lambda: HTML]
)
def test_the_nonce_is_in_no_log_error_or_repr(
    said: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def story(case: Case) -> None:
        case.transport.nodes[A] = node(said)
        told = ""
        try:
            await case.order()
        except DbcError as error:
            told = repr(error) + "".join(traceback.format_exception(error))
        request = request_of(
            writes.restart(A, TASK), SIGNER, None, nonce=NONCE, once=True, before_send=case.write
        )
        told += repr(request) + repr(case.sender) + repr(case.client)
        assert case.transport.bodies[-1]["nonce"] == NONCE
        assert NONCE not in told.replace(repr(case.transport), "")

    played(story)
    assert NONCE not in caplog.text


if TYPE_CHECKING:

    async def _reads_and_writes_are_kept_apart(case: Case) -> None:
        """Every line is an error to the type checker, which complains of an ignore too many."""
        write, read = writes.restart(A, TASK), reads.task_list(A)
        await case.client.forward(write, A, None, None)  # type: ignore[arg-type]  # a write is no read
        await case.client.local(write)  # type: ignore[arg-type]  # a write is no read
        await case.client.carry(write, A, None)  # type: ignore[arg-type]  # a call is no request
        await case.pool.read(write, RENTED)  # type: ignore[arg-type]  # a write is no read
        await case.sender.signed_read(write, RENTED, NONCE)  # type: ignore[arg-type]  # a write is no read
        await case.sender.order(read, RENTED, NONCE, case.write)  # type: ignore[arg-type]  # a read is no write
