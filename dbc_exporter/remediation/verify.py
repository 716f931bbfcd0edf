"""Whether an action helped, by witnesses and never by DBC's "ok". Pure; unknown proves nothing in either direction."""

from __future__ import annotations

from dataclasses import dataclass

from dbc_exporter.remediation.model import Action, Alert, Fleet, Intent, Result, Sight
from dbc_exporter.remediation.policy import Policy, Rung
from dbc_exporter.remediation.problems import CLOSED, OFF, WELL_STATES, fires
from dbc_exporter.remediation.reasons import Reason

Verdict = tuple[Result, Reason]
_CALLED_FOR = frozenset(
    {Action.START, Action.POWER_ON}
)  # their subject was off: DBC's own state can show failure
_SETTLE, _STABLE = 300.0, 300.0  # for a step that the policy in force no longer has
PATIENCE = 2.0  # times settling and stable time, after which no word is no proof


@dataclass(frozen=True, slots=True)
class Look:
    """An action that arrived, and what is known now. `rung` is its step as the policy in force has it."""

    intent: Intent
    sight: Sight | None
    fleet: Fleet
    policy: Policy
    rung: Rung | None
    now: float

    @property
    def sent(self) -> float:
        """When it was sent; only what was seen later counts."""
        return self.intent.created if self.intent.sent is None else self.intent.sent

    @property
    def witness(self) -> Alert | None:
        """The alert whose end proves recovery, if it is remembered."""
        if self.sight is None or self.rung is None:
            return None
        return next((alert for alert in self.sight.alerts if alert.name == self.rung.witness), None)

    @property
    def hearing(self) -> bool:
        """Whether Alertmanager's silence would mean something."""
        heard = self.fleet.watchdog
        return heard is not None and self.now - heard <= self.policy.alerts.max_silence


def outcome(look: Look) -> Verdict | None:
    """Return how an action ended, `None` while it must be waited for."""
    rung = look.rung
    settle, stable = (rung.settle, rung.stable) if rung else (_SETTLE, _STABLE)
    waited = look.now - look.sent
    if look.sight is not None and rung is not None:
        if _recovered(look, look.sight, rung):
            return Result.RECOVERED, Reason.WELL_AGAIN
        if waited >= settle + stable and _still_bad(look, look.sight, rung):
            # where our own inquiry may have spent the nonce, the action may never have arrived
            certain = look.intent.burns <= 1
            return (Result.INEFFECTIVE if certain else Result.UNVERIFIED), Reason.STILL_BAD
    if waited >= PATIENCE * (settle + stable):
        return Result.UNVERIFIED, Reason.NO_WORD
    return None


def _recovered(look: Look, sight: Sight, rung: Rung) -> bool:
    if sight.state not in WELL_STATES or sight.seen is None or sight.seen <= look.sent:
        return False
    called_for = look.intent.action in _CALLED_FOR
    well_since = max(look.sent, (sight.since or look.now) if called_for else look.sent)
    if rung.witness is None:
        return look.intent.action is Action.POWER_ON and look.now - well_since >= rung.stable
    alert = look.witness
    if not look.hearing or (alert is not None and alert.ended is None):
        return False
    if alert is not None and alert.ended is not None and alert.ended > look.sent:
        well_since = max(well_since, alert.ended)
    elif not called_for:
        return False  # the alert never ended: it was forgotten
    return look.now - well_since >= rung.stable


def _still_bad(look: Look, sight: Sight, rung: Rung) -> bool:
    fresh = sight.seen is not None and sight.seen > look.sent + rung.settle
    if look.intent.action in _CALLED_FOR and fresh and sight.state in (CLOSED, OFF):
        return True
    alert = look.witness
    return look.hearing and alert is not None and fires(alert, look.now, look.policy.alerts.expire)
