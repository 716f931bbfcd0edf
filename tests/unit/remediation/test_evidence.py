"""What a snapshot says of the fleet, its clients, its chain, and of alerts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dbc_exporter import facts
from dbc_exporter.dbc.errors import Reason
from dbc_exporter.facts import ClientState, TaskState
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.remediation.model import Alert, Fence, Subject
from dbc_exporter.targets import Target
from tests.unit.remediation.watch import (
    COMPUTE,
    HERE,
    INTERVAL,
    MACHINE,
    MANAGER,
    NODE,
    OTHER,
    SILENT,
    VM,
    Client,
    Clients,
    Signer,
    Watch,
)

RUNNING, CLOSED = TaskState.RUNNING, TaskState.CLOSED
SIBLING = Subject(NODE, "vm2")


@pytest.fixture
def watch() -> Watch:
    return Watch()


class TestAlerts:
    HUNG, LOST = Alert("VmUnresponsive", 10.0, 20.0), Alert("GpuLost", 11.0, 21.0)

    def test_of_a_vm_come_before_those_of_its_node_which_are_marked_so(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING, vm2=RUNNING)
        watch.alerts({Subject(NODE): [self.LOST], VM: [self.HUNG]})
        of_node = replace(self.LOST, of_node=True)
        assert watch.see(VM).alerts == (self.HUNG, of_node)
        assert watch.see(SIBLING).alerts == (of_node,)

    def test_of_a_manager_are_not_its_servers(self, watch: Watch) -> None:
        watch.alerts({Subject(MANAGER): [self.LOST], MACHINE: [self.HUNG]})
        assert watch.see(MACHINE).alerts == (self.HUNG,)

    def test_show_at_once_when_they_come_change_and_are_forgotten(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        ended = Alert("VmUnresponsive", 10.0, 30.0, 30.0)
        for told in ((), (self.HUNG,), (ended,), ()):
            watch.alerts({VM: told} if told else {})
            assert watch.see().alerts == told

    def test_of_strangers_make_no_subject(self, watch: Watch) -> None:
        watch.alerts({Subject(OTHER, "vm1"): [self.HUNG], Subject(NODE, "vm9"): [self.HUNG]})
        assert list(watch.sights()) == [MACHINE]

    def test_bring_the_watchdog_and_the_truncation(self, watch: Watch) -> None:
        watch.evidence.take_alerts({}, watchdog=5.0, truncated=4.0)
        fleet = watch.evidence.snapshot().fleet
        assert (fleet.watchdog, fleet.truncated) == (5.0, 4.0)


class TestTheClients:
    def test_are_shown_with_their_states(self, watch: Watch) -> None:
        watch.pool.clients = [Client("one"), Client("two", ClientState.WEDGED)]
        assert watch.evidence.snapshot().fleet.clients == (("one", "ok"), ("two", "wedged"))

    def test_serve_a_subject_one_after_the_other(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        watch.pool.clients = [Client("one"), Client("two")]
        named = [watch.see().client]
        for client in watch.pool.clients:
            client.now = ClientState.UNREACHABLE
            named.append(watch.see().client)
        assert named == ["one", "two", None]

    def test_and_credentials_of_a_reload_are_taken_over_without_forgetting(self, watch: Watch) -> None:
        watch.tasks(vm1=CLOSED)
        watch.see()
        watch.wait(INTERVAL)
        watch.tasks(vm1=CLOSED)
        reloaded = Clients([Client("new")], {"me": Signer(can_fence=False)})
        watch.reload(reloaded)
        vm = watch.see()
        assert (vm.client, vm.fence, vm.samples) == ("new", Fence.NONE, 2)


class TestCredentials:
    def test_that_a_reload_took_away_are_gone_at_once(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        fences = [watch.see().fence]
        watch.reload(Clients(credentials={}))
        fences.append(watch.see().fence)
        assert fences == [Fence.NONCE, Fence.NO_CREDENTIAL]


class TestTheFleet:
    def test_began_to_be_watched_with_the_process(self, watch: Watch) -> None:
        began = watch.now
        watch.wait(1_000)
        fleet = watch.evidence.snapshot().fleet
        assert (fleet.started, fleet.disturbed, fleet.shards) == (began, float("-inf"), 1)

    def test_counts_as_known_what_is_certainly_there_or_certainly_away(self) -> None:
        ids = [f"{number:064x}" for number in range(5)]
        watch = Watch(*(Target(node) for node in ids))
        for node, there in zip(
            ids,
            [HERE, SILENT, facts.Reachability(visible=False), facts.Reachability(visible=True)],
            strict=False,
        ):
            watch.there(there, node)
        fleet = watch.evidence.snapshot().fleet
        assert (fleet.known, fleet.present, fleet.watched) == (3, 5, 5)

    def test_that_shrinks_is_remembered_for_a_day(self, watch: Watch) -> None:
        watch.evidence.snapshot()
        watch.retarget(COMPUTE)
        fleet = watch.evidence.snapshot().fleet
        assert (fleet.present, fleet.watched) == (1, 3)
        watch.wait(86_401)
        assert watch.evidence.snapshot().fleet.watched == 1

    def test_has_the_wall_clocks_time_for_windows(self, watch: Watch) -> None:
        watch.wait(5)
        assert watch.evidence.snapshot().wall == watch.clock.wall()


class TestASilentChain:
    def silent(self, watch: Watch) -> int:
        return watch.evidence.snapshot().fleet.chain_silent

    def test_shows_at_nodes_whose_signed_polls_it_fails(self, watch: Watch) -> None:
        watch.refuse(NODE, chain=True)
        assert self.silent(watch) == 1

    @pytest.mark.parametrize("reason", [Reason.AUTHORITY, Reason.NODE_TIMEOUT, Reason.UNREACHABLE])
    def test_is_not_behind_other_failures(self, watch: Watch, reason: Reason) -> None:
        watch.refuse(NODE, reason)
        assert self.silent(watch) == 0

    def test_is_over_with_the_next_success(self, watch: Watch) -> None:
        watch.refuse(NODE, chain=True)
        watch.wait(1)
        watch.tasks(vm1=RUNNING)
        assert self.silent(watch) == 0

    def test_shows_again_after_a_success(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        watch.wait(1)
        watch.refuse(NODE, chain=True)
        assert self.silent(watch) == 1

    def test_does_not_show_at_a_node_that_is_polled_no_more(self, watch: Watch) -> None:
        watch.refuse(NODE, chain=True)
        watch.store.unavailable(Owner(node_id=NODE), "tasks", "no_live_order")
        assert self.silent(watch) == 0

    def test_is_not_told_by_a_failure_of_long_ago(self, watch: Watch) -> None:
        watch.refuse(NODE, chain=True)
        watch.wait(3 * INTERVAL - 1)
        assert self.silent(watch) == 1
        watch.wait(2)
        assert self.silent(watch) == 0

    @pytest.mark.parametrize("step", [3600.0, -3600.0])
    def test_shows_whatever_the_wall_clock_says(self, watch: Watch, step: float) -> None:
        watch.tasks(vm1=RUNNING)
        watch.clock.unix += step
        watch.wait(1)
        watch.refuse(NODE, chain=True)
        watch.clock.unix += step
        assert self.silent(watch) == 1

    def test_does_not_show_for_ever_at_a_machine_that_is_reported_on_chain(self, watch: Watch) -> None:
        shown = []
        for _ in range(6):
            watch.refuse(NODE, chain=True)
            shown.append(self.silent(watch))
            watch.wait(INTERVAL)
        assert shown == [1, 1, 1, 0, 0, 0]


class TestADisturbance:
    def test_has_a_time_and_a_name(self, watch: Watch) -> None:
        watch.evidence.disturb("storm")
        told = watch.now
        watch.wait(10)
        fleet = watch.evidence.snapshot().fleet
        assert (fleet.disturbed, fleet.disturbance) == (told, "storm")

    @pytest.mark.parametrize("step", [6.0, -6.0, 3600.0, -3600.0])
    def test_is_a_step_of_the_wall_clock(self, watch: Watch, step: float) -> None:
        watch.wait(15)
        watch.clock.unix += step
        fleet = watch.evidence.snapshot().fleet
        assert (fleet.disturbed, fleet.disturbance) == (watch.now, "clock step")

    def test_is_a_step_only_once(self, watch: Watch) -> None:
        watch.clock.unix += 60
        watch.evidence.snapshot()
        stepped = watch.now
        watch.wait(15)
        assert watch.evidence.snapshot().fleet.disturbed == stepped

    def test_is_no_slow_drift(self, watch: Watch) -> None:
        for _ in range(5):
            watch.wait(15)
            watch.clock.unix += 4
            assert watch.evidence.snapshot().fleet.disturbance == ""

    def test_moves_no_time_of_a_subject(self, watch: Watch) -> None:
        watch.tasks(vm1=CLOSED)
        before = watch.see()
        watch.clock.unix += 3600
        assert watch.see() == before
