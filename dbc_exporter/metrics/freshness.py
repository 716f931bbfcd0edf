"""When each collector last tried and last succeeded for each owner, as records and as series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from dbc_exporter.clock import Clock
from dbc_exporter.dbc.errors import Reason
from dbc_exporter.metrics.blocks import Blocks
from dbc_exporter.metrics.lines import labels
from dbc_exporter.metrics.owner import Owner
from dbc_exporter.metrics.saved import SavedFreshness

_ATTEMPT = "dbc_collector_last_attempt_timestamp_seconds"
_SUCCESS = "dbc_collector_last_success_timestamp_seconds"
_INTERVAL = "dbc_collector_interval_seconds"
_FAILURES = "dbc_collector_failures_total"
_UNAVAILABLE = "dbc_collector_unavailable"

_LATE = 2.0
"""Intervals after which values count as ageing: one poll was missed."""


class FreshnessState(StrEnum):
    """What may be said about the values of one collector for one owner."""

    FRESH = "fresh"
    AGEING = "ageing"
    WITHDRAWN = "withdrawn"
    NEVER = "never"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Freshness:
    """A collector's record as others read it; times are Unix seconds, `None` means it has not happened.

    `age_seconds` is since the latest success, `chain_silent_seconds` since polls began to fail because DBC's chain does
    not answer, if the latest one did; both go by the monotonic clock.
    """

    collector: str
    state: FreshnessState
    interval_seconds: float | None
    last_attempt: float | None
    last_success: float | None
    age_seconds: float | None
    last_reason: Reason | None
    last_failure: float | None
    chain_silent_seconds: float | None
    unavailable: str | None
    failures: int


@dataclass(slots=True)
class Record:
    """One collector at one owner. `succeeded` and `chain_silent` are monotonic and of this process only."""

    labels: str
    interval: float | None = None
    last_attempt: float | None = None
    last_success: float | None = None
    succeeded: float | None = None
    last_reason: Reason | None = None
    last_failure: float | None = None
    chain_silent: float | None = None
    unavailable: str | None = None
    failures: dict[Reason, int] = field(default_factory=dict)


class FreshnessBook:
    """All records, and their series kept in step in the blocks."""

    def __init__(self, clock: Clock, blocks: Blocks, withdraw_after_intervals: float) -> None:
        """`withdraw_after_intervals` tells pages when values are gone; the store does the withdrawing."""
        self._clock = clock
        self._blocks = blocks
        self._withdraw_after = withdraw_after_intervals
        self._records: dict[Owner, dict[str, Record]] = {}

    def attempt(self, owner: Owner, collector: str, interval_seconds: float) -> Record:
        """Note that a poll starts."""
        record = self._record(owner, collector)
        record.last_attempt = self._clock.wall()
        self._time(_ATTEMPT, record, record.last_attempt)
        self._set_interval(record, interval_seconds)
        return record

    def lengthen(self, owner: Owner, collector: str, interval_seconds: float) -> None:
        """Note that the next poll comes no sooner than this after the one before."""
        record = self.get(owner, collector)
        if record is not None and record.interval is not None and record.interval < interval_seconds:
            self._set_interval(record, interval_seconds)

    def success(self, record: Record) -> None:
        """Note that a poll succeeded."""
        record.last_success = self._clock.wall()
        record.succeeded = self._clock.monotonic()
        record.chain_silent = None
        self._time(_SUCCESS, record, record.last_success)

    def failure(self, owner: Owner, collector: str, reason: Reason, *, chain_silent: bool) -> None:
        """Count a failed poll."""
        record = self._record(owner, collector)
        record.last_reason = reason
        record.last_failure = self._clock.wall()
        silent_since = self._clock.monotonic() if record.chain_silent is None else record.chain_silent
        record.chain_silent = silent_since if chain_silent else None
        count = record.failures[reason] = record.failures.get(reason, 0) + 1
        identity = f'{record.labels},reason="{reason}"'
        self._blocks.put((_FAILURES, identity, f"{_FAILURES}{{{identity}}} {count}\n".encode()))

    def unavailable(self, owner: Owner, collector: str, reason: str | None) -> None:
        """Say why a collector cannot work here, or that it can again."""
        record = self._record(owner, collector)
        if record.unavailable == reason:
            return
        if record.unavailable is not None:
            self._blocks.discard(_UNAVAILABLE, f'{record.labels},reason="{record.unavailable}"')
        record.unavailable = reason
        if reason is not None:
            identity = f'{record.labels},reason="{reason}"'
            self._blocks.put((_UNAVAILABLE, identity, f"{_UNAVAILABLE}{{{identity}}} 1\n".encode()))

    def get(self, owner: Owner, collector: str) -> Record | None:
        """Return a record, if there is one."""
        return self._records.get(owner, {}).get(collector)

    def collectors(self) -> set[str]:
        """Name every collector that has a record."""
        return {collector for records in self._records.values() for collector in records}

    def forget(self, owner: Owner) -> None:
        """Drop an owner's records and series."""
        for record in self._records.pop(owner, {}).values():
            self._drop(record)

    def forget_collector(self, collector: str) -> None:
        """Drop a collector's records and series at every owner."""
        for records in self._records.values():
            record = records.pop(collector, None)
            if record is not None:
                self._drop(record)

    def view(self, owner: Owner) -> list[Freshness]:
        """Return an owner's records for pages, by collector."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        views = []
        for collector, record in sorted(self._records.get(owner, {}).items()):
            age = _age(record, now, wall)
            views.append(
                Freshness(
                    collector,
                    self._state(record, age),
                    record.interval,
                    record.last_attempt,
                    record.last_success,
                    age,
                    record.last_reason,
                    record.last_failure,
                    None if record.chain_silent is None else now - record.chain_silent,
                    record.unavailable,
                    sum(record.failures.values()),
                )
            )
        return views

    def keys(self, owner: Owner) -> Iterator[tuple[str, str]]:
        """Name the series an owner's records may have."""
        for record in self._records.get(owner, {}).values():
            yield from _keys(record)

    def saved(self) -> list[SavedFreshness]:
        """List what survives a restart; counts of failures do not."""
        return [
            SavedFreshness(
                owner.client,
                owner.node_id,
                owner.manager_id,
                collector,
                record.interval,
                record.last_attempt,
                record.last_success,
            )
            for owner, records in list(self._records.items())
            for collector, record in list(records.items())
            if record.last_attempt is not None
        ]

    def restore(self, rows: Iterable[SavedFreshness]) -> None:
        """Take back what an earlier process saved; values stay absent until they are polled again."""
        for row in rows:
            record = self._record(Owner(row.client, row.node_id, row.manager_id), row.collector)
            record.last_attempt = row.last_attempt
            record.last_success = row.last_success
            if row.interval is not None:
                self._set_interval(record, row.interval)
            if record.last_attempt is not None:
                self._time(_ATTEMPT, record, record.last_attempt)
            if record.last_success is not None:
                self._time(_SUCCESS, record, record.last_success)

    def _set_interval(self, record: Record, seconds: float) -> None:
        if record.interval != seconds:
            record.interval = seconds
            self._number(_INTERVAL, record, seconds)

    def _record(self, owner: Owner, collector: str) -> Record:
        records = self._records.setdefault(owner, {})
        record = records.get(collector)
        if record is None:
            mine = labels(client=owner.client, node_id=owner.node_id, collector=collector)
            record = records[collector] = Record(mine)
        return record

    def _state(self, record: Record, age: float | None) -> FreshnessState:
        if record.unavailable is not None:
            return FreshnessState.UNAVAILABLE
        if age is None or record.interval is None:
            return FreshnessState.NEVER
        if record.succeeded is None or age >= self._withdraw_after * record.interval:
            return FreshnessState.WITHDRAWN
        return FreshnessState.AGEING if age >= _LATE * record.interval else FreshnessState.FRESH

    def _time(self, family: str, record: Record, seconds: float) -> None:
        self._blocks.put((family, record.labels, f"{family}{{{record.labels}}} {seconds:.3f}\n".encode()))

    def _number(self, family: str, record: Record, number: float) -> None:
        self._blocks.put((family, record.labels, f"{family}{{{record.labels}}} {number!r}\n".encode()))

    def _drop(self, record: Record) -> None:
        for family, identity in _keys(record):
            self._blocks.discard(family, identity)


def _keys(record: Record) -> Iterator[tuple[str, str]]:
    """Name the series a record may have."""
    for family in (_ATTEMPT, _SUCCESS, _INTERVAL):
        yield family, record.labels
    for reason in record.failures:
        yield _FAILURES, f'{record.labels},reason="{reason}"'
    if record.unavailable is not None:
        yield _UNAVAILABLE, f'{record.labels},reason="{record.unavailable}"'


def _age(record: Record, now: float, wall: float) -> float | None:
    if record.succeeded is not None:
        return now - record.succeeded
    if record.last_success is not None:
        return max(0.0, wall - record.last_success)
    return None
