"""What a person may see and do: status, explain, approve, reject, pause, resume, clear.

Every change names who made it and is in the journal before it is answered. All times are steady seconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from dbc_exporter.logs import get_logger
from dbc_exporter.remediation.journal import ApprovalRefusedError, JournalError
from dbc_exporter.remediation.journal_thread import JournalRunner
from dbc_exporter.remediation.model import (
    Approval,
    Check,
    Decision,
    Pause,
    Snapshot,
    Subject,
    Verdict,
    View,
)
from dbc_exporter.remediation.policy_file import LoadedPolicy
from dbc_exporter.remediation.problems import rungs_for, since_when
from dbc_exporter.remediation.reasons import Gate, Reason
from dbc_exporter.remediation.standing import Use, obstacles, uses

log = get_logger(__name__)

LONGEST_PAUSE = 7 * 86_400.0
LONGEST_REASON = 300


class RefusedError(Exception):
    """It cannot be done; the text says why."""


class Runtime(Protocol):
    """What is needed of the loop."""

    @property
    def loaded(self) -> LoadedPolicy:
        """The policy in force."""

    @property
    def snapshot(self) -> Snapshot | None:
        """What the last round saw; `None` before the first one."""

    @property
    def view(self) -> View:
        """What the journal knew in the last round."""

    @property
    def decisions(self) -> Mapping[Subject, Decision]:
        """What the last round decided."""

    @property
    def fault(self) -> str:
        """What disarmed remediation for good, "" for nothing."""

    def wake(self) -> None:
        """Go round at once."""


class Explanation(Protocol):
    """Why something was or was not done."""

    def text(self) -> str:
        """Return it for people."""


Explain = Callable[[Subject, float | None], Awaitable[Explanation]]


class Status(Struct, frozen=True, kw_only=True):
    """Everything at a glance. `since` tells from when on the problem of an incident is certain."""

    loaded: LoadedPolicy
    view: View
    fault: str = ""
    killed: str = ""
    snapshot: Snapshot | None = None
    obstacles: tuple[Check, ...] = ()
    incidents: tuple[Decision, ...] = ()
    since: dict[Subject, float] = {}
    healthy: int = 0
    unknown: int = 0
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Operator:
    """The operator's side of a running remediation. `watched` tells the ids of watched targets.

    Everything that reads or changes the journal raises `JournalError` where that cannot be used, but `status`.
    """

    runtime: Runtime
    journal: JournalRunner
    now: Callable[[], float]
    new_id: Callable[[], str]
    watched: Callable[[str], bool]
    explainer: Explain

    async def status(self) -> Status:
        """Return how things stand: the last round's sight with the journal as it is now."""
        now, runtime = self.now(), self.runtime
        view, fault = runtime.view, runtime.fault
        if not fault:
            try:
                view = await self.journal(lambda journal: journal.view(now))
            except JournalError as error:
                fault = str(error)
        snapshot, policy = runtime.snapshot, runtime.loaded.policy
        if snapshot is None:
            waiting = Check(Gate.HOLD_OFF, Reason.HOLDING_OFF, "nothing was looked at yet")
            broken = (Check(Gate.JOURNAL, Reason.JOURNAL_UNUSABLE, fault),) if fault else ()
            return Status(loaded=runtime.loaded, view=view, fault=fault, obstacles=(*broken, waiting))
        if fault and fault not in snapshot.fleet.faults:
            snapshot = replace(snapshot, fleet=replace(snapshot.fleet, faults=(fault,)))
        decisions = runtime.decisions.values()
        incidents = tuple(decision for decision in decisions if decision.problem is not None)
        unknown = sum(decision.verdict is Verdict.UNKNOWN for decision in decisions)
        return Status(
            loaded=runtime.loaded,
            view=view,
            fault=fault,
            killed=snapshot.fleet.killed,
            snapshot=snapshot,
            obstacles=obstacles(snapshot, view, policy, now),
            incidents=incidents,
            since=_begun(incidents, snapshot, runtime.loaded, now),
            healthy=len(decisions) - len(incidents) - unknown,
            unknown=unknown,
            uses=uses(view, policy, len(snapshot.sights), now),
        )

    async def explain(self, subject: Subject, at: float | None = None) -> Explanation:
        """Return why something was or was not done about a subject, now or then."""
        return await self.explainer(subject, at)

    async def answer(self, approval_id: str, *, approve: bool, actor: str) -> Approval:
        """Approve or reject a proposal. Raises `RefusedError` where none waits for it, or it does not hold any more."""
        now = self.now()
        if approve:
            await self._check_holds(approval_id, now)
        try:
            answered = await self.journal(
                lambda journal: journal.decide_approval(approval_id, actor=actor, approve=approve, at=now)
            )
        except ApprovalRefusedError as error:
            raise RefusedError(str(error)) from None
        word = "remediation_approved" if approve else "remediation_rejected"
        log.info(word, actor=actor, id=approval_id, target=answered.subject, action=answered.action.value)
        self.runtime.wake()
        return answered

    async def _check_holds(self, approval_id: str, now: float) -> None:
        """Refuse an approval that could never be used: what it was asked for has changed since."""
        view = await self.journal(lambda journal: journal.view(now))
        asked = next((one for one in view.approvals if one.id == approval_id), None)
        if asked is None or asked.approved_by or asked.rejected_by:
            return  # the journal says so
        found = self.runtime.decisions.get(asked.subject)
        if found is None or (found.action, found.evidence) != (asked.action, asked.evidence):
            raise RefusedError(f"what {approval_id} rests on has changed; see what is proposed now")

    async def pause(self, node_id: str, seconds: float, reason: str, actor: str) -> Pause:
        """Want nothing done to a node, or (empty id) to anything, for a while. Raises `RefusedError`."""
        if node_id and not self.watched(node_id):
            raise RefusedError(f"no target {node_id} is watched")
        if not 0 < seconds <= LONGEST_PAUSE:
            raise RefusedError(f"a pause lasts up to {LONGEST_PAUSE / 86_400:.0f} days")
        if not 0 < len(reason.strip()) <= LONGEST_REASON:
            raise RefusedError(f"a pause needs a reason of up to {LONGEST_REASON} characters")
        now = self.now()
        made = Pause(
            id=self.new_id(),
            node_id=node_id,
            actor=actor,
            reason=reason.strip(),
            created=now,
            expires=now + seconds,
        )
        await self.journal(lambda journal: journal.pause(made))
        log.info("remediation_paused", actor=actor, id=made.id, node_id=node_id or "all", seconds=seconds)
        self.runtime.wake()
        return made

    async def resume(self, pause_id: str | None, actor: str) -> tuple[str, ...]:
        """End one pause, whosever it is, or (`None`) all of this person's own; return the ids.

        Raises `RefusedError` where there is none.
        """
        now = self.now()
        if pause_id is None:
            view = await self.journal(lambda journal: journal.view(now))
            wanted = [pause.id for pause in view.pauses if pause.actor == actor]
        else:
            wanted = [pause_id]
        ended = [one for one in wanted if await self._resume(one, actor, now)]
        if not ended:
            raise RefusedError(f"there is no pause {pause_id}" if pause_id else f"{actor} has paused nothing")
        log.info("remediation_resumed", actor=actor, ids=",".join(ended))
        self.runtime.wake()
        return tuple(ended)

    async def _resume(self, pause_id: str, actor: str, now: float) -> bool:
        return await self.journal(lambda journal: journal.resume(pause_id, actor, now))

    async def clear(self, subject: Subject, actor: str) -> None:
        """End a quarantine. Raises `RefusedError` where there is none."""
        now = self.now()
        if not await self.journal(lambda journal: journal.clear(subject, actor, now)):
            raise RefusedError(f"{subject} is not in quarantine")
        log.info("remediation_cleared", actor=actor, target=subject)
        self.runtime.wake()

    async def clear_breaker(self, actor: str) -> None:
        """Close the breaker. Raises `RefusedError` where it is not open."""
        now = self.now()
        if not await self.journal(lambda journal: journal.clear_breaker(actor, now)):
            raise RefusedError("the breaker is not open")
        log.info("remediation_breaker_cleared", actor=actor)
        self.runtime.wake()


def _begun(
    incidents: Iterable[Decision], snapshot: Snapshot, loaded: LoadedPolicy, now: float
) -> dict[Subject, float]:
    """Return since when problems are certain; one that only a missing rule's alerts would show has no such time."""
    sights = {sight.subject: sight for sight in snapshot.sights}
    begun = {}
    for decision in incidents:
        sight, problem = sights.get(decision.subject), decision.problem
        if sight is None or problem is None:
            continue
        rungs = [rung for rule in loaded.policy.rules_for(sight) for rung in rungs_for(rule, problem)]
        since = since_when(sight, problem, rungs[0] if rungs else None, now, loaded.policy.alerts.expire)
        if since < now:
            begun[decision.subject] = since
    return begun
