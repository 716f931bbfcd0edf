"""Remediation that acts in vain, asks, or is broken itself."""

from __future__ import annotations

import asyncio

from dbc_exporter.remediation.build import Running
from dbc_exporter.remediation.model import Snapshot
from dbc_exporter.remediation.operator import Operator
from dbc_exporter.simulator.host import NodeHost
from tests.monitoring.behaviour.player import Live
from tests.monitoring.behaviour.scenarios_clients import POLICY
from tests.monitoring.behaviour.scenarios_machines import MACHINES
from tests.monitoring.behaviour.stage import HOUR, MINUTE, Case, Stage

IN_VAIN = """
version: 1
mode: act
limits:
  budgets: [{scope: fleet, window: 1h, most: 6}, {scope: node, window: 1h, most: 2}]
  storm: {bad_percent: 100, new_count: 100}
rules:
  - name: vms
    kind: vm
    match: {labels: {site: "*"}}
    only_dbc_vms: true
    cooldown: {base: 10m}
    ladder:
      - {action: restart, evidence: [DbcVmUnresponsive], witness: DbcVmUnresponsive, settle: 120s, stable: 60s}
"""
LONG_ASKED_ABOUT = IN_VAIN.replace("limits:", "limits:\n  ambiguous_hold: 4h")
ASKING = IN_VAIN.replace("mode: act", "mode: approve").replace("limits:", "limits:\n  approval_ttl: 2h")
HEARD = 3 * MINUTE
"""Until remediation has heard that the VMs answer again."""


class Broken:
    """Evidence that cannot be read for a mistake of ours: every round fails."""

    def snapshot(self) -> Snapshot:
        raise LookupError("a mistake of ours")

    def disturb(self, why: str) -> None: ...


def rounds_fail(live: Live) -> None:
    _running(live).loop.evidence = Broken()


def rounds_succeed(live: Live) -> None:
    running = _running(live)
    running.loop.evidence = running.evidence


def node_falls_silent_under_the_action(live: Live) -> None:
    """Let the node freeze once it has restarted the VM, so that nobody hears of it."""

    def loses(path: str) -> bool:
        restart = "/tasks/restart/" in path
        if restart:
            _host(live).freeze()
        return restart

    for transport in live.virtual.transports.values():
        transport.loses = loses


def node_speaks_again(live: Live) -> None:
    for transport in live.virtual.transports.values():
        transport.loses = None
    _host(live).thaw()


def _host(live: Live) -> NodeHost:
    return live.fleet.world.hosts[live.fleet.compute[0].id]


def person_clears(live: Live) -> None:
    live.soon(_clear(live))


def person_rejects(live: Live) -> None:
    live.soon(_reject(live))


async def _clear(live: Live) -> None:
    await asyncio.sleep(HEARD)
    operator = _operator(live)
    await operator.clear_breaker("test")
    for subject in operator.runtime.view.quarantined:
        await operator.clear(subject, "test")


async def _reject(live: Live) -> None:
    await asyncio.sleep(HEARD)
    operator = _operator(live)
    for approval in operator.runtime.view.approvals:
        await operator.answer(approval.id, approve=False, actor="test")


def _operator(live: Live) -> Operator:
    desk = live.virtual.app.remediating.desk
    assert desk is not None
    return desk.operator


def _running(live: Live) -> Running:
    running = live.virtual.app.remediating._running
    assert running is not None
    return running


FAILING = Stage(
    "failing remediation",
    fleet=MACHINES.fleet,
    policy=POLICY,
    cases=(
        Case(
            "DbcRemediationInvariantViolated",
            begin=rounds_fail,
            end=rounds_succeed,
            labels=({"what": "round_failed"},),
            within=2 * MINUTE,
            ends_within=61 * MINUTE,
        ),
        Case("DbcRemediationStuck", labels=({},), within=5 * MINUTE, ends_within=1 * MINUTE),
    ),
    length=130 * MINUTE,
)

VAIN = Stage(
    "remediation in vain",
    fleet=MACHINES.fleet,
    policy=IN_VAIN,
    cases=(
        Case(
            "DbcRemediationBreakerOpen",
            faults=({"fault": "hang_vms", "all": True},),
            end=person_clears,
            labels=({},),
            within=60 * MINUTE,
            ends_within=HEARD + 2 * MINUTE,
        ),
        Case(
            "DbcRemediationQuarantineGrowing",
            labels=({},),
            within=60 * MINUTE,
            ends_within=HEARD + 2 * MINUTE,
        ),
        Case(
            "DbcRemediationIneffective",
            labels=({"action": "restart"},),
            within=60 * MINUTE,
            ends_within=6 * HOUR,
        ),
    ),
    ends=100 * MINUTE,
    length=7 * HOUR,
)

ASKED = Stage(
    "remediation asks",
    fleet=MACHINES.fleet,
    policy=ASKING,
    cases=(
        Case(
            "DbcRemediationApprovalWaiting",
            faults=({"fault": "hang_vms", "names": ["rented-1/1"]},),
            end=person_rejects,
            labels=({},),
            within=15 * MINUTE,
            ends_within=HEARD + 2 * MINUTE,
        ),
    ),
)

UNANSWERED = Stage(
    "remediation gets no answer",
    fleet=MACHINES.fleet,
    policy=LONG_ASKED_ABOUT,
    cases=(
        Case(
            "DbcRemediationAmbiguousOpen",
            faults=({"fault": "hang_vms", "names": ["rented-1/1"]},),
            begin=node_falls_silent_under_the_action,
            end=node_speaks_again,
            labels=({},),
            within=45 * MINUTE,
            ends_within=10 * MINUTE,
        ),
        Case("DbcRemediationActionStuck", labels=({},), within=135 * MINUTE, ends_within=10 * MINUTE),
        Case(
            "DbcNodeUnreachable",
            labels=({"node_id": "rented-1"},),
            within=25 * MINUTE,
            ends_within=3 * MINUTE,
        ),
    ),
    ends=180 * MINUTE,
    length=220 * MINUTE,
)
