"""The judge: it knows the truth, reads the journal with its own SQL, and shares no code with the planner.

Every broken promise becomes a line in `violations`, beginning with the promise's name. docs/simulation.md lists them.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbc_exporter.simulator.compute import ComputeNode
from dbc_exporter.simulator.vm import RUNNING
from tests.simulation.eyes import Eyes
from tests.simulation.town import GPUS, Guest, Town
from tests.simulation.wires import Sent

FRESH_SECONDS = 130.0  # what was read for an action may be this old when it leaves
VERB = {
    "restart": "/tasks/restart/",
    "force_restart": "/tasks/restart/",
    "start": "/tasks/start/",
    "power_on": "/bare_metal/power",
    "power_reset": "/bare_metal/power",
}
NEVER = float("-inf")


@dataclass
class Rules:
    """The policy in force, as plain numbers the oracle was given when it was loaded."""

    mode: str
    rung_modes: dict[str, str]
    hold: float
    cooldown: float
    attempts: int
    attempts_per_day: int
    hold_off: float
    node_settle: float
    max_age: float
    budgets: list[tuple[str, float, int]]
    concurrency: int
    per_client: int
    known_share: float
    storm_new: int
    storm_share: float
    chain_silent: int
    watchdog: float
    window: tuple[int, int] | None = None


@dataclass(slots=True)
class Act:
    """One action as the oracle saw it leave."""

    at: float
    key: tuple[str, str]
    machine: str
    action: str
    intent: str
    nonce: str


@dataclass
class Heard:
    """What was delivered about one alert of one guest, in the order of its own times."""

    firing: bool
    first: float
    last: float


@dataclass
class Oracle:
    """Hears everything and says what was wrong."""

    town: Town
    eyes: Eyes
    journal: Path
    rules: Rules
    violations: list[str] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    state_log: dict[tuple[str, str], list[tuple[float, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    lease_log: dict[str, list[tuple[float, bool]]] = field(default_factory=lambda: defaultdict(list))
    started_at: float = 0.0
    disturbed_at: float = NEVER
    watchdog_at: float = NEVER
    heard: dict[tuple[str, str, str], Heard] = field(default_factory=dict)
    paused: dict[str, float] = field(default_factory=dict)
    killed: bool = False
    disarmed: bool = False
    approved: set[str] = field(default_factory=set)
    stalls: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    # -- hearing

    def note_truth(self, now: float) -> None:
        """Keep how things are, for questions about a moment ago."""
        for guest in self.town.guests:
            self._log(self.state_log[guest.key], now, self.town.is_on(guest))
            self._log(self.lease_log[guest.node_id], now, self.town.rented(guest))

    @staticmethod
    def _log(log: list[tuple[float, bool]], now: float, true: bool) -> None:
        if not log or log[-1][1] is not true:
            log.append((now, true))

    def _was(self, log: list[tuple[float, bool]], wanted: bool, since: float) -> bool:
        """Whether something was so at some moment since then."""
        if not log or log[-1][1] is wanted:
            return True
        return log[-1][0] >= since

    def wrong(self, promise: str, text: str) -> None:
        self.violations.append(f"{promise}: {text}")

    # -- judging

    def _alone(self, intent: dict[str, Any]) -> None:
        """Judge what else is under way."""
        rules = self.rules
        open_ones = [row for row in self._open() if row["id"] != intent["id"]]
        if any(row["subject"] == intent["subject"] for row in open_ones):
            self.wrong("one_open_per_subject", intent["id"])
        if any(row["machine"] == intent["machine"] for row in open_ones):
            self.wrong("one_open_per_machine", intent["id"])
        if len(open_ones) >= rules.concurrency:
            self.wrong("concurrency", f"{len(open_ones) + 1} at once")
        if sum(row["client"] == intent["client"] for row in open_ones) >= rules.per_client:
            self.wrong("concurrency_client", intent["client"])

    def _may_act(self, intent: dict[str, Any], now: float) -> None:
        rules, key = self.rules, _key(intent["subject"])
        if self.killed:
            self.wrong("kill_switch", intent["id"])
        if self.disarmed:
            self.wrong("journal", intent["id"])
        for node, until in self.paused.items():
            if now < until and node in ("", key[0], intent["machine"]):
                self.wrong("pause", intent["id"])
        if now - max(self.started_at, self.disturbed_at) < rules.hold_off - 0.001:
            self.wrong("hold_off", f"{now - max(self.started_at, self.disturbed_at):.0f} s")
        mode = rules.rung_modes.get(intent["action"], "off")
        weakest = min((rules.mode, mode), key=("off", "dry_run", "approve", "act").index)
        if weakest in ("off", "dry_run") or (weakest == "approve" and not intent["approved_by"]):
            self.wrong("mode", f"{intent['action']} in {weakest}")
        if self.town.clock.monotonic() - self.watchdog_at > rules.watchdog and intent["action"] != "power_on":
            self.wrong("watchdog", intent["id"])

    def leaves(self, sent: Sent, now: float) -> None:
        """Judge a request that changes something as it leaves us."""
        self.counts["sent"] += 1
        row = self._row("SELECT * FROM intent WHERE nonce = ?", sent.nonce)
        if not sent.nonce or row is None:
            self.wrong("write_ahead", f"{sent.path} left without its intent on disk")
            return
        if row["state"] != "sending":
            self.wrong("write_ahead", f"{row['id']} left in state {row['state']}")
        key = _key(row["subject"])
        guest = self.town.by_key.get(key)
        if guest is None:
            self.wrong("empty_selects_nothing", sent.path)
            return
        act = Act(now, key, row["machine"], row["action"], row["id"], sent.nonce)
        self._alone(row)
        self._may_act(row, now)
        self._fits(act, sent)
        self._once(act)
        self._spaced(act)
        self._in_order(act, row)
        self._true(act, guest)
        self.acts.append(act)

    def _fits(self, act: Act, sent: Sent) -> None:
        wanted = VERB[act.action] + act.key[1]
        forced = sent.path.endswith("?force_reboot=true")
        if not sent.path.startswith(wanted) or sent.node != act.key[0]:
            self.wrong("right_target", f"{sent.path} at {sent.node[:8]} for {act.action}")
        if forced is not (act.action == "force_restart"):
            self.wrong("ladder_order", f"{sent.path} for {act.action}")

    def _once(self, act: Act) -> None:
        if any(earlier.intent == act.intent for earlier in self.acts):
            self.wrong("one_send_per_intent", act.intent)
        if any(earlier.nonce == act.nonce for earlier in self.acts):
            self.wrong("fresh_nonce", act.intent)

    def _spaced(self, act: Act) -> None:
        rules = self.rules
        mine = [one for one in self.acts if one.key == act.key]
        if mine and act.at - mine[-1].at < rules.cooldown - 1:
            self.wrong("cooldown", f"{act.at - mine[-1].at:.0f} s after the last")
        if sum(act.at - one.at < 86_400 for one in mine) >= rules.attempts_per_day:
            self.wrong("attempts_per_day", act.intent)
        for scope, window, most in rules.budgets:
            same = [
                one
                for one in self.acts
                if act.at - one.at < window - 1 and (scope == "fleet" or one.machine == act.machine)
            ]
            if len(same) >= most:
                self.wrong(f"budget_{scope}", f"{len(same) + 1} in {window:.0f} s")

    def _in_order(self, act: Act, row: dict[str, Any]) -> None:
        """A stronger step only after the milder one was seen to have failed; a mild one not for ever."""
        earlier = self._rows(
            "SELECT * FROM intent WHERE subject = ? AND sent IS NOT NULL AND id != ? ORDER BY sent",
            row["subject"],
            act.intent,
        )
        if act.action == "force_restart" and not (
            earlier and any(one["result"] == "ineffective" and one["action"] == "restart" for one in earlier)
        ):
            self.wrong("ladder_order", "force_restart without a restart that was seen to fail")
        run = 0
        for one in reversed(earlier):
            if one["action"] != act.action or one["result"] == "recovered":
                break
            run += 1
        if run >= self.rules.attempts and row["sent"] - (earlier[-1]["ended"] or row["sent"]) < 3_600:
            self.wrong("finite_attempts", f"{act.action} for the {run + 1}th time")

    def _true(self, act: Act, guest: Guest) -> None:
        """What must have been so a moment before."""
        since = act.at - FRESH_SECONDS
        if not self._was(self.lease_log[guest.node_id], True, since):
            self.wrong("lease_over", act.intent)
        wanted_on = act.action in ("restart", "force_restart", "power_reset")
        if not self._was(self.state_log[act.key], wanted_on, since):
            self.wrong("owner_wins", f"{act.action} of what is {'off' if wanted_on else 'on'}")
        machine = guest.machine
        away = self.eyes.away_at.get(machine, NEVER)
        if act.at - away < self.rules.node_settle - FRESH_SECONDS:
            self.wrong("node_settle", f"away {act.at - away:.0f} s ago")
        told = self.eyes.told.get(act.key)
        if told is None or act.at - told.at > self.rules.max_age + FRESH_SECONDS:
            self.wrong("stale_evidence", act.intent)
        if isinstance(guest.node, ComputeNode):
            if guest.node.hardware.gpus < GPUS:
                self.wrong("gpus", act.intent)
            if guest.machine in self.eyes.transfers:
                self.wrong("busy", act.intent)

    def audit(self) -> None:
        """Look at the ledger and the whole journal, at the end or in between."""
        executed = Counter(row.nonce for row in self.town.world.ledger.executed if row.nonce)
        mine = {act.nonce: act for act in self.acts}
        for nonce, times in executed.items():
            if nonce not in mine:
                self.wrong(
                    "no_foreign_execution", f"{times} executions of a nonce that never left as a write"
                )
            elif times > 1 and not mine[nonce].action.startswith("force"):
                self.wrong("one_execution_per_intent", f"{mine[nonce].action} {times} times")
        for row in self._rows("SELECT * FROM intent WHERE result = 'not_executed'"):
            if executed.get(row["nonce"]):
                self.wrong("never_arrived_is_true", row["id"])
        text = self.journal.read_bytes() if self.journal.exists() else b""
        if b'"sign"' in text or b"session_id_sign" in text:
            self.wrong("no_secret", "in the journal")

    # -- the journal, by its own SQL

    def _open(self) -> list[dict[str, Any]]:
        return self._rows("SELECT * FROM intent WHERE state != 'ended'")

    def _row(self, query: str, *values: object) -> dict[str, Any] | None:
        rows = self._rows(query, *values)
        return rows[0] if rows else None

    def _rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        connection = sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)
        try:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]
        finally:
            connection.close()


def _key(subject: str) -> tuple[str, str]:
    node, _, task = subject.partition("/")
    return node, task


__all__ = ["RUNNING", "Act", "Oracle", "Rules"]
