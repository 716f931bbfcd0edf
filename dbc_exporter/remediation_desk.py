"""Remediation as the web side meets it: its values made into what pages and endpoints show, its errors into theirs.

Steady times become Unix times by the clocks of this moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from dbc_exporter.clock import Clock
from dbc_exporter.config.problems import ConfigError
from dbc_exporter.config.secrets import webhook_token
from dbc_exporter.logs import get_logger
from dbc_exporter.remediation.alerts import BadDeliveryError, Delivery
from dbc_exporter.remediation.journal import JournalError
from dbc_exporter.remediation.model import Approval, Check, Decision, Intent, Pause, Subject
from dbc_exporter.remediation.operator import Operator, RefusedError, Status
from dbc_exporter.remediation.standing import Use
from dbc_exporter.remediation.words import in_words
from dbc_exporter.web import remediation_types as shown

log = get_logger(__name__)

_MOST_ACTIONS = 50


class Inbox(Protocol):
    """Takes deliveries of alerts."""

    async def take(self, body: bytes) -> Delivery:
        """Store one. Raises remediation's `BadDeliveryError` or `JournalError`."""

    async def too_large(self) -> None:
        """Store that one was too large to be read. Raises `JournalError`."""


class Ears(Protocol):
    """Hears of deliveries; see `remediation.reporter`."""

    def delivered(self, delivery: Delivery) -> None:
        """Hear of a stored one."""

    def answered(self, code: int) -> None:
        """Hear of an answer to the webhook."""


