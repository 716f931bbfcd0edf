"""Series budgets: too many series raise an alarm; nothing is ever dropped for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dbc_exporter.metrics.blocks import Keys, series_of
from dbc_exporter.metrics.lines import Entry, label, sample
from dbc_exporter.metrics.owner import Owner

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Budgets:
    """How many series are expected at most, in one family and at one target."""

    per_family: int = 500_000
    per_target: int = 5_000


class BudgetWatch:
    """Counts series per owner as objects change, and per family when asked."""

    def __init__(self, budgets: Budgets) -> None:
        """Start with nothing counted."""
        self._budgets = budgets
        self._series: dict[Owner, int] = {}
        self._over: set[Owner] = set()
        self._said: set[str | Owner] = set()

    def changed(self, owner: Owner, before: Keys, after: Keys) -> None:
        """Note that an object of an owner occupies other series than before."""
        series = self._series.get(owner, 0) + series_of(after) - series_of(before)
        if series:
            self._series[owner] = series
        else:
            self._series.pop(owner, None)
        if not owner.node_id:
            return
        if series > self._budgets.per_target:
            self._over.add(owner)
            self._say(owner, f"a target has many series: node_id={owner.node_id} series={series}")
        else:
            self._over.discard(owner)

    def entries(self, by_family: Mapping[str, int]) -> Iterator[Entry]:
        """Write the counts of families and the alarms."""
        for family, series in by_family.items():
            me = label("family", family)
            over = series > self._budgets.per_family
            if over:
                self._say(family, f"a family has many series: family={family} series={series}")
            yield sample("dbc_exporter_series", me, series)
            yield sample("dbc_exporter_series_budget_exceeded", me, over)
        yield sample("dbc_exporter_targets_over_series_budget", "", len(self._over))

    def _say(self, who: str | Owner, text: str) -> None:
        if who not in self._said:
            self._said.add(who)
            _log.warning("%s; nothing is dropped", text)
