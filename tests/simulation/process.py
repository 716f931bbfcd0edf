"""Our process in the town: the production parts, built from files, killed and built again."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from dbc_exporter.clock import Clock
from dbc_exporter.collectors.orders import OrderBook
from dbc_exporter.dbc.actuation import Sender
from dbc_exporter.dbc.calls import Authority
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.gate import Gate
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import Fact
from dbc_exporter.metrics.lines import Entry
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.store import Store
from dbc_exporter.remediation import alerts
from dbc_exporter.remediation.actuator import Actuator
from dbc_exporter.remediation.evidence import Evidence
from dbc_exporter.remediation.journal import Journal, JournalError
from dbc_exporter.remediation.loop import Remediation
from dbc_exporter.remediation.model import Decision, Intent, Result, Sight, Snapshot, Verdict, View
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.policy_file import LoadedPolicy
from dbc_exporter.targets import Target
from tests.simulation.eyes import INTERVAL
from tests.simulation.town import Town
from tests.simulation.wires import Killed, Points, Sent, Troubles, Wire

T = TypeVar("T")
SIGNATURE = "00" * 64


class FragileJournal(Journal):
    """The journal, with places at which the process dies or the disk is full, and ears on what is written."""

    points: Points | None = None
    full: bool = False
    on_intended: Callable[[str], None] | None = None
    on_ended: Callable[[str], None] | None = None

    def _commit(self) -> None:
        if self.points is not None:
            self.points("before a commit")
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        super()._commit()
        if self.points is not None:
            self.points("after a commit")

    def intend(self, intent: Intent, at: float, *, approval: str = "") -> None:
        super().intend(intent, at, approval=approval)
        if self.on_intended is not None:
            self.on_intended(intent.id)

    def end(self, intent_id: str, at: float, result: Result, reason: str) -> None:
        super().end(intent_id, at, result, reason)
        if self.on_ended is not None:
            self.on_ended(intent_id)


class Watchful(Protocol):
    """Hears what the process does; see `run`."""

    def leaves(self, sent: Sent) -> None: ...
    def answered(self, sent: Sent, body: bytes) -> None: ...
    def lost(self, sent: Sent) -> None: ...
    def intends(self, intent_id: str) -> None: ...
    def allows(self, intent_id: str) -> None: ...
    def ends(self, intent_id: str) -> None: ...


class QuietStore(Store):
    """The store without the exposition's lines: they cost more than all the rest, and nobody scrapes here."""

    def _rendered(self, owner: Owner, key: str, fact: Fact) -> list[Entry]:
        del owner, key, fact
        return []


@dataclass
class Credential:
    """Signs with text that a world without signature checks accepts. `can_fence` tells a wallet from a session."""

    name: str
    wallet: str
    can_fence: bool
    fresh: Callable[[], str]
    serves: frozenset[Authority] = frozenset({Authority.OPTIONAL, Authority.RENTER, Authority.WALLET})

    def addresses(self) -> frozenset[str]:
        return frozenset({self.wallet})

    def sign(self, *, nonce: str | None = None) -> dict[str, Any]:
        return {"wallet": self.wallet, "nonce": nonce or self.fresh(), "sign": SIGNATURE}


@dataclass
class Counting:
    """The reporter: counts, and keeps what was wrong in the product's own eyes."""

    violations: list[str] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    intents: list[Intent] = field(default_factory=list)
    rounds: int = 0

    def decision(self, decision: Decision) -> None:
        self.decisions.append(decision)

    def intent(self, intent: Intent) -> None:
        self.intents.append(intent)

    def round(self, snapshot: Snapshot, view: View, policy: Policy, decisions: Iterable[Decision]) -> None:
        del snapshot, view, policy, decisions
        self.rounds += 1

    def violation(self, what: str) -> None:
        self.violations.append(what)


class NoHistory:
    """The recorder: keeps nothing."""

    async def record(self, snapshot: Snapshot, decisions: Iterable[Decision], now: float) -> None:
        """Forget it."""


@dataclass
class Direct:
    """Works on the journal in place: virtual time knows no threads."""

    journal: Journal
    points: Points

    async def __call__(self, work: Callable[[Journal], T]) -> T:
        self.points("before work on the journal")
        done = work(self.journal)
        await self.points.rest()
        return done


