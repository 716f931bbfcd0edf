"""What was done, arranged for the gates: under way, by subject, and counted by budget. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from dbc_exporter.remediation.model import Intent, Subject
from dbc_exporter.remediation.policy import Budget, Scope
from dbc_exporter.remediation.problems import NEVER

Key = str | None


class Past:
    """Intents, oldest first; more may be added at the end."""

    def __init__(self, intents: Iterable[Intent], budgets: tuple[Budget, ...], now: float) -> None:
        """Arrange the intents; budgets are counted as of `now`."""
        self.under_way: list[Intent] = []
        self.of: dict[Subject, list[Intent]] = defaultdict(list)
        self._budgets = budgets
        self._now = now
        self._spent: list[Counter[Key]] = [Counter() for _ in budgets]
        for intent in intents:
            self.add(intent)

    def add(self, intent: Intent) -> None:
        """Take one more."""
        self.of[intent.subject].append(intent)
        if intent.open:
            self.under_way.append(intent)
        counted = _counted(intent)
        for budget, spent in zip(self._budgets, self._spent, strict=True):
            if self._now - counted < budget.window:
                spent[_key(budget, intent.client, intent.machine, intent.domains)] += 1

    def spent(self, client: str, machine: str, labels: tuple[tuple[str, str], ...]) -> list[int]:
        """Return how much of each budget is spent where a subject of this client, machine and labels counts."""
        return [
            spent[_key(budget, client, machine, labels)]
            for budget, spent in zip(self._budgets, self._spent, strict=True)
        ]


def _counted(intent: Intent) -> float:
    """Return when an intent counts: from its sending, or from its writing down as long as it may be sent."""
    if intent.sent is not None:
        return intent.sent
    return intent.created if intent.open else NEVER


def _key(budget: Budget, client: str, machine: str, labels: tuple[tuple[str, str], ...]) -> Key:
    if budget.scope is Scope.CLIENT:
        return client
    if budget.scope is Scope.NODE:
        return machine
    if budget.scope is Scope.DOMAIN:
        return dict(labels).get(budget.label or "")
    return None
