"""Whatever arrives in place of an answer, over real sockets: scrapes go on, no machine is called down, all recovers."""

from __future__ import annotations

import pytest

from dbc_exporter.simulator.randomness import stable_random
from dbc_exporter.simulator.wire_faults import DELAY, DRIP, KINDS, WireFault
from tests.resilience.live import live, nobody_is_vouched_for

SILENT = {"unreachable"}
SAID = {
    "garbage": {"troubled"},
    "html": {"troubled"},
    "huge": {"troubled"},
    "truncated_json": {"troubled"},
    "empty": {"troubled"},
    "half": SILENT,
    "reset": SILENT,
    "no_answer": SILENT,
    DRIP: SILENT,
    DELAY: SILENT,
}


def broken(kind: str, share: float = 1.0) -> WireFault:
    return WireFault(kind, stable_random(1, kind), share=share, delay_seconds=3600.0, bytes_per_second=10.0)


def test_every_way_in_which_an_answer_can_break_is_tried() -> None:
    assert SAID.keys() == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
async def test_answers_broken_on_the_wire_make_machines_unknown_until_the_wire_is_sound(kind: str) -> None:
    async with live() as alive:
        wire = alive.running.fleet.wires["client-1"]
        wire.fault = broken(kind)
        await alive.until(nobody_is_vouched_for)
        await alive.until(lambda samples: alive.state(samples) in SAID[kind])
        samples = await alive.scrape()
        assert samples.get("dbc_client_visible_nodes", {}) == {}
        assert len(samples["dbc_target_present"]) == 5
        wire.fault = None
        await alive.until(alive.everybody_is_up)
        assert alive.state(await alive.scrape()) == "ok"
        assert alive.said_down == []


@pytest.mark.parametrize("kind", ["garbage", "html", "half", "reset", "truncated_json", "empty", "no_answer"])
async def test_one_in_five_answers_broken_calls_nobody_down(kind: str) -> None:
    async with live() as alive:
        wire = alive.running.fleet.wires["client-1"]
        before = await alive.scrape()
        wire.fault = broken(kind, share=0.2)
        name = "dbc_client_request_failures_total"
        failed = sum(before.get(name, {}).values())
        await alive.until(lambda samples: sum(samples.get(name, {}).values()) >= failed + 5)
        wire.fault = None
        await alive.until(alive.everybody_is_up)
        assert alive.said_down == []


async def test_with_two_clients_one_broken_wire_is_made_up_for_by_the_other() -> None:
    async with live(clients=2) as alive:
        alive.running.fleet.wires["client-1"].fault = broken("html")
        await alive.until(lambda samples: alive.state(samples) == "troubled")
        await alive.until(alive.everybody_is_up)
        assert alive.state(await alive.scrape(), "client-2") == "ok"
        assert alive.said_down == []


async def test_a_killed_process_is_refused_found_again_and_counted_as_restarted() -> None:
    async with live() as alive:
        process = alive.running.fleet.world.clients["client-1"]
        process.kill()
        await alive.until(lambda samples: alive.state(samples) == "unreachable")
        await alive.until(nobody_is_vouched_for)
        # an answer cut off by the death shows nothing yet of the process: only a refusal tells that it is gone
        await alive.until(lambda _samples: alive.app.engine.clients[0]._was_gone)
        process.restart()
        await alive.until(alive.everybody_is_up)
        restarts = (await alive.scrape())["dbc_client_restarts_total"]
        assert sum(restarts.values()) == 1
        assert alive.said_down == []


async def test_a_scrape_is_answered_while_polls_hang() -> None:
    async with live() as alive:
        client = alive.app.engine.clients[0]
        node = alive.running.fleet.compute[0].id
        alive.running.fleet.world.hosts[node].freeze()
        client.deadline_seconds = 3600.0
        await alive.until(lambda _samples: any(ticket.node == node for ticket in client.gate.tickets))
        hanging = {ticket for ticket in client.gate.tickets if ticket.node == node}
        await alive.scrape()
        assert hanging <= client.gate.tickets


async def test_health_and_readiness_stay_good_while_the_client_is_down() -> None:
    async with live() as alive:
        alive.running.fleet.world.clients["client-1"].kill()
        await alive.until(lambda samples: alive.state(samples) == "unreachable")
        for path in ("/-/healthy", "/-/ready"):
            async with alive.session.get(f"{alive.base}{path}") as answer:
                assert answer.status == 200
