"""The judge: it knows the truth, reads the journal with its own SQL, and shares no code with the planner.

Every broken promise becomes a line in `violations`, beginning with the promise's name; docs/simulation.md lists them.
It judges an action three times: when it is written down (`intends`), when the planner says the last yes (`allows`),
and when its bytes leave (`leaves`). It complains only of what is certain.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbc_exporter.simulator.compute import ComputeNode
from tests.simulation.alerting import Alerting
from tests.simulation.eyes import Eyes
from tests.simulation.fleet_truth import FleetTruth
from tests.simulation.policies import Rules
from tests.simulation.town import GPUS, Town
from tests.simulation.wires import Sent
from tests.simulation.words import Words

Key = tuple[str, str]
Row = dict[str, Any]
NEVER = float("-inf")
LOOK_LASTS = 120.0
YES_LASTS = 15.0
LATEST_INQUIRY = 2_400.0  # the process may be away when it is due
NEEDS_ON = frozenset({"restart", "force_restart", "power_reset"})


@dataclass(slots=True)
class Act:
    """One action as it left us."""

    at: float
    key: Key
    machine: str
    action: str
    intent: str
    nonce: str
    client: str
    site: str


@dataclass(slots=True)
class Looked:
    """What was true of a guest at some moment since the last look at it began. `untold`: DBC cannot know itself."""

    began: float
    on: bool = False
    off: bool = False
    rented: bool = False
    gpus: bool = False
    ours: bool = False
    untold: bool = False


@dataclass
class Oracle:
    """Hears everything and says what was wrong. `offset` makes the journal's times of the loop's."""

    town: Town
    eyes: Eyes
    alerting: Alerting
    journal: Path
    rules: Rules
    offset: float = 0.0
    violations: list[str] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    words: Words = field(default_factory=Words)
    started_at: float = 0.0
    disturbed_at: float = NEVER
    history: list[tuple[float, Rules]] = field(default_factory=list)
    killed: bool = False
    disarmed: bool = False
    sharded: bool = False
    accepted: set[str] = field(default_factory=set)
    looked: dict[Key, Looked] = field(default_factory=dict)
    clients_seen: dict[str, bool] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    allowed: dict[str, float] = field(default_factory=dict)
    latest: dict[Key, list[Act]] = field(default_factory=dict)
    sent: dict[str, Act] = field(default_factory=dict)
    canaries: dict[str, float] = field(default_factory=dict)
    _must_trip: bool = False
    _were_stopped: set[str] = field(default_factory=set)
    disturbance: str = "start"
    _shift: float = 0.0
    _unseen: tuple[float, float, str] = (0.0, NEVER, "start")
    lost: set[str] = field(default_factory=set)
    intended: set[Key] = field(default_factory=set)
    _db: sqlite3.Connection | None = None

    def __post_init__(self) -> None:
        self.fleet = FleetTruth(self.town, self.eyes, self.words)
        self.load(self.rules, 0.0)

    def load(self, rules: Rules, now: float) -> None:
        """Hear that another policy is in force."""
        self.rules = rules
        self.history.append((now, rules))

    def wrong(self, promise: str, text: str) -> None:
        self.violations.append(f"{promise}: {text}")

    # -- rounds

    def begins(self, now: float) -> None:
        """Hear that a process begins."""
        self.started_at = now
        self.fleet.most.clear()
        self._must_trip = False
        self._were_stopped = set()

    def before_round(self, now: float) -> None:
        """Hear that a round is about to begin."""
        self.intended.clear()
        self._unseen = (self._shift, self.disturbed_at, self.disturbance)
        self._must_trip = self._breaker_due(now + self.offset)
        hold = self.rules.limits["ambiguous_hold"] + LATEST_INQUIRY
        for row in self.rows(
            "SELECT id FROM intent WHERE state = 'ambiguous' AND created < ?", now + self.offset - hold
        ):
            self.wrong("every_intent_ends", f"{row['id']} is ambiguous for too long")
        self.fleet.most.append(len(self.town.targets_now))
        self.clients_seen = {name: client.alive for name, client in self.town.world.clients.items()}
        stopped = self._stopped(now + self.offset)
        if self._were_stopped - stopped:
            self.disturb("a stop that ended", now)
        self._were_stopped = stopped
        if self.fleet.blind(self.rules):
            self.disturb("blindness", now)
        if self.fleet.storm(self.rules, now):
            self.disturb("storm", now)

    def disturb(self, why: str, now: float) -> None:
        """Hear of something after which nothing is to be believed for a while."""
        self.disturbed_at, self.disturbance = now, why

    def stepped(self, seconds: float, now: float) -> None:
        """Hear that the wall clock stepped. What is undone before the next round's look cannot be known of."""
        self._shift += seconds
        shift, at, why = self._unseen
        if self._shift != shift:
            self.disturb("clock step", now)
        elif self.disturbance == "clock step":
            self.disturbed_at, self.disturbance = at, why

    def _stopped(self, steady: float) -> set[str]:
        """Name what persons stopped: pauses, the breaker."""
        pauses = {row["id"] for row in self.rows("SELECT id FROM pause WHERE expires > ?", steady)}
        breaker = {"breaker" for _ in self.rows("SELECT id FROM breaker WHERE cleared IS NULL")}
        return pauses | breaker

    def after_round(self, wanted: set[Key], *, disarmed: bool) -> None:
        """Hear that a round was made to its end, and about whom it said that it acts."""
        if disarmed:
            if wanted:
                self.wrong("disarmed_wants_nothing", f"{len(wanted)} actions")
            return
        if wanted - self.intended:
            self.wrong("act_is_intended", f"{len(wanted - self.intended)} actions said and not begun")
        if self._must_trip and not self.row("SELECT * FROM breaker WHERE cleared IS NULL"):
            self.wrong("breaker_trips", "actions did not help, and it stays closed")

    def _breaker_due(self, steady: float) -> bool:
        limits = self.rules.limits["breaker"]
        cleared = (self.row("SELECT cleared FROM breaker") or {}).get("cleared") or NEVER
        begin = max(cleared, steady - limits["window"])
        ended = self.rows("SELECT result FROM intent WHERE ended >= ?", begin)
        judged = [row["result"] for row in ended if row["result"] in ("recovered", "ineffective")]
        failed = judged.count("ineffective")
        unclear = sum(row["result"] == "unresolved" for row in ended)
        unclear += len(self.rows("SELECT id FROM intent WHERE state = 'ambiguous'"))
        useless = len(judged) >= limits["least"] and failed * 100 >= limits["ineffective_percent"] * len(
            judged
        )
        return bool(useless or unclear >= limits["ambiguous"])

    # -- written down

    def intends(self, intent_id: str, now: float) -> None:
        """Judge an intent right after it was written down."""
        row = self.row("SELECT * FROM intent WHERE id = ?", intent_id)
        if row is None:
            self.wrong("write_ahead", f"{intent_id} is not on disk")
            return
        key = key_of(row["subject"])
        guest = self.town.by_key.get(key)
        if guest is None or all(target.id != key[0] for target in self.town.targets_now):
            self.wrong("empty_selects_nothing", row["subject"])
            return
        self.counts["intended"] += 1
        self.looked.pop(key, None)  # the last look is still to come
        self.intended.add(key)
        self._forbidden(row, key)
        self._approved(row, key, now)
        self._lasts(row, key, now)
        told = self.eyes.told.get(key)
        if told is None or now - told.at > self.rules.rule["max_age"] + 1:
            self.wrong("stale_evidence", f"{row['action']}: told {now - told.at if told else 0:.0f} s ago")
        if self.eyes.leased.get(key[0]) is False:
            self.wrong("lease_over", f"{row['action']} where we were told of no live order")
        if not self.clients_seen.get(row["client"]):
            self.wrong("sound_client", row["client"] or "none")
        self._unfinished(row, key)
        self._possible(row, now)

    def _forbidden(self, row: Row, key: Key) -> None:
        roles = self.town.roles
        for role in ("undesired", "never", "doubled", "no_credential"):
            if key[0] == roles[role]:
                self.wrong("default_deny", f"{row['action']} of {role}")
        if key[0] == roles["gpus_unknown"]:
            self.wrong("gpus", f"{row['action']} where nobody says how many there should be")
        if key[0] in (roles["unclaimed"], roles["session"]) and not row["approved_by"]:
            self.wrong("mode", "without a person where one is needed")

    def _approved(self, row: Row, key: Key, now: float) -> None:
        mode = self.rules.mode_of(row["action"])
        if mode in ("off", "dry_run") or (mode == "approve" and not row["approved_by"]):
            self.wrong("mode", f"{row['action']} in {mode}")
        if not row["approved_by"]:
            return
        found = [
            one
            for one in self.rows(
                "SELECT * FROM approval WHERE subject = ? AND action = ? AND evidence = ? AND used",
                row["subject"],
                row["action"],
                row["evidence"],
            )
            if one["id"] in self.accepted
        ]
        made = self.rows(
            "SELECT id FROM intent WHERE subject = ? AND evidence = ? AND approved_by != ''",
            row["subject"],
            row["evidence"],
        )
        if len(made) > len(found):
            self.wrong("approval", f"{len(found)} approvals for {len(made)} actions")
        steady, ttl = now + self.offset, self.rules.limits["approval_ttl"]
        if all(steady - one["created"] > ttl + 1 or one["rejected_by"] for one in found):
            self.wrong("approval", "expired or rejected")
        if all(self._rules_at(one["created"] - self.offset) != self.rules for one in found):
            self.wrong("approval", "given under another policy")
        del key

    def _rules_at(self, now: float) -> Rules | None:
        before = [rules for at, rules in self.history if at <= now + 0.001]
        return before[-1] if before else None

    def _lasts(self, row: Row, key: Key, now: float) -> None:
        """The problem must have lasted, as far as we were told."""
        step, hold = self.rules.steps[row["action"]], self.rules.rule["hold"]
        quiet = max(self.started_at, self.disturbed_at)
        if now - quiet < hold - 1:
            self.wrong("hold", f"{now - quiet:.0f} s after {self.disturbance}")
        for name in step.evidence:
            word = self.words.said.get((*key, name))
            if word is None or now - word.first < hold - 1:
                self.wrong("hold", f"{name} fires for {now - word.first if word else 0:.0f} s")
        if row["action"] in ("start", "power_on"):
            told = self.eyes.told.get(key)
            if told is None or now - told.since < hold - 1:
                self.wrong("hold", f"{row['action']}: state for too short a time")
            elif told.samples < self.rules.rule["samples"]:
                self.wrong("hold", f"{row['action']}: only {told.samples} readings")
        if row["action"] == "start":
            well, away = self.eyes.well_at.get(key), self.eyes.away_at.get(row["machine"])
            if well is None or away is None or away < well:
                self.wrong("owner_wins", "start without the node having been away")

    def _unfinished(self, row: Row, key: Key) -> None:
        """Where nobody knows what became of an action, only a person opens the way again."""
        for one in self.rows(
            "SELECT * FROM intent WHERE subject = ? AND result = 'unresolved'", row["subject"]
        ):
            cleared = self.row("SELECT cleared FROM quarantine WHERE subject = ?", row["subject"])
            if cleared is None or (cleared["cleared"] or NEVER) < one["ended"]:
                self.wrong("quarantine", f"{row['action']} after an outcome nobody knows")
        del key

    # -- the planner's last yes

    def allows(self, intent_id: str, now: float) -> None:
        """Judge the planner's last yes."""
        row = self.row("SELECT * FROM intent WHERE id = ?", intent_id)
        if row is None:
            return
        self.allowed[intent_id] = now
        self._possible(row, now)

    def _possible(self, row: Row, now: float) -> None:
        """Nothing may stand in the way now, neither of the fleet nor of the guest."""
        self._wanted(row, now)
        for trouble in self.fleet.troubles(self.rules, now):
            self.wrong(trouble, f"{row['action']} meanwhile")
        self._evident(row, now)

    def _wanted(self, row: Row, now: float) -> None:
        key = key_of(row["subject"])
        if self.killed:
            self.wrong("kill_switch", row["id"])
        if self.sharded:
            self.wrong("single_instance", "with several shards")
        if self.rules.mode_of(row["action"]) in ("off", "dry_run"):
            self.wrong("mode", f"{row['action']} in {self.rules.mode_of(row['action'])} at the last yes")
        quiet = now - max(self.started_at, self.disturbed_at)
        if quiet < self.rules.hold_off - 1:
            self.wrong("hold_off", f"{quiet:.0f} s after {self.disturbance}")
        steady = now + self.offset
        for pause in self.rows("SELECT * FROM pause WHERE expires > ?", steady):
            if pause["node_id"] in ("", key[0], row["machine"]):
                self.wrong("pause", row["id"])
        if self.row("SELECT * FROM quarantine WHERE subject = ? AND cleared IS NULL", row["subject"]):
            self.wrong("quarantine", row["id"])
        if self.row("SELECT * FROM breaker WHERE cleared IS NULL"):
            self.wrong("breaker", row["id"])
        names = self.rules.steps[row["action"]].windows
        if names and not any(self._holds(name) for name in names):
            self.wrong("window", row["action"])

    def _holds(self, name: str) -> bool:
        begin, end = self.rules.windows[name]
        local = datetime.fromtimestamp(self.town.clock.wall(), UTC)
        return begin <= local.hour * 60 + local.minute < end

    def _evident(self, row: Row, now: float) -> None:
        """What it rests on must still be so, as far as we were told."""
        key, step = key_of(row["subject"]), self.rules.steps[row["action"]]
        for name in step.evidence:
            word = self.words.firing.get((*key, name))
            if word is None or now - word.last > self.rules.alerts["expire"] + 1:
                self.wrong("evidence", f"{row['action']} while {name} does not fire")
        if step.evidence or step.witness:
            silent = now - self.words.watchdog_at
            if silent > self.rules.alerts["max_silence"] + 1:
                self.wrong("watchdog", f"silent for {silent:.0f} s")
        away = self.eyes.away_at.get(row["machine"], NEVER)
        if now - away < self.rules.rule["node_settle"] - 61:
            self.wrong("node_settle", f"away {now - away:.0f} s ago")
        if row["machine"] in self.eyes.transfers_told:
            self.wrong("busy", row["id"])

    # -- the wire

    def reads(self, sent: Sent, now: float) -> None:
        """Hear a read of the actuator as it leaves, and again when its answer comes."""
        for guest in self.town.on_node(sent.node):
            looked = self.looked.get(guest.key)
            if looked is None:
                looked = self.looked[guest.key] = Looked(now)
            on = self.town.is_on(guest)
            looked.untold |= isinstance(guest.node, ComputeNode) and not guest.node.libvirt_alive
            looked.on |= on
            looked.off |= not on
            looked.rented |= self.town.rented(guest)
            looked.ours |= guest.vm is None or guest.vm.wallet == self.town.wallet
            looked.gpus |= not isinstance(guest.node, ComputeNode) or guest.node.hardware.gpus >= GPUS

    def answered(self, sent: Sent, body: bytes, now: float) -> None:
        """Hear an answer."""
        if not sent.changes:
            self.reads(sent, now)
            if sent.nonce and b"check authority failed" not in body and b"timeout" not in body:
                self.canaries.setdefault(sent.nonce, sent.at)

    # -- the journal, by its own SQL

    def row(self, query: str, *values: object) -> Row | None:
        rows = self.rows(query, *values)
        return rows[0] if rows else None

    def rows(self, query: str, *values: object) -> list[Row]:
        """Ask the journal."""
        if self._db is None:
            self._db = sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)
            self._db.row_factory = sqlite3.Row
        return [dict(row) for row in self._db.execute(query, values)]

    def look_away(self) -> None:
        """Let go of the journal's file: another one may be put in its place."""
        if self._db is not None:
            self._db.close()
        self._db = None


def key_of(subject: str) -> Key:
    """Return a guest's key."""
    node, _, task = subject.partition("/")
    return node, task
