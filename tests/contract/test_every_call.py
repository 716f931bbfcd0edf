# ruff: noqa: T201 -- the tables are printed to be read
"""Every documented call over a socket: typed call, exact body, who answers in the simulator, what came back.

The table is printed, because it is meant to be read: what a change of a call changes on the wire shows here.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from pydantic import SecretStr

from dbc_exporter.dbc import reads
from dbc_exporter.dbc.authority import Credential, ManagerKey, MultisigSigner, SessionCredential, WalletSigner
from dbc_exporter.dbc.calls import Authority, ReadCall
from dbc_exporter.dbc.envelope import open_envelope, request_body, understand
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.inventory import (
    EXAMPLE_CENTRE,
    EXAMPLE_FILE,
    EXAMPLE_MANAGER,
    EXAMPLE_NODE,
    EXAMPLE_SERVER,
    EXAMPLE_TASK,
    AnyCall,
    DocumentedCall,
    all_calls,
)
from dbc_exporter.dbc.transport import HttpTransport
from dbc_exporter.simulator import routing
from dbc_exporter.simulator.chain import Order
from dbc_exporter.simulator.fleet import Fleet
from dbc_exporter.simulator.run import simulator
from dbc_exporter.simulator.scenario import Scenario
from dbc_exporter.simulator.vm import Disk, Snapshot, Vm
from tests.contract.recorded import read as read_recording
from tests.shared import CAPTURES

GIB = 1 << 30
SECRET = re.compile(r'("(?:sign|nonce|session_id|session_id_sign|ipmi_\w+|password)": ?)"[^"]*"')
CLOSED = {"VM start", "VM modify", "disk resize", "disk add", "disk delete", "snapshot create"}
FIRST_CHECKED_LAST = ("VM delete", "image delete", "bare metal delete")
VERBS = ("add", "delete", "modify", "power", "bootdev", "start", "list", "set", "create")
# the server answers these two with a failure by design: see docs/truth.md and the inventory
REFUSED_BY_DESIGN = {"bare metal bootdev": -3}
SCENARIO = {
    "version": 1,
    "seed": 5,
    "time_factor": 0.001,
    "image_servers": [{"name": EXAMPLE_CENTRE, "images": [{"name": EXAMPLE_FILE, "size": "1G"}]}],
    "compute": [{"count": 1, "images": [{"name": EXAMPLE_FILE}], "rented_by": {"wallet": "renter"}}],
    "managers": [{"count": 1, "servers": [{"count": 2, "rented_by": {"wallet": "renter"}}]}],
    "latency": {"public": 0.001, "bmc": 0.001, "power_on": 0, "power_off": 0},
}


@dataclass
class Bench:
    """A served simulated network and everything needed to call it."""

    fleet: Fleet
    transport: HttpTransport
    renter: WalletSigner
    manager: ManagerKey
    ids: dict[str, str]

    def real(self, value: Any) -> Any:
        """Put the network's ids in place of the examples'."""
        if isinstance(value, str):
            for example, real in self.ids.items():
                value = value.replace(example, real)
            return value
        if isinstance(value, dict):
            return {key: self.real(one) for key, one in value.items()}
        return [self.real(one) for one in value] if isinstance(value, list | tuple) else value

    def call(self, example: AnyCall) -> AnyCall:
        return replace(
            example,
            path=self.real(example.path),
            peer=self.real(example.peer),
            additional=self.real(dict(example.additional)),
        )

    def credential(self, call: AnyCall) -> Credential | None:
        if call.authority is Authority.NONE:
            return None
        return self.manager if call.authority is Authority.MANAGER else self.renter

    def vm(self) -> Vm:
        """Return the example VM, made anew if it is gone."""
        vms = self.fleet.compute[0].subject.vms
        if EXAMPLE_TASK not in vms:
            disks = {name: Disk(name, GIB, f"/data/{name}.qcow2") for name in ("vda", "vdb", "vdc")}
            wallet = self.fleet.wallets["renter"].wallet
            vms[EXAMPLE_TASK] = Vm(
                EXAMPLE_TASK, wallet, disks=disks, port="5999", vnc_port="5999", image_name=EXAMPLE_FILE
            )
            vms[EXAMPLE_TASK].log.append("2026-11-24 10:00:00 | info | created")
            vms[EXAMPLE_TASK].snapshots["before-update"] = Snapshot("before-update", "", "s.qcow2", 0.0)
        vm: Vm = vms[EXAMPLE_TASK]
        return vm

    def prepare(self, name: str) -> None:
        """Bring the VM into the state a call is for."""
        vm = self.vm()
        closed = name in CLOSED
        vm.status, vm.domain = ("closed", "shut_off") if closed else ("running", "running")
        if name == "snapshot create":
            vm.snapshots.clear()
        server = self.fleet.servers[0].subject[1]
        bmc = self.fleet.bmcs.find(server.ipmi_hostname, server.ipmi_port)
        bmc.powered, bmc._pending = True, None

    async def send(
        self, call: AnyCall, credential: Credential | None, **options: Any
    ) -> tuple[str, Any, RawAnswer]:
        """Make a call; return its body, the fact or error, and the raw answer."""
        body = request_body(call, credential, **options)
        raw = await self.transport.send(call.method, call.path, body, deadline_seconds=20)
        try:
            return body.decode(), understand(call, raw), raw
        except DbcError as error:
            return body.decode(), error, raw


def bench(test: Callable[[Bench], Any]) -> Any:
    """Serve a network on loopback and run a test against it."""

    async def run() -> Any:
        async with simulator(Scenario.model_validate(SCENARIO)) as running:
            fleet = running.fleet
            transport = HttpTransport(next(iter(running.clients.values())))
            manager_id = fleet.managers[0].id
            one = Bench(
                fleet,
                transport,
                WalletSigner("renter", SecretStr(fleet.wallets["renter"].seed)),
                ManagerKey("manager", manager_id, SecretStr(fleet.manager_keys[manager_id].seed)),
                {
                    EXAMPLE_NODE: fleet.compute[0].id,
                    EXAMPLE_MANAGER: manager_id,
                    EXAMPLE_SERVER: fleet.servers[0].id,
                },
            )
            try:
                return await test(one)
            finally:
                await transport.aclose()

    return asyncio.run(run())


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    extra: bool
    typed: str
    path: str
    body: str
    handler: str
    status: int
    errcode: int | None
    answer: Any
    capture: str


@dataclass(frozen=True)
class Recording:
    """A recorded request: whether a node was asked, and whether it got what it wanted."""

    number: str
    verb: str
    path: str
    asks_node: bool
    succeeded: bool


@cache
def recordings() -> tuple[Recording, ...]:
    """Return every recorded request, the successful ones first."""
    found = []
    for file in sorted(CAPTURES.glob("*.txt")) if CAPTURES.is_dir() else ():
        recorded = read_recording(file)
        words = recorded.request.decode("latin-1").split(" ", 2) if recorded is not None else []
        if recorded is not None and len(words) == 3:
            asks_node = re.search(rb'"peer_nodes_list": ?\["', recorded.request) is not None
            succeeded = re.search(rb'"errcode": ?0,', recorded.answer) is not None
            path = words[1].partition("?")[0]
            found.append(Recording(recorded.number, words[0], path, asks_node, succeeded))
    return tuple(sorted(found, key=lambda recording: not recording.succeeded))


def capture_of(call: AnyCall) -> str:
    """Return the number of a recording of the same request, ids aside, or a dash."""
    an_id = rf"(?!(?:{'|'.join(VERBS)})$)[^/]+"
    shape = re.sub(
        rf"{EXAMPLE_TASK}|[0-9a-f]{{64}}|rack1-server1", lambda _: an_id, call.path.partition("?")[0]
    )
    for recording in recordings():
        same_kind = recording.verb == call.method and recording.asks_node == (call.peer is not None)
        if same_kind and re.fullmatch(shape, recording.path):
            return recording.number
    return "-"


def handler_of(call: AnyCall, node: object) -> str:
    """Return who answers a request in the simulator."""
    route = routing.find(call.path)
    if route.endpoint is None or call.peer is None:
        return "ClientNode (from memory)"
    return f"{type(node).__name__}, {route.endpoint.kind!r}"


async def every_call(one: Bench) -> list[Row]:
    """Make every form of every call, destructive ones last."""
    calls = sorted(all_calls(), key=lambda documented: documented.name in FIRST_CHECKED_LAST)
    return [await _row(one, documented, form) for documented in calls for form in documented.forms]


async def _row(one: Bench, documented: DocumentedCall, form: AnyCall) -> Row:
    one.prepare(documented.name)
    call = one.call(form)
    body, answer, raw = await one.send(call, one.credential(call))
    opened = open_envelope(raw.body)
    manager = call.peer in {one.fleet.managers[0].id, one.fleet.servers[0].id}
    node = (one.fleet.managers if manager else one.fleet.compute)[0].subject
    return Row(
        documented.name,
        documented.extra,
        f"{'read' if isinstance(call, ReadCall) else 'write'} {call.kind or 'local'}",
        form.path,
        SECRET.sub(r'\1"..."', body),
        handler_of(call, node),
        raw.status,
        opened[0] if opened else None,
        answer,
        capture_of(form),
    )


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> list[Row]:
    """Make every call once and print the table."""
    made: list[Row] = bench(every_call)
    with _visible(request):
        print("\ndocumented call | typed call | path | body | simulator | HTTP | errcode | recording")
        for row in made:
            name = f"{row.name} (extra)" if row.extra else row.name
            cells = (
                name,
                row.typed,
                row.path,
                row.body,
                row.handler,
                str(row.status),
                str(row.errcode),
                row.capture,
            )
            print(" | ".join(cells))
    return made


@contextmanager
def _visible(request: pytest.FixtureRequest) -> Iterator[None]:
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        yield


def test_the_document_has_37_calls(rows: list[Row]) -> None:
    assert len({row.name for row in rows if not row.extra}) == 37


def test_every_call_is_answered_by_its_handler_and_understood(rows: list[Row]) -> None:
    odd = {
        (row.name, row.path): (row.errcode, row.answer)
        for row in rows
        if row.errcode != REFUSED_BY_DESIGN.get(row.name, 0) or isinstance(row.answer, DbcError)
    }
    assert odd == {}


def test_no_body_shows_a_secret_in_the_table(rows: list[Row]) -> None:
    for row in rows:
        assert not re.search(r"[0-9a-f]{128}", row.body), row.name


def test_bodies_are_what_the_server_can_survive(rows: list[Row]) -> None:
    for row in rows:
        if row.body:
            body = json.loads(row.body)
            assert all(isinstance(peer, str) for peer in body["peer_nodes_list"])
            assert isinstance(body["additional"], dict)


# -- authority ---------------------------------------------------------------------------------------------


async def three_forms(one: Bench) -> dict[str, str]:
    """Try each form of authority, right and wrong; return what the simulated node said."""
    node = one.fleet.compute[0].id
    call = reads.task_list(node)
    said: dict[str, str] = {}

    async def attempt(name: str, credential: Credential, **options: Any) -> Any:
        _, answer, _ = await one.send(call, credential, **options)
        if isinstance(answer, DbcError):
            said[name] = f"refused ({answer.reason.value}): {answer.said}"
        else:
            said[name] = "accepted"
        return answer

    stranger = WalletSigner("stranger", SecretStr("77" * 32))
    await attempt("wallet", one.renter, nonce="used-once")
    await attempt("wallet, the same nonce again", one.renter, nonce="used-once")
    await attempt("wallet without an order", stranger)
    await attempt("wallet, another's signature", _Forged(one.renter, stranger))

    members = [SecretStr(f"{n:02x}" * 32) for n in (1, 2, 3)]
    wallets = [next(iter(WalletSigner("m", secret).addresses())) for secret in members]
    both = MultisigSigner("both", wallets, 2, members[:2])
    await attempt("multisig without an order", both)
    one.fleet.world.chain.rent(node, Order("7", next(iter(both.addresses()))))
    await attempt("multisig", both, rent_order="7")
    await attempt("multisig, one of two signatures", _BelowThreshold(both), rent_order="7")

    _, session, _ = await one.send(reads.session_id(node), one.renter)
    await attempt("session", one.renter.session(session))
    wrong = SessionCredential("wrong", SecretStr("no such session"), SecretStr("00" * 64))
    await attempt("session nobody has", wrong)
    forged = SessionCredential("forged", session, SecretStr("00" * 64))
    await attempt("session, another's signature", forged)
    return said


class _Altered:
    """A credential whose fields were changed on the way."""

    can_fence = False

    def __init__(self, inner: Credential) -> None:
        self._inner = inner
        self.name = inner.name
        self.serves = inner.serves

    def addresses(self) -> frozenset[str]:
        return self._inner.addresses()

    def sign(self, *, nonce: str | None = None) -> dict[str, Any]:
        return self.alter(self._inner.sign(nonce=nonce))

    def alter(self, fields: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


class _Forged(_Altered):
    """A wallet with another wallet's signature."""

    def __init__(self, inner: Credential, other: Credential) -> None:
        super().__init__(inner)
        self._other = other

    def alter(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "sign": self._other.sign(nonce=fields["nonce"])["sign"]}


class _BelowThreshold(_Altered):
    """A multisig account of which too few signed."""

    def alter(self, fields: dict[str, Any]) -> dict[str, Any]:
        accounts = fields["multisig_accounts"]
        return {"multisig_accounts": {**accounts, "signs": accounts["signs"][:1]}}


def test_each_form_of_authority_is_accepted_and_refused(request: pytest.FixtureRequest) -> None:
    said: dict[str, str] = bench(three_forms)
    with _visible(request):
        print("\nauthority")
        for name, answer in said.items():
            print(f"  {name}: {answer}")
    accepted = {name for name, answer in said.items() if answer == "accepted"}
    assert accepted == {"wallet", "multisig", "session"}
    refused = {answer for answer in said.values() if answer != "accepted"}
    assert all(answer.startswith(f"refused ({Reason.AUTHORITY.value})") for answer in refused)
