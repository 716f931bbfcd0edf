"""APScheduler keeps the cadence; what it would drop or sleep through is counted and mended."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from dbc_exporter.scheduler import SILENCE_SECONDS, STEP_SECONDS, UNHEALTHY_SECONDS, Scheduler


class HandClock:
    """Moves when told."""

    def __init__(self) -> None:
        self.mono = 1000.0
        self.unix = 1_800_000_000.0

    def monotonic(self) -> float:
        return self.mono

    def wall(self) -> float:
        return self.unix

    def pass_time(self, seconds: float) -> None:
        self.mono += seconds
        self.unix += seconds


class Counted:
    """Counts what the scheduler reports."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def missed(self, job: str) -> None:
        self.counts[f"missed {job}"] += 1

    def error(self, job: str) -> None:
        self.counts[f"error {job}"] += 1
        self.happened.set()

    def rearmed(self) -> None:
        self.counts["rearmed"] += 1

    def clock_stepped(self) -> None:
        self.counts["stepped"] += 1

    @property
    def happened(self) -> asyncio.Event:
        if not hasattr(self, "_happened"):
            self._happened = asyncio.Event()
        return self._happened


def instead_of(old: Scheduler, clock: HandClock) -> Scheduler:
    scheduler = Scheduler(clock, Counted())
    scheduler.take_over(old)
    return scheduler


def waits(scheduler: Scheduler, job: str) -> float:
    """Return the seconds until a job's next run."""
    due: datetime = scheduler._scheduler.get_job(job).next_run_time
    return (due - datetime.now(UTC)).total_seconds()


async def test_a_job_ticks_and_keeps_the_heartbeat_young() -> None:
    clock, counted, ticked = HandClock(), Counted(), asyncio.Event()
    scheduler = Scheduler(clock, counted)
    scheduler.every("node", 0.01, ticked.set)
    clock.pass_time(UNHEALTHY_SECONDS + 1)
    assert not scheduler.healthy()
    scheduler.start()
    await asyncio.wait_for(ticked.wait(), 10)
    await scheduler.stop()
    assert scheduler.healthy()
    assert scheduler.heartbeat_age() == 0


async def test_a_tick_that_raises_is_counted_and_the_job_goes_on() -> None:
    counted, ticks = Counted(), []
    scheduler = Scheduler(HandClock(), counted)

    def tick() -> None:
        ticks.append(1)
        raise ValueError

    scheduler.every("node", 0.01, tick)
    scheduler.start()
    while len(ticks) < 2:
        await asyncio.wait_for(counted.happened.wait(), 10)
        counted.happened.clear()
    await scheduler.stop()
    assert counted.counts["error node"] >= 1


async def test_jobs_left_in_the_future_by_a_clock_set_back_are_run_again_at_once() -> None:
    clock, counted, ticked = HandClock(), Counted(), asyncio.Event()
    scheduler = Scheduler(clock, counted)
    scheduler.every("node", 3600, ticked.set)  # as after a step back: the next run is an hour away
    scheduler.start()
    clock.unix -= 3600
    scheduler.check()
    await asyncio.wait_for(ticked.wait(), 10)
    await scheduler.stop()
    assert counted.counts["stepped"] == 1
    assert counted.counts["rearmed"] == 1


async def test_a_scheduler_gone_silent_is_rearmed() -> None:
    clock, counted, ticked = HandClock(), Counted(), asyncio.Event()
    scheduler = Scheduler(clock, counted)
    scheduler.every("node", 3600, ticked.set)
    scheduler.start()
    clock.pass_time(SILENCE_SECONDS + 1)
    scheduler.check()
    await asyncio.wait_for(ticked.wait(), 10)
    await scheduler.stop()
    assert counted.counts == Counter({"rearmed": 1})


async def test_drift_is_no_step() -> None:
    clock, counted = HandClock(), Counted()
    scheduler = Scheduler(clock, counted)
    scheduler.start()
    clock.unix += STEP_SECONDS / 2
    scheduler.check()
    await scheduler.stop()
    assert counted.counts == Counter()


async def test_a_late_job_runs_once_however_late() -> None:
    counted, ticks, done = Counted(), [], asyncio.Event()
    scheduler = Scheduler(HandClock(), counted)

    def tick() -> None:
        ticks.append(1)
        done.set()

    scheduler.every("node", 3600, tick)
    scheduler.start()
    job = scheduler._scheduler.get_job("node")
    job.modify(next_run_time=datetime.now(UTC) - timedelta(hours=5))
    await asyncio.wait_for(done.wait(), 10)
    await scheduler.stop()
    assert len(ticks) == 1
    assert counted.counts == Counter()


async def test_one_in_anothers_place_runs_a_job_when_that_would_have() -> None:
    clock, ticked = HandClock(), asyncio.Event()
    first = Scheduler(clock, Counted())
    first.every("node", 3600, ticked.set)
    clock.pass_time(1800)
    second = instead_of(first, clock)
    second.every("node", 3600, ticked.set)
    assert 1700 < waits(second, "node") <= 1800
    clock.pass_time(1800)
    third = instead_of(second, clock)
    third.every("node", 3600, ticked.set)
    third.start()
    await asyncio.wait_for(ticked.wait(), 10)
    await third.stop()
    fourth = instead_of(third, clock)
    fourth.every("node", 3600, ticked.set)
    fourth.every("new", 3600, ticked.set)
    assert 3500 < waits(fourth, "node") <= 3600
    assert 3500 < waits(fourth, "new") <= 3600


async def test_a_tick_under_way_at_the_end_is_run_and_counts_as_no_error() -> None:
    counted, ticks = Counted(), []
    scheduler = Scheduler(HandClock(), counted)
    scheduler.every("node", 3600, lambda: ticks.append(1))
    scheduler.start()
    scheduler._scheduler.get_job("node").modify(next_run_time=datetime.now(UTC))
    scheduler._scheduler._process_jobs()
    assert ticks == []
    await scheduler.stop()
    assert ticks == [1]
    assert counted.counts == Counter()
