"""What the oracle says of the fleet as a whole: only what is certain, so that it never complains wrongly."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tests.simulation.eyes import Eyes
from tests.simulation.policies import Rules
from tests.simulation.town import Town
from tests.simulation.words import Words

NEVER = float("-inf")
SURE_SECONDS = 400.0  # who was told of so lately is seen
CHAIN_WORD_SECONDS = 850.0  # a node whose calls fail for the chain counts for three intervals, nearly


@dataclass
class FleetTruth:
    """Sees how blind and stormy it is. `most` has the targets of each round since the process's start."""

    town: Town
    eyes: Eyes
    words: Words
    most: deque[int] = field(default_factory=deque)

    def troubles(self, rules: Rules, now: float) -> list[str]:
        """Return what certainly goes on now and forbids every action."""
        found = []
        if self.blind(rules):
            found.append("blind")
        if self.shrank(rules):
            found.append("shrank")
        if self.storm(rules, now):
            found.append("storm")
        present = {target.id for target in self.town.targets_now}
        silent = sum(
            now - at < CHAIN_WORD_SECONDS and node in present for node, at in self.eyes.chain_failed.items()
        )
        if silent >= rules.limits["sight"]["chain_silent"]:
            found.append("chain")
        if now - self.words.truncated_at < rules.hold_off - 1:
            found.append("truncated")
        return found

    def blind(self, rules: Rules) -> bool:
        """Whether too few targets are known to be there or away."""
        if not any(client.alive for client in self.town.world.clients.values()):
            return True
        present = {target.id for target in self.town.targets_now}
        known = sum(
            there.up is not None or there.visible is False
            for node, there in self.eyes.there.items()
            if node in present
        )
        watched = max(self.most, default=len(present))
        return not present or bool(known * 100 < rules.limits["sight"]["known_percent"] * watched)

    def shrank(self, rules: Rules) -> bool:
        """Whether too many targets left since our process began."""
        watched = max(self.most, default=0)
        gone = watched - len(self.town.targets_now)
        return bool(gone * 100 > rules.limits["sight"]["shrink_percent"] * watched)

    def storm(self, rules: Rules, now: float) -> bool:
        """Whether so many are bad, or newly bad, that one cause must be behind them. Counts only certain ones."""
        limits, present = rules.limits["storm"], {target.id for target in self.town.targets_now}
        bad: dict[tuple[str, str], float] = {}
        expire = rules.alerts["expire"]
        for (node, task, _), word in self.words.firing.items():
            told = self.eyes.told.get((node, task))
            if node not in present or now - word.last >= expire or told is None or told.at < self.eyes.since:
                continue
            if now - told.at < SURE_SECONDS and told.state in ("running", "on"):
                bad[node, task] = max(word.first, bad.get((node, task), NEVER))
        of = sum(guest.node_id in present for guest in self.town.guests)
        new = sum(now - begun < limits["new_window"] - 1 for begun in bad.values())
        by_share = len(bad) >= limits["bad_least"] and len(bad) * 100 > limits["bad_percent"] * of
        return bool(by_share or new >= limits["new_count"])
