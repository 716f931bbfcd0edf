"""Building compute nodes, their VMs, orders and transfers from a scenario."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dbc_exporter.simulator.compute import ComputeNode
from dbc_exporter.simulator.hardware import RESERVED_ABOVE, RESERVED_MEMORY, DataDisk, Hardware
from dbc_exporter.simulator.images import DOWNLOAD, UPLOAD
from dbc_exporter.simulator.keys import derive_id
from dbc_exporter.simulator.networks import Network
from dbc_exporter.simulator.randomness import stable_random
from dbc_exporter.simulator.scenario import ComputeGroup, Transfer
from dbc_exporter.simulator.selection import Member
from dbc_exporter.simulator.signatures import base58check
from dbc_exporter.simulator.vm import RUNNING, SHUT_OFF, Vm, local_time, new_disks

if TYPE_CHECKING:
    from dbc_exporter.simulator.fleet import Fleet

FIRST_SSH_PORT, FIRST_VNC_PORT = 5600, 5900
VM_AGE = 86_400.0
"""How long ago the VMs of the start were created, in seconds."""
TASK_ID_LENGTH = 22


def add_node(fleet: Fleet, index: int, *, fresh: bool = False) -> Member:
    """Add one compute node of the scenario's group `index`, with its VMs and its order."""
    group = fleet.scenario.compute[index]
    number = fleet.next_number()
    node_id = derive_id(fleet.scenario.seed, "compute", str(number))
    name = group.name.replace("{n}", str(number))
    node = ComputeNode(node_id, name=name, version=group.version, machine=_hardware(group, number))
    fleet.world.add_node(node, fresh=fresh)
    node.images.files.update({image.name: image.size for image in group.images})
    fleet.rent(node_id, group.rented_by, number, group.gpus)
    for place in range(group.vms.count):
        vm = _vm(fleet, group, node_id, place, number)
        node.vms[vm.task_id] = vm
    for network in group.networks:
        _add_network(fleet, group, node, network.name, network.cidr)
    labels = {"gpu_model": group.gpu_model, **group.labels, "group": str(index)}
    member = Member(node_id, name, labels, node)
    fleet.compute.append(member)
    return member


def vms(compute: Iterable[Member]) -> Iterator[Member]:
    """Yield every VM as a member: its subject is its node and its record, its labels are its node's."""
    for member in compute:
        labels = {**member.labels, "node": member.name}
        for place, vm in enumerate(member.subject.vms.values(), start=1):
            yield Member(vm.task_id, f"{member.name}/{place}", labels, (member.subject, vm))


def transfers(compute: Iterable[Member]) -> Iterator[Member]:
    """Yield every running image transfer as a member: its subject is its node's store and its key."""
    for member in compute:
        store = member.subject.images
        store.settle()
        labels = {**member.labels, "node": member.name}
        for key, transfer in store.transfers.items():
            name = f"{member.name}/{transfer.name}"
            yield Member(f"{member.id}/{transfer.name}/{transfer.direction}", name, labels, (store, key))


def start_transfer(fleet: Fleet, transfer: Transfer) -> None:
    """Let a transfer of the scenario begin, unless its node is gone or its file is not there."""
    member = fleet.find_compute(transfer.node)
    if member is None:
        return
    store = member.subject.images
    upload = transfer.direction == "upload"
    source = store.files if upload else fleet.world.image_servers.get(transfer.server, {})
    if transfer.image in source:
        size = source[transfer.image]
        store.begin(transfer.image, UPLOAD if upload else DOWNLOAD, transfer.server, size)


def _hardware(group: ComputeGroup, number: int) -> Hardware:
    reserved = RESERVED_MEMORY if group.memory > RESERVED_ABOVE - RESERVED_MEMORY else 0
    return Hardware(
        os=group.os,
        public_ip=f"198.51.{number // 250 % 256}.{number % 250 + 1}",
        cpu_type=group.cpu_type,
        cpu_hz=group.cpu_hz,
        cpu_cores=group.cpu_cores,
        cpu_usage=group.cpu_usage,
        sockets=group.sockets,
        gpus=group.gpus,
        memory=group.memory + reserved,
        memory_free=group.memory_free + reserved,
        disks=[
            DataDisk(disk.path, disk.size, disk.free, rotating=disk.type == "HDD") for disk in group.disks
        ],
    )


def _vm(fleet: Fleet, group: ComputeGroup, node_id: str, place: int, number: int) -> Vm:
    spec, world = group.vms, fleet.world
    random = stable_random(fleet.scenario.seed, "vm", node_id, str(place))
    running = spec.status == "running"
    first_gpu = place * spec.gpus
    password = derive_id(fleet.scenario.seed, "vm password", node_id, str(place))[:16]
    created = world.clock.wall() - VM_AGE
    rental = group.rented_by
    wallet = fleet.wallets[rental.wallet].wallet if rental else ""
    return Vm(
        task_id=base58check(str(random.getrandbits(128)))[:TASK_ID_LENGTH],
        wallet=wallet,
        rent_order=rental.order_id.replace("{n}", str(number)) if rental and rental.order_id else "",
        desc=spec.description.replace("{n}", str(place + 1)),
        port=str(FIRST_SSH_PORT + place),
        vnc_port=str(FIRST_VNC_PORT + place),
        user_name="dbc",
        login_password=password,
        vnc_password=password[:8],
        cpu_cores=spec.cpu_cores,
        gpus=tuple(range(first_gpu, min(first_gpu + spec.gpus, group.gpus))),
        memory=spec.memory,
        disks=new_disks(created, (random.randrange(100_000), random.randrange(100_000)), spec.disk),
        create_time=created,
        status=spec.status,
        domain=RUNNING if running else SHUT_OFF,
        image_name=spec.image,
        interface=[("vnet0", "network", f"52:54:00:{place:02x}:34:56")],
    )


def _add_network(fleet: Fleet, group: ComputeGroup, node: ComputeNode, name: str, cidr: str) -> None:
    """Give a node a LAN once per name; the clients learn of it with the world's gossip."""
    if any(name in known.subject.networks for known in fleet.compute):
        return
    owner = fleet.wallets[group.rented_by.wallet].wallet if group.rented_by else ""
    node.networks[name] = Network(
        name, cidr, node.node_id, owner, local_time(fleet.world.clock.wall()), members=list(node.vms)
    )
