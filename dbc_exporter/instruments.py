"""Turns what the engine reports into our own process metrics: the one place where requests and runs are counted."""

from __future__ import annotations

from collections.abc import Iterable

from dbc_exporter.clock import Clock
from dbc_exporter.dbc.client import DbcClient
from dbc_exporter.dbc.errors import Reason
from dbc_exporter.metrics.own import OwnMetrics


def slug(kind: str) -> str:
    """Return the label value of a kind of request."""
    return kind.replace(" ", "_")


class Instruments:
    """Observer of exchanges, counter of polls and of the scheduler's life."""

    def __init__(self, own: OwnMetrics, clock: Clock) -> None:
        self._own = own
        self._clock = clock

    # -- as observer of exchanges

    def finished(self, client: str, kind: str, seconds: float, reason: Reason | None) -> None:
        """Count an exchange and its duration."""
        name = slug(kind)
        self._own.requests.labels(client, name).inc()
        self._own.request_duration.labels(client, name).observe(seconds)
        if reason is not None:
            self._own.request_failures.labels(client, name, reason.value).inc()

    def restarted(self, client: str) -> None:
        """Count a client's restart."""
        self._own.client_restarts.labels(client).inc()

    # -- as counter of polls

    def run(self, collector: str) -> None:
        """Count a started poll."""
        self._own.scheduler_runs.labels(collector).inc()

    def overlapped(self, collector: str, times: int) -> None:
        """Count due times that passed unused."""
        self._own.scheduler_overlapped.labels(collector).inc(times)

    def deadline_exceeded(self, collector: str) -> None:
        """Count a poll given up."""
        self._own.scheduler_deadline_exceeded.labels(collector).inc()

    def error(self, collector: str) -> None:
        """Count a mistake of ours."""
        self._own.scheduler_errors.labels(collector).inc()

    # -- as counter of the scheduler

    def missed(self, job: str) -> None:
        """Count a tick that APScheduler dropped."""
        self._own.scheduler_missed.labels(job).inc()

    def rearmed(self) -> None:
        """Count a re-arming."""
        self._own.scheduler_rearms.inc()

    def clock_stepped(self) -> None:
        """Count a step of the wall clock."""
        self._own.clock_steps.inc()

    # -- what is read at scrape time

    def sample(self, clients: Iterable[DbcClient], heartbeat_age: float) -> None:
        """Set the gauges that are read off live objects; called right before a scrape is answered."""
        now = self._clock.monotonic()
        self._own.scheduler_heartbeat.set(self._clock.wall() - heartbeat_age)
        for client in clients:
            self._own.unanswered.labels(client.name).set(client.unanswered)
            self._own.unanswered_ceiling.labels(client.name).set(client.unanswered_ceiling)
            for kind, lane in client.gate.lanes.items():
                self._own.in_flight.labels(client.name, slug(kind)).set(lane.in_flight)
                self._own.in_flight_limit.labels(client.name, slug(kind)).set(lane.limit(now))
                self._own.pace_load.labels(client.name, slug(kind)).set(lane.load())
