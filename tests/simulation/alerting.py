"""A small model of Prometheus and two Alertmanager replicas: it probes the truth and makes webhook bodies.

Deliveries can be lost, late, doubled and out of order; what it was told to do wrong it does wrong.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.simulation.town import Town

PROBE, PING, WATCHDOG = "DbcVmUnresponsive", "DbcServerNoPing", "DbcRemediationWatchdog"
FOR_SECONDS = 60.0
REPEAT_SECONDS = 3_600.0
WATCHDOG_SECONDS = 120.0
GROUP = 25  # alerts of one delivery
GIVEN_UP_SECONDS = 300.0  # without word of Prometheus, Alertmanager calls everything resolved

Deliver = Callable[[bytes], None]


@dataclass(slots=True)
class Episode:
    """One alert of one guest."""

    failing_since: float
    firing_since: float | None = None
    told_at: float = float("-inf")


@dataclass
class Alerting:
    """Looks at every round. `prometheus_up` and `alertmanager_up` are switches for faults.

    Prometheus' clock is its own: steps of ours do not move it. `failing` is the truth, whether or not anybody probes.
    With `twice` every delivery comes twice, and old ones come again and again.
    """

    town: Town
    dice: random.Random
    deliver: Deliver
    prometheus_up: bool = True
    alertmanager_up: bool = True
    watchdog_up: bool = True
    lossy: float = 0.0
    twice: bool = False
    silent_since: float | None = None
    silent_at: float = float("-inf")  # when Prometheus was last not there
    failing: dict[tuple[str, str], float] = field(default_factory=dict)
    well_again: dict[tuple[str, str], float] = field(default_factory=dict)
    _open: dict[tuple[str, str, str], Episode] = field(default_factory=dict)
    _watchdog_at: float = float("-inf")
    _old: list[bytes] = field(default_factory=list)
    _pending: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._epoch = self.town.clock.wall() - self.town.clock.monotonic()

    def look(self, now: float) -> None:
        """Evaluate the rules and notify."""
        self._probe_all(now)
        if not self.prometheus_up:
            self.silent_since, self.silent_at = self.silent_since or now, now
            if self.alertmanager_up and now - self.silent_since > GIVEN_UP_SECONDS:
                self._give_up(now)
            self._flush()
            return
        self.silent_since = None
        for key in self.failing:
            for name in (PROBE,) if key[1] else (PROBE, PING):
                self._fire((*key, name), now)
        for node_id in self.town.no_ping:
            self._fire((node_id, "", PING), now)
        for key_of_one in [key for key in self._open if not self._still(key)]:
            self._end(key_of_one, now)
        if self.alertmanager_up and self.watchdog_up and now - self._watchdog_at >= WATCHDOG_SECONDS:
            self._watchdog_at = now
            self._send([_alert(WATCHDOG, {}, 0.0)])
        self._flush()

    def _still(self, key: tuple[str, str, str]) -> bool:
        return key[:2] in self.failing or (key[2] == PING and key[0] in self.town.no_ping)

    def _probe_all(self, now: float) -> None:
        failing, answers = self.failing, self.town.answers
        for guest in self.town.guests:
            key = guest.key
            if answers(guest):
                if key in failing:
                    del failing[key]
                    self.well_again[key] = now
            elif key not in failing:
                failing[key] = now

    def _fire(self, key: tuple[str, str, str], now: float) -> None:
        episode = self._open.setdefault(key, Episode(now))
        if episode.firing_since is None and now - episode.failing_since >= FOR_SECONDS:
            episode.firing_since = now
        if episode.firing_since is None or now - episode.told_at < REPEAT_SECONDS or not self.alertmanager_up:
            return
        episode.told_at = now
        self._pending.append(_alert(key[2], _labels(key), self.wall(episode.firing_since)))

    def _end(self, key: tuple[str, str, str], now: float) -> None:
        if not self.alertmanager_up:
            return
        episode = self._open.pop(key)
        if episode.told_at > float("-inf"):
            began = self.wall(episode.firing_since or 0.0)
            self._pending.append(_alert(key[2], _labels(key), began, self.wall(now)))

    def _give_up(self, now: float) -> None:
        for key in list(self._open):
            self._end(key, now)

    def _flush(self) -> None:
        """Notify in groups, as Alertmanager does of what happens at about the same time."""
        while self._pending:
            group, self._pending = self._pending[:GROUP], self._pending[GROUP:]
            self._send(group)

    def wall(self, at: float) -> float:
        """Return Prometheus' Unix time of a moment."""
        return self._epoch + at

    def truncated(self) -> None:
        """Say that alerts were left out."""
        self._send([_alert(WATCHDOG, {}, 0.0)], truncated=3)

    def _send(self, alerts: list[dict[str, Any]], truncated: int = 0) -> None:
        body = json.dumps(
            {
                "version": "4",
                "groupKey": "{}:{}",
                "truncatedAlerts": truncated,
                "status": alerts[0]["status"],
                "receiver": "dbc",
                "groupLabels": {},
                "commonLabels": {},
                "commonAnnotations": {},
                "externalURL": "http://am",
                "alerts": alerts,
            }
        ).encode()
        roll = self.dice.random()
        if roll < self.lossy / 2:
            return  # lost for good: Alertmanager gave up on it
        self.deliver(body)
        self._old.append(body)
        del self._old[:-200]
        if roll < self.lossy:
            self.deliver(body)  # the other replica
        if self.twice:
            for again in (body, *self._old[-3:][::-1]):
                self.deliver(again)

    def replay_old(self) -> None:
        """Let a replica deliver something old once more, out of order; a stale word of the watchdog is none."""
        old = [body for body in self._old if WATCHDOG.encode() not in body]
        if old:
            self.deliver(self.dice.choice(old))


def _labels(key: tuple[str, str, str]) -> dict[str, str]:
    node_id, task_id, _ = key
    return {"node_id": node_id, "task_id": task_id} if task_id else {"node_id": node_id}


def _alert(name: str, labels: dict[str, str], began: float, ended: float | None = None) -> dict[str, Any]:
    every = {"alertname": name, **labels}
    return {
        "status": "firing" if ended is None else "resolved",
        "labels": every,
        "annotations": {},
        "startsAt": _moment(began),
        "endsAt": "0001-01-01T00:00:00Z" if ended is None else _moment(ended),
        "generatorURL": "",
        "fingerprint": f"{hash_of(every):016x}",
    }


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def hash_of(labels: dict[str, str]) -> int:
    """A fingerprint that does not depend on the process."""
    digest = hashlib.blake2b(json.dumps(labels, sort_keys=True).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
