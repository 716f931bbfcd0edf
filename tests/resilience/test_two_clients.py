"""With two DBC clients, the trouble of one is not seen in the data: the other takes over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.facts import ClientState
from dbc_exporter.targets import Kind
from tests.resilience.scene import INTERVALS, MINUTE, Scene, played

Trouble = Callable[[Scene], None]


def kill(scene: Scene) -> None:
    scene.process().kill()


def isolate(scene: Scene) -> None:
    scene.process().isolate()


def wedge(scene: Scene) -> None:
    scene.process().wedge()


def freeze(scene: Scene) -> None:
    scene.tampers[0].freeze()


def speak_html(scene: Scene) -> None:
    scene.tampers[0].spoil = lambda _answer: RawAnswer(200, "text/html", b"<html>hello</html>")


def restart(scene: Scene) -> None:
    scene.process().restart()


def homes(scene: Scene) -> set[str]:
    """Return the names of the clients that serve compute nodes now."""
    pool = scene.rig.poller.pool
    asked = [pool.client_for(target) for target in scene.rig.targets if target.kind is Kind.COMPUTE]
    return {client.name for client in asked if client is not None}


def within_one_more_interval(scene: Scene) -> None:
    """Assert that no age went beyond the interval by more than another one."""
    for collector, age in scene.oldest.items():
        assert age <= 2 * INTERVALS[collector], (collector, age)


@pytest.mark.parametrize("moment", [0, 7, 23, 41, 55])
def test_killing_one_costs_no_target_more_than_one_interval(moment: float) -> None:
    async def story(scene: Scene) -> None:
        await scene.start(warm_up=6 * MINUTE)
        assert homes(scene) == {"client-1", "client-2"}
        await scene.wait(moment)
        kill(scene)
        await scene.wait(15 * MINUTE)
        assert homes(scene) == {"client-2"}
        within_one_more_interval(scene)
        assert scene.all_known()
        assert scene.said_down == {}
        scene.process().restart()
        await scene.until(lambda: homes(scene) == {"client-1", "client-2"}, MINUTE)
        await scene.wait(10 * MINUTE)
        within_one_more_interval(scene)
        assert scene.said_down == {}

    played(story, clients=2)


def test_killing_one_leaves_every_node_known_all_the_time() -> None:
    async def story(scene: Scene) -> None:
        await scene.start(warm_up=6 * MINUTE)
        kill(scene)
        for _ in range(5 * 60):
            await scene.wait(1)
            assert scene.all_known()

    played(story, clients=2)


@pytest.mark.parametrize(
    ("trouble", "state"),
    [
        (isolate, ClientState.ISOLATED),
        (wedge, ClientState.WEDGED),
        (freeze, ClientState.UNREACHABLE),
        (speak_html, ClientState.TROUBLED),
    ],
)
def test_the_trouble_of_one_is_told_and_the_other_takes_over(trouble: Trouble, state: ClientState) -> None:
    async def story(scene: Scene) -> None:
        await scene.start(warm_up=6 * MINUTE)
        trouble(scene)
        await scene.until(lambda: scene.state() is state, 2 * MINUTE)
        assert scene.state(1) is ClientState.OK
        await scene.wait(15 * MINUTE)
        assert homes(scene) == {"client-2"}
        assert scene.all_known()
        within_one_more_interval(scene)
        assert scene.said_down == {}
        assert scene.lost_for_good() == 0

    played(story, clients=2)


def test_one_restarted_again_and_again_is_never_believed_in_what_it_does_not_list() -> None:
    async def story(scene: Scene) -> None:
        await scene.start(warm_up=6 * MINUTE)
        for _ in range(10):
            restart(scene)
            await scene.wait(33)
        await scene.wait(5 * MINUTE)
        within_one_more_interval(scene)
        assert scene.said_down == {}

    played(story, clients=2)


def test_when_both_are_killed_nothing_is_claimed_and_both_come_back() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.process(0).kill()
        scene.process(1).kill()
        await scene.until(lambda: not scene.nodes_with("dbc_node_up"), 20)
        await scene.wait(20 * MINUTE)
        assert scene.nodes_with("dbc_node_cpu_cores") == set()
        scene.process(0).restart()
        await scene.until(scene.all_known, 90)
        scene.process(1).restart()
        await scene.until(lambda: homes(scene) == {"client-1", "client-2"}, MINUTE)
        assert scene.said_down == {}

    played(story, clients=2)
