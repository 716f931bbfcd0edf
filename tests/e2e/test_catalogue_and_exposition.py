"""What is declared is emitted, and what is emitted is declared: over an hour in which everything happens."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from dbc_exporter.config.credentials import Wallet
from dbc_exporter.config.records import TargetRecord
from dbc_exporter.config.settings import CollectorsSettings, SeriesBudgetSettings, Settings
from dbc_exporter.demo import take_snapshots
from dbc_exporter.metrics.catalogue import ALL, FAMILIES, family_of
from dbc_exporter.metrics.family import Family, MetricType
from dbc_exporter.simulator.fleet import Fleet, build_world
from dbc_exporter.simulator.scenario_file import parse_scenario
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.targets import DesiredState, Kind
from tests.e2e.virtual_app import VirtualApp
from tests.virtual import virtually

SCENARIO = """
version: 1
seed: 7
clients: [{name: left}, {name: right}]
image_servers: [{name: local01, images: [{name: new.qcow2, size: 9G}, {name: lost.qcow2, size: 90G}]}]
latency: {authenticated: [2s, 8s], transfer_bytes_per_second: 1.0e+7}
compute:
  - name: rented-{n}
    count: 6
    vms: {count: 2, gpus: 2}
    networks: [{name: lanalpha}]
    rented_by: {wallet: renter, order_id: "order{n}"}
  - {name: "crowded-{n}", vms: {count: 240, gpus: 0}, rented_by: {wallet: renter}}
  - {name: "free-{n}", count: 2}
  - {name: "guest-{n}"}
managers:
  - {servers: [{count: 2}, {count: 1, bmc: dead}, {count: 1, power: "off"}]}
  - {name: "foreign-{n}", servers: [{count: 1}]}
transfers:
  - {node: rented-1, image: new.qcow2}
  - {node: rented-2, image: lost.qcow2}
