"""The proof of gentle polling: a fleet through deaths, freezes, dead BMCs, deaf managers and a chain outage.

Everything is measured from outside: ages from the store, requests and lost sessions from the simulator's ledger.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from dbc_exporter.pace import Load, Prediction, predict
from dbc_exporter.probing import probe
from dbc_exporter.simulator.scenario import Scenario
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.sweep import phase
from dbc_exporter.targets import Target
from tests.pacing.rig import Rig
from tests.virtual import virtually

MINUTE = 60.0
HOUR = 3600.0
SAMPLE_SECONDS = 30.0
BACK_SECONDS = 360.0  # after an incident, ages must be good again by then
PUBLIC_SECONDS = 0.03
SIGNED_SECONDS = (2.0, 8.0)
VMS = 2
SERVERS = 51
PROBE_SECONDS = 9.5  # of a scrape's 10 s


@dataclass(frozen=True)
class Plan:
    """What happens, when, to how many. Times in seconds from the start."""

    nodes: int
    clients: int = 2
    managers: int = 4
    dead_bmcs: int = 20
    signed_interval: float = 1200.0
    warm_up: float = 40 * MINUTE
    spread: float = 6 * HOUR
    outage_after: float = 3 * HOUR
    outage: float = 10 * MINUTE
    seed: int = 1
    probed_every: float | None = None
    """Two Prometheis probe every target this often, each at times of its own."""

    @property
    def intervals(self) -> dict[str, float]:
        """Return the collectors' intervals."""
        signed = {"tasks": self.signed_interval, "vms": self.signed_interval}
        public = {"client": 15.0, "node": 60.0, "orders": 300.0, "bare_metal": 300.0, "power": 300.0}
        return public | signed

    @property
    def incident(self) -> float:
        """Return the moment at which half of the dying nodes die at once."""
        return self.warm_up

    @property
    def end(self) -> float:
        """Return the end of the run."""
        return self.warm_up + self.spread + 20 * MINUTE

    def scenario(self) -> Scenario:
        """Return the fleet and its timeline: 30 % die, 5 % freeze, half of both come back."""
        later = self.warm_up + 10 * MINUTE
        pace = self.spread / (6 * HOUR)  # a shorter run sees fewer deaths, at the same pace
        lines = [
            {"fault": "kill_nodes", "at": self.incident, "percent": "7.5%"},
            {"fault": "kill_nodes", "at": self.incident, "percent": "8%", "for": "50m"},
            {"fault": "kill_nodes", "at": later, "percent": 0.075 * pace, "over": self.spread - 10 * MINUTE},
            {
                "fault": "kill_nodes",
                "at": later,
                "percent": 0.08 * pace,
                "over": self.spread / 2,
                "for": "40m",
            },
            {
                "fault": "freeze_nodes",
                "at": later,
                "percent": 0.025 * pace,
                "over": self.spread - 10 * MINUTE,
            },
            {
                "fault": "freeze_nodes",
                "at": later,
                "percent": 0.025 * pace,
                "over": self.spread / 2,
                "for": "20m",
            },
            {"fault": "dead_bmc", "at": "10m", "count": self.dead_bmcs},
            {"fault": "chain_outage", "at": self.warm_up + self.outage_after, "for": self.outage},
        ]
        return Scenario.model_validate(
            {
                "version": 1,
                "seed": self.seed,
                "verify_signatures": False,
                "clients": [{"name": f"client-{n}"} for n in range(1, self.clients + 1)],
                "compute": [{"count": self.nodes, "vms": {"count": VMS}, "rented_by": {"wallet": "renter"}}],
                "managers": [{"count": self.managers, "servers": [{"count": SERVERS}]}],
                "latency": {"public": PUBLIC_SECONDS, "authenticated": list(SIGNED_SECONDS)},
                "faults": lines,
            }
        )

    def predictions(self) -> list[Prediction]:
        """Return what the arithmetic says of this fleet when it is well."""
        signed = sum(SIGNED_SECONDS) / 2 + PUBLIC_SECONDS
        servers = self.managers * SERVERS
        i = self.intervals
        loads = [
            Load("node", "query node info", self.nodes, 1, i["node"], PUBLIC_SECONDS),
            Load("orders", "query node rent orders", self.nodes, 1, i["orders"], PUBLIC_SECONDS),
            Load("tasks", "list task", self.nodes, 1, i["tasks"], signed),
            Load("vms", "list task", self.nodes, VMS, i["vms"], signed),
            Load("bare_metal", "list bare metal", self.managers, 1, i["bare_metal"], PUBLIC_SECONDS),
            Load("power", "list bare metal", servers, 1, i["power"], PUBLIC_SECONDS + 0.04),
        ]
        return predict(loads, self.clients)


@dataclass
class Watch:
    """The oldest age of a collector over healthy targets, in steady state and around incidents."""

    steady: float = 0.0
    steady_at: float = 0.0
    incident: float = 0.0


@dataclass(frozen=True)
class Lost:
    """A session that never came back. `dead_for` is how long the node had been dead when the request left.

    It is 0 for a node that was alive, and negative where the node died with the request in flight.
    """

    sent_at: float
    client: str
    kind: str
    dead_for: float


@dataclass
class Report:
    """What was measured."""

    plan: Plan
    ages: dict[str, Watch] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    peak: dict[tuple[str, str], int] = field(default_factory=dict)
    without_order: int = 0
    signed: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    unanswered: dict[str, int] = field(default_factory=dict)
    errors: int = 0
    probes: Counter[str] = field(default_factory=Counter)
    """Probes by what became of them: `good`, or a reason."""
    slowest_probe: float = 0.0

    def lost_in(self, start: float, end: float) -> Counter[str]:
        """Count lost sessions sent within a time, by client."""
        return Counter(one.client for one in self.lost if start <= one.sent_at < end)


