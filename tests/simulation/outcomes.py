"""The other half of the judge: how actions ended, by the truth, the node's ledger and the journal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.simulation.oracle import NEEDS_ON, NEVER, Oracle, Row, key_of
from tests.simulation.town import Guest


@dataclass
class Outcomes:
    """Judges outcomes for an oracle."""

    oracle: Oracle

    def ends(self, intent_id: str, now: float) -> None:
        """Judge an outcome as it is written down."""
        row = self.oracle.row("SELECT * FROM intent WHERE id = ?", intent_id)
        if row is None:
            return
        key, guest = key_of(row["subject"]), self.oracle.town.by_key[key_of(row["subject"])]
        act = self.oracle.sent.get(row["nonce"]) if row["nonce"] else None
        if row["result"] == "cancelled" and act is not None:
            self.oracle.wrong("cancelled_is_unsent", row["id"])
        sent = (row["sent"] or row["created"]) - self.oracle.offset
        failing = self.oracle.alerting.failing.get(key)
        if row["result"] == "recovered":
            self._recovered(row, guest, sent, failing)
        if row["result"] == "ineffective":
            told = self.oracle.eyes.told.get(key)
            fires = any((*key, name) in self.oracle.words.firing for name in self._witnesses(row))
            seen_off = told is not None and told.at > sent and told.state in ("closed", "off")
            if not fires and not seen_off:
                self.oracle.wrong("ineffective_is_true", row["action"])
            if act is not None and act.nonce in self.oracle.lost:
                self.oracle.wrong("ineffective_is_true", f"{row['action']} that never arrived")
            step = self.oracle.rules.steps[row["action"]]
            if now - sent < step.settle + step.stable - 1:
                self.oracle.wrong("ineffective_is_true", f"{row['action']} judged after {now - sent:.0f} s")
        held = self.oracle.rules.limits["ambiguous_hold"]
        if row["reason"] == "ambiguous_for_good" and row["nonce"] and now - sent < held - 1:
            self.oracle.wrong("ambiguous_is_asked", f"given up after {now - sent:.0f} s")

    def _witnesses(self, row: Row) -> tuple[str, ...]:
        step = self.oracle.rules.steps[row["action"]]
        return (*step.evidence, *((step.witness,) if step.witness else ()))

    def _recovered(self, row: Row, guest: Guest, sent: float, failing: float | None) -> None:
        told, action = self.oracle.eyes.told.get(guest.key), row["action"]
        if told is None or told.at <= sent:
            self.oracle.wrong("recovered_is_true", f"{action}: nothing was read since")
            return
        now = self.oracle.town.clock.monotonic()
        step, words = self.oracle.rules.steps[action], self.oracle.words
        if step.witness is None:  # its own state is all that is promised: a server that is on may hang
            on_for = now - max(told.since, sent) if told.state in ("running", "on") else 0.0
            if on_for < step.stable - 1:
                self.oracle.wrong("recovered_is_true", f"{action}: on for {on_for:.0f} s")
            return
        word = words.said.get((*guest.key, step.witness))
        ended = word.ended if word is not None else NEVER
        # an alert that ends because Prometheus is away is no proof, unless it comes back in time to say otherwise
        came_back = self.oracle.alerting.silent_at >= sent and words.watchdog_at > ended
        if failing is not None and failing < sent and not came_back:
            self.oracle.wrong("recovered_is_true", f"{action}: it never answered since")
        if action in NEEDS_ON and now - max(ended, sent) < step.stable - 1:
            self.oracle.wrong("recovered_is_true", f"{action}: well for {now - max(ended, sent):.0f} s")

    def audit(self) -> None:
        """Look at the ledger and the whole journal, at the end."""
        executed = Counter(row.nonce for row in self.oracle.town.world.ledger.executed if row.nonce)
        for nonce, times in executed.items():
            if nonce not in self.oracle.sent:
                self.oracle.wrong("no_foreign_execution", f"{times} of a nonce that never left as a write")
            elif times > 1:
                self.oracle.wrong(
                    "one_execution_per_intent", f"{self.oracle.sent[nonce].action} {times} times"
                )
        for row in self.oracle.rows("SELECT * FROM intent WHERE nonce != ''"):
            if row["result"] in ("not_executed", "refused") and executed.get(row["nonce"]):
                self.oracle.wrong("never_arrived_is_true", f"{row['action']} {row['result']} {row['reason']}")
            if row["result"] == "cancelled" and row["nonce"] in self.oracle.sent:
                self.oracle.wrong("cancelled_is_unsent", row["id"])
        text = b"".join(file.read_bytes() for file in self.oracle.journal.parent.glob("journal*"))
        if b'"sign"' in text or b"session_id_sign" in text or b"00" * 64 in text:
            self.oracle.wrong("no_secret", "in the journal")
