"""The nonce fence against a node that remembers nonces, loses its memory, and does not always answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.remediation import fence
from dbc_exporter.remediation.fence import Finding
from tests.unit.remediation.hands import NONCE_REFUSED, SILENT

N, CANARY = "action", "canary"
LOST, LOST_ON_THE_WAY_BACK, RESTARTED = "lost", "lost on the way back", "restarted"


class Process:
    """A node's process: what it remembers, and what happens to the requests to it, in their order."""

    def __init__(self, *remembered: str, happens: tuple[str, ...] = ()) -> None:
        self.remembered = set(remembered)
        self.happens = list(happens)
        self.asked: list[str] = []
        self._numbers = iter(range(100))

    async def ask(self, nonce: str) -> object:
        self.asked.append(nonce)
        event = self.happens.pop(0) if self.happens else ""
        if event == LOST:
            raise SILENT
        if event == RESTARTED:
            self.remembered.clear()
        known = nonce in self.remembered
        self.remembered.add(nonce)
        if event == LOST_ON_THE_WAY_BACK:
            raise SILENT
        if known:
            raise NONCE_REFUSED
        return object()

    async def burning(self) -> None:
        self.asked.append("burning")

    async def inquire(self, *, first: bool = True) -> Finding:
        return await fence.inquire(N, CANARY, self.ask, self.fresh, self.burning, first=first)

    def fresh(self) -> str:
        return f"fresh-{next(self._numbers)}"


async def test_an_accepted_nonce_and_a_remembered_canary_prove_that_the_request_never_arrived() -> None:
    node = Process(CANARY)
    assert await node.inquire() is Finding.NEVER_ARRIVED
    assert node.asked == ["fresh-0", "burning", N, CANARY]


async def test_after_that_it_can_arrive_no_more() -> None:
    node = Process(CANARY)
    await node.inquire()
    with pytest.raises(DbcError, match="nonce check failed"):
        await node.ask(N)


async def test_a_refused_nonce_proves_that_the_request_arrived() -> None:
    node = Process(CANARY, N)
    assert await node.inquire() is Finding.ARRIVED
    assert CANARY not in node.asked, "it is needed no more"


async def test_a_nonce_refused_after_an_earlier_inquiry_may_have_been_spent_by_that() -> None:
    assert await Process(CANARY, N).inquire(first=False) is Finding.SPENT


async def test_a_forgotten_canary_means_that_nobody_knows() -> None:
    assert await Process().inquire() is Finding.FORGOTTEN


async def test_a_restart_between_the_two_questions_is_noticed() -> None:
    node = Process(CANARY, happens=("", "", RESTARTED))
    assert await node.inquire() is Finding.FORGOTTEN


async def test_a_request_that_a_later_process_took_has_arrived_whatever_was_forgotten() -> None:
    assert await Process(N).inquire() is Finding.ARRIVED


async def test_the_nonce_is_not_used_while_a_fresh_one_is_not_accepted() -> None:
    node = Process(CANARY, happens=(LOST,))
    assert await node.inquire() is Finding.OPEN
    assert node.asked == ["fresh-0"]


async def test_a_node_that_refuses_every_nonce_says_nothing() -> None:
    async def refuse(_nonce: str) -> object:
        raise NONCE_REFUSED

    node = Process()
    assert await fence.inquire(N, CANARY, refuse, node.fresh, node.burning, first=True) is Finding.OPEN
    assert node.asked == []


@pytest.mark.parametrize("event", [LOST, LOST_ON_THE_WAY_BACK])
async def test_an_inquiry_without_an_answer_leaves_it_open(event: str) -> None:
    assert await Process(CANARY, happens=("", event)).inquire() is Finding.OPEN


@pytest.mark.parametrize("event", [LOST, LOST_ON_THE_WAY_BACK])
async def test_a_canary_without_an_answer_can_be_asked_no_more(event: str) -> None:
    assert await Process(CANARY, happens=("", "", event)).inquire() is Finding.SPENT


@pytest.mark.parametrize("reason", [Failure.BMC, Failure.UNREADABLE])
async def test_a_failure_behind_the_check_of_authority_means_an_accepted_nonce(reason: Failure) -> None:
    async def ask(nonce: str) -> object:
        if nonce == CANARY:
            raise NONCE_REFUSED
        raise DbcError(reason, "Error: Unable to establish LAN session")

    node = Process()
    assert await fence.inquire(N, CANARY, ask, node.fresh, node.burning, first=True) is Finding.NEVER_ARRIVED


@pytest.mark.parametrize(
    "error",
    [
        DbcError(Failure.AUTHORITY, "check authority failed: query machine_status failed"),
        DbcError(Failure.AUTHORITY, "check authority failed: machine is not be rented"),
        DbcError(Failure.AUTHORITY, "check authority failed: wallet not rented"),
        DbcError(Failure.NOT_SENT, "no live rent order of ours is known for this node"),
        DbcError(Failure.UNKNOWN_NODE, "create node request failed"),
        DbcError(Failure.OWN_DEADLINE),
        DbcError(Failure.UNREACHABLE, "connection refused"),
        DbcError(Failure.UNPARSABLE, "response parse error"),
        DbcError(Failure.REFUSED_BY_NODE, "something new"),
    ],
    ids=str,
)
async def test_no_other_failure_says_anything_of_a_nonce(error: DbcError) -> None:
    answers: dict[str, Callable[[], object]] = {"fresh-0": object}

    async def ask(nonce: str) -> object:
        if nonce in answers:
            return answers[nonce]()
        raise error

    node = Process()
    assert await fence.inquire(N, CANARY, ask, node.fresh, node.burning, first=True) is Finding.OPEN
    answers[N] = object
    assert await fence.inquire(N, CANARY, ask, lambda: "fresh-0", node.burning, first=True) is Finding.SPENT


EVENTS = st.lists(st.sampled_from(["", LOST, LOST_ON_THE_WAY_BACK, RESTARTED]), max_size=12)


@given(
    before=st.sampled_from(["arrived", "arrived and forgotten", "forgotten and arrived", "never arrived"]),
    happens=EVENTS,
)
async def test_whatever_is_lost_and_forgotten_no_verdict_is_ever_wrong(
    before: str, happens: list[str]
) -> None:
    """Ask again and again until there is a verdict, as the actuator does."""
    remembered = {
        "arrived": (CANARY, N),
        "arrived and forgotten": (),
        "forgotten and arrived": (N,),
        "never arrived": (CANARY,),
    }[before]
    node = Process(*remembered, happens=tuple(happens))
    finding, burns = Finding.OPEN, 0
    while finding is Finding.OPEN:
        finding = await node.inquire(first=burns == 0)
        burns = node.asked.count("burning")
    if finding is Finding.NEVER_ARRIVED:
        assert before == "never arrived"
        assert N in node.remembered, "it can arrive no more"
    if finding is Finding.ARRIVED:
        assert before != "never arrived"
