"""The situations of the recorded exchanges, set up in a simulated world, and the replay over sockets."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from substrateinterface import Keypair

from dbc_exporter.clock import SystemClock
from dbc_exporter.simulator.bare_metal import ManagerNode
from dbc_exporter.simulator.bare_metal_server import BareMetalServer
from dbc_exporter.simulator.bmc import Bmc, BmcNetwork
from dbc_exporter.simulator.chain import Order
from dbc_exporter.simulator.client import ClientNode
from dbc_exporter.simulator.compute import ComputeNode
from dbc_exporter.simulator.hardware import GIB, DataDisk, Hardware
from dbc_exporter.simulator.server import ClientServer
from dbc_exporter.simulator.timing import Timing
from dbc_exporter.simulator.world import World
from tests.contract.recorded import Recorded, differences, parts, undated

SCALE = 1 / 20
"""Waits of the real server (30 s time-out, 10 s for a dead BMC, gossip) are this much shorter here."""
SILENCE = 60 * SCALE
MINING = "daed3455ec543b3e059c47b251523da290476b0a6bc5721c2607425143ea2c4c"
MANAGER = "6cf01130f2c75905c9c6a0c57aa77cae2441d0234cc3221b2c2f972be371344a"
KIB = 1024


@dataclass
class Lab:
    """The simulated network of the recordings, its two HTTP ports, and what it calls the recorded ids."""

    world: World
    node: ComputeNode
    manager: ManagerNode
    bmcs: BmcNetwork
    ports: dict[int, ClientServer] = field(default_factory=dict)
    called: dict[bytes, bytes] = field(default_factory=dict)
    renter: Keypair = field(default_factory=lambda: Keypair.create_from_uri("//Alice"))

    @property
    def client(self) -> ClientNode:
        return self.world.clients["client"]

    @property
    def second(self) -> ClientNode:
        return self.world.clients["client2"]

    def server(self, uuid: str) -> BareMetalServer:
        return next(server for server in self.manager.servers.values() if server.uuid == uuid)


async def open_lab() -> Lab:
    """Build the network as it was when the recording began."""
    timing = Timing(
        request_timeout=30 * SCALE,
        timeout_tick=0.01,
        announce_every=10 * SCALE,
        forget_after=300 * SCALE,
        peers_after_start=3 * SCALE,
        public_answer=0.002,
        chain_outage_answer=(40 * SCALE, 40 * SCALE),
        transfer_bytes_per_second=1e6,
    )
    world = World(clock=SystemClock(), seed=1, time_factor=0.001, timing=timing)
    node = ComputeNode(MINING, name="real-mining", machine=_machine())
    node.images.files["ubuntu-min.qcow2"] = 192 * KIB
    world.image_servers["local01"] = {"debian12-min.qcow2": 192 * KIB, "big-random.qcow2": 600 * KIB * KIB}
    bmcs = BmcNetwork()
    for port, password in ((9621, "secret1"), (9622, "secret2"), (9623, "secret3")):
        bmcs.plug_in(
            "127.0.0.1", port, Bmc(password=password, refused_seconds=8 * SCALE, latency_seconds=0.002)
        )
    bmcs.plug_in("127.0.0.1", 9999, Bmc(reachable=False, unreachable_seconds=10 * SCALE))
    bmcs.find("127.0.0.1", 9621).powered = False
    lab = Lab(world, node, ManagerNode(MANAGER, "real-baremetal", bmcs), bmcs)
    world.add_node(node)
    world.add_node(lab.manager)
    world.chain.rent(MINING, Order(lab.renter.ss58_address, lab.renter.ss58_address, rent_end=3_100_108))
    for port, name in ((5102, "client"), (5132, "client2")):
        lab.ports[port] = ClientServer(world.add_client(name), idle_seconds=30 * SCALE)
        await lab.ports[port].open()
    return lab


async def close_lab(lab: Lab) -> None:
    """Stop listening and end the manager's own rounds."""
    for server in lab.ports.values():
        await server.close()
    lab.manager.stop()
    for host in lab.world.hosts.values():
        host.kill()


