"""Whether an action helped, by witnesses and never by DBC's "ok". Pure; unknown proves nothing in either direction.

Only what was seen after the send counts. What was off and is on again proves itself, unless a witness is named that
says otherwise. Of a guest that hung while DBC called it running only the end of the witness's alert is proof.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbc_exporter.remediation.model import Action, Alert, Fleet, Intent, Result, Sight
from dbc_exporter.remediation.outcome import Settling
from dbc_exporter.remediation.policy import Policy, Rung
from dbc_exporter.remediation.problems import CLOSED, OFF, WELL_STATES, fires
from dbc_exporter.remediation.reasons import Reason

Verdict = tuple[Result, Reason]
_BRINGS_UP = frozenset(
    {Action.START, Action.POWER_ON}
)  # their subject was off, and its state shows whether it is
_SETTLE, _STABLE = 300.0, 300.0  # for a step that the policy in force no longer has
LAST_WORDS_SECONDS = 90.0  # so long after Prometheus died its watchdog may still be repeated
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
    def begun(self) -> float:
        """A moment at which it had certainly arrived: of one that was inquired into, after the inquiry."""
        return max(self.sent, self.intent.next_look)

    @property
    def brings_up(self) -> bool:
        """Whether the subject's own state is proof."""
        return self.intent.action in _BRINGS_UP

    @property
    def witness(self) -> Alert | None:
        """The alert whose end proves recovery, if it is remembered."""
        if self.sight is None or self.rung is None:
            return None
        mine = (alert for alert in self.sight.alerts if not alert.of_node)
        return next((alert for alert in mine if alert.name == self.rung.witness), None)

    def heard_since(self, moment: float) -> bool:
        """Tell whether Prometheus and Alertmanager were alive after a moment and lately, so that silence has meaning."""
        heard = self.fleet.watchdog
        return heard is not None and heard > moment and self.now - heard <= self.policy.alerts.max_silence


def outcome(look: Look) -> Verdict | None:
    """Return how an action ended, `None` while it must be waited for."""
    rung = look.rung
    settle, stable = (rung.settle, rung.stable) if rung else (_SETTLE, _STABLE)
    waited = look.now - look.begun
    if look.sight is not None and rung is not None:
        if _recovered(look, look.sight, rung):
            return Result.RECOVERED, Reason.WELL_AGAIN
        if waited >= settle + stable and _still_bad(look, look.sight, rung):
            # where our own inquiry may have spent the nonce, the action may never have been carried out
            certain = look.intent.reason != Settling.SPENT
            return (Result.INEFFECTIVE if certain else Result.UNVERIFIED), Reason.STILL_BAD
    if waited >= PATIENCE * (settle + stable):
        return Result.UNVERIFIED, Reason.NO_WORD
    return None


def _recovered(look: Look, sight: Sight, rung: Rung) -> bool:
    if sight.state not in WELL_STATES or sight.seen is None or sight.seen <= look.sent:
        return False
    well_since = look.sent
    if look.brings_up:
        if sight.since is None:
            return False
        well_since = max(well_since, sight.since)
    elif rung.witness is None:
        return False
    if rung.witness is not None:
        quiet = _quiet_since(look, rung.stable)
        if quiet is None:
            return False
        well_since = max(well_since, quiet)
    return look.now - well_since >= rung.stable


def _quiet_since(look: Look, stable: float) -> float | None:
    """Return since when the witness has been quiet, `None` when it is not, or when nobody would have told.

    An alert that ends because Prometheus died is no witness: the watchdog must be heard after it.
    """
    alert = look.witness
    if alert is not None and alert.ended is None:
        return None  # it fires, or was forgotten while it did
    if alert is None or alert.ended is None or alert.ended <= look.sent:
        return look.sent if look.brings_up and look.heard_since(look.sent) else None
    return alert.ended if look.heard_since(alert.ended + min(LAST_WORDS_SECONDS, stable / 2)) else None


def _still_bad(look: Look, sight: Sight, rung: Rung) -> bool:
    settled = look.begun + rung.settle
    if look.brings_up and sight.state in (CLOSED, OFF):
        return sight.seen is not None and sight.seen > settled
    alert = look.witness
    if alert is None or not look.heard_since(settled):
        return False
    return fires(alert, look.now, look.policy.alerts.expire)
