"""Unanswered requests cost a client sessions for good: at a ceiling we stop, say so, and fail over."""

from __future__ import annotations

import pytest

from dbc_exporter.facts import ClientState
from tests.resilience.scene import MINUTE, Scene, forwarded, played

NEARLY = 511


async def to_the_ceiling(scene: Scene) -> None:
    """Let one more request stay unanswered at a client that has lost nearly all it may lose."""
    scene.client().unanswered = NEARLY
    tamper = scene.tampers[0]
    tamper.hits = forwarded
    tamper.lost = True
    await scene.until(lambda: scene.client().unanswered >= scene.client().unanswered_ceiling, 3 * MINUTE)
    tamper.lost = False


def forwards(scene: Scene) -> int:
    return sum(forwarded(path, body) for _, path, body in scene.tampers[0].sent)


def test_at_the_ceiling_nothing_more_is_forwarded_and_machines_are_unknown() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        await to_the_ceiling(scene)
        await scene.until(lambda: scene.state() is ClientState.CEILING, 5)
        sent = forwards(scene)
        await scene.wait(30 * MINUTE)
        assert forwards(scene) == sent
        assert scene.nodes_with("dbc_node_up") == set()
        assert scene.nodes_with("dbc_node_visible") == set()
        assert scene.nodes_with("dbc_node_cpu_cores") == set()
        assert set(scene.scrape()["dbc_client_up"].values()) == {1}

    played(story)


@pytest.mark.parametrize("pause", [0.0, 10.0])
def test_a_restart_of_the_client_seen_or_unseen_lifts_the_ceiling(pause: float) -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        await to_the_ceiling(scene)
        await scene.wait(20 * MINUTE)
        scene.process().kill()
        await scene.wait(pause)
        scene.process().restart()
        await scene.until(scene.all_known, 90)
        assert scene.client().unanswered == 0
        assert scene.client().restarts == 1

    played(story)


def test_peers_lost_and_found_are_no_restart() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        await to_the_ceiling(scene)
        scene.process().isolate()
        await scene.wait(20 * MINUTE)
        scene.process().rejoin()
        await scene.wait(5 * MINUTE)
        assert scene.client().unanswered == NEARLY + 1
        assert scene.client().restarts == 0

    played(story)


def test_the_other_client_takes_over_from_one_at_its_ceiling() -> None:
    async def story(scene: Scene) -> None:
        await scene.start(warm_up=6 * MINUTE)
        await to_the_ceiling(scene)
        await scene.wait(5 * MINUTE)
        assert scene.all_known()
        scene.forget()
        await scene.wait(20 * MINUTE)
        assert scene.state() is ClientState.CEILING
        assert scene.all_known()
        assert scene.oldest["node"] <= 2 * MINUTE
        assert scene.said_down == {}
        scene.process().restart()
        await scene.until(lambda: scene.state() is ClientState.OK, MINUTE)
        assert scene.client().unanswered == 0

    played(story, clients=2)
