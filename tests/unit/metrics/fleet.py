"""A small fleet that has every fact once, for tests of rendering, store and exposition."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from dbc_exporter import facts
from dbc_exporter.dbc.errors import Reason
from dbc_exporter.metrics.options import RenderOptions
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.own_remediation import RemediationMetrics
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.targets import DesiredState, Kind, Target

NODE = "a" * 64
MANAGER = "b" * 64
SERVER = "c" * 64
ELSEWHERE = "d" * 64
CLIENT = "left"
START = 1_700_000_000.0


class FakeClock:
    """Two clocks that move only when told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.unix = START

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.unix

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.unix += seconds


NODE_CONFIG = facts.NodeConfig(
    version="0.4.1.8",
    node_type="1",
    os="Ubuntu 22.04",
    cpu_model='Xeon "Gold" \\ 6326',
    cpu_hertz=2.9e9,
    cpu_cores=64,
    cpu_sockets=2,
    cpu_usage_ratio=0.5881,
    gpus=8,
    gpus_used=2,
    memory_size_bytes=25276132720.64,
    memory_free_bytes=1e9,
    memory_usage_ratio=0.25,
    system_disk_medium="SSD",
    system_disk_size_bytes=5e11,
    disks=(facts.Disk("/data", "SSD", 1e12, 5e11, 0.5), facts.Disk("/data2", "HDD", 2e12, None, None)),
    images=(facts.Image("base.qcow2", 1e9),),
    unreadable=("cpu.hz",),
)
TARGETS = (
    Target(
        NODE,
        credential="me",
        desired_state=DesiredState.RUNNING,
        expected_gpus=8,
        labels=(("rack", "r1"),),
    ),
    Target(MANAGER, Kind.MANAGER),
    Target(SERVER, Kind.SERVER, manager=MANAGER),
)
POLLED: Mapping[str, tuple[Owner, Mapping[str, facts.Fact]]] = {
    "node": (Owner(node_id=NODE), {"": NODE_CONFIG}),
    "tasks": (
        Owner(node_id=NODE),
        {
            "": facts.TaskList(
                tasks=(
                    facts.Task("t1", facts.TaskState.RUNNING, "2026-11-23 11:22:45", "one"),
                    facts.Task("t2", facts.TaskState.CLOSED),
                )
            )
        },
    ),
    "vms": (
        Owner(node_id=NODE),
        {
            "t1": facts.Vm(
                task_id="t1",
                state=facts.TaskState.RUNNING,
                os="linux",
                description="one",
                rent_order="101",
                created_local="2026-11-23 11:22:45",
                cpu_cores=4,
                gpus=1,
                memory_bytes=1e9,
                system_disk_bytes=3e11,
                disks=(facts.VmDisk("vda", 3e11), facts.VmDisk("vdb", None)),
                network_interfaces=2,
                credentials_set=True,
            )
        },
    ),
    "disks": (Owner(node_id=NODE), {"t1": facts.DiskList(disks=(facts.VmDisk("vda", 3e11),))}),
    "snapshots": (
        Owner(node_id=NODE),
        {"t1": facts.SnapshotList(snapshots=(facts.Snapshot(name="s1", state=facts.SnapshotState.IDLE),))},
    ),
    "images": (Owner(node_id=NODE), {"": facts.ImageList(images=(facts.Image("base.qcow2", 1e9),))}),
    "centre_images": (
        Owner(client=CLIENT),
        {"centre-1": facts.ImageList(images=(facts.Image("base.qcow2", 1e9),))},
    ),
    "transfers": (
        Owner(node_id=NODE),
        {
            "download/x.qcow2": facts.Transfer(
                image="x.qcow2",
                direction="download",
                state=facts.TransferState.DOWNLOADING,
                progress_ratio=0.4,
            )
        },
    ),
    "lan": (Owner(client=CLIENT), {"": facts.LanList(networks=(facts.LanNetwork("7", 3),))}),
    "bare_metal": (
        Owner(node_id=MANAGER),
        {
            "": facts.BareMetalList(
                servers=(facts.BareMetalServer(node_id=SERVER, uuid="u-1", os="linux", description="d"),)
            )
        },
    ),
    "power": (
        Owner(node_id=SERVER, manager_id=MANAGER),
        {"": facts.Power(state=facts.PowerState.ON, bmc_reachable=True)},
    ),
}
STATES: Mapping[str, tuple[Owner, facts.Fact]] = {
    "reachability": (Owner(node_id=NODE), facts.Reachability(visible=True, up=True)),
    "listed": (Owner(node_id=NODE), facts.ListedAs(name="gpu-1", version="0.4.1.8")),
    "orders": (Owner(node_id=NODE), facts.OrderStatus(live=True, by_status=(("renting", 1),))),
    "client": (
        Owner(client=CLIENT),
        facts.ClientStatus(
            state=facts.ClientState.OK,
            version="0.4.1.8",
            visible_nodes=10,
            visible_servers=2,
            peers_active=3,
            peers_global=40,
        ),
    ),
}


