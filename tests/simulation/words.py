"""The oracle's own memory of what Alertmanager said to us: read from the same bytes, by other rules of thumb.

An episode of an alert is over once anything said so of it, and nothing said later about that episode revives it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from tests.simulation.alerting import WATCHDOG

NEVER = float("-inf")
Key = tuple[str, str, str]


@dataclass(slots=True)
class Word:
    """One alert: Prometheus' times of its latest start and end, and ours of the first and latest word of it.

    `perhaps` is when a word of its end came of which nobody knows if it was taken.
    """

    starts: float = NEVER
    over: float = NEVER
    first: float = NEVER
    last: float = NEVER
    ended: float = NEVER
    perhaps: float = NEVER

    @property
    def fires(self) -> bool:
        return self.starts > self.over


@dataclass
class Words:
    """All alerts, by node, VM and name."""

    said: dict[Key, Word] = field(default_factory=dict)
    firing: dict[Key, Word] = field(default_factory=dict)
    watchdog_at: float = NEVER
    truncated_at: float = NEVER

    def hear(self, body: bytes, now: float, *, surely: bool) -> None:
        """Take a delivery. One of which nobody knows if it was taken revives and refreshes, and ends nothing."""
        payload = json.loads(body)
        if payload["truncatedAlerts"] and surely:
            self.truncated_at = now
        for alert in payload["alerts"]:
            labels = alert["labels"]
            if labels["alertname"] == WATCHDOG:
                self.watchdog_at = now
                continue
            key = (labels["node_id"], labels.get("task_id", ""), labels["alertname"])
            word = self.said.setdefault(key, Word())
            if alert["status"] == "firing":
                self._fired(word, _at(alert["startsAt"]), now)
            else:
                self._ended(word, max(_at(alert["startsAt"]), _at(alert["endsAt"])), now, surely=surely)
            if word.fires:
                self.firing[key] = word
            else:
                self.firing.pop(key, None)

    @staticmethod
    def _fired(word: Word, starts: float, now: float) -> None:
        if starts <= word.over:
            return
        if starts > word.starts:
            word.starts, word.first, word.perhaps = starts, now, NEVER
        word.last = now

    @staticmethod
    def _ended(word: Word, over: float, now: float, *, surely: bool) -> None:
        before = word.fires
        if not surely:
            if before and over >= word.starts and word.perhaps == NEVER:
                word.perhaps = now
            return
        word.over = max(word.over, over)
        if before and not word.fires:
            word.ended = now if word.perhaps == NEVER else word.perhaps


def _at(text: str) -> float:
    if text.startswith("0001"):
        return NEVER
    return datetime.fromisoformat(text).timestamp()