def _machine() -> Hardware:
    return Hardware(
        os="Debian GNU/Linux 12 (bookworm) 6.18.44-fc-v669 GNU/Linux",
        public_ip="127.0.0.9",
        cpu_type="AMD EPYC",
        cpu_hz="",
        cpu_cores=1,
        sockets=1,
        cpu_usage=0.0352,
        gpus=0,
        memory=int(23.54 * GIB),
        memory_free=int(17.87 * GIB),
        disks=[DataDisk(size=int(251.97 * GIB), available=int(70.76 * GIB), rotating=True)],
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for the world to get somewhere."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the world has no event for everything a test may wait for
            await asyncio.sleep(0.002)


# -- what happened between the recorded exchanges, by the name of the exchange it happened before


async def _before_110(lab: Lab) -> None:
    """The manager's own port had added one more server, and gossip had told the client of all of them."""
    copy = lab.server("uuid-bm-1")
    lab.manager.servers["2a" + "b" * 62] = BareMetalServer(
        "2a" + "b" * 62,
        "uuid-local-1",
        private_key="c" * 64,
        ip=copy.ip,
        os=copy.os,
        description=copy.description,
        ipmi_hostname=copy.ipmi_hostname,
        ipmi_username=copy.ipmi_username,
        ipmi_password=copy.ipmi_password,
        ipmi_port=copy.ipmi_port,
    )
    lab.world.hosts[MANAGER].addresses_changed()
    for server in lab.manager.servers.values():
        lab.world.chain.rent(server.node_id, Order(lab.renter.ss58_address, lab.renter.ss58_address))
    await until(lambda: all(lab.client.sees(lab.world.addresses[i]) for i in lab.manager.servers))


async def _freeze(lab: Lab) -> None:
    lab.world.hosts[MINING].freeze()


async def _before_202(lab: Lab) -> None:
    """1,300 requests at once had been sent to the frozen node."""
    lab.client.wedge()


async def _before_210(lab: Lab) -> None:
    """Client and node had been restarted, then the node frozen again."""
    await _restart_all(lab)
    await _freeze(lab)


async def _before_220(lab: Lab) -> None:
    await _restart_all(lab)


async def _restart_all(lab: Lab) -> None:
    lab.world.hosts[MINING].restart()
    lab.client.restart()
    await lab.ports[5102].opened()
    await until(lambda: _listed(lab, MINING) and all(_listed(lab, i) for i in lab.manager.servers))


def _listed(lab: Lab, node_id: str) -> bool:
    return lab.client.sees(lab.world.addresses[node_id]) == lab.world.addresses[node_id].host.incarnation


async def _before_095(lab: Lab) -> None:
    """A machine with a (stand-in) GPU and a large disk now."""
    lab.node.hardware.gpus = 1
    lab.node.hardware.cpu_usage = 1.0
    lab.node.hardware.memory_free = int(17.11 * GIB)
    lab.node.hardware.disks = [DataDisk(size=1000 * GIB, available=1000 * GIB)]


async def _before_400(lab: Lab) -> None:
    renter = lab.renter.ss58_address
    for order in ("101", "999"):
        lab.world.chain.rent(MINING, Order(order, renter, gpu_index=(0,)))


async def _after_403(lab: Lab) -> None:
    """Creation takes its time."""
    lab.node.can_virtualise = False
    for vm in lab.node.vms.values():
        vm.stuck = True


async def _before_409(lab: Lab) -> None:
    """The first VM could not be created: the machine had no KVM. (Its domain stays defined.)"""
    for vm in lab.node.vms.values():
        vm.stuck = False
    await until(lambda: all(vm.status == "create error" for vm in lab.node.vms.values()))


async def _before_412(lab: Lab) -> None:
    """The failed VM had been deleted and the machine made able to virtualise."""
    lab.node.vms.clear()
    lab.node.can_virtualise = True


def _vm_becomes(status: str) -> Callable[[Lab], Awaitable[None]]:
    async def wait(lab: Lab) -> None:
        await until(lambda: all(vm.status == status for vm in lab.node.vms.values()))

    return wait


async def _before_430(lab: Lab) -> None:
    lab.node.hardware.cpu_usage = 0.5881
    lab.node.hardware.memory_free = int(18.45 * GIB)


async def _before_442(lab: Lab) -> None:
    """The download had come to its end."""
    lab.node.images.finish(("big-random.qcow2", "downloading"))


async def _after_crash(lab: Lab) -> None:
    """The watchdog had started the second client again."""
    await until(lambda: lab.second.alive)
    await lab.ports[5132].opened()
    await until(lambda: lab.second.sees(lab.world.addresses[MINING]) is not None)


async def _before_622(lab: Lab) -> None:
    lab.second.isolate()


async def _kill_node(lab: Lab) -> None:
    lab.world.hosts[MINING].kill()


def _status(word: str) -> Callable[[Lab], Awaitable[None]]:
    async def set_status(lab: Lab) -> None:
        lab.world.chain.machine(lab.server("uuid-bm-1").node_id).status = word

    return set_status


def _outage(*, on: bool) -> Callable[[Lab], Awaitable[None]]:
    async def switch(lab: Lab) -> None:
        lab.world.chain.outage = on
        if not on:
            await _status("rented")(lab)
            await until(lambda: not lab.world.hosts[MANAGER].thread.locked())

    return switch


async def _before_630(lab: Lab) -> None:
    lab.world.hosts[MINING].restart()
    await until(lambda: _listed(lab, MINING))


BEFORE: dict[str, Callable[[Lab], Awaitable[None]]] = {
    "110": _before_110,
    "160": _status("online"),
    "162": _status("exit"),
    "164": _outage(on=True),
    "165": _outage(on=False),
    "200": _freeze,
    "202": _before_202,
    "210": _before_210,
    "220": _before_220,
    "095": _before_095,
    "400": _before_400,
    "409": _before_409,
    "412": _before_412,
    "413": _vm_becomes("running"),
    "420": _vm_becomes("closed"),
    "422": _vm_becomes("running"),
    "424": _vm_becomes("running"),
    "425": _vm_becomes("closed"),
    "430": _before_430,
    "442": _before_442,
    "622": _before_622,
    "631": _kill_node,
    "630": _before_630,
}
AFTER: dict[str, Callable[[Lab], Awaitable[None]]] = {
    "403": _after_403,
    "610": _after_crash,
    "611": _after_crash,
    "612": _after_crash,
    "616": _after_crash,
}
TOGETHER = {"210": ("210", "211"), "220": ("220", "221", "222")}
"""Exchanges that ran at the same time, in the order they were sent."""


# -- sending


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a replayed exchange compares."""

    recorded: Recorded
    found: list[str]
    identical: bool

    @property
    def row(self) -> str:
        verdict = "same" if not self.found else "DIFFERS"
        bytes_too = "yes" if self.identical else ""
        waits = f"1:{1 / SCALE:.0f}" if self.recorded.seconds >= 1 else "real"
        return (
            f"{self.recorded.name:<44} {verdict:<8} {bytes_too:<10} {waits:<6} {'; '.join(self.found)[:300]}"
        )


async def replay(lab: Lab, recorded: list[Recorded]) -> list[Outcome]:
    """Send every request in the order of the recording and compare the answers."""
    by_number = {exchange.number: exchange for exchange in recorded}
    done: list[Outcome] = []
    for exchange in sorted(recorded, key=_order):
        if any(outcome.recorded is exchange for outcome in done):
            continue
        if exchange.number in BEFORE:
            await BEFORE[exchange.number](lab)
        group = [by_number[number] for number in TOGETHER.get(exchange.number, ())] or [exchange]
        done += await asyncio.gather(*(_send(lab, one, index) for index, one in enumerate(group)))
        if exchange.number in AFTER:
            await AFTER[exchange.number](lab)
    return sorted(done, key=lambda outcome: outcome.recorded.name)


def _order(exchange: Recorded) -> tuple[str, str]:
    first_of_group = next((first for first, group in TOGETHER.items() if exchange.number in group), None)
    if first_of_group == "210":
        return ("2026-11-23 10:35:16", exchange.name)
    return (exchange.ended_at, exchange.name)


async def _send(lab: Lab, exchange: Recorded, index: int) -> Outcome:
    for _ in range(index * 50):  # those sent together keep their order
        await asyncio.sleep(0)
    answer, closed = await _exchange(lab.ports[exchange.port], _in_our_words(lab, exchange.request), exchange)
    found = differences(exchange.answer, answer)
    if closed != exchange.closed and exchange.answer:
        found.append("connection closed" if closed else "connection left open")
    _learn(lab, exchange.answer, answer)
    return Outcome(exchange, found, undated(answer) == undated(exchange.answer))


async def _exchange(server: ClientServer, request: bytes, exchange: Recorded) -> tuple[bytes, bool]:
    """Send raw bytes; return what came back and whether the server closed the connection after it."""
    reader, writer = await asyncio.open_connection(server.host, server.port, limit=2**26)
    answers = request.count(b"POST /api") if exchange.number == "507" else 1
    try:
        writer.write(request)
        async with asyncio.timeout(SILENCE if not exchange.answer and not exchange.closed else 20):
            answer = b"".join([await _one_answer(reader) for _ in range(answers)])
    except TimeoutError:
        return b"", False
    except (ConnectionError, asyncio.IncompleteReadError):
        return b"", True
    else:
        return answer, await _closes(reader, exchange)
    finally:
        writer.close()


async def _one_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = dict(parts(head).headers).get(b"Content-Length")
    return head + (await reader.read() if length is None else await reader.readexactly(int(length)))


async def _closes(reader: asyncio.StreamReader, exchange: Recorded) -> bool:
    try:
        async with asyncio.timeout(20 if exchange.closed else 0.01):
            return await reader.read(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


# -- ids, sessions and signatures that a server makes up itself


def _in_our_words(lab: Lab, request: bytes) -> bytes:
    """Return the request with the recorded server's own ids replaced, sessions signed anew."""
    head, gap, body = request.partition(b"\r\n\r\n")
    for theirs, ours in lab.called.items():
        head, body = head.replace(theirs, ours), body.replace(theirs, ours)
    if b'"session_id_sign": "0x' in body and b'"bogus"' not in body:
        session_id = json.loads(body)["session_id"]
        sign = lab.renter.sign(session_id.encode()).hex().encode()
        body = re.sub(rb'"session_id_sign": "0x[0-9a-f]+"', b'"session_id_sign": "0x' + sign + b'"', body)
    return head + gap + body


MADE_UP = re.compile(rb'"(node_id|session_id|task_id)":"([^"]+)","?(uuid":"[^"]+)?')


def _learn(lab: Lab, real: bytes, ours: bytes) -> None:
    """Note what our server calls the servers, sessions and tasks that the recorded one made up."""
    if parts(ours).body.startswith(b'{"errcode":0') and real:
        for key in (rb'"session_id":"([^"]+)"', rb'"task_id":"([^"]+)"'):
            theirs, mine = re.findall(key, real), re.findall(key, ours)
            lab.called.update(zip(theirs, mine, strict=False))
        uuid = rb'"node_id":"([^"]+)","uuid":"([^"]+)"'
        named = {name: node_id for node_id, name in re.findall(uuid, ours)}
        lab.called.update((node_id, named[name]) for node_id, name in re.findall(uuid, real) if name in named)
