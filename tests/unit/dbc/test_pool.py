"""The pool's promises: what is signed, what a silence says, who is asked how."""

from __future__ import annotations

from dbc_exporter.collectors.orders import BELIEVED_SECONDS
from dbc_exporter.dbc.pool import EVIDENCE_SECONDS
from dbc_exporter.simulator.chain import Order
from tests.resilience.scene import MINUTE, Scene, played


def test_a_signed_calls_silence_says_nothing_of_its_node() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.rig.world.chain.outage = True
        await scene.wait(10 * MINUTE)
        assert [line for _, line in scene.said_down if any(node in line for node in scene.compute())] == []
        assert scene.nodes_with("dbc_node_up", 1) >= scene.compute()
        assert not any(node in scene.rig.poller.pool.suspects for node in scene.compute())

    played(story)


def test_nothing_is_signed_any_more_once_the_order_ended() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        for node in scene.compute():
            machine = scene.rig.world.chain.machine(node)
            machine.orders = [
                Order(order.id, order.renter, rent_status="rentExpired") for order in machine.orders
            ]
        ended = scene.clock.monotonic()
        await scene.wait(30 * MINUTE)
        signed = scene.rig.world.ledger.authenticated
        assert signed, "it was signed before"
        assert [one for one in signed if one.time > ended + BELIEVED_SECONDS] == []

    played(story, intervals=(("tasks", 60.0), ("vms", 60.0)))


def test_a_dead_node_is_down_while_it_is_listed_and_unlisted_afterwards() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        dead = min(scene.compute())
        scene.rig.world.hosts[dead].kill()
        took = await scene.until(lambda: dead in scene.nodes_with("dbc_node_up", 0), 2 * MINUTE)
        assert took > 30, "the server's own time-out"
        assert dead in scene.nodes_with("dbc_node_visible", 1), "listed is not alive"
        assert dead in scene.nodes_with("dbc_node_suspect", 1)
        await scene.until(lambda: dead in scene.nodes_with("dbc_node_visible", 0), 6 * MINUTE)
        assert [line for _, line in scene.said_down if dead not in line] == []
        assert scene.lost_for_good() == 0

    played(story)


def test_a_node_that_comes_back_is_read_again_at_once() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        node = min(scene.compute())
        scene.rig.world.hosts[node].kill()
        await scene.wait(15 * MINUTE)
        scene.rig.world.hosts[node].restart()
        await scene.until(lambda: node in scene.nodes_with("dbc_node_up", 1), MINUTE)
        await scene.until(lambda: node in scene.nodes_with("dbc_node_cpu_cores"), 10)

    played(story)


def test_evidence_of_a_node_that_nobody_asks_grows_old() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        node = min(scene.compute())
        scene.rig.world.hosts[node].kill()
        await scene.until(lambda: node in scene.nodes_with("dbc_node_visible", 0), 7 * MINUTE)
        await scene.until(lambda: node not in scene.nodes_with("dbc_node_up"), 15 * MINUTE + EVIDENCE_SECONDS)

    played(story)


def test_an_answer_counts_until_the_next_polls_should_have_brought_one_however_seldom_they_are() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        for _ in range(30):
            await scene.wait(MINUTE)
            assert scene.nodes_with("dbc_node_up", 1) >= scene.compute()

    played(story, intervals=(("node", 900.0), ("orders", 900.0), ("tasks", 900.0)))
