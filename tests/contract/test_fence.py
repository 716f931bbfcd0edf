"""The fence: one nonce in two requests tells whether the first of them reached its node, and when that is unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from pydantic import SecretStr

from dbc_exporter.collectors.orders import BELIEVED_SECONDS, OrderBook
from dbc_exporter.dbc import reads, writes
from dbc_exporter.dbc.actuation import Sender
from dbc_exporter.dbc.authority import Credential, WalletSigner, fresh_nonce
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.failures import chain_silent, kept_by_client, nonce_refused, not_rented
from dbc_exporter.dbc.gate import Gate
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.simulator.bare_metal import ManagerNode
from dbc_exporter.simulator.bare_metal_server import BareMetalServer
from dbc_exporter.simulator.bmc import Bmc, BmcNetwork
from dbc_exporter.simulator.chain import Order
from dbc_exporter.simulator.compute import ComputeNode
from dbc_exporter.simulator.timing import Timing
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.simulator.vm import SHUT_OFF, Vm
from dbc_exporter.simulator.world import World
from dbc_exporter.targets import Kind, Target
from tests.virtual import virtually
from tests.world_transport import WorldTransport

NODE, MANAGER, SERVER, OTHER_SERVER = ("a" * 64, "c" * 64, "d" * 64, "e" * 64)
TASK = "Task1"
RENTED = Target(NODE, credential="renter")
BARE_METAL = Target(SERVER, Kind.SERVER, manager=MANAGER, credential="renter")
OUTAGE_SECONDS = 12.0
BACK_SECONDS = 30.0  # a restarted process is announced and heard of again within this time
N, CANARY = ("nonce-of-the-action", "nonce-of-the-canary")


class Lab:
    """One rented node with a VM, two rented servers behind a manager, signatures checked, and our sender."""

    def __init__(self, clock: LoopClock, deadline_seconds: float) -> None:
        timing = Timing(chain_outage_answer=(OUTAGE_SECONDS, OUTAGE_SECONDS))
        self.world = World(clock=clock, seed=3, timing=timing)
        self.signer = WalletSigner("renter", SecretStr("//Alice"))
        (self.wallet,) = self.signer.addresses()
        node = ComputeNode(NODE)
        self.vm = node.vms[TASK] = Vm(TASK, self.wallet)
        self.host = self.world.add_node(node)
        self._add_servers()
        for machine in (NODE, SERVER, OTHER_SERVER):
            self.world.chain.rent(machine, Order(self.wallet, self.wallet))
        self.sim = self.world.add_client("client")
        self.client = DbcClient(
            "client",
            WorldTransport(self.sim),
            Gate(clock, set()),
            clock,
            deadline_seconds=deadline_seconds,
        )
        self.credentials: dict[str, Credential] = {"renter": self.signer}
        book = OrderBook(clock, {"renter": self.signer.addresses()})
        self.pool = Pool([self.client], clock, self.credentials, orders=book)
        self.sender = Sender(self.pool)
        self.written = 0

    def _add_servers(self) -> None:
        bmcs = BmcNetwork()
        bmcs.plug_in("192.0.2.1", 623, Bmc(password="pw"))
        servers = [
            BareMetalServer(
                server,
                f"uuid-{server[0]}",
                private_key="ab" * 32,
                ipmi_hostname="192.0.2.1",
                ipmi_username="admin",
                ipmi_password="pw",
                ipmi_port=623,
            )
            for server in (SERVER, OTHER_SERVER)
        ]
        self.world.add_node(ManagerNode(MANAGER, "manager", bmcs, servers))

    async def aclose(self) -> None:
        await self.client.aclose()
        for host in self.world.hosts.values():
            host.kill()

    async def write(self) -> None:
        self.written += 1

    async def restart(self, nonce: str | None = N) -> object:
        return await self.sender.order(writes.restart(NODE, TASK, force=True), RENTED, nonce, self.write)

    async def list_tasks(self, nonce: str) -> object:
        return await self.sender.signed_read(reads.task_list(NODE), RENTED, nonce)

    async def refused(self, nonce: str) -> bool:
        """Tell whether a read with this nonce is refused for it; any other failure is raised."""
        try:
            await self.list_tasks(nonce)
        except DbcError as error:
            if not nonce_refused(error):
                raise
            return True
        return False

    async def failure(self, awaitable: Awaitable[object]) -> DbcError:
        with pytest.raises(DbcError) as caught:
            await awaitable
        return caught.value

    async def carried_out(self) -> list[tuple[str, str]]:
        """Let the nodes finish, then give what they did, and under which nonce."""
        await asyncio.sleep(BACK_SECONDS)
        return [(one.action, one.nonce) for one in self.world.ledger.executed]


def played(story: Callable[[Lab], Awaitable[None]], *, deadline_seconds: float = 37.0) -> None:
    async def play(clock: LoopClock) -> None:
        lab = Lab(clock, deadline_seconds)
        await lab.client.refresh()
        await story(lab)
        await lab.aclose()

    virtually(play)


def test_a_nonce_that_a_read_used_refuses_the_write_after_it() -> None:
    async def story(lab: Lab) -> None:
        lab.vm.power(on=False)
        await lab.list_tasks(N)
        error = await lab.failure(lab.sender.order(writes.start(NODE, TASK), RENTED, N, lab.write))
        assert nonce_refused(error)
        assert (error.reason, error.sent, kept_by_client(error)) == (Reason.AUTHORITY, True, False)
        assert await lab.carried_out() == []
        assert lab.vm.domain == SHUT_OFF

    played(story)


def test_a_nonce_that_a_write_used_refuses_the_read_after_it() -> None:
    async def story(lab: Lab) -> None:
        lab.vm.power(on=False)
        await lab.sender.order(writes.start(NODE, TASK), RENTED, N, lab.write)
        assert await lab.refused(N)
        assert await lab.carried_out() == [("start", N)]
        assert lab.vm.reachable

    played(story)


@pytest.mark.parametrize(
    ("deadline_seconds", "reason"), [(37.0, Reason.NODE_TIMEOUT), (20.0, Reason.OWN_DEADLINE)]
)
def test_a_write_that_a_frozen_node_took_is_found_out_when_it_thaws(
    deadline_seconds: float, reason: Reason
) -> None:
    async def story(lab: Lab) -> None:
        await lab.list_tasks(CANARY)
        lab.host.freeze()
        error = await lab.failure(lab.restart())
        assert (error.reason, error.sent, kept_by_client(error)) == (reason, True, False)
        assert await lab.carried_out() == []
        lab.host.thaw()
        assert await lab.refused(N), "it had arrived"
        assert not await lab.refused(fresh_nonce())
        assert await lab.carried_out() == [("force_reboot", N)]
        assert lab.written == 1
        assert lab.client.unanswered == 0, "the late answer, or the time-out, gave the session back"

    played(story, deadline_seconds=deadline_seconds)


def test_a_write_that_the_client_refused_never_arrived_nor_ever_will() -> None:
    async def story(lab: Lab) -> None:
        await lab.list_tasks(CANARY)
        lab.sim.restart()  # it has heard of no node yet
        error = await lab.failure(lab.restart())
        assert (error.reason, error.sent, kept_by_client(error)) == (Reason.UNKNOWN_NODE, True, True)
        await asyncio.sleep(BACK_SECONDS)
        await lab.client.refresh()
        assert not await lab.refused(N)
        assert await lab.refused(CANARY), "it is the same process"
        assert not await lab.refused(fresh_nonce())
        assert nonce_refused(await lab.failure(lab.restart())), "and it can arrive no more"
        assert await lab.carried_out() == []

    played(story)


def test_a_write_that_a_wedged_client_refused_never_arrived() -> None:
    async def story(lab: Lab) -> None:
        await lab.list_tasks(CANARY)
        lab.sim.wedge()
        error = await lab.failure(lab.restart())
        assert (error.reason, error.sent, kept_by_client(error)) == (Reason.WEDGED, True, True)
        held_back = await lab.failure(lab.restart())
        assert (held_back.reason, held_back.sent) == (Reason.NOT_SENT, False)
        lab.sim.restart()
        await asyncio.sleep(BACK_SECONDS)
        await lab.client.refresh()
        assert await lab.pool.probe(lab.client, NODE)
        assert not await lab.refused(N)
        assert await lab.refused(CANARY)
        assert await lab.carried_out() == []

    played(story)


def test_a_write_sent_to_a_client_that_died_with_it_may_have_arrived() -> None:
    async def story(lab: Lab) -> None:
        await lab.list_tasks(CANARY)
        lab.host.freeze()
        sending = asyncio.ensure_future(lab.restart())
        await asyncio.sleep(1)
        lab.sim.restart()
        error = await lab.failure(sending)
        assert (error.reason, error.sent, kept_by_client(error)) == (Reason.UNREACHABLE, True, False)
        lab.host.thaw()
        await asyncio.sleep(BACK_SECONDS)
        await lab.client.refresh()
        assert await lab.refused(N), "it had arrived"
        assert await lab.carried_out() == [("force_reboot", N)]

    played(story)


def test_a_restarted_node_has_forgotten_every_nonce_which_the_canary_tells() -> None:
    async def story(lab: Lab) -> None:
        await lab.list_tasks(CANARY)
        await lab.restart()
        assert await lab.refused(N)
        lab.host.restart()
        await asyncio.sleep(BACK_SECONDS)
        await lab.client.refresh()
        assert not await lab.refused(N), "which alone would say that the write never arrived"
        assert not await lab.refused(CANARY), "but the process is another one"
        assert await lab.refused(N)
        assert await lab.refused(CANARY)

    played(story)


def test_what_a_killed_client_is_not_sent_is_known_as_not_sent() -> None:
    async def story(lab: Lab) -> None:
        await lab.list_tasks(CANARY)
        lab.sim.kill()
        error = await lab.failure(lab.restart())
        assert (error.reason, error.sent, lab.written) == (Reason.UNREACHABLE, False, 1)

    played(story)


async def _chain_gone(lab: Lab) -> None:
    lab.world.chain.outage = True


async def _reported_offline(lab: Lab) -> None:
    lab.world.chain.machine(NODE).status = "stakerReportOffline"


async def _not_rented_any_more(lab: Lab) -> None:
    lab.world.chain.machine(NODE).status = "online"


async def _rented_to_somebody_else(lab: Lab) -> None:
    lab.world.chain.machine(NODE).orders = [Order("other", "other")]


async def _bad_session(lab: Lab) -> None:
    lab.credentials["renter"] = lab.signer.session(SecretStr("no session of this node"))


@pytest.mark.parametrize(
    ("trouble", "said", "yes"),
    [
        (_chain_gone, "query machine_status failed", chain_silent),
        (_reported_offline, "query machine_status failed", chain_silent),
        (_not_rented_any_more, "machine is not be rented", not_rented),
        (_rented_to_somebody_else, "wallet not rented", not_rented),
        (_bad_session, "session_id is invalid", None),
    ],
)
def test_refusals_for_other_reasons_are_not_taken_for_a_used_nonce(
    trouble: Callable[[Lab], Awaitable[None]], said: str, yes: Callable[[DbcError], bool] | None
) -> None:
    async def story(lab: Lab) -> None:
        await lab.list_tasks(CANARY)
        await trouble(lab)
        nonce = None if trouble is _bad_session else N
        error = await lab.failure(lab.restart(nonce))
        assert error.said == f"check authority failed: {said}"
        questions = (nonce_refused, chain_silent, not_rented)
        assert [question for question in questions if question(error)] == ([] if yes is None else [yes])
        assert error.sent
        assert await lab.carried_out() == []

    played(story)


def test_an_ended_order_is_known_before_anything_is_sent() -> None:
    async def story(lab: Lab) -> None:
        await lab.list_tasks(CANARY)
        lab.world.chain.machine(NODE).orders[0].rent_status = "rentExpired"
        await asyncio.sleep(BELIEVED_SECONDS + 1)
        error = await lab.failure(lab.restart())
        assert (error.reason, error.sent, lab.written) == (Reason.NOT_SENT, False, 0)

    played(story)


def test_a_servers_nonces_are_its_managers() -> None:
    async def story(lab: Lab) -> None:
        power = writes.power(SERVER, "reset")
        taken = await lab.sender.order(power, BARE_METAL, N, lab.write)
        assert taken.acknowledged
        asked = lab.sender.signed_read(reads.power_status(SERVER), BARE_METAL, N)
        assert nonce_refused(await lab.failure(asked))
        neighbour = Target(OTHER_SERVER, Kind.SERVER, manager=MANAGER, credential="renter")
        asked = lab.sender.signed_read(reads.power_status(OTHER_SERVER), neighbour, N)
        assert nonce_refused(await lab.failure(asked))
        await lab.sender.signed_read(reads.power_status(SERVER), BARE_METAL, fresh_nonce())
        assert await lab.carried_out() == [("power reset", N)]

    played(story)
