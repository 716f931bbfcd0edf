"""The contract of freshness: what is kept, withdrawn, remembered and forgotten."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter import facts
from dbc_exporter.dbc.errors import Reason
from dbc_exporter.metrics.budget import Budgets
from dbc_exporter.metrics.catalogue import ALL, FAMILIES
from dbc_exporter.metrics.freshness import FreshnessState
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.saved import Saved
from dbc_exporter.metrics.store import Store
from dbc_exporter.targets import Target
from tests.unit.metrics.fleet import CLIENT, MANAGER, NODE, SERVER, START, FakeClock

node = Owner(node_id=NODE)
client = Owner(client=CLIENT)
OTHER = "d" * 64
LABELS = f'client="",node_id="{NODE}",collector="vms"'


def vm(task_id: str, cores: int = 1) -> facts.Vm:
    return facts.Vm(task_id=task_id, state=facts.TaskState.RUNNING, cpu_cores=cores)


def vms(*task_ids: str) -> Mapping[str, facts.Fact]:
    return {task_id: vm(task_id) for task_id in task_ids}


def lines(store: Store, name: str) -> list[str]:
    return b"".join(store.lines(FAMILIES[name])).decode().splitlines()


def everything(store: Store) -> list[str]:
    return [line for family in ALL if not family.own for line in lines(store, family.name)]


def tasks_shown(store: Store) -> list[str]:
    return [line.split('task_id="')[1][0] for line in lines(store, "dbc_vm_cpu_cores")]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> Store:
    store = Store(clock, tombstone_seconds=600)
    store.set_targets([Target(NODE), Target(OTHER)])
    return store


def poll(store: Store, *task_ids: str, owner: Owner = node, interval: float = 60.0) -> None:
    store.attempt(owner, "vms", interval)
    store.commit(owner, "vms", vms(*task_ids))


class TestCommit:
    def test_replaces_an_object_whole(self, store: Store) -> None:
        store.attempt(node, "node", 60)
        store.commit(node, "node", {"": facts.NodeConfig(cpu_cores=4, gpus=1)})
        store.commit(node, "node", {"": facts.NodeConfig(cpu_cores=8)})
        assert lines(store, "dbc_node_cpu_cores") == [f'dbc_node_cpu_cores{{node_id="{NODE}"}} 8']
        assert lines(store, "dbc_node_gpus") == []

    def test_removes_objects_that_left_the_list(self, store: Store) -> None:
        poll(store, "a", "b")
        poll(store, "b")
        assert tasks_shown(store) == ["b"]
        assert list(store.facts(node, "vms")) == ["b"]

    def test_leaves_objects_that_are_to_be_kept(self, store: Store) -> None:
        poll(store, "a", "b", "c")
        store.commit(node, "vms", vms("b"), keep={"a"})
        assert tasks_shown(store) == ["a", "b"]

    def test_leaves_all_others_when_the_list_was_not_read(self, store: Store) -> None:
        poll(store, "a", "b")
        store.commit(node, "vms", vms("c"), complete=False)
        assert tasks_shown(store) == ["a", "b", "c"]

    def test_of_one_owner_does_not_touch_another(self, store: Store) -> None:
        poll(store, "a")
        poll(store, "b", owner=Owner(node_id=OTHER))
        poll(store)
        assert tasks_shown(store) == ["b"]

    def test_counts_unreadable_fields_by_name(self, store: Store) -> None:
        store.attempt(node, "node", 60)
        for _ in range(2):
            store.commit(node, "node", {"": facts.NodeConfig(unreadable=("cpu.hz", "memory.size"))})
        assert lines(store, "dbc_parse_failures_total") == [
            'dbc_parse_failures_total{field="cpu.hz"} 2',
            'dbc_parse_failures_total{field="memory.size"} 2',
        ]

    def test_counts_fields_without_end_under_one_name(self, store: Store) -> None:
        names = tuple(f"f{number}" for number in range(300))
        store.put(client, "client", "", facts.Peers(unreadable=names))
        assert len(lines(store, "dbc_parse_failures_total")) == 201
        assert 'dbc_parse_failures_total{field="other"} 100' in lines(store, "dbc_parse_failures_total")

    def test_without_an_attempt_before_is_not_taken(self, store: Store) -> None:
        assert not store.commit(node, "vms", vms("a"))
        assert tasks_shown(store) == []

    def test_with_a_fact_that_cannot_be_rendered_costs_only_that_object(
        self, store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = facts.BareMetalList(servers=(None,))  # type: ignore[arg-type]  # a fault of a parser
        store.attempt(node, "vms", 60)
        assert store.commit(node, "vms", {"x": broken, "a": vm("a")}) is True
        assert tasks_shown(store) == ["a"]
        assert "rendering failed" in caplog.text

    def test_with_lines_of_a_family_outside_the_catalogue_shows_none_of_them(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        entries = [("dbc_vm_gpus", "", b"dbc_vm_gpus 1\n"), ("dbc_made_up", "", b"dbc_made_up 1\n")]
        monkeypatch.setattr("dbc_exporter.metrics.store.render", lambda *_: entries)
        poll(store, "a")
        assert lines(store, "dbc_vm_gpus") == []
        assert "not in the catalogue: dbc_made_up" in caplog.text


class TestDuplicates:
    def test_within_one_object_are_refused_and_counted(self, store: Store) -> None:
        disks = (facts.Disk("/data", None, 1.0), facts.Disk("/data", None, 2.0))
        store.attempt(node, "node", 60)
        for _ in range(2):
            store.commit(node, "node", {"": facts.NodeConfig(disks=disks)})
        assert [line.split()[-1] for line in lines(store, "dbc_node_disk_size_bytes")] == ["1.0"]
        assert store.self_lines()["dbc_exporter_duplicate_series_total"] == [
            b"dbc_exporter_duplicate_series_total 4\n"
        ]

    def test_of_another_object_are_refused_and_the_first_stays(
        self, store: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        store.attempt(node, "node", 60)
        store.commit(node, "node", {"one": facts.NodeConfig(gpus=1), "two": facts.NodeConfig(gpus=2)})
        assert [line.split()[-1] for line in lines(store, "dbc_node_gpus")] == ["1"]
        assert "dbc_node_gpus" in caplog.text

    def test_are_accepted_once_the_first_has_left(self, store: Store) -> None:
        store.attempt(node, "node", 60)
        store.commit(node, "node", {"one": facts.NodeConfig(gpus=1), "two": facts.NodeConfig(gpus=2)})
        store.commit(node, "node", {"two": facts.NodeConfig(gpus=2)})
        assert [line.split()[-1] for line in lines(store, "dbc_node_gpus")] == ["2"]


class TestAgeing:
    def test_values_stay_until_three_intervals_after_their_last_success(
        self, store: Store, clock: FakeClock
    ) -> None:
        poll(store, "a")
        clock.advance(179.9)
        store.sweep()
        assert tasks_shown(store) == ["a"]
        clock.advance(0.1)
        store.sweep()
        assert tasks_shown(store) == []

    def test_a_success_in_time_keeps_them(self, store: Store, clock: FakeClock) -> None:
        for _ in range(10):
            poll(store, "a")
            clock.advance(100)
            store.sweep()
        assert tasks_shown(store) == ["a"]

    def test_a_failure_keeps_them_and_does_not_make_them_younger(
        self, store: Store, clock: FakeClock
    ) -> None:
        poll(store, "a")
        for _ in range(2):
            clock.advance(60)
            store.attempt(node, "vms", 60)
            store.fail(node, "vms", Reason.NODE_TIMEOUT)
            store.sweep()
            assert tasks_shown(store) == ["a"]
        clock.advance(60)
        store.sweep()
        assert tasks_shown(store) == []

    def test_a_kept_object_ages_by_itself(self, store: Store, clock: FakeClock) -> None:
        poll(store, "a", "b")
        for _ in range(3):
            clock.advance(60)
            store.commit(node, "vms", vms("b"), keep={"a"})
        store.sweep()
        assert tasks_shown(store) == ["b"]

    def test_facts_too_old_are_not_handed_out_even_before_a_sweep(
        self, store: Store, clock: FakeClock
    ) -> None:
        poll(store, "a")
        assert store.facts(node, "vms") == vms("a")
        clock.advance(10)
        assert store.age(node, "vms", "a") == 10
        clock.advance(170)
        assert store.facts(node, "vms") == {}
        assert store.age(node, "vms", "a") is None

    def test_a_longer_interval_keeps_values_longer(self, store: Store, clock: FakeClock) -> None:
        poll(store, "a", interval=60)
        store.attempt(node, "vms", 600)
        clock.advance(1799)
        store.sweep()
        assert tasks_shown(store) == ["a"]

    def test_an_interval_that_becomes_longer_keeps_values_longer_before_the_next_poll(
        self, store: Store, clock: FakeClock
    ) -> None:
        poll(store, "a", interval=60)
        store.lengthen(node, "vms", 600)
        assert store.freshness(node)[0].interval_seconds == 600
        clock.advance(1799)
        store.sweep()
        assert tasks_shown(store) == ["a"]

    def test_only_a_longer_interval_lengthens(self, store: Store) -> None:
        poll(store, "a", interval=60)
        store.lengthen(node, "vms", 10)
        assert store.freshness(node)[0].interval_seconds == 60

    def test_a_shorter_interval_withdraws_them_earlier(self, store: Store, clock: FakeClock) -> None:
        poll(store, "a", interval=600)
        store.attempt(node, "vms", 10)
        clock.advance(30)
        store.sweep()
        assert tasks_shown(store) == []

    def test_a_step_of_the_wall_clock_changes_no_age(self, store: Store, clock: FakeClock) -> None:
        poll(store, "a")
        clock.unix += 86_400
        store.sweep()
        assert tasks_shown(store) == ["a"]
        assert store.freshness(node)[0].age_seconds == 0

    def test_state_that_is_no_poll_does_not_age(self, store: Store, clock: FakeClock) -> None:
        store.put(node, "reachability", "", facts.Reachability(up=True))
        clock.advance(1e6)
        store.sweep()
        assert lines(store, "dbc_node_up") == [f'dbc_node_up{{node_id="{NODE}"}} 1']

    def test_state_that_is_no_poll_is_replaced_at_once(self, store: Store) -> None:
        store.put(node, "reachability", "", facts.Reachability(up=True))
        store.put(node, "reachability", "", facts.Reachability())
        assert lines(store, "dbc_node_up") == []


class TestFreshness:
    def test_times_are_absent_until_they_happened(self, store: Store) -> None:
        store.attempt(node, "vms", 60)
        assert lines(store, "dbc_collector_last_attempt_timestamp_seconds") == [
            f"dbc_collector_last_attempt_timestamp_seconds{{{LABELS}}} {START:.3f}"
        ]
        assert lines(store, "dbc_collector_last_success_timestamp_seconds") == []
        assert lines(store, "dbc_collector_interval_seconds") == [
            f"dbc_collector_interval_seconds{{{LABELS}}} 60"
        ]

    def test_outlives_the_values(self, store: Store, clock: FakeClock) -> None:
        poll(store, "a")
        clock.advance(1000)
        store.sweep()
        assert lines(store, "dbc_collector_last_success_timestamp_seconds") == [
            f"dbc_collector_last_success_timestamp_seconds{{{LABELS}}} {START:.3f}"
        ]

    def test_failures_are_counted_by_reason(self, store: Store) -> None:
        for reason in (Reason.NODE_TIMEOUT, Reason.NODE_TIMEOUT, Reason.AUTHORITY):
            store.fail(node, "vms", reason)
        assert lines(store, "dbc_collector_failures_total") == [
            f'dbc_collector_failures_total{{{LABELS},reason="node_timeout"}} 2',
            f'dbc_collector_failures_total{{{LABELS},reason="authority"}} 1',
        ]

    def test_a_client_is_named_by_its_own_label(self, store: Store) -> None:
        store.attempt(client, "lan", 300)
        (line,) = lines(store, "dbc_collector_interval_seconds")
        assert line.startswith('dbc_collector_interval_seconds{client="left",node_id="",collector="lan"}')

    def test_passes_through_its_states(self, store: Store, clock: FakeClock) -> None:
        def state() -> FreshnessState:
            return store.freshness(node)[0].state

        store.attempt(node, "vms", 60)
        assert state() is FreshnessState.NEVER
        store.commit(node, "vms", vms("a"))
        assert state() is FreshnessState.FRESH
        clock.advance(120)
        assert state() is FreshnessState.AGEING
        clock.advance(60)
        assert state() is FreshnessState.WITHDRAWN
        store.unavailable(node, "vms", "no_credential")
        assert state() is FreshnessState.UNAVAILABLE

    def test_tells_pages_the_last_failure(self, store: Store, clock: FakeClock) -> None:
        poll(store, "a")
        clock.advance(5)
        store.fail(node, "vms", Reason.NODE_TIMEOUT)
        (view,) = store.freshness(node)
        assert (view.last_success, view.last_failure) == (START, START + 5)
        assert (view.last_reason, view.failures) == (Reason.NODE_TIMEOUT, 1)

    def test_unavailable_is_state_and_no_failure(self, store: Store) -> None:
        store.unavailable(node, "vms", "no_credential")
        store.unavailable(node, "vms", "no_live_order")
        assert lines(store, "dbc_collector_unavailable") == [
            f'dbc_collector_unavailable{{{LABELS},reason="no_live_order"}} 1'
        ]
        assert lines(store, "dbc_collector_failures_total") == []
        store.unavailable(node, "vms", None)
        assert lines(store, "dbc_collector_unavailable") == []

    def test_of_a_collector_that_is_switched_off_is_forgotten_with_its_values(self, store: Store) -> None:
        poll(store, "a")
        store.fail(node, "vms", Reason.BMC)
        store.unavailable(node, "vms", "no_credential")
        store.put(node, "reachability", "", facts.Reachability(up=True))
        store.retain_collectors({"node"})
        assert store.freshness(node) == []
        assert not any("vms" in line or "task_id" in line for line in everything(store))
        assert lines(store, "dbc_node_up") != []


class TestInventory:
    def test_a_target_that_leaves_loses_its_values_and_keeps_its_freshness(self, store: Store) -> None:
        poll(store, "a")
        store.set_targets([Target(OTHER)])
        assert tasks_shown(store) == []
        assert f'dbc_target_present{{node_id="{NODE}"}} 0' in lines(store, "dbc_target_present")
        assert any(NODE in line for line in lines(store, "dbc_target_info"))
        assert len(lines(store, "dbc_collector_last_success_timestamp_seconds")) == 1

    def test_it_is_forgotten_after_its_grace(self, store: Store, clock: FakeClock) -> None:
        poll(store, "a")
        store.set_targets([Target(OTHER)])
        clock.advance(599)
        store.sweep()
        assert any(NODE in line for line in everything(store))
        clock.advance(1)
        store.sweep()
        assert not any(NODE in line for line in everything(store))
        assert store.freshness(node) == []

    def test_an_answer_that_comes_late_does_not_bring_it_back(self, store: Store, clock: FakeClock) -> None:
        store.attempt(node, "vms", 60)
        store.set_targets([Target(OTHER)])
        assert not store.commit(node, "vms", vms("a"))
        store.put(node, "reachability", "", facts.Reachability(up=True))
        assert (tasks_shown(store), lines(store, "dbc_node_up")) == ([], [])
        clock.advance(600)
        store.sweep()
        store.attempt(node, "vms", 60)
        store.fail(node, "vms", Reason.NODE_TIMEOUT)
        store.unavailable(node, "vms", "no_manager")
        assert not any(NODE in line for line in everything(store))

    def test_one_that_comes_back_in_time_is_present_again(self, store: Store, clock: FakeClock) -> None:
        store.set_targets([])
        store.set_targets([Target(NODE)])
        clock.advance(1000)
        store.sweep()
        assert lines(store, "dbc_target_present") == [f'dbc_target_present{{node_id="{NODE}"}} 1']

    def test_labels_and_expectations_of_the_operator_are_shown(self, store: Store) -> None:
        store.set_targets([Target(NODE, expected_gpus=8, labels=(("rack", 'r"1'),))])
        assert f'dbc_target_expected_gpus{{node_id="{NODE}"}} 8' in lines(store, "dbc_target_expected_gpus")
        assert (
            f'dbc_target_info{{node_id="{NODE}",kind="compute",manager_id="",desired_state="none",'
            'label_rack="r\\"1"} 1'
        ) in lines(store, "dbc_target_info")

    def test_changed_labels_replace_the_old_ones(self, store: Store) -> None:
        store.set_targets([Target(NODE, labels=(("rack", "1"),))])
        store.set_targets([Target(NODE, labels=(("rack", "2"),))])
        assert [line for line in lines(store, "dbc_target_info") if 'label_rack="1"' in line] == []

    def test_targets_are_counted_by_kind(self, store: Store) -> None:
        store.set_targets([Target(NODE)])
        assert 'dbc_exporter_targets{kind="compute"} 1' in lines(store, "dbc_exporter_targets")
        assert 'dbc_exporter_targets{kind="bare_metal_server"} 0' in lines(store, "dbc_exporter_targets")

    def test_a_server_is_one_owner_whichever_manager_is_named(self, store: Store) -> None:
        store.set_targets([Target(SERVER)])
        named = Owner(node_id=SERVER, manager_id=MANAGER)
        store.attempt(named, "power", 300)
        store.commit(named, "power", {"": facts.Power(state=facts.PowerState.ON)})
        assert list(store.facts(Owner(node_id=SERVER), "power")) == [""]
        assert f'manager_id="{MANAGER}"' in lines(store, "dbc_bare_metal_power_state")[0]

    def test_a_client_that_left_the_configuration_is_forgotten_whole(self, store: Store) -> None:
        store.attempt(client, "lan", 300)
        store.commit(client, "lan", {"": facts.LanList()})
        store.put(client, "client", "", facts.ClientStatus(state=facts.ClientState.OK))
        store.drop_owner(client)
        store.fail(client, "lan", Reason.UNREACHABLE)
        assert not any(CLIENT in line for line in everything(store))


class TestRestart:
    def restarted(self, store: Store, clock: FakeClock) -> Store:
        after = Store(clock, tombstone_seconds=600)
        after.restore(store.saved())
        return after

    def test_keeps_freshness_and_inventory_and_no_values(self, store: Store, clock: FakeClock) -> None:
        poll(store, "a")
        after = self.restarted(store, clock)
        for name in (
            "dbc_collector_last_attempt_timestamp_seconds",
            "dbc_collector_last_success_timestamp_seconds",
            "dbc_target_present",
            "dbc_target_info",
        ):
            assert lines(after, name) == lines(store, name)
        assert tasks_shown(after) == []
        assert after.facts(node, "vms") == {}

    def test_says_that_values_are_withdrawn_until_the_first_poll(
        self, store: Store, clock: FakeClock
    ) -> None:
        poll(store, "a")
        clock.advance(30)
        (view,) = self.restarted(store, clock).freshness(node)
        assert (view.state, view.age_seconds) == (FreshnessState.WITHDRAWN, 30)

    def test_a_target_that_left_meanwhile_becomes_a_tombstone(self, store: Store, clock: FakeClock) -> None:
        after = self.restarted(store, clock)
        after.set_targets([Target(OTHER)])
        assert f'dbc_target_present{{node_id="{NODE}"}} 0' in lines(after, "dbc_target_present")

    def test_does_not_prolong_a_tombstone(self, store: Store, clock: FakeClock) -> None:
        store.set_targets([Target(OTHER)])
        clock.advance(300)
        after = self.restarted(store, clock)
        after.set_targets([Target(OTHER)])
        clock.advance(299)
        after.sweep()
        assert any(NODE in line for line in lines(after, "dbc_target_present"))
        clock.advance(1)
        after.sweep()
        assert not any(NODE in line for line in lines(after, "dbc_target_present"))

    def test_with_freshness_of_a_node_that_nobody_knows_forgets_it(
        self, store: Store, clock: FakeClock
    ) -> None:
        poll(store, "a")
        after = Store(clock)
        after.restore(Saved(store.saved().freshness, ()))
        assert after.freshness(node) == []

    def test_starts_the_counts_of_failures_anew(self, store: Store, clock: FakeClock) -> None:
        store.attempt(node, "vms", 60)
        store.fail(node, "vms", Reason.NODE_TIMEOUT)
        assert lines(self.restarted(store, clock), "dbc_collector_failures_total") == []


class TestBudget:
    def test_a_family_over_it_is_told_once_and_kept(
        self, clock: FakeClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = Store(clock, budgets=Budgets(per_family=2))
        store.set_targets([Target(NODE)])
        poll(store, "a", "b", "c")
        for _ in range(2):
            own = store.self_lines()
            exceeded = b'dbc_exporter_series_budget_exceeded{family="dbc_vm_cpu_cores"} 1\n'
            assert exceeded in own["dbc_exporter_series_budget_exceeded"]
            assert b'dbc_exporter_series{family="dbc_vm_cpu_cores"} 3\n' in own["dbc_exporter_series"]
        assert tasks_shown(store) == ["a", "b", "c"]
        assert caplog.text.count("family=dbc_vm_cpu_cores") == 1

    def test_a_target_over_it_is_counted_until_it_shrinks(self, clock: FakeClock) -> None:
        store = Store(clock, budgets=Budgets(per_target=4))
        store.set_targets([Target(NODE)])
        over = "dbc_exporter_targets_over_series_budget"
        poll(store, "a", "b", "c")
        assert store.self_lines()[over] == [f"{over} 1\n".encode()]
        poll(store, "a")
        assert store.self_lines()[over] == [f"{over} 0\n".encode()]

    def test_counts_a_state_set_with_all_its_states(self, store: Store) -> None:
        store.attempt(node, "tasks", 60)
        store.commit(node, "tasks", {"": facts.TaskList()})
        series = f'dbc_exporter_series{{family="dbc_node_tasks"}} {len(facts.TaskState)}\n'
        assert series.encode() in store.self_lines()["dbc_exporter_series"]


def test_the_generation_changes_with_every_change(store: Store) -> None:
    before = store.generation
    poll(store, "a")
    between = store.generation
    store.sweep()
    assert before < between == store.generation


Operation = tuple[str, str, set[str] | set[int]]
OPERATIONS: st.SearchStrategy[Operation] = st.one_of(
    st.tuples(st.just("commit"), st.sampled_from([NODE, OTHER]), st.sets(st.sampled_from("abc"))),
    st.tuples(st.just("fail"), st.sampled_from([NODE, OTHER]), st.just(set())),
    st.tuples(st.just("targets"), st.just(""), st.sets(st.sampled_from([NODE, OTHER]))),
    st.tuples(st.just("wait"), st.just(""), st.sets(st.integers(1, 90), min_size=1, max_size=1)),
)


@given(st.lists(OPERATIONS, max_size=40))
def test_whatever_happens_what_is_shown_is_what_a_simple_model_says(
    operations: list[Operation],
) -> None:
    clock = FakeClock()
    store = Store(clock, tombstone_seconds=100)
    store.set_targets([Target(NODE), Target(OTHER)])
    present = {NODE, OTHER}
    read: dict[tuple[str, str], float] = {}
    for what, node_id, argument in operations:
        names = {str(item) for item in argument}
        owner = Owner(node_id=node_id)
        if what == "commit":
            store.attempt(owner, "vms", 60)
            store.commit(owner, "vms", vms(*sorted(names)))
            if node_id in present:
                read = {at: when for at, when in read.items() if at[0] != node_id}
                read |= {(node_id, name): clock.now for name in names}
        elif what == "fail":
            store.attempt(owner, "vms", 60)
            store.fail(owner, "vms", Reason.NODE_TIMEOUT)
        elif what == "targets":
            present = names
            store.set_targets([Target(target) for target in sorted(names)])
            read = {at: when for at, when in read.items() if at[0] in present}
        else:
            clock.advance(float(next(iter(names))))
        store.sweep()
        alive = {at for at, when in read.items() if clock.now - when < 180}
        shown = {f'dbc_vm_cpu_cores{{node_id="{where}",task_id="{task}"}} 1' for where, task in alive}
        assert sorted(lines(store, "dbc_vm_cpu_cores")) == sorted(shown)
        assert {(n, key) for n in (NODE, OTHER) for key in store.facts(Owner(node_id=n), "vms")} == alive
