"""The only DBC client in trouble: machines become unknown, never down, and everything comes back by itself."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.facts import ClientState
from tests.resilience.scene import MINUTE, Scene, forwarded, played

UNKNOWN_WITHIN = 20.0  # seconds after which nothing is said of a machine that nobody can ask
BACK_WITHIN = 90.0  # seconds after the client is well again until every machine is known again


async def no_longer_vouched_for(scene: Scene) -> None:
    """Wait until neither presence nor answers of any machine are claimed."""
    await scene.until(
        lambda: not scene.nodes_with("dbc_node_up") and not scene.nodes_with("dbc_node_visible"),
        UNKNOWN_WITHIN,
    )


def test_a_killed_client_makes_machines_unknown_and_its_return_makes_them_known() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        assert scene.all_known()
        scene.process().kill()
        await no_longer_vouched_for(scene)
        assert scene.state() is ClientState.UNREACHABLE
        assert set(scene.scrape()["dbc_client_up"].values()) == {0}
        await scene.wait(10 * MINUTE)
        scene.process().restart()
        await scene.until(scene.all_known, BACK_WITHIN)
        assert scene.state() is ClientState.OK
        assert scene.client().restarts == 1
        assert scene.said_down == {}

    played(story)


def test_values_are_withdrawn_after_three_intervals_and_their_freshness_stays() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        success = "dbc_collector_last_success_timestamp_seconds"
        fresh = {labels for labels in scene.scrape()[success] if ("collector", "node") in labels}
        scene.process().kill()
        await scene.wait(2 * MINUTE - 1)
        assert scene.nodes_with("dbc_node_cpu_cores") == scene.compute(), "kept and ageing"
        await scene.wait(MINUTE + 6)
        assert scene.nodes_with("dbc_node_cpu_cores") == set(), "withdrawn"
        after = scene.scrape()
        assert fresh <= after[success].keys()
        assert scene.nodes_with("dbc_target_present", 1) >= scene.compute()

    played(story)


def test_a_client_restarted_unseen_is_not_believed_when_it_lists_nobody() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        for _ in range(3):
            scene.process().restart()
            await scene.wait(37)
        await scene.until(scene.all_known, BACK_WITHIN)
        assert scene.said_down == {}

    played(story)


@pytest.mark.parametrize("minutes", [2, 4.9, 10, 30])
def test_a_client_cut_off_from_its_peers_is_not_killed_by_our_requests(minutes: float) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.process().isolate()
        await no_longer_vouched_for(scene)
        assert scene.state() is ClientState.ISOLATED
        received = scene.received()
        await scene.wait(minutes * MINUTE)
        assert scene.received() == received, "nothing is forwarded"
        scene.process().rejoin()
        await scene.until(scene.all_known, BACK_WITHIN)
        assert scene.killed() <= 1, "one request may have been on its way when the peers went"
        await scene.wait(5 * MINUTE)
        assert scene.said_down == {}

    played(story)


def test_a_wedged_client_is_left_alone_until_it_was_restarted() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.process().wedge()
        await scene.until(lambda: scene.state() is ClientState.WEDGED, 2 * MINUTE)
        await no_longer_vouched_for(scene)
        sent = sum(forwarded(path, body) for _, path, body in scene.tampers[0].sent)
        await scene.wait(10 * MINUTE)
        tried = sum(forwarded(path, body) for _, path, body in scene.tampers[0].sent) - sent
        assert 5 <= tried <= 12, "one careful try a minute"
        scene.process().restart()
        await scene.until(scene.all_known, 60 + BACK_WITHIN)
        assert scene.said_down == {}

    played(story)


def test_a_client_wedged_before_any_node_answered_recovers_too() -> None:
    async def story(scene: Scene) -> None:
        scene.process().wedge()
        await scene.start(warm_up=MINUTE)
        assert scene.state() is ClientState.WEDGED
        scene.process().restart()
        await scene.until(scene.all_known, 60 + BACK_WITHIN)
        assert scene.said_down == {}

    played(story)


def test_requests_hanging_in_a_wedged_client_are_not_held_against_their_nodes() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        tamper = scene.tampers[0]
        tamper.hits = forwarded
        tamper.lost = True
        await scene.until(lambda: len(scene.client().gate.tickets) > 0, 2 * MINUTE)
        scene.process().wedge()
        tamper.lost = False
        await scene.until(lambda: scene.state() is ClientState.WEDGED, 2 * MINUTE)
        await scene.wait(MINUTE)
        scene.process().restart()
        await scene.until(scene.all_known, 60 + BACK_WITHIN)
        assert scene.said_down == {}

    played(story)


def test_a_replaced_client_shows_its_own_version_only() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        process = scene.process()
        process.kill()
        await scene.wait(MINUTE)
        process.version = "0.5.0.0"
        process.restart()
        await scene.until(scene.all_known, BACK_WITHIN)
        assert [dict(labels)["version"] for labels in scene.scrape()["dbc_client_info"]] == ["0.5.0.0"]
        assert scene.said_down == {}

    played(story)


@pytest.mark.parametrize("seconds", [15, 30, 45, 600])
def test_a_frozen_client_is_said_to_be_silent_and_its_nodes_to_be_unknown(seconds: float) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        await scene.until(lambda: len(scene.client().gate.tickets) > 0, 2 * MINUTE)
        started = scene.clock.monotonic()
        scene.tampers[0].freeze()
        await scene.wait(seconds)
        scene.tampers[0].thaw()
        await scene.until(scene.all_known, BACK_WITHIN)
        await scene.wait(5 * MINUTE)
        assert scene.said_down == {}
        assert scene.client().unanswered == 0, "a frozen client has lost no session"
        if seconds > 30:
            assert ClientState.UNREACHABLE in scene.states_since(started)

    played(story)


def test_a_frozen_client_is_not_said_to_answer_http() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.tampers[0].freeze()
        await scene.wait(MINUTE)
        assert set(scene.scrape()["dbc_client_up"].values()) == {0}
        scene.tampers[0].thaw()

    played(story)


@pytest.mark.parametrize("delay", [1.0, 5.0, 9.0, 20.0, 60.0])
def test_a_slow_client_makes_no_machine_down(delay: float) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.tampers[0].delay = delay
        await scene.wait(15 * MINUTE)
        scene.tampers[0].delay = 0.0
        await scene.until(scene.all_known, BACK_WITHIN)
        assert scene.said_down == {}

    played(story)


def test_a_slow_client_is_polled_more_slowly_and_its_values_stay() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.tampers[0].delay = 1.0
        await scene.wait(15 * MINUTE)
        assert scene.all_known()
        assert scene.state() is ClientState.OK

    played(story)


def html(_answer: RawAnswer) -> RawAnswer:
    return RawAnswer(200, "text/html", b"<html><body>Please sign in</body></html>")


def garbage(_answer: RawAnswer) -> RawAnswer:
    return RawAnswer(200, "application/json", bytes(range(256)) * 2)


def empty(answer: RawAnswer) -> RawAnswer:
    return RawAnswer(answer.status, answer.content_type, b"")


def truncated(answer: RawAnswer) -> RawAnswer:
    return RawAnswer(answer.status, answer.content_type, answer.body[: len(answer.body) // 2])


def without_message(_answer: RawAnswer) -> RawAnswer:
    return RawAnswer(200, "application/json", b'{"errcode":0, "message":{}}')


def null_message(_answer: RawAnswer) -> RawAnswer:
    return RawAnswer(200, "application/json", b'{"errcode":0, "message":null}')


def bad_gateway(_answer: RawAnswer) -> RawAnswer:
    return RawAnswer(502, "text/html", b"<html>502 Bad Gateway</html>")


SPOILERS = [html, garbage, empty, truncated, without_message, null_message, bad_gateway]


@pytest.mark.parametrize("spoil", SPOILERS)
def test_broken_answers_make_the_client_troubled_and_no_machine_down(
    spoil: Callable[[RawAnswer], RawAnswer],
) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.tampers[0].spoil = spoil
        await scene.until(lambda: scene.state() is ClientState.TROUBLED, MINUTE)
        await scene.wait(10 * MINUTE)
        assert scene.nodes_with("dbc_node_up") == set()
        assert scene.nodes_with("dbc_node_visible") == set()
        assert scene.scrape().get("dbc_client_visible_nodes", {}) == {}, "nobody can read the list"
        scene.tampers[0].spoil = None
        await scene.until(scene.all_known, BACK_WITHIN)
        assert scene.said_down == {}

    played(story)


@pytest.mark.parametrize("spoil", SPOILERS)
def test_now_and_then_a_broken_answer_makes_no_machine_leave(
    spoil: Callable[[RawAnswer], RawAnswer],
) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        turn = iter(range(1_000_000))

        def sometimes(answer: RawAnswer) -> RawAnswer:
            return spoil(answer) if next(turn) % 3 == 0 else answer

        scene.tampers[0].spoil = sometimes
        await scene.wait(15 * MINUTE)
        scene.tampers[0].spoil = None
        await scene.until(scene.all_known, BACK_WITHIN)
        assert scene.said_down == {}

    played(story)


@pytest.mark.parametrize(
    "word", ["/peers/active", "/mining_nodes", "/bare_metal", "/peers/global", "/api/v1/"]
)
def test_one_call_that_breaks_always_takes_no_machine_off_the_list(word: str) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        tamper = scene.tampers[0]
        tamper.hits = lambda path, body: path.endswith(word) and not forwarded(path, body)
        tamper.spoil = html
        await scene.wait(10 * MINUTE)
        tamper.spoil = None
        await scene.until(scene.all_known, BACK_WITHIN)
        assert scene.said_down == {}

    played(story)


def test_nodes_that_answer_in_a_shape_we_cannot_read_are_not_the_clients_trouble() -> None:
    def odd(answer: RawAnswer) -> RawAnswer:
        opened = json.loads(answer.body)
        return RawAnswer(answer.status, answer.content_type, json.dumps({**opened, "message": 7}).encode())

    async def story(scene: Scene) -> None:
        await scene.start()
        started = scene.clock.monotonic()
        tamper = scene.tampers[0]
        tamper.hits = lambda path, body: forwarded(path, body) and path.endswith("/mining_nodes")
        tamper.spoil = odd
        before = len(tamper.sent)
        await scene.wait(20 * MINUTE)
        assert scene.states_since(started) == {ClientState.OK}
        asked = sum(tamper.hits(path, body) for _, path, body in tamper.sent[before:])
        assert asked <= 21 * len(scene.compute()), "asked once an interval, not again and again"
        assert scene.said_down == {}

    played(story)


def test_answers_that_never_come_are_counted_and_their_nodes_come_back() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        tamper = scene.tampers[0]
        turn = iter(range(1_000_000))
        tamper.hits = lambda path, body: forwarded(path, body) and next(turn) % 10 == 0
        tamper.lost = True
        await scene.wait(10 * MINUTE)
        tamper.lost = False
        assert scene.client().unanswered > 0
        assert scene.state() is ClientState.OK
        await scene.until(scene.all_known, 3 * MINUTE)
        assert scene.lost_for_good() == 0

    played(story)