class TokenFile:
    """A bearer token in a file, read anew whenever it is asked for; while that fails the last good one counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token: str | None = None
        self._complaint = ""

    def __call__(self) -> str | None:
        """Return the token, `None` as long as the file never held one."""
        try:
            self._token = webhook_token(self._path).get_secret_value()
            self._complaint = ""
        except ConfigError as error:
            complaint = error.problems[0].text
            if complaint != self._complaint:
                self._complaint = complaint
                log.warning("the webhook's token file cannot be used", file=self._path, reason=complaint)
        return self._token


@dataclass(frozen=True, slots=True)
class Desk:
    """Implements `web.remediation_types.Desk`. `token` gives the webhook's bearer token, if one is configured."""

    operator: Operator
    inbox: Inbox
    ears: Ears
    clock: Clock
    token: Callable[[], str | None]

    @property
    def webhook_token(self) -> str | None:
        """The token in force."""
        return self.token()

    async def take(self, body: bytes) -> None:
        """Store a delivery."""
        try:
            delivery = await self.inbox.take(body)
        except BadDeliveryError as error:
            raise shown.BadDeliveryError(str(error)) from None
        except JournalError as error:
            raise shown.UnusableError(str(error)) from None
        self.ears.delivered(delivery)

    async def too_large(self) -> None:
        """Store that a delivery was too large to be read."""
        with _translated():
            await self.inbox.too_large()

    def answered(self, code: int) -> None:
        """Count an answer."""
        self.ears.answered(code)

    async def status(self) -> shown.Status:
        """Show how things stand."""
        return self._status(await self.operator.status())

    async def explain(self, target: str, at: float | None) -> shown.Explained:
        """Show why something was or was not done."""
        then = None if at is None else at - self._ahead()
        with _translated():
            found = await self.operator.explain(_subject(target), then)
        data = msgspec.to_builtins(found, enc_hook=str)
        moment = self.clock.wall() if at is None else at
        return shown.Explained(target=target, at=moment, text=found.text(), explanation=data)

    async def answer(self, proposal: str, *, approve: bool, actor: str) -> shown.Proposal:
        """Answer a proposal."""
        with _translated():
            return self._proposal(await self.operator.answer(proposal, approve=approve, actor=actor))

    async def pause(self, node_id: str, seconds: float, reason: str, actor: str) -> shown.Pause:
        """Pause."""
        with _translated():
            return self._pause(await self.operator.pause(node_id, seconds, reason, actor))

    async def resume(self, pause: str | None, actor: str) -> tuple[str, ...]:
        """End pauses."""
        with _translated():
            return await self.operator.resume(pause, actor)

    async def clear(self, target: str, actor: str) -> None:
        """End a quarantine."""
        with _translated():
            await self.operator.clear(_subject(target), actor)

    async def clear_breaker(self, actor: str) -> None:
        """Close the breaker."""
        with _translated():
            await self.operator.clear_breaker(actor)

    # -- values --------------------------------------------------------------------------------------------

    def _ahead(self) -> float:
        """Return how far the wall clock is ahead of steady time."""
        return self.clock.wall() - self.operator.now()

    def _unix(self, steady: float | None) -> float | None:
        return None if steady is None else steady + self._ahead()

    def _status(self, found: Status) -> shown.Status:
        view = found.view
        return shown.Status(
            generated=self.clock.wall(),
            mode=found.loaded.policy.mode.value,
            armed=not found.obstacles,
            policy=found.loaded.hash,
            healthy=found.healthy,
            unknown=found.unknown,
            killed=found.killed,
            breaker=view.breaker,
            obstacles=tuple(_obstacle(check) for check in found.obstacles),
            pauses=tuple(self._pause(one) for one in view.pauses),
            quarantines=tuple(
                shown.Quarantine(target=str(subject), reason=reason, words=in_words(reason))
                for subject, reason in sorted(view.quarantined.items())
            ),
            incidents=tuple(self._incident(one, found.since.get(one.subject)) for one in found.incidents),
            proposals=tuple(self._proposal(one) for one in view.approvals),
            actions=tuple(self._action(one) for one in reversed(view.intents[-_MOST_ACTIONS:])),
            budgets=tuple(_budget(one) for one in found.uses),
        )

    def _incident(self, one: Decision, since: float | None) -> shown.Incident:
        first = next((check for check in one.checks if check.reason is not None), None)
        return shown.Incident(
            target=str(one.subject),
            problem=one.problem.value if one.problem else "",
            verdict=one.verdict.value,
            action=one.action.value if one.action else None,
            rule=one.rule,
            since=self._unix(since),
            obstacle=_obstacle(first) if first else None,
        )

    def _proposal(self, one: Approval) -> shown.Proposal:
        answer = "approved" if one.approved_by else "rejected" if one.rejected_by else "waiting"
        return shown.Proposal(
            id=one.id,
            target=str(one.subject),
            action=one.action.value,
            evidence=one.evidence,
            created=one.created + self._ahead(),
            expires=one.expires + self._ahead(),
            answer=answer,
            actor=one.approved_by or one.rejected_by,
        )

    def _action(self, one: Intent) -> shown.Action:
        return shown.Action(
            id=one.id,
            target=str(one.subject),
            action=one.action.value,
            problem=one.problem.value,
            state=one.state.value,
            evidence=one.evidence,
            created=one.created + self._ahead(),
            sent=self._unix(one.sent),
            ended=self._unix(one.ended),
            result=one.result.value if one.result else None,
            reason=one.reason,
            words=in_words(one.reason),
            approved_by=one.approved_by,
        )

    def _pause(self, one: Pause) -> shown.Pause:
        return shown.Pause(
            id=one.id,
            node_id=one.node_id,
            actor=one.actor,
            reason=one.reason,
            created=one.created + self._ahead(),
            expires=one.expires + self._ahead(),
        )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except RefusedError as error:
        raise shown.RefusedError(str(error)) from None
    except JournalError as error:
        raise shown.UnusableError(str(error)) from None


def _subject(target: str) -> Subject:
    node_id, _, task_id = target.partition("/")
    return Subject(node_id, task_id)


def _obstacle(check: Check) -> shown.Obstacle:
    code = check.reason.value if check.reason else ""
    return shown.Obstacle(reason=code, words=in_words(code), detail=check.detail)


def _budget(use: Use) -> shown.Budget:
    return shown.Budget(
        scope=use.budget.scope.value,
        label=use.budget.label or "",
        window_seconds=use.budget.window,
        most=use.most,
        used=use.used,
        of=use.of,
    )
