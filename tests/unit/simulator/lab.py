"""A small simulated network in virtual time for the simulator's own tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dbc_exporter.simulator.chain import Order
from dbc_exporter.simulator.client import ClientNode
from dbc_exporter.simulator.compute import ComputeNode
from dbc_exporter.simulator.protocol import Request, Response
from dbc_exporter.simulator.timing import Timing
from dbc_exporter.simulator.virtual import LoopClock
from dbc_exporter.simulator.vm import Vm, new_disks
from dbc_exporter.simulator.world import World

A, B, C = "a" * 64, "b" * 64, "c" * 64
RENTER = "renter"
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer with its body read."""

    status: int
    errcode: int
    message: Any

    @property
    def told(self) -> tuple[int, int, Any]:
        return self.status, self.errcode, self.message


def read(response: Response) -> Answer:
    body = json.loads(response.body)
    return Answer(response.status, body["errcode"], body["message"])


@dataclass(slots=True)
class Lab:
    """Nodes A and B rented by one wallet whole, C not rented; signatures are not verified."""

    world: World
    client: ClientNode
    nodes: dict[str, ComputeNode] = field(default_factory=dict)
    nonces: int = 0

    @classmethod
    def build(cls, clock: LoopClock, *, time_factor: float = 1.0, timing: Timing | None = None) -> Lab:
        world = World(clock=clock, seed=7, time_factor=time_factor, timing=timing, verify_signatures=False)
        lab = cls(world, world.add_client("client"))
        for node_id in (A, B, C):
            lab.nodes[node_id] = ComputeNode(node_id, name=f"node-{node_id[0]}")
            world.add_node(lab.nodes[node_id])
        for node_id in (A, B):
            world.chain.rent(node_id, Order(RENTER, RENTER, gpu_index=tuple(range(8))))
        world.chain.machine(C).status = "online"
        return lab

    @property
    def now(self) -> float:
        return self.world.now()

    async def post(self, path: str, peers: Sequence[Any], **body: Any) -> Answer:
        """Send a request without credentials."""
        whole = {"peer_nodes_list": peers, "additional": {}} | body
        return read(await self.raw(path, json.dumps(whole).encode()))

    async def raw(self, path: str, body: bytes, method: str = "POST") -> Response:
        return await self.client.handle(Request(method, f"/api/v1{path}", body=body))

    async def call(
        self, path: str, node_id: str = A, additional: Mapping[str, Any] | None = None, **body: Any
    ) -> Answer:
        """Send a request signed by the renter with a fresh nonce."""
        self.nonces += 1
        signed = {"wallet": RENTER, "nonce": f"nonce-{self.nonces}", "sign": "signed"} | body
        return await self.post(path, [node_id], additional=additional or {}, **signed)

    def add_vm(self, task_id: str = "task", node_id: str = A, **changes: Any) -> Vm:
        number = len(self.nodes[node_id].vms)
        vm = Vm(
            task_id,
            RENTER,
            port=str(5000 + number),
            vnc_port=str(5900 + number),
            disks=new_disks(0, (1, 2), GIB),
            image_name="base.qcow2",
            login_password="login-secret",
            vnc_password="login-se",
        )
        for name, value in changes.items():
            setattr(vm, name, value)
        self.nodes[node_id].vms[task_id] = vm
        return vm
