"""Two exporters that share a fleet, of which one goes, while the other is there twice."""

from __future__ import annotations

from tests.monitoring.behaviour.player import Live
from tests.monitoring.behaviour.scenarios_machines import MACHINES
from tests.monitoring.behaviour.stage import MINUTE, Case, Stage

SECOND, TWIN = 1, 2
"""Numbers of exporters: the second shard, and another one that is the first shard."""
OF_THE_SECOND = ("bm-1-1", "bm-1-2", "manager-1", "rented-1", "rented-3")
"""Whom the hash gives to the second shard."""


def twin_is_not_there(live: Live) -> None:
    live.silent = {TWIN}


def twin_takes_the_place_of_the_second(live: Live) -> None:
    live.silent = {SECOND}


SHARDS = Stage(
    "shards",
    fleet=MACHINES.fleet,
    shards=(0, 1, 0),
    clients_matter=False,
    start=twin_is_not_there,
    cases=(
        Case(
            "DbcExporterShardMissing",
            begin=twin_takes_the_place_of_the_second,
            end=twin_is_not_there,
            labels=({"shard": "1", "total_shards": "2"},),
            within=4 * MINUTE,
            ends_within=1 * MINUTE,
        ),
        Case(
            "DbcExporterShardDoubled",
            labels=({"shard": "0", "total_shards": "2"},),
            within=7 * MINUTE,
            ends_within=1 * MINUTE,
        ),
        Case(
            "DbcExporterTargetUnpolled",
            labels=tuple({"node_id": name, "shard": "1"} for name in OF_THE_SECOND),
            within=3 * MINUTE,
            ends_within=1 * MINUTE,
        ),
    ),
)
