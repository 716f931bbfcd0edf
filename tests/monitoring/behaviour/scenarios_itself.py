"""The exporter's own process: whether it is there, ticks, reads its settings, and what it makes of odd answers."""

from __future__ import annotations

from dataclasses import replace

from dbc_exporter.config.problems import ConfigError
from dbc_exporter.config.settings import Settings
from dbc_exporter.simulator.vm import Vm
from tests.monitoring.behaviour.player import Live
from tests.monitoring.behaviour.scenarios_machines import MACHINES
from tests.monitoring.behaviour.series import instance
from tests.monitoring.behaviour.stage import HOUR, MINUTE, Case, Stage

VMS = 40
"""So many more on a node are far over its budget."""


def refused() -> Settings:
    raise ConfigError([])


def settings_are_wrong(live: Live) -> None:
    live.virtual.read_settings = refused
    live.hang_up()


def settings_are_right(live: Live) -> None:
    live.virtual.read_settings = lambda: live.virtual.app.engine.settings
    live.hang_up()


def many_vms_come(live: Live) -> None:
    vms = _vms(live)
    first = next(iter(vms.values()))
    for number in range(VMS):
        vms[f"more{number}"] = replace(first, task_id=f"more{number}")


def many_vms_go(live: Live) -> None:
    vms = _vms(live)
    for number in range(VMS):
        del vms[f"more{number}"]


def _vms(live: Live) -> dict[str, Vm]:
    vms: dict[str, Vm] = next(node for node in live.fleet.compute if node.name == "rented-2").subject.vms
    return vms


def scheduler_stops(live: Live) -> None:
    live.soon(live.virtual.app.scheduler.stop())


def scheduler_starts(live: Live) -> None:
    live.virtual.app.scheduler.start()


def exporter_is_gone(live: Live) -> None:
    live.silent.add(0)


def exporter_is_back(live: Live) -> None:
    live.silent.discard(0)


ITSELF = Stage(
    "exporter itself",
    fleet=MACHINES.fleet,
    settings={"series_budget": {"per_target": 600}},
    cases=(
        Case(
            "DbcExporterConfigReloadFailed",
            begin=settings_are_wrong,
            end=settings_are_right,
            labels=({"instance": instance(0)},),
            within=3 * MINUTE,
            ends_within=1 * MINUTE,
        ),
        Case(
            "DbcExporterParseFailures",
            faults=({"fault": "odd_usages", "names": ["free-4"]},),
            labels=({"field": "cpu.used_usage"}, {"field": "mem.used_usage"}),
            within=10 * MINUTE,
            ends_within=62 * MINUTE,
        ),
        Case(
            "DbcExporterSeriesBudgetExceeded",
            begin=many_vms_come,
            end=many_vms_go,
            labels=({"family": "all of one target"},),
            within=17 * MINUTE,
            ends_within=7 * MINUTE,
        ),
    ),
    length=130 * MINUTE,
    clients_matter=False,
)

STUCK = Stage(
    "scheduler",
    fleet=MACHINES.fleet,
    cases=(
        Case(
            "DbcExporterSchedulerStuck",
            begin=scheduler_stops,
            end=scheduler_starts,
            labels=({"instance": instance(0)},),
            within=4 * MINUTE,
            ends_within=1 * MINUTE,
        ),
    ),
    ends=26 * MINUTE,
    length=1 * HOUR,
    clients_matter=False,
)

GONE = Stage(
    "no exporter",
    fleet=MACHINES.fleet,
    cases=(
        Case(
            "DbcExporterAbsent",
            begin=exporter_is_gone,
            end=exporter_is_back,
            vanishes=False,
            labels=({},),
            within=7 * MINUTE,
            ends_within=1 * MINUTE,
        ),
    ),
    clients_matter=False,
)
