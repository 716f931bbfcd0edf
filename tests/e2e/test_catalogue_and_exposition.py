"""The catalogue and what a fleet in every kind of trouble makes the exporter emit agree, in both directions."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dbc_exporter.clock import Clock
from dbc_exporter.instruments import Instruments
from dbc_exporter.metrics.catalogue import ALL, family_of
from dbc_exporter.metrics.exposition import Exposition
from dbc_exporter.metrics.options import RenderOptions
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.simulator.scenario import Scenario
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.targets import DesiredState, Kind, Target
from tests.pacing.rig import Rig
from tests.virtual import virtually

MINUTE = 60.0
INTERVALS = {
    "client": 15.0, "node": 60.0, "orders": 60.0, "tasks": 60.0, "vms": 60.0, "disks": 120.0, "snapshots": 120.0,
    "images": 120.0, "centre_images": 300.0, "transfers": 15.0, "lan": 60.0, "bare_metal": 60.0, "power": 60.0,
}  # fmt: skip
SCENARIO = {
    "version": 1,
    "seed": 3,
    "verify_signatures": False,
    "time_factor": 0.1,
    "clients": [{"name": "client-1"}, {"name": "client-2"}],
    "image_servers": [{"name": "local01", "images": [{"name": "big.qcow2", "size": "20G"}]}],
    "compute": [
        {
            "count": 6,
            "name": "gpu-{n}",
            "vms": {"count": 2},
            "networks": [{"name": "lanalpha"}],
            "rented_by": {"wallet": "renter"},
        }
    ],
    "managers": [{"count": 1, "servers": [{"count": 3}]}],
    "transfers": [{"node": "gpu-2", "image": "big.qcow2"}],
    "faults": [
        {"fault": "kill_nodes", "at": "5m", "names": ["gpu-6"]},
        {"fault": "kill_clients", "at": "8m", "names": ["client-1"], "for": "1m"},
        {"fault": "dead_bmc", "at": "1m", "count": 1},
    ],
}


class EveryFamily(Rig):
    """A rig with everything switched on and our own metrics beside the store."""

    def play_with(self, clock: Clock) -> None:
        self.own = OwnMetrics(version="1", python="3")
        self.instruments = Instruments(self.own, clock)
        for client in self.clients:
            client.observer = self.instruments
        for sweep in self.poller.sweeps:
            sweep._counters = self.instruments
        self.store._options = RenderOptions(node_timezone=ZoneInfo("UTC"))
        self.exposition = Exposition(self.store, self.own)
        self.targets = tuple(self._everything())

    def _everything(self) -> list[Target]:
        wanted: list[Target] = []
        for target in self.targets:
            if target.kind is Kind.COMPUTE and wanted:  # the first one has no credential
                wanted.append(
                    Target(
                        target.id,
                        credential="renter",
                        desired_state=DesiredState.RUNNING,
                        expected_gpus=8,
                        transfers=("big.qcow2",),
                        labels=(("site", "here"),),
                    )
                )
            else:
                wanted.append(replace(target, credential=None))
        return wanted

    def scrape(self) -> str:
        self.instruments.sample(self.clients, 0.0)
        return self.exposition.reply({}, {}).body.decode()


@pytest.fixture(scope="module")
def scrapes() -> list[str]:
    """Play half an hour of trouble and return a scrape of every minute."""

    async def play(clock: LoopClock) -> list[str]:
        rig = EveryFamily(clock, Scenario.model_validate(SCENARIO), INTERVALS)
        rig.play_with(clock)
        await rig.start()
        vm = next(iter(rig.fleet.compute[1].subject.vms.values()))
        _take_snapshot(vm)
        rig.fleet.compute[2].subject.hardware.cpu_usage = float("nan")
        seen = []
        for minute in range(30):
            await asyncio.sleep(MINUTE)
            if minute == 20:
                rig.poller.set_targets(rig.targets[1:])
            seen.append(rig.scrape())
        rig.instruments.missed("node")
        rig.instruments.error("node")
        rig.instruments.deadline_exceeded("node")
        rig.instruments.overlapped("node", 1)
        rig.own.reload_successful.set(1)
        rig.own.reload_success_time.set(clock.wall())
        rig.own.state_persistent.set(1)
        seen.append(rig.scrape())
        await rig.stop()
        return seen

    return virtually(play)


def _take_snapshot(vm: object) -> None:
    from dbc_exporter.simulator.vm import Snapshot  # noqa: PLC0415 -- the simulator's own record

    vm.snapshots["s1"] = Snapshot("s1", "", "s1.qcow2", 1_795_000_000.0)  # type: ignore[attr-defined]


def test_every_family_of_the_catalogue_occurs(scrapes: list[str]) -> None:
    shown = {f.name for text in scrapes for f in text_string_to_metric_families(text)}
    shown |= {f"{name}_total" for name in shown}
    assert {family.name for family in ALL} - shown == set()


def test_every_family_label_and_enum_value_that_occurs_is_declared(scrapes: list[str]) -> None:
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for text in scrapes:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                declared = family_of(sample.name)
                assert declared is not None, sample.name
                for name, value in sample.labels.items():
                    if name != "le" and not name.startswith("label_"):
                        assert name in declared.labels, (sample.name, name)
                        values[declared.name, name].add(value)
    for one in ALL:
        for name, allowed in one.enums.items():
            assert values[one.name, name] <= set(allowed), (one.name, name)


def test_families_are_contiguous_and_described_once(scrapes: list[str]) -> None:
    for text in scrapes:
        types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
        assert len(types) == len(set(types))
        parsed = [family.name for family in text_string_to_metric_families(text)]
        assert len(parsed) == len(set(parsed)) == len(types)
