"""The whole application on real sockets: simulated clients behind HTTP ports, and a scraper that never stops asking."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from dbc_exporter.app import App
from dbc_exporter.config.settings import Settings
from dbc_exporter.dbc.patience import Patience
from dbc_exporter.simulator.run import Running, simulator
from dbc_exporter.simulator.scenario import Scenario
from tests.e2e.processes import free_port
from tests.resilience.scene import DOWN_FAMILIES

GENEROUS_SECONDS = 60.0
IMPATIENT = Patience(look=0.2, local_deadline=0.5, troubled=0.5, settle=30.0, wedge_retry=0.5)
DEADLINE_SECONDS = 1.5
NODES = 3
_SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")


def scenario(clients: int = 1) -> Scenario:
    """Return a small fleet."""
    return Scenario.model_validate(
        {
            "version": 1,
            "verify_signatures": False,
            "clients": [{"name": f"client-{n}"} for n in range(1, clients + 1)],
            "compute": [{"count": NODES}],
            "managers": [{"count": 1, "servers": [{"count": 1}]}],
        }
    )


def settings_for(running: Running, port: int, **more: Any) -> Settings:
    """Return settings that watch the whole fleet every second."""
    fleet = running.fleet
    names = ("client", "node", "bare_metal", "power")
    kinds = {"tasks", "vms", "disks", "snapshots", "transfers", "images", "lan", "orders"}
    return Settings.model_validate(
        {
            "clients": [{"name": name, "url": url} for name, url in running.clients.items()],
            "targets": {
                "static": [{"id": node.id} for node in fleet.compute]
                + [{"id": manager.id, "kind": "bare_metal_manager"} for manager in fleet.managers]
            },
            "collectors": {
                **{name: {"interval_seconds": 1} for name in names},
                **{name: {"enabled": False} for name in kinds},
            },
            "web": {"listen_address": f"127.0.0.1:{port}"},
            **more,
        }
    )


@dataclass
class Live:
    """A running application and its fleet. Every scrape checks that no machine is called down."""

    app: App
    running: Running
    base: str
    session: aiohttp.ClientSession
    said_down: list[str] = field(default_factory=list)

    async def scrape(self) -> dict[str, dict[str, float]]:
        """Return what `/metrics` says now: value by labels by family."""
        async with self.session.get(f"{self.base}/metrics") as answer:
            assert answer.status == 200
            text = await answer.text()
        samples: dict[str, dict[str, float]] = {}
        for match in filter(None, map(_SAMPLE.fullmatch, text.splitlines())):
            samples.setdefault(match[1], {})[match[2] or ""] = float(match[3])
        self.said_down += [
            f"{family}{{{labels}}}"
            for family in DOWN_FAMILIES
            for labels, value in samples.get(family, {}).items()
            if value == 0
        ]
        return samples

    async def until(self, condition: Callable[[dict[str, dict[str, float]]], bool]) -> None:
        """Scrape until a condition holds of what is said."""
        async with asyncio.timeout(GENEROUS_SECONDS):
            while True:
                if condition(await self.scrape()):
                    return
                await asyncio.sleep(0.05)

    def everybody_is_up(self, samples: dict[str, dict[str, float]]) -> bool:
        """Tell whether every compute node is said to be up and to have its cores."""
        up = [labels for labels, value in samples.get("dbc_node_up", {}).items() if value == 1]
        compute = {node.id for node in self.running.fleet.compute}
        known = {node for node in compute if any(node in labels for labels in up)}
        return known == compute and len(samples.get("dbc_node_cpu_cores", {})) == NODES

    def whole_fleet_is_known(self, samples: dict[str, dict[str, float]]) -> bool:
        """Tell whether managers and their servers are known as well, which takes one poll after another."""
        fleet = self.running.fleet
        machines = len(fleet.compute) + len(fleet.managers) + len(fleet.servers)
        families = ("dbc_target_present", "dbc_node_visible", "dbc_node_up")
        return self.everybody_is_up(samples) and all(
            len(samples.get(name, {})) == machines for name in families
        )

    def state(self, samples: dict[str, dict[str, float]], client: str = "client-1") -> str:
        """Return the state a client is said to be in."""
        said = [
            labels
            for labels, value in samples["dbc_client_state"].items()
            if value == 1 and f'client="{client}"' in labels
        ]
        assert len(said) == 1
        match = re.search(r'state="([a-z]+)"', said[0])
        assert match is not None
        return match[1]


def nobody_is_vouched_for(samples: dict[str, dict[str, float]]) -> bool:
    """Tell whether neither presence nor answers of any machine are claimed."""
    return not samples.get("dbc_node_up") and not samples.get("dbc_node_visible")


@asynccontextmanager
async def live(clients: int = 1) -> AsyncIterator[Live]:
    """Run everything until the end of the block; at the start the whole fleet is known."""
    async with simulator(scenario(clients)) as running:
        port = free_port()
        app = App(settings_for(running, port), reload=lambda: settings_for(running, port))
        for client in app.engine.clients:
            client.patience, client.deadline_seconds = IMPATIENT, DEADLINE_SECONDS
        app.engine.poller.reachability_seconds = 0.0
        stop = asyncio.Event()
        serving = asyncio.ensure_future(app.run(stop))
        async with aiohttp.ClientSession() as session:
            alive = Live(app, running, f"http://127.0.0.1:{port}", session)
            try:
                await _listening(alive, serving)
                await alive.until(alive.whole_fleet_is_known)
                yield alive
            finally:
                stop.set()
                await serving


async def _listening(alive: Live, serving: asyncio.Future[None]) -> None:
    async with asyncio.timeout(GENEROUS_SECONDS):
        while True:
            assert not serving.done()
            try:
                await alive.scrape()
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)
            else:
                return
