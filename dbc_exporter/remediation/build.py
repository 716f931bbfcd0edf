"""Puts remediation together from its parts, on top of a running exporter."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dbc_exporter.clock import Clock
from dbc_exporter.dbc.actuation import Sender
from dbc_exporter.dbc.authority import fresh_nonce
from dbc_exporter.dbc.calls import ReadCall, WriteCall
from dbc_exporter.dbc.pool import Pool
from dbc_exporter.facts import RentOrders
from dbc_exporter.metrics.own_remediation import RemediationMetrics
from dbc_exporter.metrics.store import Store
from dbc_exporter.remediation import alerts
from dbc_exporter.remediation.actuator import Actuator
from dbc_exporter.remediation.evidence import Evidence
from dbc_exporter.remediation.history import History
from dbc_exporter.remediation.journal import Journal, JournalError
from dbc_exporter.remediation.journal_thread import JournalRunner, JournalThread
from dbc_exporter.remediation.loop import Remediation
from dbc_exporter.remediation.model import Decision, Intent, Sight
from dbc_exporter.remediation.policy_file import LoadedPolicy
from dbc_exporter.remediation.reporter import RemediationReporter, TimedJournal
from dbc_exporter.remediation.steady import Steady, boot_id
from dbc_exporter.targets import Target

T = TypeVar("T")


@dataclass(slots=True)
class Ground:
    """The running exporter under remediation's feet; a reload puts another pool and other targets there."""

    pool: Pool
    targets: Callable[[], tuple[Target, ...]]

    def target(self, node_id: str) -> Target | None:
        """Return a watched target."""
        return next((target for target in self.targets() if target.id == node_id), None)

    def live(self, target: Target, orders: RentOrders) -> bool | None:
        """Tell whether an answer shows a live order of ours."""
        return self.pool.orders.is_live(target, orders) if self.pool.orders else None

    async def signed_read(self, call: ReadCall[T], target: Target, nonce: str) -> T:
        """Make a signed read with this nonce, exactly once."""
        return await Sender(self.pool).signed_read(call, target, nonce)

    async def order(
        self,
        call: WriteCall[T],
        target: Target,
        nonce: str | None,
        before_send: Callable[[], Awaitable[None]],
    ) -> T:
        """Send a write at most once."""
        return await Sender(self.pool).order(call, target, nonce, before_send)

    async def read(self, call: ReadCall[T], target: Target) -> T:
        """Make a read."""
        return await self.pool.read(call, target)


class NoJournal:
    """Stands in for a journal that cannot be opened: nothing works, and everybody hears why."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def __call__(self, work: Callable[[Journal], T]) -> T:
        """Refuse."""
        del work
        raise JournalError(self._why)

    async def close(self) -> None:
        """Close nothing."""


@dataclass(slots=True)
class Running:
    """Remediation as the application holds it."""

    loop: Remediation
    journal: JournalRunner
    evidence: Evidence
    ground: Ground
    reporter: RemediationReporter
    history: History
    _file: JournalThread | NoJournal
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Recall what the journal knows and begin to go round."""
        await self._keep_policy()
        try:
            await self._recall()
        except JournalError as error:
            self.loop.disarm(str(error))
        self._task = asyncio.ensure_future(self.loop.run())

    async def stop(self) -> None:
        """Stop going round and close the journal. What may have been sent is inquired into after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.loop.stop()
        await self.history.close()
        await self._file.close()

    def attach(self, ground: Ground, intervals: Mapping[str, float]) -> None:
        """Go on upon another engine."""
        self.ground.pool, self.ground.targets = ground.pool, ground.targets
        self.evidence.pool, self.evidence.intervals = ground.pool, intervals

    async def use(self, loaded: LoadedPolicy, kill_file: Path | None) -> None:
        """Bring another policy into force."""
        self.loop.kill_file = kill_file
        if loaded.hash != self.loop.loaded.hash:
            self.loop.loaded = loaded
            await self._keep_policy()
            self.loop.wake()

    async def _keep_policy(self) -> None:
        loaded, now = self.loop.loaded, self.loop.now()
        try:
            await self.journal(lambda journal: journal.keep_policy(loaded.hash, loaded.text, now))
        except JournalError as error:
            self.loop.disarm(str(error))

    async def take(self, body: bytes) -> alerts.Delivery:
        """Take a webhook's body: on disk when this returns. Raises `BadDeliveryError` or `JournalError`.

        Of one with too many alerts it is on disk that there was one when `BadDeliveryError` is raised.
        """
        policy = self.loop.loaded.policy
        watched = {target.id for target in self.ground.targets()}
        try:
            delivery = alerts.parse(body, policy.alerts.watchdog, watched.__contains__)
        except alerts.TooManyAlertsError:
            await self.too_large()
            raise
        await self._hear(delivery)
        return delivery

    async def too_large(self) -> None:
        """Take it that a delivery was too large to be read: on disk when this returns. Raises `JournalError`.

        Alertmanager does not repeat what is refused, and deliveries are large in large outages. So it counts as one
        that left alerts out.
        """
        await self._hear(alerts.Delivery(truncated=True))

    async def _hear(self, delivery: alerts.Delivery) -> None:
        now = self.loop.now()
        await self.journal(
            lambda journal: journal.hear(
                delivery.heard, now, watchdog=delivery.watchdog, truncated=delivery.truncated
            )
        )
        await self._recall()
        self.loop.wake()

    async def _recall(self) -> None:
        known, watchdog, truncated = await self.journal(
            lambda journal: (journal.alerts(), journal.watchdog_at(), journal.truncated_at())
        )
        self.evidence.take_alerts(known, watchdog=watchdog, truncated=truncated)


def assemble(
    directory: Path,
    loaded: LoadedPolicy,
    ground: Ground,
    *,
    store: Store,
    clock: Clock,
    intervals: Mapping[str, float],
    metrics: RemediationMetrics,
    kill_file: Path | None = None,
    shards: int = 1,
) -> Running:
    """Build remediation on a directory. A journal that cannot be opened disarms it and costs nothing else."""
    boot = boot_id()
    runner: JournalThread | NoJournal
    try:
        opened = Journal.open(directory, clock, boot)
    except JournalError as error:
        runner, steady, fault = NoJournal(str(error)), Steady(clock, boot), str(error)
    else:
        runner, steady, fault = JournalThread(opened), opened.steady, ""
    journal = TimedJournal(runner, metrics)
    reporter = RemediationReporter(metrics, steady.now, clock)
    history = History(directory)

    async def judge(intent: Intent, sight: Sight) -> Decision:
        return await loop.judge(intent, sight)  # the loop needs the actuator first

    evidence = Evidence(store, ground.pool, steady, clock, intervals, shards)
    actuator = Actuator(
        journal,
        ground,
        ground.target,
        ground.live,
        judge,
        steady.now,
        fresh_nonce,
    )
    loop = Remediation(
        loaded,
        journal,
        evidence,
        actuator,
        reporter,
        history,
        steady.now,
        clock,
        lambda: secrets.token_hex(8),
        kill_file,
        fault,
    )
    return Running(loop, journal, evidence, ground, reporter, history, runner)
