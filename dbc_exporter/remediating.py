"""Remediation as a part of the application: not even loaded unless a policy is configured, and kept over reloads."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from dbc_exporter.clock import Clock
from dbc_exporter.config.settings import Settings
from dbc_exporter.engine import Engine
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.store import Store
from dbc_exporter.targets import Target

if TYPE_CHECKING:
    from dbc_exporter.metrics.own_remediation import RemediationMetrics
    from dbc_exporter.remediation.build import Ground, Running
    from dbc_exporter.remediation.policy_file import LoadedPolicy
    from dbc_exporter.remediation_desk import Desk


def policy_of(settings: Settings) -> LoadedPolicy | None:
    """Read the policy that settings name, if they do. Raises `ConfigError`."""
    if settings.remediation.policy_file is None:
        return None
    from dbc_exporter.remediation.policy_file import load  # noqa: PLC0415 - only who remediates pays for it

    return load(settings.remediation.policy_file)


class Remediating:
    """Holds remediation where the settings ask for it. `desk` is what the web side sees of it, `None` without."""

    def __init__(self, store: Store, clock: Clock, own: OwnMetrics) -> None:
        self._store = store
        self._clock = clock
        self._own = own
        self._metrics: RemediationMetrics | None = None
        self._running: Running | None = None
        self.desk: Desk | None = None

    async def follow(self, engine: Engine, loaded: LoadedPolicy | None) -> None:
        """Begin, go on upon another engine or by another policy, or end where there is none."""
        if loaded is None:
            await self.stop()
            return
        if self._running is None:
            self._running = self._build(engine, loaded)
            self.desk = self._desk(self._running, engine.settings)
            await self._running.start()
        else:
            self._running.attach(_ground(engine), _intervals(engine.settings))
            self._running.evidence.shards = engine.settings.total_shards
            await self._running.use(loaded, engine.settings.remediation.kill_file)
            self.desk = self._desk(self._running, engine.settings)
        if self._metrics is not None:
            self._metrics.set_policy(loaded.hash)

    async def stop(self) -> None:
        """End it; what is under way is gone on with after the next start."""
        running, self._running, self.desk = self._running, None, None
        if running is not None:
            await running.stop()

    def _build(self, engine: Engine, loaded: LoadedPolicy) -> Running:
        from dbc_exporter.metrics.own_remediation import RemediationMetrics  # noqa: PLC0415
        from dbc_exporter.remediation.build import assemble  # noqa: PLC0415

        if self._metrics is None:  # made once per process
            self._metrics = RemediationMetrics(self._own)
        settings = engine.settings
        return assemble(
            settings.storage.path or Path(),
            loaded,
            _ground(engine),
            store=self._store,
            clock=self._clock,
            intervals=_intervals(settings),
            metrics=self._metrics,
            kill_file=settings.remediation.kill_file,
            shards=settings.total_shards,
        )

    def _desk(self, running: Running, settings: Settings) -> Desk:
        from dbc_exporter.remediation.explain import Explainer  # noqa: PLC0415
        from dbc_exporter.remediation.operator import Operator  # noqa: PLC0415
        from dbc_exporter.remediation_desk import Desk, TokenFile  # noqa: PLC0415

        loop, token = running.loop, settings.remediation.webhook_token_file
        directory = settings.storage.path or Path()
        operator = Operator(
            runtime=loop,
            journal=running.journal,
            now=loop.now,
            new_id=lambda: secrets.token_hex(4),
            watched=lambda node: running.ground.target(node) is not None,
            explainer=Explainer(loop, running.journal, directory, loop.now, self._clock.wall),
        )
        return Desk(
            operator=operator,
            inbox=running,
            ears=running.reporter,
            clock=self._clock,
            token=_no_token if token is None else TokenFile(token),
        )


def _no_token() -> None:
    """Give no token: none is configured."""


def _ground(engine: Engine) -> Ground:
    from dbc_exporter.remediation.build import Ground  # noqa: PLC0415 - only who remediates pays for it

    poller = engine.poller

    def targets() -> tuple[Target, ...]:
        return poller.targets

    return Ground(poller.pool, targets)


def _intervals(settings: Settings) -> dict[str, float]:
    return {name: one.interval_seconds for name, one in settings.collectors.by_name().items()}