def run(plan: Plan) -> Report:
    """Play the plan in virtual time."""
    report = Report(plan, ages={name: Watch() for name in ("node", "orders", "tasks", "vms", "power")})

    async def play(clock: LoopClock) -> None:
        rig = Rig(clock, plan.scenario(), plan.intervals)
        well_since: dict[str, float] = dict.fromkeys(rig.healthy(), 0.0)
        await rig.start()
        probing = [
            asyncio.ensure_future(_probe_on(rig, report, target, plan.probed_every, prometheus))
            for prometheus in ("one", "two")
            for target in rig.targets
            if plan.probed_every
        ]
        while clock.monotonic() < plan.end:
            await asyncio.sleep(SAMPLE_SECONDS)
            _sample(rig, report, well_since)
        _judge(rig, report)
        for task in probing:
            task.cancel()
        await rig.stop()

    virtually(play)
    return report


async def _probe_on(rig: Rig, report: Report, target: Target, every: float, prometheus: str) -> None:
    """Probe a target for ever, as a Prometheus does that gives a scrape 10 s."""
    await asyncio.sleep(phase(target.id, prometheus) * every)
    while True:
        began = rig.clock.monotonic()
        found = await probe(rig.poller, target, rig.clock, PROBE_SECONDS)
        took = rig.clock.monotonic() - began
        report.slowest_probe = max(report.slowest_probe, took)
        report.probes.update(found.reasons or ["good"])
        await asyncio.sleep(every - took)


def _sample(rig: Rig, report: Report, well_since: dict[str, float]) -> None:
    """Measure every collector's oldest data over the targets that are well."""
    now, plan = rig.clock.monotonic(), report.plan
    healthy = rig.healthy()
    for node in well_since.keys() - healthy:
        del well_since[node]
    for node in healthy:
        well_since.setdefault(node, now)
    servers = dict.fromkeys((server.id for server in rig.servers_with_bmc()), 0.0)
    for name, watch in report.ages.items():
        interval = plan.intervals[name]
        if now < 2 * interval:
            continue  # the first round
        members = servers if name == "power" else well_since
        oldest = max((_age(rig, node, name, since, interval) for node, since in members.items()), default=0.0)
        if _around_incident(plan, now):
            watch.incident = max(watch.incident, oldest)
        elif oldest > watch.steady:
            watch.steady, watch.steady_at = oldest, now


def _age(rig: Rig, node: str, collector: str, well_since: float, interval: float) -> float:
    """Return the age of a target's data; 0 for one that has not been back for two intervals yet."""
    now = rig.clock.monotonic()
    if well_since > 0 and now - well_since < 2 * interval + 60:
        return 0.0
    age = rig.age(node, collector)
    return now if age is None else age


def _around_incident(plan: Plan, now: float) -> bool:
    """Tell whether a moment is excused: six minutes after the deaths, and the chain outage with six minutes more."""
    outage = plan.warm_up + plan.outage_after
    return (
        plan.incident <= now < plan.incident + BACK_SECONDS
        or outage <= now < outage + plan.outage + BACK_SECONDS
    )


def _judge(rig: Rig, report: Report) -> None:
    ledger = rig.world.ledger
    report.lost = [
        Lost(
            one.sent_at,
            one.client,
            one.kind,
            0.0 if one.node_dead_since is None else one.sent_at - one.node_dead_since,
        )
        for one in ledger.lost
        if one.answered_at is None
    ]
    report.peak = {(name, kind): peak for name, gate in rig.gates.items() for kind, peak in gate.peak.items()}
    report.signed = len(ledger.authenticated)
    report.without_order = sum(1 for one in ledger.authenticated if not one.live_order)
    for (_client, kind, outcome), count in ledger.outcomes.items():
        report.outcomes[kind, outcome] += count
    report.unanswered = {client.name: client.unanswered for client in rig.clients}
    report.errors = sum(n for (what, _), n in rig.counters.counts.items() if what == "error")


def table(report: Report) -> str:
    """Write predicted beside measured, and what the ledger says."""
    plan = report.plan
    lines = [f"{plan.nodes} nodes, {plan.clients} clients, {plan.end / HOUR:.1f} h of virtual time"]
    lines.append("collector  interval  predicted oldest  measured steady (x interval)  around incidents")
    predicted = {one.load.collector: one for one in report.plan.predictions()}
    for name, watch in report.ages.items():
        interval = plan.intervals[name]
        lines.append(
            f"{name:<10} {interval:>6.0f} s  {predicted[name].age_seconds:>14.0f} s  "
            f"{watch.steady:>8.0f} s ({watch.steady / interval:.2f}, at {watch.steady_at:.0f} s)  {watch.incident:>8.0f} s"
        )
    lines.append("in flight, peak (cap 16 a kind, 48 a client):")
    lines += [
        f"  {client} {kind or 'all kinds'}: {peak}" for (client, kind), peak in sorted(report.peak.items())
    ]
    lines.append(f"answers by kind and outcome: {dict(sorted(report.outcomes.items()))}")
    lines.append(f"signed calls: {report.signed}, of them without a live order: {report.without_order}")
    lines.append(f"lost sessions: {len(report.lost)}, counted by us as unanswered: {report.unanswered}")
    lines += [
        f"  {one.client} {one.kind}: sent at {one.sent_at:.0f} s, {one.dead_for:+.1f} s after the node's end"
        for one in report.lost
    ]
    return "\n".join(lines)
