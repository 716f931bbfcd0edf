"""Facts in, sample lines out."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from dbc_exporter import facts
from dbc_exporter.metrics.family import gauge
from dbc_exporter.metrics.lines import StateSet, labels, sample
from dbc_exporter.metrics.options import RenderOptions
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.render import render, unreadable
from dbc_exporter.metrics.render_rented import unix_time
from tests.unit.metrics.fleet import CLIENT, MANAGER, NODE, NODE_CONFIG, SERVER

node = Owner(node_id=NODE)
client = Owner(client=CLIENT)
server = Owner(node_id=SERVER, manager_id=MANAGER)
ME = f'node_id="{NODE}"'
BERLIN = ZoneInfo("Europe/Berlin")


def lines(owner: Owner, fact: facts.Fact, key: str = "", zone: ZoneInfo | None = None) -> list[str]:
    entries = render(owner, key, fact, RenderOptions(node_timezone=zone))
    return b"".join(data for _, _, data in entries).decode().splitlines()


def at_one(written: list[str]) -> list[str]:
    return [line.removesuffix(" 1") for line in written if "state=" in line and line.endswith(" 1")]


def test_a_node_configuration_becomes_one_line_per_known_value() -> None:
    written = lines(node, NODE_CONFIG)
    assert f"dbc_node_cpu_cores{{{ME}}} 64" in written
    assert f"dbc_node_cpu_usage_ratio{{{ME}}} 0.5881" in written
    assert f"dbc_node_memory_size_bytes{{{ME}}} 25276132720.64" in written
    assert f'dbc_node_disk_free_bytes{{{ME},disk="/data"}} 500000000000.0' in written
    assert f'dbc_node_disk_info{{{ME},disk="/data2",medium="HDD"}} 1' in written
    assert f"dbc_node_base_images{{{ME}}} 1" in written


def test_an_unknown_value_has_no_line() -> None:
    assert lines(node, facts.NodeConfig()) == [f'dbc_node_info{{{ME},version="",os="",cpu_model=""}} 1']


def test_zero_is_a_value_and_not_unknown() -> None:
    assert f"dbc_node_gpus{{{ME}}} 0" in lines(node, facts.NodeConfig(gpus=0))


def test_an_empty_list_of_images_counts_zero_and_an_unknown_one_counts_nothing() -> None:
    assert f"dbc_node_base_images{{{ME}}} 0" in lines(node, facts.NodeConfig(images=()))
    assert not any("base_images" in line for line in lines(node, facts.NodeConfig(images=None)))


def test_backslash_quote_and_newline_are_escaped_in_labels() -> None:
    written = lines(node, facts.NodeConfig(os='a\\b"c\nd'))
    assert written == [f'dbc_node_info{{{ME},version="",os="a\\\\b\\"c\\nd",cpu_model=""}} 1']


@given(st.text())
def test_any_text_as_a_label_reads_back_as_it_was(text: str) -> None:
    name, _, data = sample("dbc_node_info", labels(node_id="n", os=text), 1)
    (family,) = text_string_to_metric_families(data.decode())
    (read,) = family.samples
    assert (read.name, read.labels) == (name, {"node_id": "n", "os": text})


def test_half_a_surrogate_in_a_label_becomes_a_question_mark() -> None:
    assert labels(os="a\ud800b") == 'os="a?b"'


def test_a_state_set_names_every_state_and_one_of_them_is_1() -> None:
    written = lines(server, facts.Power(state=facts.PowerState.OFF))
    me = f'node_id="{SERVER}",manager_id="{MANAGER}"'
    assert written == [
        f'dbc_bare_metal_power_state{{{me},state="on"}} 0',
        f'dbc_bare_metal_power_state{{{me},state="off"}} 1',
        f'dbc_bare_metal_power_state{{{me},state="unknown"}} 0',
    ]


@pytest.mark.parametrize("state", facts.TaskState)
def test_every_task_state_sets_its_own_series_only(state: facts.TaskState) -> None:
    written = lines(node, facts.TaskList(tasks=(facts.Task("t", state),)))
    expected = f'dbc_vm_state{{{ME},task_id="t",state="{state.value}"}}'
    assert [line for line in at_one(written) if line.startswith("dbc_vm_state")] == [expected]
    assert len([line for line in written if line.startswith("dbc_vm_state")]) == len(facts.TaskState)


def test_a_family_without_states_is_no_state_set() -> None:
    with pytest.raises(ValueError, match="has no states"):
        StateSet("dbc_node_up")


def test_tasks_are_counted_by_state_with_zeros_for_the_rest() -> None:
    running = facts.TaskState.RUNNING
    written = lines(node, facts.TaskList(tasks=(facts.Task("a", running), facts.Task("b", running))))
    counts = [line for line in written if line.startswith("dbc_node_tasks{")]
    assert f'dbc_node_tasks{{{ME},state="running"}} 2' in counts
    assert sum(line.endswith(" 0") for line in counts) == len(facts.TaskState) - 1
    assert f"dbc_node_tasks_parsable{{{ME}}} 1" in written


def test_a_broken_task_list_says_so_counts_nothing_and_keeps_what_single_queries_brought() -> None:
    fact = facts.TaskList(tasks=(facts.Task("t", facts.TaskState.RUNNING),), parsable=False)
    written = lines(node, fact)
    assert f"dbc_node_tasks_parsable{{{ME}}} 0" in written
    assert not any(line.startswith("dbc_node_tasks{") for line in written)
    assert at_one(written) == [f'dbc_vm_state{{{ME},task_id="t",state="running"}}']


@pytest.mark.parametrize(
    ("state", "up"),
    [
        (facts.ClientState.OK, ["1"]),
        (facts.ClientState.ISOLATED, ["1"]),
        (facts.ClientState.WEDGED, ["1"]),
        (facts.ClientState.UNREACHABLE, ["0"]),
        (facts.ClientState.UNKNOWN, []),
    ],
)
def test_a_client_is_up_while_it_answers_http(state: facts.ClientState, up: list[str]) -> None:
    written = lines(client, facts.ClientStatus(state=state))
    assert [line.split()[-1] for line in written if line.startswith("dbc_client_up")] == up
    assert at_one(written) == [f'dbc_client_state{{client="left",state="{state.value}"}}']


def test_reachability_that_nobody_can_judge_has_no_line() -> None:
    assert lines(node, facts.Reachability()) == [f"dbc_node_suspect{{{ME}}} 0"]


def test_a_silent_node_is_down_and_suspect() -> None:
    assert lines(node, facts.Reachability(visible=True, up=False, suspect=True)) == [
        f"dbc_node_visible{{{ME}}} 1",
        f"dbc_node_up{{{ME}}} 0",
        f"dbc_node_suspect{{{ME}}} 1",
    ]


def test_rent_orders_fall_into_a_closed_set_of_statuses() -> None:
    by_status = (("renting", 1), ("waitingVerifying", 2), ("rentExpired", 3), ("odd", 4), ("Other", 5))
    written = lines(node, facts.OrderStatus(live=True, by_status=by_status))
    assert written == [
        f"dbc_node_order_live{{{ME}}} 1",
        f'dbc_node_rent_orders{{{ME},status="renting"}} 1',
        f'dbc_node_rent_orders{{{ME},status="waiting_verifying"}} 2',
        f'dbc_node_rent_orders{{{ME},status="expired"}} 3',
        f'dbc_node_rent_orders{{{ME},status="other"}} 9',
    ]


def test_whether_an_order_is_ours_is_absent_where_nobody_can_say() -> None:
    written = lines(node, facts.OrderStatus(by_status=(("renting", 1),)))
    assert not any(line.startswith("dbc_node_order_live") for line in written)
    assert f'dbc_node_rent_orders{{{ME},status="renting"}} 1' in written


def test_wallets_in_orders_are_never_written() -> None:
    assert lines(node, facts.RentOrders(orders=(facts.RentOrder("1", "5Wallet", "renting"),))) == []


@pytest.mark.parametrize(("count", "full"), [(50, 0), (51, 1)])
def test_a_bare_metal_list_at_its_maximum_is_said_to_be_full(count: int, full: int) -> None:
    servers = tuple(facts.BareMetalServer(node_id=f"{i:064x}") for i in range(count))
    written = lines(Owner(node_id=MANAGER), facts.BareMetalList(servers=servers))
    assert f'dbc_bare_metal_servers{{node_id="{MANAGER}"}} {count}' in written
    assert f'dbc_bare_metal_list_full{{node_id="{MANAGER}"}} {full}' in written
    assert len([line for line in written if line.startswith("dbc_bare_metal_server_info")]) == count


def test_a_transfer_of_unknown_state_has_no_ratio() -> None:
    fact = facts.Transfer(image="x", direction="upload", state=facts.TransferState.UNKNOWN)
    written = lines(node, fact)
    assert at_one(written) == [
        f'dbc_image_transfer_state{{{ME},image="x",direction="upload",state="unknown"}}'
    ]
    assert not any("ratio" in line for line in written)


def test_images_of_a_centre_are_told_by_client_and_centre() -> None:
    fact = facts.ImageList(images=(facts.Image("x", 5.0), facts.Image("sizeless")))
    assert lines(client, fact, "c1") == [
        'dbc_centre_image_size_bytes{client="left",centre="c1",image="x"} 5.0'
    ]


def test_disks_and_snapshots_are_told_by_the_task_they_lie_under() -> None:
    assert lines(node, facts.DiskList(disks=(facts.VmDisk("vda", 1.0),)), "t1") == [
        f'dbc_disk_size_bytes{{{ME},task_id="t1",disk="vda"}} 1.0'
    ]
    assert lines(node, facts.SnapshotList(), "t1") == [f'dbc_vm_snapshots{{{ME},task_id="t1"}} 0']


def test_a_creation_time_is_written_only_where_the_zone_is_known() -> None:
    fact = facts.Vm(task_id="t", state=facts.TaskState.RUNNING, created_local="2026-11-23 11:22:45")
    stamp = datetime(2026, 11, 23, 10, 22, 45, tzinfo=UTC).timestamp()
    family = "dbc_vm_created_timestamp_seconds"
    assert f'{family}{{{ME},task_id="t"}} {stamp!r}' in lines(node, fact, "t", BERLIN)
    assert not any(line.startswith(family) for line in lines(node, fact, "t"))


@pytest.mark.parametrize(
    "local",
    [
        None,
        "",
        "yesterday",
        "2026-13-01 00:00:00",
        "2026-10-25 02:30:00",  # twice, when summer time ends
        "2026-03-29 02:30:00",  # never, when it starts
        "2026-11-23",
        "2026-11-23 11:22:45+02:00",
    ],
)
def test_a_local_time_without_one_meaning_is_unknown(local: str | None) -> None:
    assert unix_time(local, BERLIN) is None


def test_unreadable_fields_of_inner_facts_count_too() -> None:
    inner = facts.BareMetalServer(node_id=SERVER, unreadable=("power",))
    assert unreadable(facts.BareMetalList(servers=(inner,), unreadable=("list",))) == ("list", "power")
    snapshot = facts.Snapshot(name="s", unreadable=("status",))
    assert unreadable(facts.SnapshotList(snapshots=(snapshot,))) == ("status",)


def test_the_help_of_a_polled_family_names_its_collector() -> None:
    assert gauge("dbc_x", "A thing.", "node", "somewhere").help == "A thing. Polled by the node collector."
