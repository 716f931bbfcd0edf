"""One unreadable VM hides neither itself nor the others."""

from __future__ import annotations

import pytest

from dbc_exporter.collectors import per_vm
from dbc_exporter.collectors.orders import OrderBook, RenterGuard
from dbc_exporter.collectors.tasks import TasksCollector
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.facts import RentOrders, Task, TaskList, TaskState, Vm
from dbc_exporter.targets import Target
from tests.unit.collectors.answers import NODE, RENTED, WALLET, Answers, HandClock

LIST = TaskList(tasks=(Task("vm1", TaskState.RUNNING), Task("vm2", TaskState.CLOSED)))
BROKEN = DbcError(Reason.UNPARSABLE, "response parse error")


def guard() -> RenterGuard:
    return RenterGuard(OrderBook(HandClock(), {"renter": frozenset({WALLET})}))


def answers(**table: object) -> Answers:
    return Answers({"rent_orders": RentOrders(), **table})


def vm(task_id: str, state: TaskState = TaskState.RUNNING) -> Vm:
    return Vm(task_id=task_id, state=state)


async def test_the_list_is_one_object() -> None:
    collector = TasksCollector(guard(), lambda _target: None)
    outcome = await collector.fetch(RENTED, answers(tasks=LIST))
    assert outcome.objects == {"": LIST}


async def test_a_list_broken_by_free_text_is_replaced_by_single_questions_and_says_so() -> None:
    collector = TasksCollector(guard(), lambda _target: ("vm1", "vm2"))
    reader = answers(**{"tasks": BROKEN, "tasks/vm1": vm("vm1"), "tasks/vm2": BROKEN})
    outcome = await collector.fetch(RENTED, reader)
    assert outcome.objects == {
        "": TaskList(tasks=(Task("vm1", TaskState.RUNNING), Task("vm2", TaskState.UNKNOWN)), parsable=False)
    }


async def test_a_vm_deleted_while_the_list_is_broken_leaves_and_hides_no_other() -> None:
    collector = TasksCollector(guard(), lambda _target: ("vm1", "vm2", "vm3"))
    gone = DbcError(Reason.NOT_FOUND, "task_id not exist")
    reader = answers(**{"tasks": BROKEN, "tasks/vm1": BROKEN, "tasks/vm2": gone, "tasks/vm3": vm("vm3")})
    outcome = await collector.fetch(RENTED, reader)
    assert outcome.objects == {
        "": TaskList(tasks=(Task("vm1", TaskState.UNKNOWN), Task("vm3", TaskState.RUNNING)), parsable=False)
    }


@pytest.mark.parametrize("reason", sorted(per_vm.THIS_VM_ONLY))
async def test_a_failure_that_is_one_vms_only_leaves_that_vm_unknown(reason: Reason) -> None:
    collector = TasksCollector(guard(), lambda _target: ("vm1", "vm2"))
    reader = answers(**{"tasks": BROKEN, "tasks/vm1": DbcError(reason), "tasks/vm2": vm("vm2")})
    outcome = await collector.fetch(RENTED, reader)
    assert outcome.objects == {
        "": TaskList(tasks=(Task("vm1", TaskState.UNKNOWN), Task("vm2", TaskState.RUNNING)), parsable=False)
    }


@pytest.mark.parametrize("reason", [Reason.NODE_TIMEOUT, Reason.AUTHORITY, Reason.UNREACHABLE])
async def test_what_concerns_the_node_or_the_client_ends_the_single_questions(reason: Reason) -> None:
    reader = answers(**{"tasks": BROKEN, "tasks/vm1": DbcError(reason), "tasks/vm2": vm("vm2")})
    with pytest.raises(DbcError) as caught:
        await TasksCollector(guard(), lambda _target: ("vm1", "vm2")).fetch(RENTED, reader)
    assert caught.value.reason is reason
    assert "tasks/vm2" not in reader.asked


async def test_a_broken_list_of_unknown_vms_is_a_failure() -> None:
    collector = TasksCollector(guard(), lambda _target: None)
    with pytest.raises(DbcError) as caught:
        await collector.fetch(RENTED, answers(tasks=BROKEN))
    assert caught.value.reason is Reason.UNPARSABLE


@pytest.mark.parametrize("reason", [Reason.NODE_TIMEOUT, Reason.AUTHORITY, Reason.UNREACHABLE])
async def test_other_failures_ask_nothing_more(reason: Reason) -> None:
    reader = answers(tasks=DbcError(reason))
    with pytest.raises(DbcError):
        await TasksCollector(guard(), lambda _target: ("vm1",)).fetch(RENTED, reader)
    assert reader.asked == ["rent_orders", "tasks"]


async def test_details_are_one_object_per_vm_and_an_unreadable_one_is_kept_from_before() -> None:
    collector = per_vm.vms(guard(), lambda _target: ("vm1", "vm2"))
    outcome = await collector.fetch(RENTED, answers(**{"tasks/vm1": vm("vm1"), "tasks/vm2": BROKEN}))
    assert outcome.objects == {"vm1": vm("vm1")}
    assert outcome.keep == {"vm2"}


async def test_a_vm_that_left_meanwhile_leaves() -> None:
    collector = per_vm.vms(guard(), lambda _target: ("vm1", "vm2"))
    outcome = await collector.fetch(RENTED, answers(**{"tasks/vm1": vm("vm1")}))
    assert set(outcome.objects) == {"vm1"}
    assert outcome.keep == frozenset()


async def test_when_no_vm_can_be_read_the_poll_failed() -> None:
    collector = per_vm.vms(guard(), lambda _target: ("vm1",))
    with pytest.raises(DbcError):
        await collector.fetch(RENTED, answers(**{"tasks/vm1": BROKEN}))


async def test_a_silent_node_ends_the_round_at_the_first_vm() -> None:
    reader = answers(**{"tasks/vm1": DbcError(Reason.NODE_TIMEOUT), "tasks/vm2": vm("vm2")})
    with pytest.raises(DbcError):
        await per_vm.vms(guard(), lambda _target: ("vm1", "vm2")).fetch(RENTED, reader)
    assert "tasks/vm2" not in reader.asked


async def test_details_read_the_list_themselves_when_nobody_has_yet() -> None:
    reader = answers(**{"tasks": LIST, "tasks/vm1": vm("vm1"), "tasks/vm2": vm("vm2")})
    outcome = await per_vm.vms(guard(), lambda _target: None).fetch(RENTED, reader)
    assert set(outcome.objects) == {"vm1", "vm2"}


@pytest.mark.parametrize("make", [per_vm.vms, per_vm.disks, per_vm.snapshots])
def test_a_target_without_a_credential_says_so(make: object) -> None:
    assert callable(make)
    assert make(guard(), lambda _target: None).unavailable(Target(NODE)) == "no_credential"
