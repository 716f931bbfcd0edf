"""A small fleet under watch: a real store, clients and credentials that are what a test says, and time that it moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from dbc_exporter import facts
from dbc_exporter.dbc.authority import Credential
from dbc_exporter.dbc.calls import Authority
from dbc_exporter.dbc.errors import Reason
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import ClientState, Fact, Task, TaskList, TaskState
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.remediation.evidence import Evidence
from dbc_exporter.remediation.model import Alert, Sight, Subject
from dbc_exporter.remediation.steady import Steady
from dbc_exporter.targets import DesiredState, Kind, Target
from tests.unit.metrics.fleet import FakeClock

NODE, OTHER, MANAGER, SERVER, SECOND = "a" * 64, "b" * 64, "c" * 64, "d" * 64, "e" * 64
INTERVAL = 300.0
INTERVALS = {"tasks": INTERVAL, "power": INTERVAL}
VM = Subject(NODE, "vm1")
MACHINE = Subject(SERVER)
COMPUTE = Target(
    NODE,
    credential="me",
    desired_state=DesiredState.RUNNING,
    expected_gpus=4,
    labels=(("site", "north"),),
)
BARE_METAL = Target(SERVER, Kind.SERVER, manager=MANAGER, credential="me", desired_state=DesiredState.ON)
TARGETS = (COMPUTE, Target(MANAGER, Kind.MANAGER), BARE_METAL)
HERE = facts.Reachability(visible=True, up=True)
SILENT = facts.Reachability(visible=True, up=False)
NOBODY_KNOWS = facts.Reachability()


@dataclass
class Signer:
    """A credential, as far as it is looked at."""

    serves: frozenset[Authority] = frozenset({Authority.OPTIONAL, Authority.RENTER})
    can_fence: bool = True


@dataclass
class Client:
    """A DBC client, as far as it is looked at."""

    name: str = "one"
    now: ClientState = ClientState.OK

    def state(self) -> ClientState:
        return self.now


@dataclass
class Clients:
    """The pool, as far as it is looked at: the first sound client serves everybody."""

    clients: list[Client] = field(default_factory=lambda: [Client()])
    credentials: dict[str, Signer] = field(default_factory=lambda: {"me": Signer()})

    def client_for(self, target: Target) -> Client | None:
        del target
        return next((client for client in self.clients if client.now is ClientState.OK), None)

    def credential(self, target: Target) -> Credential | None:
        return cast("Credential | None", self.credentials.get(target.credential or ""))


class Watch:
    """Everything a snapshot is made of, and the snapshots."""

    def __init__(self, *targets: Target) -> None:
        self.clock = FakeClock()
        self.store = Store(self.clock)
        self.pool = Clients()
        self.steady = Steady(self.clock, "boot")
        self.retarget(*(targets or TARGETS))
        self.evidence = Evidence(self.store, cast("Pool", self.pool), self.steady, self.clock, INTERVALS)

    @property
    def now(self) -> float:
        return self.steady.now()

    def retarget(self, *targets: Target) -> None:
        self.store.set_targets(targets)

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def poll(
        self, node: str, collector: str, objects: Mapping[str, Fact], interval: float = INTERVAL
    ) -> None:
        owner = Owner(node_id=node)
        self.store.attempt(owner, collector, interval)
        self.store.commit(owner, collector, objects)  # not taken where the target has left

    def refuse(self, node: str, reason: Reason = Reason.AUTHORITY, *, chain: bool = False) -> None:
        owner = Owner(node_id=node)
        self.store.attempt(owner, "tasks", INTERVAL)
        self.store.fail(owner, "tasks", reason, chain_silent=chain)

    def tasks(self, node: str = NODE, *, parsable: bool = True, **states: TaskState) -> None:
        tasks = tuple(Task(task_id, state) for task_id, state in states.items())
        self.poll(node, "tasks", {"": TaskList(tasks=tasks, parsable=parsable)})

    def power(self, state: facts.PowerState, server: str = SERVER) -> None:
        self.poll(server, "power", {"": facts.Power(state=state)})

    def there(self, how: facts.Reachability, node: str = NODE) -> None:
        self.store.put(Owner(node_id=node), "reachability", "", how)

    def alerts(self, alerts: Mapping[Subject, Sequence[Alert]]) -> None:
        told = {subject: tuple(several) for subject, several in alerts.items()}
        self.evidence.take_alerts(told, watchdog=None, truncated=None)

    def sights(self) -> dict[Subject, Sight]:
        return {sight.subject: sight for sight in self.evidence.snapshot().sights}

    def see_nothing(self) -> None:
        """Look, at a time when there is no VM to see."""
        assert VM not in self.sights()

    def reload(self, pool: Clients) -> None:
        self.pool = pool
        self.evidence.pool = cast("Pool", pool)

    def see(self, subject: Subject = VM) -> Sight:
        return self.sights()[subject]