class Machine:
    """Everything that dies with the process. The policy and the directory survive it."""

    def __init__(
        self,
        town: Town,
        directory: Path,
        loaded: LoadedPolicy,
        troubles: Troubles,
        dice: random.Random,
        *,
        ears: Watchful,
        numbers: Iterator[int],
        shards: int = 1,
    ) -> None:
        clock: Clock = town.clock
        self.town, self.points, self.dice, self.ears = town, Points(clock.monotonic), dice, ears
        self.store = QuietStore(clock)
        busy: set[str] = set()
        self.wires = [
            Wire(client, dice, self.points, troubles, clock.monotonic, ears)
            for client in town.world.clients.values()
        ]
        self.clients = [DbcClient(wire.client.name, wire, Gate(clock, busy), clock) for wire in self.wires]
        self._numbers = numbers
        self._probes: dict[str, asyncio.Task[None]] = {}
        credentials = {
            name: Credential(name, town.wallet, name == "renter", self._fresh)
            for name in ("renter", "session")
        }
        self.book = OrderBook(clock, {name: one.addresses() for name, one in credentials.items()})
        self.pool = Pool(self.clients, clock, credentials, orders=self.book)
        self.reporter = Counting()
        self.remediation: Remediation | None = None
        self.journal: FragileJournal | None = None
        self.fault = ""
        try:
            journal = FragileJournal.open(directory, clock, "boot")
        except JournalError as error:
            self.fault = str(error)
            return
        self.journal = journal
        journal.points = self.points
        journal.on_intended, journal.on_ended = ears.intends, ears.ends
        self.evidence = Evidence(
            self.store, self.pool, journal.steady, clock, {"tasks": INTERVAL, "power": INTERVAL}, shards
        )
        runner = Direct(journal, self.points)
        wire = Both(Sender(self.pool), self.pool)
        actuator = Actuator(
            runner, wire, self._target, self.book.is_live, self._judge, journal.steady.now, self._fresh
        )
        self.remediation = Remediation(
            loaded,
            runner,
            self.evidence,
            actuator,
            self.reporter,
            NoHistory(),
            journal.steady.now,
            clock,
            self._fresh,
            directory.parent / f"{directory.name}.kill",
        )
        self._heard = True
        self.recall()

    def _target(self, node_id: str) -> Target | None:
        return next((target for target in self.town.targets_now if target.id == node_id), None)

    async def _judge(self, intent: Intent, sight: Sight) -> Decision:
        assert self.remediation is not None
        self.recall()
        decision = await self.remediation.judge(intent, sight)
        if decision.verdict is Verdict.ACT:
            self.ears.allows(intent.id)
        return decision

    def _fresh(self) -> str:
        return f"n{next(self._numbers)}"

    def retarget(self) -> None:
        """Take the town's targets."""
        self.store.set_targets(self.town.targets_now)
        self.pool.watch(self.town.targets_now)

    async def refresh(self) -> None:
        """Look at the clients and ask suspects for a sign of life, as the poller does."""
        for client in self.clients:
            try:
                await client.refresh()
                client.believe()
            except DbcError:
                continue
            running = self._probes.get(client.name)
            if running is None or running.done():
                suspect = self.pool.probe_due(client)
                if suspect is not None:
                    self._probes[client.name] = asyncio.ensure_future(self._probe(client, suspect))

    async def _probe(self, client: DbcClient, suspect: str) -> None:
        with suppress(Killed):
            await self.pool.probe(client, suspect)

    def poll_slowly(self, client: str, node: str, seconds: float) -> None:
        """Keep a node busy with a poll, so that others wait for their turn."""
        gate = next(one.gate for one in self.clients if one.name == client)

        async def poll() -> None:
            ticket = await gate.enter(gate.lane("query node info"), node)
            await asyncio.sleep(seconds)
            gate.leave(ticket)
            for one in self.clients:
                one.gate.wake()

        self._probes[f"{client} {node}"] = asyncio.ensure_future(poll())

    def take(self, body: bytes) -> bool:
        """Take a webhook's body as the web server does; tells whether it was answered with 202."""
        if self.remediation is None or self.journal is None or self.points.dead or self.points.still:
            return False
        watched = {target.id for target in self.town.targets_now}
        name = self.remediation.loaded.policy.alerts.watchdog
        delivery = alerts.parse(body, name, watched.__contains__)
        self.points("before a delivery")
        try:
            self.journal.hear(
                delivery.heard,
                self.journal.steady.now(),
                watchdog=delivery.watchdog,
                truncated=delivery.truncated,
            )
        except JournalError:
            return False
        self._heard = True
        self.remediation.wake()
        return True

    def recall(self) -> None:
        """Let the planner see what was heard: right after each delivery in life, right before it looks here."""
        if self._heard:
            self._heard = False
            self._take_alerts()

    def _take_alerts(self) -> None:
        assert self.journal is not None
        self.evidence.take_alerts(
            self.journal.alerts(),
            watchdog=self.journal.watchdog_at(),
            truncated=self.journal.truncated_at(),
        )

    async def close(self) -> None:
        """Take everything down; a dead process leaves only its files."""
        self.points.dead = True
        if self.remediation is not None:
            running = [*self.remediation._running.values(), *self._probes.values()]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        if self.journal is not None:
            self.journal.close()


@dataclass(frozen=True)
class Both:
    """Sender and pool as the actuator sees them."""

    sender: Sender
    pool: Pool

    async def signed_read(self, call, target, nonce):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        return await self.sender.signed_read(call, target, nonce)

    async def order(self, call, target, nonce, before_send):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        return await self.sender.order(call, target, nonce, before_send)

    async def read(self, call, target):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        return await self.pool.read(call, target)
