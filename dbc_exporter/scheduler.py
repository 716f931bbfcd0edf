"""The cadence: APScheduler calls every job's tick; a watchdog sees to it that it goes on.

APScheduler decides by the wall clock when a job runs, drops late and overlapping runs with a log line only, and falls
silent for as long as the clock was stepped back. So jobs here are short ticks that never await, everything it drops is
counted, and a watchdog on the monotonic clock re-arms the jobs after a clock step or a silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from dbc_exporter.clock import Clock
from dbc_exporter.logs import get_logger

log = get_logger(__name__)

WATCH_SECONDS = 5.0
SILENCE_SECONDS = (
    15.0  # ticks come every few seconds; this long without one means that the scheduler is stuck
)
STEP_SECONDS = 2.0  # a smaller difference between the clocks is drift
UNHEALTHY_SECONDS = 60.0


class SchedulerCounters(Protocol):
    """Counts what APScheduler drops and what the watchdog does."""

    def missed(self, job: str) -> None:
        """Count a run that APScheduler missed or refused to start."""

    def error(self, job: str) -> None:
        """Count a tick that raised."""

    def rearmed(self) -> None:
        """Count a re-arming of the jobs."""

    def clock_stepped(self) -> None:
        """Count a step of the wall clock."""


class Ticker(Protocol):
    """Calls functions again and again. Tests put a virtual one in APScheduler's place."""

    def every(self, name: str, seconds: float, tick: Callable[[], None]) -> None:
        """Call `tick` every so many seconds once started."""


class Scheduler:
    """APScheduler with a heartbeat and a watchdog."""

    def __init__(self, clock: Clock, counters: SchedulerCounters) -> None:
        self._clock = clock
        self._counters = counters
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._heartbeat = clock.monotonic()
        self._offset = clock.wall() - clock.monotonic()
        self._watchdog: asyncio.Task[None] | None = None
        self._ran: dict[str, float] = {}  # or was added first; monotonic
        self._scheduler.add_listener(
            self._heard, EVENT_JOB_ERROR | EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES
        )

    def take_over(self, old: Scheduler) -> None:
        """Go on in the rhythm of a stopped one; call before adding jobs.

        Else reloads that follow each other faster than a job's interval would put the job off for ever.
        """
        self._ran = dict(old._ran)

    def every(self, name: str, seconds: float, tick: Callable[[], None]) -> None:
        """Add a job. Late runs are made up for by one run, however late."""
        now = self._clock.monotonic()
        wait = max(0.0, self._ran.setdefault(name, now) + seconds - now)

        async def run() -> None:  # a coroutine runs on the loop; a plain function would run in a thread
            self._heartbeat = self._ran[name] = self._clock.monotonic()
            tick()

        self._scheduler.add_job(
            run,
            "interval",
            seconds=seconds,
            id=name,
            next_run_time=datetime.now(UTC) + timedelta(seconds=wait),
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
        )

    def start(self) -> None:
        """Start the jobs and the watchdog on the running loop."""
        self._scheduler.start()
        self._watchdog = asyncio.ensure_future(self._watch())

    async def stop(self) -> None:
        """Stop calling ticks. Those under way end first: APScheduler would log a cancelled one as an error."""
        if self._watchdog:
            self._watchdog.cancel()
        if self._scheduler.running:
            self._scheduler.pause()
            await asyncio.sleep(0)  # ticks never await: whichever was about to run has run now
            self._scheduler.shutdown(wait=False)

    def heartbeat_age(self) -> float:
        """Return the seconds since any job ran last."""
        return self._clock.monotonic() - self._heartbeat

    def healthy(self) -> bool:
        """Tell whether the cadence goes on."""
        return self.heartbeat_age() < UNHEALTHY_SECONDS

    def check(self) -> None:
        """Re-arm the jobs if the wall clock stepped or nothing ran for a while."""
        offset = self._clock.wall() - self._clock.monotonic()
        if abs(offset - self._offset) > STEP_SECONDS:
            self._counters.clock_stepped()
            log.warning("wall clock stepped", seconds=round(offset - self._offset, 1))
            self._offset = offset
            self._rearm()
        elif self.heartbeat_age() > SILENCE_SECONDS:
            log.warning("scheduler silent, re-arming", seconds=round(self.heartbeat_age(), 1))
            self._rearm()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self.check()

    def _rearm(self) -> None:
        self._counters.rearmed()
        now = datetime.now(UTC)
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=now)

    def _heard(self, event: JobEvent) -> None:
        if event.code == EVENT_JOB_ERROR:
            self._counters.error(event.job_id)
            log.error("tick failed", job=event.job_id, error=type(event.exception).__name__)
        else:
            self._counters.missed(event.job_id)
