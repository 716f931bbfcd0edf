"""Targets found by discovery stay targets while nobody can look for them; those that left long ago leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from dbc_exporter.assemble import build_poller
from dbc_exporter.config.settings import Settings
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.gate import Gate
from dbc_exporter.metrics.exposition import Exposition
from dbc_exporter.metrics.store import Store
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.watching import Watching
from tests.pacing.rig import LoopTicker, PlainCredential
from tests.resilience.scene import INTERVALS, MINUTE, Scene, fleet_of, played
from tests.virtual import virtually

FORGET_AFTER = 30 * MINUTE


def settings_for(scene: Scene, *, discover: bool = True) -> Settings:
    """Return settings that name the managers and let the rest be discovered."""
    managers = [{"id": member.id, "kind": "bare_metal_manager"} for member in scene.rig.fleet.managers]
    return Settings.model_validate(
        {
            "clients": [{"name": client.name, "url": "http://127.0.0.1:1"} for client in scene.rig.clients],
            "targets": {
                "static": managers,
                "discover": {"enabled": discover, "credential": None, "forget_after_seconds": FORGET_AFTER},
            },
        }
    )


def watch(scene: Scene, *, discover: bool = True) -> Watching:
    """Let discovery decide the inventory from now on."""
    watching = Watching(settings_for(scene, discover=discover), scene.rig.poller, scene.rig.store)
    watching.update()
    return watching


async def restart_exporter(scene: Scene, *, discover: bool = True) -> None:
    """End the exporter's engine and start another one from what the first had saved."""
    rig = scene.rig
    rig._ticker.stop()
    await rig.poller.stop()
    saved = rig.store.saved()
    rig.store = Store(scene.clock)
    rig.store.restore(saved)
    busy: set[str] = set()
    rig.clients = [DbcClient(c.name, c.transport, Gate(scene.clock, busy), scene.clock) for c in rig.clients]
    rig.poller = build_poller(
        rig.clients,
        {"renter": PlainCredential("w")},
        INTERVALS,
        store=rig.store,
        clock=scene.clock,
        counters=rig.counters,
    )
    scene.exposition = Exposition(rig.store, scene.own)
    watch(scene, discover=discover)
    rig._ticker = LoopTicker()
    rig.poller.schedule(rig._ticker)


def everybody(scene: Scene) -> set[str]:
    return {
        member.id
        for members in (scene.rig.fleet.compute, scene.rig.fleet.servers, scene.rig.fleet.managers)
        for member in members
    }


def discovering(
    story: Callable[[Scene], Awaitable[None]], *, clients: int = 1, discover: bool = True
) -> None:
    """Play a story with a discovered inventory."""

    async def play(clock: LoopClock) -> None:
        scene = Scene(clock, fleet_of(clients=clients))
        try:
            watch(scene, discover=discover)
            await scene.start()
            watch(scene, discover=discover)
            expected = everybody(scene) if discover else everybody(scene) - scene.compute()
            await scene.until(lambda: len(scene.rig.poller.targets) == len(expected), 10 * MINUTE)
            scene.forget()
            await story(scene)
        finally:
            await scene.stop()

    virtually(play)


def spoiled(_answer: RawAnswer) -> RawAnswer:
    return RawAnswer(200, "text/html", b"<html>")


@pytest.mark.parametrize("minutes", [1, 20])
def test_nobody_leaves_while_the_client_is_down_or_fresh(minutes: float) -> None:
    async def story(scene: Scene) -> None:
        scene.process().kill()
        await scene.wait(minutes * MINUTE)
        scene.process().restart()
        await scene.wait(5 * MINUTE)
        assert scene.nodes_with("dbc_target_present", 1) == everybody(scene)
        assert scene.said_down == {}

    discovering(story)


def test_nobody_leaves_while_the_client_is_alone_or_finds_its_peers_again() -> None:
    async def story(scene: Scene) -> None:
        scene.process().isolate()
        await scene.wait(20 * MINUTE)
        scene.process().rejoin()
        await scene.wait(5 * MINUTE)
        assert scene.said_down == {}

    discovering(story)


def test_nobody_leaves_while_every_answer_is_broken() -> None:
    async def story(scene: Scene) -> None:
        scene.tampers[0].spoil = spoiled
        await scene.wait(20 * MINUTE)
        scene.tampers[0].spoil = None
        await scene.wait(5 * MINUTE)
        assert scene.said_down == {}

    discovering(story)