faults:
  - {at: 5m, fault: quote_in_description, names: [rented-2/1], for: 10m}
  - {at: 5m, fault: odd_usages, names: [rented-3], for: 10m}
  - {at: 5m, fault: vm_error, names: [rented-1/2]}
  - {at: 5m, fault: quote_in_server_description, names: [bm-1-1], for: 10m}
  - {at: 7m, fault: kill_nodes, names: [rented-4], for: 15m}
  - {at: 7m, fault: freeze_nodes, names: [rented-5], for: 3m}
  - {at: 8m, fault: vanish_transfer, names: [rented-2/*]}
  - {at: 15m, fault: kill_clients, names: [left], for: 1m}
  - {at: 18m, fault: ipmi_failure, names: [bm-1-2], for: 10m}
  - {at: 20m, fault: leave_nodes, names: [guest-*]}
  - {at: 22m, fault: end_orders, names: [rented-6]}
  - {at: 25m, fault: chain_outage, for: 3m}
  - {at: 32m, fault: isolate_clients, names: [right], for: 2m}
  - {at: 38m, fault: wedge_clients, names: [right], for: 2m}
  - {at: 12m, fault: garble_orders, names: [rented-6], for: 4m}
"""
END_SECONDS = 3600.0
LOOK_SECONDS = 15.0
INTERVALS = {
    "client": 15, "node": 30, "orders": 60, "tasks": 60, "vms": 120, "disks": 180, "snapshots": 180,
    "images": 120, "centre_images": 300, "transfers": 30, "lan": 60, "bare_metal": 60, "power": 60,
}  # fmt: skip

WATCHING = [family for family in ALL if family.collector != "remediation"]
"""The families of an exporter that only watches."""

NOT_IN_A_SOUND_RUN = {
    "dbc_exporter_scheduler_missed_total": "APScheduler drops no run: its jobs never wait",
    "dbc_exporter_scheduler_errors_total": "counts mistakes of ours",
    "dbc_target_elsewhere": "told where there are several shards (test_shards.py)",
}
"""Families without a series as long as nothing in the exporter itself breaks, and why."""


def settings(fleet: Fleet) -> Settings:
    """Watch everything rented and free and one manager; the guest and the other manager's server are discovered."""
    rented = [
        TargetRecord(
            id=node.id,
            credential="renter",
            rent_order=node.name.replace("rented-", "order") if node.name.startswith("rented") else None,
            desired_state=DesiredState.RUNNING,
            expected_gpus=8,
            transfers={"rented-1": ("new.qcow2",), "rented-2": ("lost.qcow2", "upload:gone.qcow2")}.get(
                node.name, ()
            ),
            labels={"site": "here"},
        )
        for node in fleet.compute
        if not node.name.startswith("guest")
    ]
    manager = TargetRecord(id=fleet.managers[0].id, kind=Kind.MANAGER)
    every = {name: {"enabled": True, "interval_seconds": seconds} for name, seconds in INTERVALS.items()}
    return Settings.model_validate(
        {
            "credentials": {"renter": Wallet(type="wallet", seed=SecretStr(fleet.wallets["renter"].seed))},
            "collectors": CollectorsSettings.model_validate(every),
            "targets": {"static": (*rented, manager), "discover": {"enabled": True}},
            "series_budget": SeriesBudgetSettings(per_family=2000, per_target=2000),
            "node_timezone": "UTC",
        }
    )


@dataclass
class Seen:
    """Everything that was ever on `/metrics` and `/probe`: identities (name and labels) by sample name, and metadata lines."""

    series: dict[str, set[str]] = field(default_factory=dict)
    metadata: set[str] = field(default_factory=set)

    def look(self, exposition: str) -> None:
        """Add one exposition. Values do not matter here."""
        for line in exposition.splitlines():
            if line.startswith("#"):
                self.metadata.add(line)
            else:
                identity = line.rpartition(" ")[0]
                self.series.setdefault(identity.partition("{")[0], set()).add(identity)

    def labels(self, sample: str) -> Iterator[dict[str, str]]:
        """Read the label sets of one sample name."""
        text = "".join(f"{identity} 1\n" for identity in self.series[sample])
        for metric in text_string_to_metric_families(text):
            for one in metric.samples:
                yield one.labels

    def by_family(self) -> Iterator[tuple[Family, dict[str, str]]]:
        """Give every label set with the family of its sample."""
        for sample in self.series:
            family = family_of(sample)
            assert family is not None, f"{sample} is not in the catalogue"
            for labels in self.labels(sample):
                yield family, labels

    def values(self, sample: str, label: str) -> set[str]:
        """Return the values a label took."""
        return {labels[label] for labels in self.labels(sample)}


@pytest.fixture(scope="module")
def seen() -> Seen:
    """Play the hour once."""
    found = Seen()

    async def play(clock: LoopClock) -> None:
        fleet = build_world(parse_scenario(SCENARIO), clock=clock)
        take_snapshots(fleet)
        with pytest.MonkeyPatch.context() as patch:
            virtual = VirtualApp(fleet, settings(fleet), clock, patch)
            virtual.start()
            while clock.monotonic() < END_SECONDS:
                await asyncio.sleep(LOOK_SECONDS)
                found.look(virtual.exposition())
                found.look(await virtual.probe())
            await virtual.stop()

    virtually(play)
    return found


def test_without_a_policy_nothing_is_said_of_remediation(seen: Seen) -> None:
    assert [sample for sample in seen.series if sample.startswith("dbc_remediation_")] == []


@pytest.mark.parametrize("family", WATCHING, ids=lambda family: family.name)
def test_every_declared_family_is_emitted(family: Family, seen: Seen) -> None:
    sample = f"{family.name}_bucket" if family.type is MetricType.HISTOGRAM else family.name
    if family.name in NOT_IN_A_SOUND_RUN:
        assert sample not in seen.series
    else:
        assert sample in seen.series


def test_every_emitted_sample_belongs_to_a_declared_family(seen: Seen) -> None:
    assert [sample for sample in seen.series if family_of(sample) is None] == []


def test_names_types_and_helps_are_those_declared(seen: Seen) -> None:
    present = [family for family in WATCHING if family.name not in NOT_IN_A_SOUND_RUN]
    helps = {f"# HELP {family.name} {family.help}" for family in present}
    types = {f"# TYPE {family.name} {family.type}" for family in present}
    assert seen.metadata == helps | types


def test_every_family_has_exactly_its_declared_labels(seen: Seen) -> None:
    emitted: dict[str, set[frozenset[str]]] = defaultdict(set)
    for family, labels in seen.by_family():
        own = {name for name in labels if not (family.user_labels and name.startswith("label_"))}
        emitted[family.name].add(frozenset(own - {"le"} if family.type is MetricType.HISTOGRAM else own))
    assert emitted == {name: {frozenset(FAMILIES[name].labels)} for name in emitted}


def test_labels_with_a_closed_set_take_declared_values_only(seen: Seen) -> None:
    strange = {
        (family.name, label, labels[label])
        for family, labels in seen.by_family()
        for label, allowed in family.enums.items()
        if labels[label] not in allowed
    }
    assert strange == set()


def test_every_identity_of_a_state_set_has_all_its_states(seen: Seen) -> None:
    states: dict[tuple[str, frozenset[tuple[str, str]]], set[str]] = defaultdict(set)
    for family, labels in seen.by_family():
        if family.state_label:
            state = labels.pop(family.state_label)
            states[family.name, frozenset(labels.items())].add(state)
    assert {name for name, _ in states} == {family.name for family in ALL if family.state_label}
    assert all(
        found == set(FAMILIES[name].enums[FAMILIES[name].state_label or ""])
        for (name, _), found in states.items()
    )


def test_the_hour_had_trouble_of_every_kind_in_it(seen: Seen) -> None:
    # unknown_node is left out: it takes a poll in the seconds between a node's leaving the list and our next look
    reasons = seen.values("dbc_collector_failures_total", "reason")
    assert reasons >= {
        "node_timeout",
        "own_deadline",
        "unparsable",
        "unreachable",
        "isolated",
        "wedged",
    }
    assert seen.values("dbc_collector_unavailable", "reason") == set(
        FAMILIES["dbc_collector_unavailable"].enums["reason"]
    )
