"""A DBC client as we see it: what it is good for, whose a silence is, and when its list is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dbc_exporter.dbc import reads
from dbc_exporter.dbc.client import TROUBLES, DbcClient, UnprovenSilenceError
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.patience import Patience
from dbc_exporter.facts import ClientState
from dbc_exporter.simulator.virtual import LoopClock
from tests.unit.dbc.scripted import (
    HTML,
    NODE_TIMEOUT,
    SIGNER,
    WEDGED,
    A,
    B,
    Scripted,
    client_of,
    config,
    envelope,
)
from tests.virtual import settle, virtually

PATIENCE = Patience()
Story = Callable[[DbcClient, Scripted], Awaitable[None]]


def told(story: Story, **more: Any) -> None:
    """Play a story with a client that lists two nodes."""

    async def play(clock: LoopClock) -> None:
        transport = Scripted(clock, {A: config, B: config})
        client = client_of(transport, **more)
        await story(client, transport)
        await client.aclose()

    virtually(play)


async def ask(client: DbcClient, node: str = A) -> Reason | None:
    """Ask a node for its configuration; return why that failed."""
    try:
        await client.forward(reads.node_config(node), node, None, None)
    except DbcError as error:
        return error.reason
    return None


async def look(client: DbcClient) -> Reason | None:
    try:
        await client.refresh()
    except DbcError as error:
        return error.reason
    return None


def test_nothing_is_known_before_the_first_look() -> None:
    async def story(client: DbcClient, _transport: Scripted) -> None:
        assert client.state() is ClientState.UNKNOWN
        assert client.status().visible_nodes is None
        await client.refresh()
        assert client.state() is ClientState.OK
        status = client.status()
        assert (status.visible_nodes, status.visible_servers, status.version) == (2, 0, "0.4.1.8")
        assert (status.peers_active, status.peers_global) == (3, 3)

    told(story)


@pytest.mark.parametrize(
    ("trouble", "state"),
    [
        ({"refused": True}, ClientState.UNREACHABLE),
        ({"frozen": True}, ClientState.UNREACHABLE),
        ({"peers": 0}, ClientState.ISOLATED),
        ({"local": {"peers/active": HTML}}, ClientState.TROUBLED),
    ],
)
def test_troubles_are_told_and_end_with_a_good_look(trouble: dict[str, Any], state: ClientState) -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        await client.refresh()
        before = {name: getattr(transport, name) for name in trouble}
        for name, value in trouble.items():
            setattr(transport, name, value)
        for _ in range(TROUBLES):
            await look(client)
        assert client.state() is state
        assert not client.usable()
        assert state is ClientState.ISOLATED or client.status().visible_nodes is None
        for name, value in before.items():
            setattr(transport, name, value)
        await client.refresh()
        await asyncio.sleep(PATIENCE.troubled)
        assert client.state() is ClientState.OK

    told(story)


def test_a_troubled_client_stays_so_until_something_good_comes() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        await client.refresh()
        transport.local = {"peers/active": HTML}
        for _ in range(TROUBLES):
            await look(client)
        await asyncio.sleep(10 * PATIENCE.troubled)
        assert client.state() is ClientState.TROUBLED

    told(story)


def test_nothing_is_forwarded_unless_peers_were_seen_just_before() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        await client.refresh()
        assert await ask(client) is None
        looks = len(transport.looks)
        await asyncio.sleep(PATIENCE.look + 0.1)
        assert await ask(client) is None
        assert [path for _, path in transport.looks[looks:]] == ["/api/v1/peers/active"]
        await asyncio.sleep(PATIENCE.look + 0.1)
        transport.peers = 0
        asked = transport.forwarded()
        assert await ask(client) is Reason.ISOLATED
        assert transport.forwarded() == asked

    told(story)


def test_many_requests_share_one_look_at_the_peers() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        await client.refresh()
        client.gate.lane("query node info").demand["node"] = 1000.0
        await asyncio.sleep(PATIENCE.look + 0.1)
        looks = len(transport.looks)
        assert set(await asyncio.gather(ask(client, A), ask(client, B))) == {None}
        assert len(transport.looks) == looks + 1

    told(story)


def test_at_the_ceiling_nothing_is_forwarded() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        await client.refresh()
        assert client.state() is ClientState.CEILING
        assert await ask(client) is Reason.NOT_SENT
        assert transport.forwarded() == 0

    told(story, unanswered=4, unanswered_ceiling=4)


def test_what_is_no_longer_wanted_when_its_turn_comes_is_not_sent() -> None:
    def withdrawn() -> None:
        raise DbcError(Reason.NOT_SENT, "too late")

    async def story(client: DbcClient, transport: Scripted) -> None:
        await client.refresh()
        with pytest.raises(DbcError, match="too late"):
            await client.forward(reads.node_config(A), A, None, None, withdrawn)
        assert transport.forwarded() == 0
        assert client.gate.tickets == set()

    told(story)


def test_a_silent_node_is_to_blame_when_its_client_passed_on_other_answers() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        transport.nodes[A] = lambda _path: None
        await client.refresh()
        client.gate.lane("query node info").demand["node"] = 1000.0
        hanging = asyncio.ensure_future(client.forward(reads.node_config(A), A, None, None))
        await settle()
        assert await ask(client, B) is None
        with pytest.raises(DbcError) as silence:
            await hanging
        assert silence.value.reason is Reason.OWN_DEADLINE
        assert not isinstance(silence.value, UnprovenSilenceError)
        assert client.unanswered == 1
        assert client.usable()

    told(story)


@pytest.mark.parametrize("silence", [None, NODE_TIMEOUT])
def test_a_silence_during_which_nothing_was_passed_on_proves_nothing(silence: RawAnswer | None) -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        transport.nodes[A] = lambda _path: silence
        await client.refresh()
        with pytest.raises(UnprovenSilenceError):
            await client.forward(reads.node_config(A), A, None, None)

    told(story)


def test_a_silence_of_the_client_itself_is_its_own_and_costs_no_session() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        transport.nodes[A] = lambda _path: None
        await client.refresh()
        hanging = asyncio.ensure_future(ask(client))
        await asyncio.sleep(1)
        transport.frozen = True
        assert await hanging is Reason.UNREACHABLE
        assert client.state() is ClientState.UNREACHABLE
        assert client.unanswered == 0

    told(story)


def test_a_silence_during_which_the_client_turned_out_wedged_is_the_clients() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        transport.nodes[A] = lambda _path: None
        await client.refresh()
        client.gate.lane("query node info").demand["node"] = 1000.0
        hanging = asyncio.ensure_future(ask(client, A))
        await settle()
        transport.nodes[B] = lambda _path: WEDGED
        assert await ask(client, B) is Reason.WEDGED
        assert client.state() is ClientState.WEDGED
        assert await hanging is Reason.WEDGED

    told(story)


def test_a_silent_signed_call_slows_its_kind_down() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        transport.nodes[A] = lambda _path: None
        await client.refresh()
        with pytest.raises(DbcError):
            await client.forward(reads.task_list(A), A, SIGNER, None)
        lane = client.gate.lane("list task", authenticated=True)
        assert not lane.may_start(client.clock.monotonic())

    told(story)


def test_a_wedged_client_is_tried_once_a_while_and_any_answer_lifts_it() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        await client.refresh()
        transport.nodes[A] = lambda _path: WEDGED
        await ask(client)
        assert not client.wedge_probe_due()
        await asyncio.sleep(PATIENCE.wedge_retry)
        assert client.wedge_probe_due()
        assert not client.wedge_probe_due(), "once"
        transport.nodes[A] = config
        assert await ask(client) is None
        assert client.state() is ClientState.OK

    told(story)


def test_refused_then_answered_is_a_restart_which_resets_what_the_process_had_lost() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        await client.refresh()
        transport.refused = True
        await look(client)
        transport.refused = False
        await client.refresh()
        assert (client.restarts, client.unanswered, client.wedged) == (1, 0, False)

    told(story, unanswered=9)


def test_silent_then_answered_is_no_restart() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        await client.refresh()
        transport.frozen = True
        await look(client)
        transport.frozen = False
        await client.refresh()
        assert (client.restarts, client.unanswered) == (0, 9)

    told(story, unanswered=9)


def test_a_list_that_is_empty_all_at_once_is_a_restart_seen_only_by_that() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        await client.refresh()
        await asyncio.sleep(PATIENCE.settle)
        await client.refresh()
        transport.nodes.clear()
        await client.refresh()
        assert (client.restarts, client.unanswered) == (1, 0)
        assert not client.settled()

    told(story, unanswered=9)


@pytest.mark.parametrize("gap", [0.0, 600.0])
def test_a_list_that_ran_out_while_the_client_had_no_peers_is_no_restart(gap: float) -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        await client.refresh()
        transport.peers = 0
        await client.refresh()
        await asyncio.sleep(300 + gap)
        transport.nodes.clear()
        await client.refresh()
        transport.peers = 3
        await client.refresh()
        assert client.restarts == 0
        assert not client.settled(), "its list fills again"
        await asyncio.sleep(PATIENCE.settle)
        assert client.settled()

    told(story)


def test_a_list_is_believed_in_what_it_lacks_only_after_a_while() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        assert not client.settled()
        await client.refresh()
        assert not client.settled()
        await asyncio.sleep(PATIENCE.settle)
        assert client.settled()
        transport.local = {"mining_nodes": {"mining_nodes": [{"node_id": A}, {"node_id": "no id"}]}}
        await client.refresh()
        assert not client.settled(), "somebody may stand in the row that cannot be read"

    told(story)


def test_who_looks_only_once_may_believe_at_once() -> None:
    async def story(client: DbcClient, _transport: Scripted) -> None:
        await client.refresh()
        client.believe()
        assert client.settled()

    told(story)


@pytest.mark.parametrize("word", ["bare_metal", "", "peers/global"])
def test_what_an_old_version_refuses_is_unknown_and_nothing_else(word: str) -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        transport.local = {word: envelope("not support uri", errcode=-32601, status=404)}
        await client.refresh()
        status = client.status()
        values = {
            "bare_metal": status.visible_servers,
            "": status.version,
            "peers/global": status.peers_global,
        }
        assert values[word] is None
        assert status.visible_nodes == 2
        assert client.usable()

    told(story)


@pytest.mark.parametrize("bad", [HTML, envelope("oops", errcode=-1, status=500)])
@pytest.mark.parametrize("word", ["bare_metal", "mining_nodes", "peers/global", ""])
def test_a_broken_answer_takes_nobody_off_the_list(word: str, bad: RawAnswer) -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        transport.servers = ["d" * 64]
        await client.refresh()
        listed = client.listed
        transport.local = {word: bad}
        await look(client)
        assert client.listed == listed == {A, B, "d" * 64}

    told(story)


def test_a_node_whose_answer_has_the_wrong_shape_is_not_its_clients_trouble() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        transport.nodes[A] = lambda _path: 7
        await client.refresh()
        for _ in range(2 * TROUBLES):
            assert await ask(client) is Reason.UNREADABLE
        assert client.state() is ClientState.OK

    told(story)


def test_a_late_answer_to_a_signed_call_gives_the_session_back() -> None:
    late = asyncio.Event()

    class Slow(Scripted):
        async def send(
            self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
        ) -> RawAnswer:
            if b'"sign"' not in body:
                return await super().send(method, path, body, deadline_seconds=deadline_seconds, retry=retry)
            await late.wait()
            return envelope([])

    async def play(clock: LoopClock) -> None:
        client = client_of(Slow(clock, {A: config}))
        await client.refresh()
        with pytest.raises(DbcError):
            await client.forward(reads.task_list(A), A, SIGNER, None)
        assert client.unanswered == 1
        late.set()
        await settle()
        assert client.unanswered == 0
        await client.aclose()

    virtually(play)


def test_closing_ends_what_is_still_listened_to() -> None:
    async def story(client: DbcClient, transport: Scripted) -> None:
        transport.nodes[A] = lambda _path: None
        await client.refresh()
        with pytest.raises(DbcError):
            await client.forward(reads.task_list(A), A, SIGNER, None)
        tasks = len(asyncio.all_tasks())
        await client.aclose()
        await settle()
        assert len(asyncio.all_tasks()) < tasks

    told(story)