def test_servers_stay_targets_while_their_manager_cannot_be_asked() -> None:
    async def story(scene: Scene) -> None:
        manager = scene.rig.fleet.managers[0]
        servers = {member.id for member in scene.rig.fleet.servers}
        scene.rig.world.hosts[manager.id].kill()
        await scene.wait(60 * MINUTE)
        assert scene.nodes_with("dbc_target_present", 1) >= servers
        scene.rig.world.hosts[manager.id].restart()
        await scene.until(lambda: scene.nodes_with("dbc_bare_metal_power_state") == servers, 20 * MINUTE)

    discovering(story, discover=False)


def test_a_node_that_left_the_network_is_missed_for_a_while_and_then_leaves_the_inventory_too() -> None:
    """It looks like one that died, so it is not forgotten before somebody could be told."""

    async def story(scene: Scene) -> None:
        gone = scene.rig.fleet.compute[0].id
        scene.rig.fleet.remove_compute(gone)
        await scene.until(lambda: gone in scene.nodes_with("dbc_node_visible", 0), 10 * MINUTE)
        left = FORGET_AFTER - MINUTE
        await scene.wait(left)
        assert gone in scene.nodes_with("dbc_node_visible", 0) & scene.nodes_with("dbc_target_present", 1)
        await scene.until(lambda: gone in scene.nodes_with("dbc_target_present", 0), 2 * MINUTE)

    discovering(story)


def test_a_node_that_joins_becomes_a_target_within_a_minute_also_of_a_client_that_flaps() -> None:
    async def story(scene: Scene) -> None:
        scene.process().restart()
        await scene.wait(20)
        new = scene.rig.fleet.add_compute(0, fresh=True).id
        await scene.until(lambda: new in scene.nodes_with("dbc_target_present", 1), MINUTE)

    discovering(story)


@pytest.mark.parametrize("discover", [True, False])
def test_a_restart_of_the_exporter_forgets_nobody_while_the_client_is_down(discover: bool) -> None:
    async def story(scene: Scene) -> None:
        before = scene.nodes_with("dbc_target_present", 1)
        success = "dbc_collector_last_success_timestamp_seconds"
        known = {labels for labels in scene.scrape()[success] if ("client", "") not in labels}
        scene.process().kill()
        await scene.wait(5)
        await restart_exporter(scene, discover=discover)
        await scene.wait(20 * MINUTE)
        assert scene.nodes_with("dbc_target_present", 1) == before
        assert known <= scene.scrape()[success].keys(), "freshness survives"
        scene.process().restart()
        await scene.wait(10 * MINUTE)
        assert scene.nodes_with("dbc_target_present", 1) == before
        assert not any(node in line for node in before for _, line in scene.said_down)

    discovering(story, discover=discover)


def test_exporter_and_client_restarted_together_forget_nobody() -> None:
    async def story(scene: Scene) -> None:
        scene.process().restart()
        await restart_exporter(scene)
        await scene.wait(10 * MINUTE)
        assert scene.nodes_with("dbc_target_present", 1) == everybody(scene)
        assert scene.said_down == {}

    discovering(story)


def test_a_restarted_exporter_whose_client_lists_nothing_readable_forgets_nobody() -> None:
    async def story(scene: Scene) -> None:
        tamper = scene.tampers[0]
        tamper.hits = lambda path, _body: path.endswith("/mining_nodes")
        tamper.spoil = spoiled
        await restart_exporter(scene)
        await scene.wait(10 * MINUTE)
        tamper.spoil = None
        await scene.wait(10 * MINUTE)
        assert scene.nodes_with("dbc_target_present", 1) == everybody(scene)
        assert scene.said_down == {}

    discovering(story)


def test_with_two_clients_one_that_was_never_heard_keeps_nobody_from_being_watched() -> None:
    async def story(scene: Scene) -> None:
        scene.process().kill()
        await restart_exporter(scene)
        await scene.until(scene.all_known, 2 * MINUTE)
        await scene.wait(10 * MINUTE)
        assert scene.nodes_with("dbc_target_present", 1) == everybody(scene)
        assert scene.said_down == {}

    discovering(story, clients=2)


def test_configured_targets_never_leave_whatever_the_client_says() -> None:
    async def story(scene: Scene) -> None:
        await scene.start()
        scene.process().isolate()
        await scene.wait(10 * MINUTE)
        assert scene.nodes_with("dbc_target_present", 1) == everybody(scene)

    played(story)
