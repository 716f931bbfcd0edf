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

from tests.simulation.town import Guest, Town

PROBE, PING, WATCHDOG = "DbcVmUnresponsive", "DbcServerNoPing", "DbcRemediationWatchdog"
FOR_SECONDS = 60.0
REPEAT_SECONDS = 3_600.0
WATCHDOG_SECONDS = 120.0
GIVEN_UP_SECONDS = 300.0  # without word of Prometheus, Alertmanager calls everything resolved

Deliver = Callable[[bytes], None]


@dataclass(slots=True)
class Episode:
    """One alert of one guest."""

    failing_since: float
    firing_since: float | None = None
    told_at: float = float("-inf")
    resolved: bool = False


@dataclass
class Alerting:
    """Looks at every round. `prometheus_up` and `alertmanager_up` are switches for faults."""

    town: Town
    dice: random.Random
    deliver: Deliver
    prometheus_up: bool = True
    alertmanager_up: bool = True
    lossy: float = 0.0
    silent_since: float | None = None
    _open: dict[tuple[str, str, str], Episode] = field(default_factory=dict)
    _watchdog_at: float = float("-inf")
    _old: list[bytes] = field(default_factory=list)

    def look(self, now: float) -> None:
        """Evaluate the rules and notify."""
        if not self.prometheus_up:
            self.silent_since = now if self.silent_since is None else self.silent_since
            if self.alertmanager_up and now - self.silent_since > GIVEN_UP_SECONDS:
                self._give_up(now)
            return
        self.silent_since = None
        for guest in self.town.guests:
            self._probe(guest, now)
        if self.alertmanager_up and now - self._watchdog_at >= WATCHDOG_SECONDS:
            self._watchdog_at = now
            self._send([_alert(WATCHDOG, {}, 0.0, firing=True)])

    def _probe(self, guest: Guest, now: float) -> None:
        well = self.town.answers(guest)
        names = (PROBE,) if guest.task_id else (PROBE, PING)
        for name in names:
            key = (*guest.key, name)
            episode = self._open.get(key)
            if well:
                if episode is not None:
                    self._end(key, episode, now)
            elif episode is None:
                self._open[key] = Episode(now)
            else:
                self._fire(key, episode, now)

    def _fire(self, key: tuple[str, str, str], episode: Episode, now: float) -> None:
        if episode.firing_since is None and now - episode.failing_since >= FOR_SECONDS:
            episode.firing_since = now
        if episode.firing_since is None or now - episode.told_at < REPEAT_SECONDS or not self.alertmanager_up:
            return
        episode.told_at = now
        self._send([_alert(key[2], _labels(key), self._wall(episode.firing_since), firing=True)])

    def _end(self, key: tuple[str, str, str], episode: Episode, now: float) -> None:
        del now
        if not self.alertmanager_up:
            return
        del self._open[key]
        if episode.told_at > float("-inf"):
            began = self._wall(episode.firing_since or 0.0)
            self._send([_alert(key[2], _labels(key), began, firing=False)])

    def _give_up(self, now: float) -> None:
        for key, episode in list(self._open.items()):
            self._end(key, episode, now)
        self._open.clear()

    def _wall(self, at: float) -> float:
        return self.town.clock.wall() - self.town.clock.monotonic() + at

    def truncated(self) -> None:
        """Say that alerts were left out."""
        self._send([_alert(WATCHDOG, {}, 0.0, firing=True)], truncated=3)

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
        if roll < self.lossy:
            self.deliver(body)  # the other replica
            self._old.append(body)

    def replay_old(self) -> None:
        """Let a replica deliver something old once more, out of order."""
        if self._old:
            self.deliver(self.dice.choice(self._old))
            del self._old[:-50]


def _labels(key: tuple[str, str, str]) -> dict[str, str]:
    node_id, task_id, _ = key
    return {"node_id": node_id, "task_id": task_id} if task_id else {"node_id": node_id}


def _alert(name: str, labels: dict[str, str], began: float, *, firing: bool) -> dict[str, Any]:
    every = {"alertname": name, **labels}
    return {
        "status": "firing" if firing else "resolved",
        "labels": every,
        "annotations": {},
        "startsAt": datetime.fromtimestamp(began, UTC).isoformat().replace("+00:00", "Z"),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": f"{hash_of(every):016x}",
    }


def hash_of(labels: dict[str, str]) -> int:
    """A fingerprint that does not depend on the process."""
    digest = hashlib.blake2b(json.dumps(labels, sort_keys=True).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
