"""What a snapshot says of one subject, and what it leaves unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbc_exporter import facts
from dbc_exporter.dbc.authority import ManagerKey, MultisigSigner, SessionCredential, WalletSigner
from dbc_exporter.facts import PowerState, SnapshotState, TaskState, TransferState
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.remediation.model import Fence, Subject
from dbc_exporter.targets import DesiredState, Kind, Target
from tests.unit.remediation.watch import (
    BARE_METAL,
    COMPUTE,
    HERE,
    INTERVAL,
    MACHINE,
    MANAGER,
    NOBODY_KNOWS,
    NODE,
    SECOND,
    SERVER,
    SILENT,
    TARGETS,
    VM,
    Signer,
    Watch,
)

RUNNING, CLOSED = TaskState.RUNNING, TaskState.CLOSED
SIBLING = Subject(NODE, "vm2")


@pytest.fixture
def watch() -> Watch:
    return Watch()


class TestTheSubjects:
    def test_are_the_vms_we_can_list_and_every_server(self, watch: Watch) -> None:
        watch.tasks(vm2=RUNNING, vm1=CLOSED)
        assert list(watch.sights()) == [VM, SIBLING, MACHINE]

    def test_are_none_on_a_node_without_a_credential(self) -> None:
        watch = Watch(Target(NODE))
        watch.tasks(vm1=RUNNING)
        assert watch.sights() == {}

    def test_are_none_of_a_manager_itself(self) -> None:
        assert Watch(Target(MANAGER, Kind.MANAGER)).sights() == {}

    def test_carry_what_their_operator_says_of_them(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        vm, server = watch.see(VM), watch.see(MACHINE)
        assert (vm.desired, vm.expected_gpus, vm.labels) == (DesiredState.RUNNING, 4, (("site", "north"),))
        assert (vm.machine, server.machine) == (NODE, MANAGER)
        assert server.desired is DesiredState.ON

    def test_carry_at_once_what_their_operator_says_otherwise(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        watch.see()
        watch.retarget(replace(COMPUTE, desired_state=DesiredState.NONE, labels=()))
        vm = watch.see()
        assert (vm.desired, vm.labels) == (DesiredState.NONE, ())

    def test_stay_while_a_row_of_their_list_cannot_be_read(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING, vm2=RUNNING)
        watch.see()
        rest = (facts.Task("vm2", RUNNING),)
        watch.poll(NODE, "tasks", {"": facts.TaskList(tasks=rest, unreadable=("tasks",))})
        assert (watch.see(VM).state, watch.see(SIBLING).state) == ("unknown", "running")

    def test_stay_while_their_list_cannot_be_read(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        watch.see()
        watch.tasks(parsable=False)
        assert watch.see().state == "unknown"

    def test_stay_for_a_day_while_nobody_can_list_them(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        watch.see()
        watch.wait(3 * INTERVAL)
        assert watch.see().state == "unknown"
        watch.wait(86_401)
        watch.there(HERE)
        assert list(watch.sights()) == [MACHINE]

    def test_leave_with_a_list_that_has_them_no_more(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING, vm2=RUNNING)
        watch.see()
        watch.tasks(vm2=RUNNING)
        assert list(watch.sights()) == [SIBLING, MACHINE]

    def test_leave_with_their_target(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        watch.see()
        watch.retarget(BARE_METAL)
        assert list(watch.sights()) == [MACHINE]

    def test_that_come_back_after_their_target_left_have_no_past(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        watch.see()
        watch.retarget()
        watch.see_nothing()
        watch.retarget(*TARGETS)
        watch.tasks(vm1=CLOSED)
        assert watch.see().was_well is None


class TestAState:
    def test_is_unknown_before_anything_was_read(self, watch: Watch) -> None:
        server = watch.see(MACHINE)
        assert (server.state, server.seen, server.samples) == ("unknown", None, 0)

    def test_has_the_time_of_its_reading_not_of_the_look(self, watch: Watch) -> None:
        read_at = watch.now
        watch.tasks(vm1=CLOSED)
        watch.wait(100)
        vm = watch.see()
        assert (vm.state, vm.seen, vm.since, vm.samples) == ("closed", read_at, read_at, 1)

    def test_counts_readings_not_looks(self, watch: Watch) -> None:
        begun = watch.now
        for _ in range(3):
            watch.tasks(vm1=CLOSED)
            for _ in range(4):
                watch.see()
                watch.wait(INTERVAL / 4)
        vm = watch.see()
        assert (vm.samples, vm.since, vm.seen) == (3, begun, begun + 2 * INTERVAL)

    def test_begins_anew_when_it_changes(self, watch: Watch) -> None:
        for state in (CLOSED, RUNNING, CLOSED):
            watch.wait(INTERVAL)
            watch.tasks(vm1=state)
            watch.see()
        vm = watch.see()
        assert (vm.samples, vm.since, vm.was_well) == (1, watch.now, watch.now - INTERVAL)

    def test_begins_anew_after_a_list_that_could_not_be_read(self, watch: Watch) -> None:
        watch.tasks(vm1=CLOSED)
        watch.see()
        watch.wait(INTERVAL)
        watch.tasks(parsable=False, vm1=CLOSED)
        vm = watch.see()
        assert (vm.state, vm.samples, vm.seen) == ("unknown", 0, watch.now - INTERVAL)
        watch.wait(INTERVAL)
        watch.tasks(vm1=CLOSED)
        vm = watch.see()
        assert (vm.samples, vm.since) == (1, watch.now)

    def test_begins_anew_after_a_word_nobody_knows(self, watch: Watch) -> None:
        for state in (CLOSED, TaskState.UNKNOWN, CLOSED):
            watch.wait(INTERVAL)
            watch.tasks(vm1=state)
            watch.see()
        assert watch.see().samples == 1

    def test_begins_anew_after_a_gap_that_nobody_looked_into(self, watch: Watch) -> None:
        watch.tasks(vm1=CLOSED)
        watch.see()
        watch.wait(3 * INTERVAL + 1)
        watch.tasks(vm1=CLOSED)
        assert watch.see().samples == 1

    def test_is_unknown_once_its_reading_is_too_old(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        watch.wait(3 * INTERVAL - 1)
        assert watch.see().state == "running"
        watch.wait(1)
        vm = watch.see()
        assert (vm.state, vm.since, vm.was_well) == ("unknown", watch.now, watch.now - 3 * INTERVAL)

    @pytest.mark.parametrize("power", [PowerState.ON, PowerState.OFF])
    def test_of_a_server_is_its_power(self, watch: Watch, power: PowerState) -> None:
        watch.power(power)
        server = watch.see(MACHINE)
        assert (server.state, server.seen) == (power.value, watch.now)

    def test_of_a_server_whose_bmc_is_silent_is_unknown(self, watch: Watch) -> None:
        watch.power(PowerState.ON)
        watch.see(MACHINE)
        watch.wait(10)
        watch.power(PowerState.UNKNOWN)
        server = watch.see(MACHINE)
        assert (server.state, server.seen, server.was_well) == ("unknown", watch.now - 10, watch.now - 10)


class TestAMachine:
    def test_is_unknown_until_somebody_knows(self, watch: Watch) -> None:
        server = watch.see(MACHINE)
        assert (server.node_up, server.node_listed, server.node_back, server.node_away) == (None,) * 4

    def test_is_back_since_it_was_first_heard_of(self, watch: Watch) -> None:
        heard = watch.now
        watch.there(HERE, SERVER)
        watch.wait(7)
        server = watch.see(MACHINE)
        assert (server.node_up, server.node_listed, server.node_back) == (True, True, heard)

    def test_is_away_since_its_silence_was_told(self, watch: Watch) -> None:
        watch.there(HERE, SERVER)
        watch.see(MACHINE)
        watch.wait(100)
        told = watch.now
        watch.there(SILENT, SERVER)
        for _ in range(3):
            watch.wait(15)
            assert watch.see(MACHINE).node_away == told

    def test_is_away_when_no_client_lists_it_whatever_it_answered_before(self, watch: Watch) -> None:
        watch.there(facts.Reachability(visible=False, up=True), SERVER)
        assert watch.see(MACHINE).node_away == watch.now

    def test_is_back_when_it_answers_again(self, watch: Watch) -> None:
        for there in (HERE, SILENT, HERE):
            watch.wait(100)
            watch.there(there, SERVER)
            watch.see(MACHINE)
        server = watch.see(MACHINE)
        assert (server.node_away, server.node_back) == (watch.now - 100, watch.now)

    def test_was_not_away_only_because_nobody_knew(self, watch: Watch) -> None:
        for there in (HERE, NOBODY_KNOWS, HERE):
            watch.wait(100)
            watch.there(there, SERVER)
            watch.see(MACHINE)
        server = watch.see(MACHINE)
        assert (server.node_away, server.node_back) == (None, watch.now)

    def test_does_not_come_and_go_with_the_other_servers_of_its_manager(self) -> None:
        watch = Watch(BARE_METAL, replace(BARE_METAL, id=SECOND))
        began = watch.now
        for _ in range(3):
            watch.there(HERE, SERVER)
            watch.there(facts.Reachability(visible=False, up=True), SECOND)
            watch.see(MACHINE)
            watch.wait(15)
        assert watch.see(MACHINE).node_back == began
        assert watch.see(MACHINE).node_away is None

    def test_that_answered_after_its_silence_was_told_was_not_away_later_than_that(
        self, watch: Watch
    ) -> None:
        """A VM that ran after the silence has not been lost with its node, however late we look."""
        watch.there(HERE)
        watch.see_nothing()
        watch.wait(60)
        watch.there(SILENT)
        watch.wait(3)
        watch.tasks(vm1=RUNNING)
        watch.wait(2)
        watch.see()
        watch.there(HERE)
        vm = watch.see()
        assert vm.node_away is not None
        assert vm.was_well is not None
        assert vm.node_away < vm.was_well


class TestAnOrder:
    @pytest.mark.parametrize("live", [True, False, None])
    def test_is_what_was_said_when_it_was_said(self, watch: Watch, live: bool | None) -> None:
        watch.tasks(vm1=RUNNING)
        said = watch.now
        watch.poll(NODE, "orders", {"": facts.OrderStatus(live=live)})
        watch.wait(50)
        vm = watch.see()
        assert (vm.order_live, vm.order_seen) == (live, said)

    def test_is_unknown_when_nobody_said(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        assert (watch.see().order_live, watch.see().order_seen) == (None, None)


class TestGpus:
    def test_are_the_nodes_and_the_vms_own(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        watch.poll(NODE, "node", {"": facts.NodeConfig(gpus=3)})
        watch.poll(NODE, "vms", {"vm1": facts.Vm(task_id="vm1", state=RUNNING, gpus=2)})
        vm = watch.see()
        assert (vm.expected_gpus, vm.gpus, vm.vm_gpus, vm.vm_gpus_most) == (4, 3, 2, 2)

    def test_that_a_vm_once_had_are_remembered(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        for gpus in (4, 3, None):
            watch.poll(NODE, "vms", {"vm1": facts.Vm(task_id="vm1", state=RUNNING, gpus=gpus)})
            watch.see()
        assert (watch.see().vm_gpus, watch.see().vm_gpus_most) == (None, 4)

    def test_are_unknown_when_nothing_was_read(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING)
        vm = watch.see()
        assert (vm.gpus, vm.vm_gpus, vm.vm_gpus_most) == (None, None, None)


def transfer(state: TransferState) -> dict[str, facts.Fact]:
    return {"secret.qcow2": facts.Transfer(image="secret.qcow2", direction="download", state=state)}


def snapshots(state: SnapshotState) -> facts.SnapshotList:
    return facts.SnapshotList(snapshots=(facts.Snapshot(name="my secret", state=state),))


class TestANodeIsBusy:
    @pytest.fixture
    def watch(self) -> Watch:
        watch = Watch(replace(COMPUTE, transfers=("secret.qcow2",)))
        watch.tasks(vm1=RUNNING, vm2=RUNNING)
        return watch

    def test_no_more_than_it_says(self, watch: Watch) -> None:
        assert watch.see().busy == ""

    @pytest.mark.parametrize("state", [TransferState.DOWNLOADING, TransferState.UPLOADING])
    def test_with_a_transfer(self, watch: Watch, state: TransferState) -> None:
        watch.poll(NODE, "transfers", transfer(state))
        assert watch.see().busy == "transfer"

    @pytest.mark.parametrize("state", [TransferState.FINISHED, TransferState.UNKNOWN])
    def test_with_a_transfer_no_longer_than_it_moves(self, watch: Watch, state: TransferState) -> None:
        watch.poll(NODE, "transfers", transfer(TransferState.DOWNLOADING))
        watch.see()
        watch.poll(NODE, "transfers", transfer(state))
        assert watch.see().busy == ""

    @pytest.mark.parametrize("state", [SnapshotState.CREATING, SnapshotState.UPLOADING])
    def test_with_a_snapshot_of_any_vm(self, watch: Watch, state: SnapshotState) -> None:
        watch.poll(NODE, "snapshots", {"vm2": snapshots(state)})
        assert watch.see(VM).busy == "snapshot of vm2"
        assert watch.see(SIBLING).busy == "snapshot of vm2"
        watch.poll(NODE, "snapshots", {"vm2": snapshots(SnapshotState.IDLE)})
        assert watch.see(VM).busy == ""

    def test_with_no_snapshot_of_a_vm_that_is_gone(self, watch: Watch) -> None:
        watch.poll(NODE, "snapshots", {"vm2": snapshots(SnapshotState.CREATING)})
        watch.see()
        watch.tasks(vm1=RUNNING)
        assert watch.see().busy == ""

    @pytest.mark.parametrize(
        "state",
        [TaskState.CREATING, TaskState.DELETING, TaskState.CHANGING_DISK, TaskState.SNAPSHOTTING],
    )
    def test_with_work_on_another_vm(self, watch: Watch, state: TaskState) -> None:
        watch.tasks(vm1=RUNNING, vm2=state)
        assert watch.see(VM).busy == f"vm2 is {state}"
        assert watch.see(SIBLING).busy == ""
        watch.tasks(vm1=RUNNING, vm2=RUNNING)
        assert watch.see(VM).busy == ""

    def test_until_somebody_sees_that_it_is_over(self, watch: Watch) -> None:
        watch.poll(NODE, "transfers", transfer(TransferState.DOWNLOADING), interval=60)
        watch.see()
        watch.wait(180)
        assert watch.store.facts(Owner(node_id=NODE), "transfers") == {}
        assert watch.see().busy == "transfer"

    def test_with_no_transfer_that_nobody_follows_any_more(self, watch: Watch) -> None:
        watch.poll(NODE, "transfers", transfer(TransferState.DOWNLOADING))
        watch.see()
        watch.retarget(COMPUTE)
        watch.store.retain_collectors(["tasks"])
        assert watch.see().busy == ""

    def test_with_another_vm_while_its_state_is_a_word_nobody_knows(self, watch: Watch) -> None:
        watch.tasks(vm1=RUNNING, vm2=TaskState.CREATING)
        watch.see()
        watch.tasks(vm1=RUNNING, vm2=TaskState.UNKNOWN)
        assert watch.see().busy == "vm2 is creating"


def fence_of(credential: Signer | None) -> Fence:
    watch = Watch()
    watch.pool.credentials = {} if credential is None else {"me": credential}
    watch.tasks(vm1=RUNNING)
    return watch.see().fence


class TestTheFence:
    def test_is_the_nonce_where_one_wallet_signs(self) -> None:
        assert fence_of(Signer(WalletSigner.serves, WalletSigner.can_fence)) is Fence.NONCE

    @pytest.mark.parametrize("kind", [SessionCredential, MultisigSigner])
    def test_is_none_with_a_session_or_several_wallets(
        self, kind: type[SessionCredential | MultisigSigner]
    ) -> None:
        assert fence_of(Signer(kind.serves, kind.can_fence)) is Fence.NONE

    def test_is_no_question_with_a_managers_key(self) -> None:
        assert fence_of(Signer(ManagerKey.serves, ManagerKey.can_fence)) is Fence.NO_CREDENTIAL

    def test_is_no_question_without_a_credential(self) -> None:
        assert fence_of(None) is Fence.NO_CREDENTIAL
        assert Watch(replace(BARE_METAL, credential=None)).see(MACHINE).fence is Fence.NO_CREDENTIAL
