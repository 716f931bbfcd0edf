"""10,000 VMs on 2,500 nodes as remediation sees them when all is well, without a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbc_exporter.clock import SystemClock
from dbc_exporter.collectors.orders import OrderBook
from dbc_exporter.dbc.calls import Authority
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.dbc.gate import Gate
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import Fact, NodeConfig, OrderStatus, Reachability, Task, TaskList, TaskState, Vm
from dbc_exporter.metrics.store import Store
from dbc_exporter.remediation.policy_file import LoadedPolicy, parse
from dbc_exporter.sweep import owner_of
from dbc_exporter.targets import DesiredState, Target

NODES, VMS_A_NODE, GPUS = 2_500, 4, 8
INTERVAL = 300.0
PROBE = "DbcVmUnresponsive"
_POLICY = Path(__file__).resolve().parents[1] / "examples" / "remediation" / "policy.yml"


def policy() -> LoadedPolicy:
    """Return the shipped policy, with its VMs vouched for and its mode raised: more gates are passed then."""
    text = _POLICY.read_text(encoding="utf-8")
    changes = {"mode: dry_run": "mode: act", "only_dbc_vms: false": "only_dbc_vms: true"}
    for old, new in {**changes, "\n    mode: approve\n": "\n"}.items():
        assert old in text
        text = text.replace(old, new)
    return parse(text, str(_POLICY))


class NoTransport:
    """A wire that nothing is sent over."""

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        raise AssertionError(f"{method} {path} {len(body)} {deadline_seconds} {retry}")

    async def aclose(self) -> None:
        """Close nothing."""


class NoSigner:
    """A wallet that signs nothing."""

    name = "renter"
    serves = frozenset({Authority.OPTIONAL, Authority.RENTER, Authority.WALLET})
    can_fence = True

    def addresses(self) -> frozenset[str]:
        return frozenset({"renter"})

    def sign(self, *, nonce: str | None = None) -> dict[str, Any]:
        raise AssertionError(nonce)


def targets() -> tuple[Target, ...]:
    """Return the nodes, as an operator would write them down for remediation."""
    return tuple(
        Target(
            f"{number:064x}",
            credential="renter",
            desired_state=DesiredState.RUNNING,
            expected_gpus=GPUS,
            labels=(("remediation", "vms"), ("site", f"site-{number % 8}")),
        )
        for number in range(NODES)
    )


def task_ids(target: Target) -> list[str]:
    """Name the VMs of a node."""
    return [f"{int(target.id, 16)}vm{place}" for place in range(VMS_A_NODE)]


@dataclass
class Fleet:
    """The store with everything read once, and the pool with one client that is well."""

    def __post_init__(self) -> None:
        self.clock, self.targets = SystemClock(), targets()
        client = DbcClient("client", NoTransport(), Gate(self.clock, set()), self.clock)
        client.reachable, client.peers_active = True, 50
        client.listed = frozenset(target.id for target in self.targets)
        signer = NoSigner()
        book = OrderBook(self.clock, {"renter": signer.addresses()})
        self.pool = Pool([client], self.clock, {"renter": signer}, orders=book)
        self.pool.watch(self.targets)
        self.store = Store(self.clock)
        self.store.set_targets(self.targets)
        for target in self.targets:
            self.read(target)

    def read(self, target: Target) -> None:
        """Take what a poll of a node brings."""
        tasks = task_ids(target)
        facts: dict[str, dict[str, Fact]] = {
            "node": {"": NodeConfig(gpus=GPUS)},
            "orders": {"": OrderStatus(live=True)},
            "tasks": {"": TaskList(tasks=tuple(Task(task, TaskState.RUNNING) for task in tasks))},
            "vms": {task: Vm(task_id=task, state=TaskState.RUNNING, gpus=1) for task in tasks},
        }
        owner = owner_of(target)
        self.store.put(owner, "reachability", "", Reachability(visible=True, up=True))
        for collector, objects in facts.items():
            self.store.attempt(owner, collector, INTERVAL)
            self.store.commit(owner, collector, objects)
