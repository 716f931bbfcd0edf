"""The default set-up: nobody wrote targets, so that the clients' lists make them. A dead node leaves these lists."""

from __future__ import annotations

from tests.monitoring.behaviour.scenarios_sick import loses_its_peers, restarts
from tests.monitoring.behaviour.stage import MINUTE, Case, Stage

DISCOVERED = Stage(
    "discovered nodes",
    fleet={
        "clients": [{"name": "left"}, {"name": "right"}],
        "compute": [{"name": "free-{n}", "count": 8}],
        "managers": [],
    },
    settings={"targets": {}},
    cases=(
        Case(
            "DbcNodeUnreachable",
            faults=({"fault": "kill_nodes", "names": ["free-1"]},),
            labels=({"node_id": "free-1"},),
            within=7 * MINUTE,
            ends_within=3 * MINUTE,
        ),
        Case(
            "DbcNodeNotVisible",
            begin=loses_its_peers,
            end=restarts("free-7"),
            labels=({"node_id": "free-7"},),
            within=9 * MINUTE,
            ends_within=3 * MINUTE,
        ),
    ),
)
