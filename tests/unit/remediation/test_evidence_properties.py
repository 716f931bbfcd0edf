"""What holds of snapshots whatever happened: order, sameness, and that the unknown says nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from dbc_exporter import facts
from dbc_exporter.dbc.errors import Reason
from dbc_exporter.facts import ClientState, PowerState, SnapshotState, TaskState, TransferState
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.remediation.model import Alert, Sight, Snapshot, Subject
from tests.unit.remediation.watch import (
    BARE_METAL,
    COMPUTE,
    HERE,
    MACHINE,
    NOBODY_KNOWS,
    NODE,
    OTHER,
    SECOND,
    SERVER,
    SILENT,
    TARGETS,
    Watch,
)

FOLLOWED = replace(COMPUTE, transfers=("base.qcow2",))
FLEET = (replace(FOLLOWED, id=OTHER), FOLLOWED, *TARGETS[1:], replace(BARE_METAL, id=SECOND))
NODES = st.sampled_from([NODE, OTHER])
SERVERS = st.sampled_from([SERVER, SECOND])
VMS = st.sampled_from(["vm1", "vm2", "vm3"])
STATES = st.sampled_from(
    [TaskState.RUNNING, TaskState.CLOSED, TaskState.CREATING, TaskState.RESTARTING, TaskState.UNKNOWN]
)
THERE = st.sampled_from([HERE, SILENT, NOBODY_KNOWS, facts.Reachability(visible=False)])
GPUS = st.sampled_from([None, 2, 4])


def transfers(state: TransferState) -> dict[str, facts.Fact]:
    return {"base.qcow2": facts.Transfer(image="base.qcow2", direction="download", state=state)}


def snapshots(task_id: str, state: SnapshotState) -> dict[str, facts.Fact]:
    return {task_id: facts.SnapshotList(snapshots=(facts.Snapshot(name="s", state=state),))}


def vms(task_id: str, gpus: int | None) -> dict[str, facts.Fact]:
    return {task_id: facts.Vm(task_id=task_id, state=TaskState.RUNNING, gpus=gpus)}


@dataclass
class Twice:
    """The same fleet under watch twice: as it is, and by somebody who looks at everything anew each time."""

    one: Watch = field(default_factory=lambda: Watch(*FLEET))
    other: Watch = field(default_factory=lambda: Watch(*FLEET))

    def do(self, event: Event) -> None:
        for watch in (self.one, self.other):
            event(watch)

    def look(self) -> tuple[Snapshot, Snapshot]:
        self.other.reload(replace(self.other.pool))
        return self.one.evidence.snapshot(), self.other.evidence.snapshot()


Event = Callable[[Watch], Any]


def client_is(state: ClientState) -> Event:
    def happen(watch: Watch) -> None:
        watch.pool.clients[0].now = state

    return happen


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(lambda s: lambda w: w.wait(s), st.sampled_from([1, 15, 300, 301, 899, 900, 4_000, 90_000])),
    st.builds(
        lambda n, states, ok: lambda w: w.tasks(n, parsable=ok, **states),
        NODES,
        st.dictionaries(VMS, STATES),
        st.sampled_from([True, True, True, False]),
    ),
    st.builds(lambda s, p: lambda w: w.power(p, s), SERVERS, st.sampled_from(PowerState)),
    st.builds(lambda n, t: lambda w: w.there(t, n), st.one_of(NODES, SERVERS), THERE),
    st.builds(lambda n, t, g: lambda w: w.poll(n, "vms", vms(t, g)), NODES, VMS, GPUS),
    st.builds(lambda n, g: lambda w: w.poll(n, "node", {"": facts.NodeConfig(gpus=g)}), NODES, GPUS),
    st.builds(
        lambda n, live: lambda w: w.poll(n, "orders", {"": facts.OrderStatus(live=live)}),
        NODES,
        st.sampled_from([True, False, None]),
    ),
    st.builds(
        lambda n, state: lambda w: w.poll(n, "transfers", transfers(state), interval=60),
        NODES,
        st.sampled_from(TransferState),
    ),
    st.builds(
        lambda n, t, state: lambda w: w.poll(n, "snapshots", snapshots(t, state)),
        NODES,
        VMS,
        st.sampled_from(SnapshotState),
    ),
    st.builds(
        lambda n, r: lambda w: w.refuse(n, r, chain=r is Reason.AUTHORITY),
        NODES,
        st.sampled_from([Reason.AUTHORITY, Reason.BMC]),
    ),
    st.builds(
        lambda n: lambda w: w.store.unavailable(Owner(node_id=n), "tasks", "no_live_order"),
        NODES,
    ),
    st.builds(
        lambda several: lambda w: w.alerts({s: [Alert("A", at, at)] for s, at in several.items()}),
        st.dictionaries(
            st.builds(Subject, NODES, st.one_of(st.just(""), VMS)), st.sampled_from([1.0, 2.0]), max_size=3
        ),
    ),
    st.builds(client_is, st.sampled_from([ClientState.OK, ClientState.WEDGED])),
    st.builds(lambda keep: lambda w: w.retarget(*keep), st.sampled_from([FLEET, FLEET[1:], FLEET[::-1]])),
    st.just(lambda w: w.evidence.snapshot()),
)


@settings(deadline=None)
@given(st.lists(EVENTS, max_size=40))
def test_a_snapshot_that_skips_what_is_not_new_is_the_one_that_looks_at_everything(
    events: list[Event],
) -> None:
    both = Twice()
    for event in events:
        both.do(event)
        one, other = both.look()
        assert one == other


@settings(deadline=None)
@given(st.lists(EVENTS, max_size=30))
def test_a_second_snapshot_at_once_is_the_same_and_in_the_order_of_subjects(events: list[Event]) -> None:
    watch = Watch(*FLEET)
    for event in events:
        event(watch)
    first = watch.evidence.snapshot()
    assert watch.evidence.snapshot() == first
    subjects = [sight.subject for sight in first.sights]
    assert subjects == sorted(set(subjects))


@settings(deadline=None)
@given(st.lists(EVENTS, max_size=30))
def test_no_sight_claims_more_than_time_allows(events: list[Event]) -> None:
    watch = Watch(*FLEET)
    for event in events:
        event(watch)
        for sight in watch.evidence.snapshot().sights:
            times = (sight.seen, sight.since, sight.was_well, sight.node_back, sight.node_away)
            assert all(at is None or at <= watch.now for at in times)
            assert sight.state == "unknown" or sight.samples >= 1
            assert sight.state != "unknown" or sight.samples == 0
            if sight.state != "unknown":
                assert sight.since is not None
                assert sight.seen is not None
                assert sight.since <= sight.seen


def all_known(state: TaskState, power: PowerState, there: facts.Reachability, gpus: int) -> Watch:
    """A fleet of which everything is known, and has been for a while."""
    watch = Watch(FOLLOWED, BARE_METAL)
    for _ in range(3):
        watch.wait(100)
        watch.tasks(vm1=state, vm2=TaskState.CREATING)
        watch.power(power)
        watch.there(there)
        watch.there(there, SERVER)
        watch.poll(NODE, "node", {"": facts.NodeConfig(gpus=gpus)})
        watch.poll(NODE, "vms", vms("vm1", gpus))
        watch.poll(NODE, "orders", {"": facts.OrderStatus(live=True)})
        watch.poll(NODE, "transfers", transfers(TransferState.DOWNLOADING))
        watch.poll(NODE, "snapshots", snapshots("vm1", SnapshotState.CREATING))
        watch.evidence.snapshot()
    return watch


COLLECTORS = ("tasks", "power", "reachability", "node", "vms", "orders", "transfers", "snapshots")


def forget(*collectors: str) -> Event:
    return lambda watch: watch.store.retain_collectors(set(COLLECTORS) - set(collectors))


UNKNOWNS: dict[str, tuple[Event, frozenset[str]]] = {
    "the list is gone": (forget("tasks"), frozenset({"state"})),
    "the list cannot be read": (
        lambda w: w.tasks(parsable=False, vm1=TaskState.UNKNOWN, vm2=TaskState.UNKNOWN),
        frozenset({"state"}),
    ),
    "the states are words nobody knows": (
        lambda w: w.tasks(vm1=TaskState.UNKNOWN, vm2=TaskState.UNKNOWN),
        frozenset({"state"}),
    ),
    "the power is gone": (forget("power"), frozenset({"state"})),
    "the power cannot be read": (lambda w: w.power(PowerState.UNKNOWN), frozenset({"state"})),
    "the node is unknown": (lambda w: w.there(NOBODY_KNOWS), frozenset({"node_up", "node_listed"})),
    "the manager is unknown": (
        lambda w: w.there(NOBODY_KNOWS, SERVER),
        frozenset({"node_up", "node_listed"}),
    ),
    "the node's configuration is gone": (forget("node"), frozenset({"gpus"})),
    "the node's GPUs cannot be read": (
        lambda w: w.poll(NODE, "node", {"": facts.NodeConfig()}),
        frozenset({"gpus"}),
    ),
    "the VMs' details are gone": (forget("vms"), frozenset({"vm_gpus"})),
    "the VM's GPUs cannot be read": (
        lambda w: w.poll(NODE, "vms", vms("vm1", None)),
        frozenset({"vm_gpus"}),
    ),
    "the orders are gone": (forget("orders"), frozenset({"order_live", "order_seen"})),
    "the order is unknown": (
        lambda w: w.poll(NODE, "orders", {"": facts.OrderStatus()}),
        frozenset({"order_live"}),
    ),
    "the transfers are gone": (forget("transfers"), frozenset()),
    "the snapshots are gone": (forget("snapshots"), frozenset()),
    "the snapshot is unknown": (
        lambda w: w.poll(NODE, "snapshots", snapshots("vm1", SnapshotState.UNKNOWN)),
        frozenset(),
    ),
    "no client is sound": (client_is(ClientState.UNREACHABLE), frozenset({"client"})),
}
_COUNTED = {"since", "samples", "seen", "order_seen"}  # times and counts of readings move with them


@pytest.mark.parametrize("what", UNKNOWNS)
@settings(deadline=None)
@given(
    state=st.sampled_from([TaskState.RUNNING, TaskState.CLOSED]),
    power=st.sampled_from([PowerState.ON, PowerState.OFF]),
    there=st.sampled_from([HERE, SILENT]),
    gpus=st.sampled_from([3, 4]),
)
def test_what_is_known_no_more_makes_a_subject_neither_better_nor_worse(
    what: str, state: TaskState, power: PowerState, there: facts.Reachability, gpus: int
) -> None:
    watch = all_known(state, power, there, gpus)
    before = watch.sights()
    watch.wait(30)
    becomes_unknown, may_change = UNKNOWNS[what]
    becomes_unknown(watch)
    after = watch.sights()
    assert after.keys() == before.keys()
    changed: set[str] = set()
    for subject, sight in after.items():
        changed |= differences(before[subject], sight)
        for name in differences(before[subject], sight) - _COUNTED:
            assert getattr(sight, name) == ("unknown" if name == "state" else None)
    assert changed - _COUNTED == may_change - _COUNTED


def differences(before: Sight, after: Sight) -> set[str]:
    """Name the fields in which two sights differ."""
    one, other = structs.asdict(before), structs.asdict(after)
    return {name for name in one if one[name] != other[name]}


def test_the_property_rests_on_a_fleet_of_which_all_was_known() -> None:
    watch = all_known(TaskState.CLOSED, PowerState.OFF, HERE, 4)
    assert watch.see(MACHINE).state == "off"
    vm = watch.see()
    assert (vm.state, vm.gpus, vm.vm_gpus, vm.order_live, vm.node_up) == ("closed", 4, 4, True, True)
    assert vm.busy == "snapshot of vm1"
