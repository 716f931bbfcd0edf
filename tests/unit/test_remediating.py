"""Remediation as the application holds it hears how many shards there are, at the start and at a reload."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbc_exporter.clock import SystemClock
from dbc_exporter.config.settings import Settings
from dbc_exporter.engine import Engine, build_engine
from dbc_exporter.instruments import Instruments
from dbc_exporter.metrics.own import OwnMetrics
from dbc_exporter.metrics.store import Store
from dbc_exporter.remediating import Remediating, policy_of


class Scene:
    """Remediation that may act, upon engines whose DBC client nobody runs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SystemClock()
        self.store = Store(self.clock)
        self.own = OwnMetrics(version="0", python="3")
        self.remediating = Remediating(self.store, self.clock, self.own)
        (directory / "policy.yml").write_text("version: 1\nmode: act\n")

    def engine(self, total: int) -> Engine:
        settings = Settings.model_validate(
            {
                "total_shards": total,
                "clients": [{"url": "http://127.0.0.1:1", "shard": 0}],
                "storage": {"path": self.directory / "state"},
                "remediation": {"policy_file": self.directory / "policy.yml"},
            }
        )
        return build_engine(
            settings,
            store=self.store,
            clock=self.clock,
            instruments=Instruments(self.own, self.clock),
            unanswered={},
        )

    async def sharded(self, total: int) -> bool:
        """Follow an engine of one of so many shards; tell whether that is a reason to do nothing."""
        engine = self.engine(total)
        await self.remediating.follow(engine, policy_of(engine.settings))
        running = self.remediating._running
        assert running is not None
        await running.loop.round()
        lines = self.own.lines(lambda family: family.name == "dbc_remediation_disarmed")
        return b'dbc_remediation_disarmed{reason="sharded"} 1.0\n' in lines["dbc_remediation_disarmed"]


@pytest.mark.parametrize("totals", [(1, 3, 1), (3, 1, 3)])
async def test_with_several_shards_it_does_nothing_and_alone_it_may(
    tmp_path: Path, totals: tuple[int, ...]
) -> None:
    scene = Scene(tmp_path)
    try:
        assert [await scene.sharded(total) for total in totals] == [total > 1 for total in totals]
    finally:
        await scene.remediating.stop()
