"""Plays a stage in virtual time and records what a Prometheus scrapes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from dbc_exporter.collectors.transfers import UPLOAD_PREFIX
from dbc_exporter.config.credentials import Wallet
from dbc_exporter.config.records import TargetRecord
from dbc_exporter.config.settings import Settings
from dbc_exporter.remediation import build
from dbc_exporter.remediation import loop as loop_module
from dbc_exporter.simulator.faults import FAULTS
from dbc_exporter.simulator.fleet import Fleet, build_world
from dbc_exporter.simulator.scenario_file import parse_scenario
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.targets import DesiredState, Kind
from dbc_exporter.web.types import ReloadError
from tests.e2e.virtual_app import VirtualApp
from tests.monitoring.behaviour.series import Series
from tests.monitoring.behaviour.stage import Stage
from tests.monitoring.story import Alertmanager, DirectJournal, NoHistory
from tests.virtual import virtually


@dataclass(slots=True)
class Live:
    """A stage while it is played, for the actions of its cases."""

    fleet: Fleet
    virtual: VirtualApp
    watchdog: bool = True
    """Whether Alertmanager lets remediation hear of it."""
    silent: set[int] = field(default_factory=set)
    """The numbers of the exporters from which Prometheus gets no answer."""
    doing: list[asyncio.Future[None]] = field(default_factory=list)
    """What actions began; none of it may fail."""

    def hang_up(self) -> None:
        """Let the exporter reload, as SIGHUP does."""
        self.soon(self._reload())

    def soon(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what takes a while."""
        self.doing.append(asyncio.ensure_future(work))

    async def _reload(self) -> None:
        with suppress(ReloadError):  # the metric tells
            await self.virtual.app.reload()


@dataclass(frozen=True, slots=True)
class Recording:
    """What was scraped, and the ids of whoever has a name in the scenario."""

    series: Series
    ids: Mapping[str, str]


def play(
    stage: Stage, directory: Path, metrics: Collection[str], *, step: float, tick: float = 0.0
) -> Recording:
    """Play a stage; scrape every `step` seconds, from 0 on, what is there of `metrics`.

    The exporter does nothing more often than every `tick` seconds, and remediation decides half as often.
    """

    async def go(clock: LoopClock) -> Recording:
        fleet = build_world(parse_scenario(_scenario(stage)), clock=clock)
        recording = Recording(Series(metrics, clock.wall()), _ids(fleet))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(build, "JournalThread", DirectJournal)
            patch.setattr(build, "History", NoHistory)
            patch.setattr(loop_module, "ROUND_SECONDS", max(loop_module.ROUND_SECONDS, 2 * tick))
            chosen = settings(stage, fleet, directory)
            apps = [
                VirtualApp(fleet, chosen.model_copy(update={"shard": shard}), clock, patch, tick)
                for shard in stage.shards
            ]
            virtual, *others = apps
            live = Live(fleet, virtual)
            stage.start(live)
            virtual.start()
            for other in others:
                other.app._start_polling()
            await virtual.remediate()
            running = virtual.app.remediating._running
            alertmanager = Alertmanager(running, fleet) if running else None
            loop = asyncio.get_running_loop()
            for case in stage.cases:
                loop.call_at(stage.begins, case.begin, live)
                loop.call_at(stage.ends, case.end, live)
            for scrape in range(round(stage.length / step) + 1):
                await asyncio.sleep(scrape * step - clock.monotonic())
                if alertmanager and live.watchdog:
                    await alertmanager.look(clock.wall())
                recording.series.scrape(
                    *("" if number in live.silent else app.exposition() for number, app in enumerate(apps))
                )
            await asyncio.gather(*live.doing)
            await virtual.app.remediating.stop()
            for other in others:
                await other.app.scheduler.stop()
                await other.app.engine.stop()
            await virtual.stop()
        return recording

    return virtually(go)


def settings(stage: Stage, fleet: Fleet, directory: Path) -> Settings:
    """Watch everything in the fleet, wishing that all of it runs; intervals are the defaults unless the stage has others."""
    transfers: dict[str, tuple[str, ...]] = {}
    for one in fleet.scenario.transfers:
        entry = f"{UPLOAD_PREFIX}{one.image}" if one.direction == "upload" else one.image
        transfers[one.node] = (*transfers.get(one.node, ()), entry)
    targets = [
        TargetRecord(
            id=node.id,
            credential="renter",
            rent_order=_order(fleet, node.id),
            desired_state=DesiredState.RUNNING,
            expected_gpus=8,
            transfers=transfers.get(node.name, ()),
            labels={"site": "here"},
        )
        for node in fleet.compute
    ]
    targets += [TargetRecord(id=manager.id, kind=Kind.MANAGER) for manager in fleet.managers]
    targets += [
        TargetRecord(
            id=server.id, kind=Kind.SERVER, manager=server.subject[0].node_id, desired_state=DesiredState.ON
        )
        for server in fleet.servers
    ]
    written: dict[str, Any] = {
        "credentials": {"renter": Wallet(type="wallet", seed=SecretStr(fleet.wallets["renter"].seed))},
        "targets": {"static": targets},
        "total_shards": max(stage.shards) + 1,
        **stage.settings,
    }
    if stage.policy:
        (directory / "policy.yml").write_text(stage.policy)
        written["storage"] = {"path": str(directory / "state")}
        written["remediation"] = {"policy_file": str(directory / "policy.yml")}
    return Settings.model_validate(written)


def _scenario(stage: Stage) -> str:
    """Write the fleet with the faults of all cases; those that can recover do when the stage's troubles end."""
    lines: list[dict[str, Any]] = []
    if stage.clients_die is not None:
        lines.append({"fault": "kill_clients", "all": True, "at": stage.clients_die})
    for fault in (fault for case in stage.cases for fault in case.faults):
        until = {"for": stage.ends - stage.begins} if FAULTS[fault["fault"]].recovers else {}
        lines.append({**fault, "at": stage.begins, **until})
    return yaml.safe_dump({"version": 1, **stage.fleet, "faults": lines})


def _order(fleet: Fleet, node_id: str) -> str | None:
    return next((order.id for order in fleet.world.chain.orders(node_id)), None)


def _ids(fleet: Fleet) -> dict[str, str]:
    vms = {member.name: member.id for member in fleet.candidates("vms")}
    return vms | {member.name: member.id for member in (*fleet.compute, *fleet.managers, *fleet.servers)}
