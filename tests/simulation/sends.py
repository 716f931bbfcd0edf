"""The judge at the wire: whether an action may leave now, by what left before and by its last look."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.oracle import LOOK_LASTS, NEEDS_ON, NEVER, YES_LASTS, Act, Oracle, Row, key_of
from tests.simulation.wires import Sent

VERB = {
    "restart": "/tasks/restart/",
    "force_restart": "/tasks/restart/",
    "start": "/tasks/start/",
    "power_on": "/bare_metal/power:on",
    "power_reset": "/bare_metal/power:reset",
}


@dataclass
class Sends:
    """Judges requests that change something, for an oracle."""

    oracle: Oracle

    def leaves(self, sent: Sent, now: float) -> None:
        """Judge a request that changes something as it leaves us."""
        row = self.oracle.row(
            "SELECT * FROM intent WHERE nonce = ? AND nonce != ''", sent.nonce
        ) or self.oracle.row(
            "SELECT * FROM intent WHERE state = 'sending' AND nonce = '' AND subject LIKE ?", f"{sent.node}%"
        )
        if row is None:
            self.oracle.wrong("write_ahead", f"{sent.path} left without its intent on disk")
            return
        if row["state"] != "sending":
            self.oracle.wrong("write_ahead", f"{row['id']} left in state {row['state']}")
        key = key_of(row["subject"])
        guest = self.oracle.town.by_key[key]
        act = Act(now, key, row["machine"], row["action"], row["id"], sent.nonce, row["client"], guest.site)
        if self.oracle.disarmed:
            self.oracle.wrong("journal", f"{act.action} while disarmed")
        self._alone(row)
        self._fits(act, sent)
        self._once(act)
        self._spaced(act, row)
        self._in_order(act, row)
        self._looked_at(act, row)
        self.oracle.acts.append(act)
        self.oracle.latest.setdefault(key, []).append(act)
        self.oracle.sent[act.nonce] = act

    def _alone(self, intent: Row) -> None:
        others = self.oracle.rows("SELECT * FROM intent WHERE state != 'ended' AND id != ?", intent["id"])
        limits = self.oracle.rules.limits["concurrency"]
        if any(row["subject"] == intent["subject"] for row in others):
            self.oracle.wrong("one_open_per_subject", intent["id"])
        if any(row["machine"] == intent["machine"] for row in others):
            self.oracle.wrong("one_open_per_machine", intent["id"])
        if len(others) >= limits["fleet"]:
            self.oracle.wrong("concurrency", f"{len(others) + 1} at once")
        if sum(row["client"] == intent["client"] for row in others) >= limits["client"]:
            self.oracle.wrong("concurrency", f"through {intent['client']}")

    def _fits(self, act: Act, sent: Sent) -> None:
        wanted = VERB[act.action] + act.key[1]
        forced = "force_reboot=true" in sent.path
        if not sent.path.startswith(wanted) or sent.node != act.key[0]:
            self.oracle.wrong("right_target", f"{sent.path} at {sent.node[:8]} for {act.action}")
        if forced is not (act.action == "force_restart"):
            self.oracle.wrong("ladder_order", f"{sent.path} for {act.action}")

    def _once(self, act: Act) -> None:
        if any(earlier.intent == act.intent for earlier in self.oracle.latest.get(act.key, ())):
            self.oracle.wrong("one_send_per_intent", act.intent)
        if act.nonce in self.oracle.sent or act.nonce in self.oracle.canaries:
            self.oracle.wrong("fresh_nonce", act.intent)

    def _cleared(self, row: Row) -> float:
        """Return when a person last cleared the subject, in our time: its attempts begin anew then."""
        found = self.oracle.row("SELECT cleared FROM quarantine WHERE subject = ?", row["subject"])
        return (
            NEVER
            if found is None or found["cleared"] is None
            else float(found["cleared"]) - self.oracle.offset
        )

    def _spaced(self, act: Act, row: Row) -> None:
        rule, cleared = self.oracle.rules.rule, self._cleared(row)
        mine = [one for one in self.oracle.latest.get(act.key, []) if one.at > cleared]
        if sum(act.at - one.at < 86_400 for one in mine) >= rule["attempts_per_day"]:
            self.oracle.wrong("attempts_per_day", act.intent)
        for budget in self.oracle.rules.limits["budgets"]:
            scope, window = budget["scope"], budget["window"]
            recent = [one for one in self._recent(act.at - window + 1) if _same(scope, one, act)]
            if len(recent) >= budget["most"]:
                self.oracle.wrong(f"budget_{scope}", f"{len(recent) + 1} in {window} s")

    def _recent(self, since: float) -> list[Act]:
        found = []
        for act in reversed(self.oracle.acts):
            if act.at < since:
                break
            found.append(act)
        return found

    def _in_order(self, act: Act, row: Row) -> None:
        """A stronger step only after the milder one was seen to have failed; each only so often in an episode."""
        rule, cooldown = self.oracle.rules.rule, self.oracle.rules.rule["cooldown"]
        earlier = self.oracle.rows(
            "SELECT * FROM intent WHERE subject = ? AND sent IS NOT NULL AND id != ? ORDER BY sent",
            row["subject"],
            act.intent,
        )
        episode, later, cleared = [], row["sent"], self._cleared(row) + self.oracle.offset
        for one in reversed(earlier):
            if one["created"] < cleared or later - (one["ended"] or one["sent"]) >= rule["healthy_period"]:
                break
            episode.append(one)
            later = one["created"]
        if (
            sum(one["action"] == act.action for one in episode)
            >= self.oracle.rules.steps[act.action].attempts
        ):
            self.oracle.wrong("finite_attempts", f"{act.action} once more in one episode")
        if act.action == "force_restart":
            before = [
                one["result"] for one in earlier if one["action"] == "restart" and one["created"] >= cleared
            ]
            if not before or before[-1] != "ineffective":
                self.oracle.wrong("ladder_order", "force_restart without a restart that was seen to fail")
        if earlier:
            tries = max(1, len(episode))
            needed = min(cooldown["longest"], cooldown["base"] * cooldown["factor"] ** (tries - 1))
            if row["sent"] - earlier[-1]["sent"] < needed - 1:
                self.oracle.wrong("cooldown", f"{row['sent'] - earlier[-1]['sent']:.0f} of {needed:.0f} s")

    def _looked_at(self, act: Act, row: Row) -> None:
        """The last look: young, asked about, with a canary, and it saw what the action needs."""
        asked = self.oracle.allowed.get(act.intent)
        if asked is None or act.at - asked > YES_LASTS + 1:
            self.oracle.wrong(
                "last_yes", f"{act.at - asked:.0f} s old" if asked else "the planner was not asked again"
            )
        looked = self.oracle.looked.get(act.key)
        if looked is None or act.at - looked.began > LOOK_LASTS + 1:
            self.oracle.wrong("last_look", f"{act.at - looked.began if looked else 0:.0f} s old")
            return
        if act.nonce and self.oracle.town.roles["session"] != act.key[0]:
            accepted = self.oracle.canaries.get(row["canary"])
            if accepted is None or accepted < looked.began:
                self.oracle.wrong("canary", "no nonce was accepted right before")
        if not (looked.untold or (looked.on if act.action in NEEDS_ON else looked.off)):
            self.oracle.wrong(
                "owner_wins", f"{act.action} of what is {'off' if act.action in NEEDS_ON else 'on'}"
            )
        if not looked.rented:
            self.oracle.wrong("lease_over", act.action)
        if not looked.ours:
            self.oracle.wrong("ours", act.action)
        if not looked.gpus:
            self.oracle.wrong("gpus", act.action)


def _same(scope: str, one: Act, other: Act) -> bool:
    return (
        scope == "fleet"
        or (scope == "node" and one.machine == other.machine)
        or (scope == "domain" and one.site == other.site)
        or (scope == "client" and one.client == other.client)
    )