def full_store(clock: FakeClock) -> Store:
    """Return a store in which every family of the store has a series."""
    store = Store(clock, options=RenderOptions(node_timezone=ZoneInfo("Europe/Berlin")))
    store.set_targets(TARGETS)
    store.set_elsewhere({ELSEWHERE}, {ELSEWHERE: 1})
    for collector, (owner, objects) in POLLED.items():
        store.attempt(owner, collector, 60.0)
        store.commit(owner, collector, objects)
    for source, (owner, fact) in STATES.items():
        store.put(owner, source, "", fact)
    store.attempt(Owner(node_id=MANAGER), "node", 60.0)
    store.fail(Owner(node_id=MANAGER), "node", Reason.NODE_TIMEOUT)
    store.unavailable(Owner(node_id=MANAGER), "tasks", "no_credential")
    return store


def full_own() -> OwnMetrics:
    """Return process metrics of which each has a value."""
    own = OwnMetrics(version="0.1.0", python="3.11")
    own.requests.labels(CLIENT, "query_node_info").inc()
    own.request_failures.labels(CLIENT, "query_node_info", Reason.NODE_TIMEOUT.value).inc()
    own.request_duration.labels(CLIENT, "query_node_info").observe(0.2)
    for gauge in (own.in_flight, own.in_flight_limit, own.pace_load):
        gauge.labels(CLIENT, "query_node_info").set(1)
    for gauge in (own.unanswered, own.unanswered_ceiling):
        gauge.labels(CLIENT).set(1)
    own.client_restarts.labels(CLIENT).inc()
    for counter in (
        own.scheduler_runs,
        own.scheduler_missed,
        own.scheduler_overlapped,
        own.scheduler_deadline_exceeded,
        own.scheduler_errors,
    ):
        counter.labels("node").inc()
    for gauge in (
        own.scheduler_heartbeat,
        own.reload_successful,
        own.reload_success_time,
        own.state_persistent,
    ):
        gauge.set(1)
    own.set_shard(0, 2)
    _fill(RemediationMetrics(own))
    return own


def _fill(remediation: RemediationMetrics) -> None:
    """Give remediation's metrics values; its counters and histograms begin with some."""
    remediation.mode.labels("dry_run").set(1)
    remediation.disarmed.labels("mode_dry_run").set(1)
    remediation.targets.labels("vm", "healthy").set(4)
    remediation.incidents_open.labels("hung").set(0)
    remediation.decisions.labels("dry_run", "mode_dry_run").inc()
    remediation.budget_used.labels("fleet", "1h").set(0.5)
    remediation.set_policy("0123456789abcdef")
    remediation.set_oldest_open_intent(1_790_000_000.0)
    for gauge in (
        remediation.armed,
        remediation.storm,
        remediation.blind,
        remediation.breaker_open,
        remediation.last_round,
        remediation.proposals_open,
        remediation.quarantined,
        remediation.ambiguous_open,
        remediation.webhook_received,
        remediation.watchdog_heard,
        remediation.journal_ok,
    ):
        gauge.set(1)
