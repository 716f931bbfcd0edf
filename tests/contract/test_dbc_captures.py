"""Answers of a real DBC client, understood: each recorded exchange gives the fact or the failure written here."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from dbc_exporter.dbc import reads, writes
from dbc_exporter.dbc.calls import ReadCall, WriteCall
from dbc_exporter.dbc.envelope import request_body, understand
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.outcomes import (
    Accepted,
    AddedServer,
    BootDeviceAnswer,
    CreatedVm,
    PowerTaken,
)
from dbc_exporter.dbc.specs import ServerChange, ServerSpec, VmSpec
from dbc_exporter.facts import (
    BareMetalList,
    ClientVersion,
    Disk,
    Image,
    ImageList,
    ImageServers,
    LanAnswer,
    ListedNode,
    MonitorServers,
    NodeConfig,
    NodeList,
    Peers,
    Power,
    PowerState,
    RentOrder,
    RentOrders,
    Task,
    TaskList,
    TaskState,
    TransferProgress,
    Vm,
    VmDisk,
)
from tests.shared import needs_captures
from tests.unit.dbc import captures

pytestmark = needs_captures

NODE = "daed3455ec543b3e059c47b251523da290476b0a6bc5721c2607425143ea2c4c"
MANAGER = "6cf01130f2c75905c9c6a0c57aa77cae2441d0234cc3221b2c2f972be371344a"
SERVER = "44bdd9134cf5b41499492af63403da1891b7196a81b1e331a6b16ccb6fa28804"
MODIFIED = "c4be4559d6db21a9e76e141d3a01d5d45825881c12d014e27f4335dfe864405d"
OTHER_SERVER = "9ac893a32ed780dbee62b371757edccf82cea6dbc92917cf263057b9601f357e"
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
FIRST_TASK = "84hZJt9VEsVBU4eBz9PFQ3"
TASK = "7CUuyQphUgu9wEFc6aZAYo"
MIB, GIB = 1024.0**2, 1024.0**3

AnyCall = ReadCall[Any] | WriteCall[Any]
Rows = list[tuple[str, AnyCall, Any]]

ONE_NODE = NodeList(nodes=(ListedNode(NODE, "real-mining", "0.4.1.8"),))
STATUS = reads.power_status(SERVER)


def _created(task_id: str) -> CreatedVm:
    return CreatedVm(task_id, TaskState.CREATING)


def _task(task_id: str, state: TaskState, created: str, description: str) -> TaskList:
    return TaskList(tasks=(Task(task_id, state, created, description),))


def _second(state: TaskState) -> TaskList:
    return _task(TASK, state, "2026-11-23 10:44:11", "second")


def _spec(**changes: Any) -> VmSpec:
    basis: dict[str, Any] = {
        "ssh_port": 5681, "cpu_cores": 1, "memory_gib": 1, "disk_gib": 2, "vnc_port": 5999,
        "description": "made through the real API", "image_name": "ubuntu-min.qcow2",
    }  # fmt: skip
    return VmSpec(**(basis | changes))


UNDERSTOOD: Rows = [
    *[(n, reads.version(), ClientVersion(version="0.4.1.8")) for n in ("001", "003", "009", "010")],
    *[
        (n, reads.node_list(), ONE_NODE)
        for n in ("020", "114", "201", "500", "503", "506", "513", "620", "630", "631")
    ],
    ("040", reads.peers(), Peers(count=2)),
    ("041", reads.peers("global"), Peers(count=0)),
    ("042", reads.peers("lan"), Peers(count=0)),
    ("070", reads.task_list(NODE), TaskList()),
    ("071", reads.task_list(NODE), TaskList()),
    ("080", reads.images(NODE), ImageList(images=(Image("ubuntu-min.qcow2", 192 * 1024),))),
    (
        "081",
        reads.images_with_centre(NODE, "local01"),
        ImageList(images=(Image("ubuntu-min.qcow2", 192 * 1024),)),
    ),
    ("084", reads.image_servers(), ImageServers(servers=("local01",))),
    (
        "087",
        reads.download_progress(NODE, "ubuntu-min.qcow2"),
        TransferProgress(status="done", progress_ratio=1.0),
    ),
    ("090", reads.rent_orders(NODE), RentOrders(orders=(RentOrder(ALICE, ALICE, "renting", 3100108, 0),))),
    ("100", reads.bare_metal_ids(), NodeList()),
    ("121", STATUS, Power(state=PowerState.OFF, bmc_reachable=True)),
    ("122", writes.power(SERVER, "off"), PowerTaken(acknowledged=True)),
    ("123", STATUS, Power(state=PowerState.OFF, bmc_reachable=True)),
    ("124", writes.power(SERVER, "on"), PowerTaken(acknowledged=True)),
    *[
        (n, STATUS, Power(state=PowerState.ON, bmc_reachable=True))
        for n in ("125", "129", "143", "165", "221")
    ],
    ("127", writes.power(SERVER, "reset"), PowerTaken(acknowledged=True)),
    ("141", writes.boot_device(SERVER, "pxe"), BootDeviceAnswer.EXECUTED_UNCONFIRMED),
    *[
        (n, writes.modify_server(MANAGER, MODIFIED, ServerChange(description="renamed")), Accepted())
        for n in ("142", "170", "173")
    ],
    ("403", writes.create_vm(NODE, _spec()), _created(FIRST_TASK)),
    (
        "404",
        reads.task_list(NODE),
        _task(FIRST_TASK, TaskState.CREATING, "2026-11-23 10:41:46", "made through the real API"),
    ),
    (
        "412",
        writes.create_vm(NODE, _spec(ssh_port=5682, vnc_port=5998, description="second")),
        _created(TASK),
    ),
    ("414", reads.task_list(NODE), _second(TaskState.RUNNING)),
    ("417", writes.poweroff(NODE, TASK), Accepted()),
    ("420", writes.start(NODE, TASK), Accepted()),
    ("422", writes.restart(NODE, TASK), Accepted()),
    ("424", writes.shutdown(NODE, TASK), Accepted()),
    ("428", reads.monitor_servers(NODE), MonitorServers(count=0)),
    ("429", reads.lan_probe(NODE), LanAnswer()),
    ("431", reads.task_list(NODE), _second(TaskState.CLOSED)),
    ("432", reads.task_list(NODE), _second(TaskState.CLOSED)),
    ("440", writes.download(NODE, "local01", "big-random.qcow2"), Accepted()),
    *[
        (
            n,
            reads.download_progress(NODE, "big-random.qcow2"),
            TransferProgress(status="downloading", progress_ratio=r),
        )
        for n, r in (("441_downloadprogress_0", 0.39), ("441_downloadprogress_2", 0.88))
    ],
    (
        "442",
        reads.images(NODE),
        ImageList(
            images=(
                Image("big-random.qcow2", 600 * MIB),
                Image("ubuntu-min.qcow2", 192 * 1024),
                Image("vm_45946_20261123104411.qcow2", 192 * 1024),
            )
        ),
    ),
    ("443", reads.download_progress(NODE, "nope.qcow2"), TransferProgress(status="done", progress_ratio=1.0)),
]

FAILED: Rows = [
    *[(n, reads.version(), Reason.REFUSED_LOCALLY) for n in ("002", "004", "005", "006", "007")],
    ("011", reads.node_list(), Reason.SERVER_ERROR),
    *[
        (n, reads.node_list(), Reason.REFUSED_LOCALLY)
        for n in ("012", "013", "022", "023", "024", "026", "027", "522", "525", "527")
    ],
    ("510", reads.node_list(), Reason.MALFORMED),
    ("512", reads.node_list(), Reason.MALFORMED),
    ("514", reads.node_list(), Reason.MALFORMED),
    *[(n, reads.node_config(NODE), Reason.UNKNOWN_NODE) for n in ("031", "517", "519", "520")],
    ("034", reads.node_config(MANAGER), Reason.REFUSED_BY_NODE),
    ("211", reads.node_config(MANAGER), Reason.REFUSED_BY_NODE),
    ("036", reads.node_config(NODE), Reason.REFUSED_LOCALLY),
    ("043", reads.peers(), Reason.REFUSED_LOCALLY),
    ("045", reads.peers(), Reason.REFUSED_LOCALLY),
    ("050", reads.version(), Reason.SERVER_ERROR),
    ("051", reads.version(), Reason.SERVER_ERROR),
    ("062", reads.session_id(NODE), Reason.AUTHORITY),
    ("063", reads.session_id(NODE), Reason.AUTHORITY),
    ("065", reads.session_id(NODE), Reason.UNKNOWN_NODE),
    ("072", reads.task_list(NODE), Reason.AUTHORITY),
    ("073", reads.task_list(NODE), Reason.AUTHORITY),
    ("074", reads.vm(NODE, "nosuchtask"), Reason.NOT_FOUND),
    ("077", reads.task_list(NODE), Reason.UNKNOWN_NODE),
    ("082", reads.centre_images("none"), Reason.REFUSED_LOCALLY),
    ("085", reads.image_servers(), Reason.REFUSED_LOCALLY),
    ("101", writes.delete_servers(MANAGER, [SERVER]), Reason.AUTHORITY),
    ("103", writes.delete_servers(MANAGER, [SERVER]), Reason.AUTHORITY),
    ("104", writes.delete_servers(MANAGER, [SERVER]), Reason.REFUSED_BY_NODE),
    ("105", writes.delete_servers(MANAGER, [SERVER]), Reason.AUTHORITY),
    ("107", writes.delete_servers(MANAGER, [SERVER]), Reason.REFUSED_LOCALLY),
    ("146", writes.delete_servers(MANAGER, [SERVER]), Reason.REFUSED_BY_NODE),
    ("130", STATUS, Reason.REFUSED_LOCALLY),
    ("131", STATUS, Reason.AUTHORITY),
    ("132", STATUS, Reason.AUTHORITY),
    ("137", STATUS, Reason.BMC),
    ("138", STATUS, Reason.BMC),
    ("140", STATUS, Reason.REFUSED_LOCALLY),
    ("144", STATUS, Reason.AUTHORITY),
    ("160", STATUS, Reason.AUTHORITY),
    ("162", STATUS, Reason.AUTHORITY),
    ("164", STATUS, Reason.NODE_TIMEOUT),
    ("220", STATUS, Reason.BMC),
    ("200", reads.node_config(NODE), Reason.NODE_TIMEOUT),
    ("633", reads.node_config(NODE), Reason.NODE_TIMEOUT),
    ("202", reads.node_config(NODE), Reason.WEDGED),
    ("203", reads.node_config(NODE), Reason.WEDGED),
    ("400", writes.create_vm(NODE, _spec(image_name="none.qcow2")), Reason.NOT_FOUND),
    ("401", writes.create_vm(NODE, _spec(image_name="none.qcow2")), Reason.NOT_FOUND),
    ("416", writes.start(NODE, TASK), Reason.REFUSED_BY_NODE),
    ("426", reads.disk_list(NODE, TASK), Reason.REFUSED_LOCALLY),
    ("427", reads.snapshot_list(NODE, TASK), Reason.REFUSED_LOCALLY),
    ("444", writes.download(NODE, "local01", "nope.qcow2"), Reason.NOT_FOUND),
    ("622", reads.node_config(NODE), Reason.ISOLATED),
]

# Looked at more closely below.
CLOSER = {
    "030", "032", "095", "430", "060", "061", "120", "102", "110", "111", "112", "222", "115", "405", "413",
    "425", "409",
}  # fmt: skip
NOT_OURS = {
    "008": "HEAD is never sent",
    "507": "requests are never pipelined",
}


def _recorded(number: str) -> captures.Recorded:
    return captures.one(number)


def _answer(number: str) -> RawAnswer:
    answer = _recorded(number).answer
    assert answer is not None
    return answer


@pytest.mark.parametrize(("number", "call", "fact"), UNDERSTOOD, ids=[row[0] for row in UNDERSTOOD])
def test_an_answer_becomes_the_fact(number: str, call: AnyCall, fact: Any) -> None:
    assert understand(call, _answer(number)) == fact


@pytest.mark.parametrize(("number", "call", "reason"), FAILED, ids=[row[0] for row in FAILED])
def test_a_failure_gets_its_reason_and_kind(number: str, call: AnyCall, reason: Reason) -> None:
    with pytest.raises(DbcError) as caught:
        understand(call, _answer(number))
    assert caught.value.reason is reason
    assert caught.value.kind == call.kind
    assert len(caught.value.said) <= 200


def test_every_recorded_answer_is_accounted_for() -> None:
    known = {row[0] for row in UNDERSTOOD + FAILED} | CLOSER | set(NOT_OURS)
    forgotten = [
        recorded.name
        for recorded in captures.every()
        if recorded.answer is not None and not {recorded.name, recorded.name[:3]} & known
    ]
    assert forgotten == []


AUTHORITY_FIELDS = {"session_id", "session_id_sign", "wallet", "nonce", "sign", "rent_order"}
# Requests that the recording made on purpose in a form we do not send.
OTHER_FORM = {
    "003": "POST where we GET", "009": "PUT", "010": "DELETE",
    "503": "raw", "506": "raw", "500": "raw", "513": "padded to 1 MiB", "087": "more parameters than needed",
    "441_downloadprogress_0": "more parameters than needed", "441_downloadprogress_2": "more parameters than needed",
    "443": "more parameters than needed", "170": "a quote in a description", "173": "another description",
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "call"),
    [(row[0], row[1]) for row in UNDERSTOOD if row[0] not in OTHER_FORM],
    ids=[row[0] for row in UNDERSTOOD if row[0] not in OTHER_FORM],
)
def test_our_request_is_the_one_the_real_server_answered(number: str, call: AnyCall) -> None:
    recorded = _recorded(number)
    body = recorded.body if isinstance(recorded.body, dict) else {}
    peers = [] if call.peer is None else [call.peer]
    if call.kind == "bare metal power":
        peers = body["peer_nodes_list"]  # several servers were asked; only the command matters here
    assert (recorded.method, recorded.path) == (call.method, call.path)
    if call.method == "POST":
        asked = {key: value for key, value in body.items() if key not in AUTHORITY_FIELDS}
        assert asked == {"peer_nodes_list": peers, "additional": dict(call.additional)}


def test_a_public_call_is_exactly_two_fields() -> None:
    assert request_body(reads.node_config(NODE)) == (
        b'{"peer_nodes_list":["' + NODE.encode() + b'"],"additional":{}}'
    )
    assert request_body(reads.node_list()) == b'{"peer_nodes_list":[],"additional":{}}'
    assert request_body(reads.version()) == b""


def test_a_node_configuration_in_full() -> None:
    assert understand(reads.node_config(NODE), _answer("030")) == NodeConfig(
        version="0.4.1.8",
        node_type="1",
        os="Debian GNU/Linux 12 (bookworm) 6.18.44-fc-v669 GNU/Linux",
        cpu_model="AMD EPYC",
        cpu_hertz=None,
        cpu_cores=1,
        cpu_sockets=1,
        cpu_usage_ratio=0.0352,
        gpus=0,
        gpus_used=0,
        memory_size_bytes=23.54 * GIB,
        memory_free_bytes=17.87 * GIB,
        memory_usage_ratio=0.241,
        system_disk_medium="HDD",
        system_disk_size_bytes=350 * GIB,
        disks=(Disk("/data", "HDD", 251.97 * GIB, 70.76 * GIB, 0.7192),),
        images=(Image("ubuntu-min.qcow2", 192 * 1024),),
    )


@pytest.mark.parametrize(("number", "usage"), [("032", 0.0352), ("095", 1.0), ("430", 0.5881)])
def test_a_node_configuration_under_load(number: str, usage: float) -> None:
    config = understand(reads.node_config(NODE), _answer(number))
    assert config.unreadable == ()
    assert config.cpu_cores == 1
    assert config.cpu_usage_ratio == usage


@pytest.mark.parametrize("number", ["060", "061", "120"])
def test_a_session_id_stays_secret(number: str) -> None:
    session = understand(reads.session_id(NODE), _answer(number))
    assert isinstance(session, SecretStr)
    assert len(session.get_secret_value()) == 55
    assert session.get_secret_value() not in repr(session)


def test_added_servers_get_ids() -> None:
    added = understand(writes.add_servers(MANAGER, [_server_spec()]), _answer("102"))
    assert added[0] == AddedServer(SERVER, "uuid-bm-1")
    assert len(added) == 5


def _server_spec() -> ServerSpec:
    return ServerSpec(
        uuid="u", ip="192.0.2.1", os="o", description="d", ipmi_hostname="192.0.2.2",
        ipmi_username=SecretStr("u"), ipmi_password=SecretStr("p"),
    )  # fmt: skip


def test_the_clients_list_of_servers() -> None:
    listed = understand(reads.bare_metal_ids(), _answer("110"))
    assert len(listed.nodes) == 6
    assert {node.name for node in listed.nodes} == {"real-baremetal"}


@pytest.mark.parametrize("number", ["111", "112", "222"])
def test_a_managers_list_is_read_masked_or_not_and_keeps_no_key(number: str) -> None:
    listed = understand(reads.bare_metal_list(MANAGER), _answer(number))
    assert isinstance(listed, BareMetalList)
    by_uuid = {server.uuid: server for server in listed.servers}
    assert by_uuid["uuid-bm-1"].node_id == SERVER
    assert by_uuid["uuid-bm-1"].os == "Windows 10"
    assert {server.power_said for server in listed.servers} == {False}
    assert listed.unreadable == ()


def test_one_server_comes_with_its_power() -> None:
    server = understand(reads.bare_metal_server(MANAGER, "uuid-bm-1"), _answer("115"))
    assert server is not None
    assert (server.node_id, server.power, server.power_said) == (SERVER, PowerState.OFF, True)


@pytest.mark.parametrize(
    ("number", "task", "state"),
    [
        ("405", FIRST_TASK, TaskState.CREATING),
        ("413", TASK, TaskState.RUNNING),
        ("425", TASK, TaskState.SHUTTING_DOWN),
    ],
)
def test_a_vm_with_its_disks_and_without_its_passwords(number: str, task: str, state: TaskState) -> None:
    vm = understand(reads.vm(NODE, task), _answer(number))
    assert isinstance(vm, Vm)
    assert vm.state is state
    assert (vm.cpu_cores, vm.gpus, vm.memory_bytes) == (1, 0, GIB)
    assert vm.disks == (VmDisk("vda", 350 * GIB), VmDisk("vdb", 2 * GIB))
    assert (vm.rent_order, vm.credentials_set, vm.unreadable) == ("101", True, ())


def test_log_lines_stay_secret() -> None:
    lines = understand(reads.logs(NODE, FIRST_TASK), _answer("409"))
    assert len(lines) > 1
    assert "rent order: 101" in lines[0].get_secret_value()
    assert "rent order" not in repr(lines)


ALL = [
    *UNDERSTOOD,
    ("030", reads.node_config(NODE), None),
    ("110", reads.bare_metal_ids(), None),
    ("111", reads.bare_metal_list(MANAGER), None),
    ("112", reads.bare_metal_list(MANAGER), None),
    ("115", reads.bare_metal_server(MANAGER, "uuid-bm-1"), None),
    ("405", reads.vm(NODE, FIRST_TASK), None),
    ("413", reads.vm(NODE, TASK), None),
    ("425", reads.vm(NODE, TASK), None),
    ("409", reads.logs(NODE, FIRST_TASK), None),
    ("060", reads.session_id(NODE), None),
]


@pytest.mark.parametrize(("number", "call"), [row[:2] for row in ALL], ids=[row[0] for row in ALL])
def test_no_fact_shows_a_secret_of_its_answer(number: str, call: AnyCall) -> None:
    answer = _answer(number)
    shown = repr(understand(call, answer))
    # One BMC's password is "wrong", a word that its server's description has as well: six characters at least.
    secrets = {secret for secret in captures.secrets_in(captures.decoded(answer.body)) if len(secret) >= 6}
    assert [secret for secret in secrets if secret in shown] == []
