"""Remediation as the web side sees it, made up: a day with something of everything, and a desk that notes what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from dbc_exporter.web.remediation_types import (
    Action,
    Budget,
    Explained,
    Incident,
    Obstacle,
    Pause,
    Proposal,
    Quarantine,
    Status,
)
from tests.unit.web.web_fakes import NOW, node_id

VM = f"{node_id(1)}/vm1"
SERVER = node_id(9)


def proposal(**changes: object) -> Proposal:
    """Return a proposal that waits."""
    fields: dict[str, object] = {
        "id": "p1",
        "target": VM,
        "action": "force_restart",
        "evidence": "hung force_restart VmUnresponsive@1.000",
        "created": NOW - 60,
        "expires": NOW + 840,
    }
    return Proposal(**{**fields, **changes})  # type: ignore[arg-type] # whichever fields the test names


def action(number: int = 0, **changes: object) -> Action:
    """Return an action that helped."""
    fields: dict[str, object] = {
        "id": f"a{number}",
        "target": VM,
        "action": "restart",
        "problem": "hung",
        "state": "ended",
        "evidence": "hung restart VmUnresponsive@1.000",
        "created": NOW - 3600 - number,
        "sent": NOW - 3590,
        "ended": NOW - 3000,
        "result": "recovered",
        "reason": "well_again",
        "words": "it is well again, says its witness",
    }
    return Action(**{**fields, **changes})  # type: ignore[arg-type] # whichever fields the test names


def quiet(**changes: object) -> Status:
    """Return how things stand when nothing is wrong."""
    fields: dict[str, object] = {
        "generated": NOW,
        "mode": "act",
        "armed": True,
        "policy": "0123456789abcdef",
        "healthy": 40,
    }
    return Status(**{**fields, **changes})  # type: ignore[arg-type] # whichever fields the test names


def busy() -> Status:
    """Return a day on which everything happens at once."""
    waits = Obstacle(reason="cooling_down", words="the last action was too short a time ago", detail="9 s")
    return quiet(
        armed=False,
        unknown=2,
        killed="/etc/stop exists",
        breaker="3 of the last 4 actions had no effect",
        obstacles=(Obstacle(reason="killed", words="the kill switch is thrown", detail="/etc/stop exists"),),
        pauses=(
            Pause(
                id="z1", node_id="", actor="anna", reason="moving racks", created=NOW - 5, expires=NOW + 3600
            ),
        ),
        quarantines=(
            Quarantine(
                target=SERVER, reason="ladder_exhausted", words="every step was tried without success"
            ),
        ),
        incidents=(
            Incident(
                target=VM,
                problem="hung",
                verdict="wait",
                action="restart",
                rule="vms",
                since=NOW - 1200,
                obstacle=waits,
            ),
            Incident(target=SERVER, problem="off", verdict="quarantine"),
        ),
        proposals=(proposal(), proposal(id="p2", answer="rejected", actor="bert")),
        actions=(
            action(),
            action(
                1,
                result=None,
                ended=None,
                state="ambiguous",
                reason="",
                words="",
                approved_by="anna",
            ),
        ),
        budgets=(
            Budget(scope="fleet", window_seconds=600.0, most=2, used=1),
            Budget(scope="node", window_seconds=3600.0, most=1, used=1, of=node_id(1)),
            Budget(scope="client", window_seconds=3600.0, most=3, used=0),
        ),
    )


@dataclass
class FakeDesk:
    """Answers what it is told to; `said` collects what was asked of it, `error` is raised by whatever changes."""

    shown: Status = field(default_factory=quiet)
    token: str | None = None
    error: Exception | None = None
    said: list[tuple[object, ...]] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    @property
    def webhook_token(self) -> str | None:
        return self.token

    def answered(self, code: int) -> None:
        self.codes.append(code)

    async def take(self, body: bytes) -> None:
        self._note("take", body)

    async def too_large(self) -> None:
        self._note("too_large")

    async def status(self) -> Status:
        return self.shown

    async def explain(self, target: str, at: float | None) -> Explained:
        self._note("explain", target, at)
        return Explained(target=target, at=at or NOW, text=f"{target} is well", explanation={"checks": []})

    async def answer(self, proposal: str, *, approve: bool, actor: str) -> Proposal:
        self._note("answer", proposal, approve, actor)
        return _answered(proposal, approve=approve, actor=actor)

    async def pause(self, node_id: str, seconds: float, reason: str, actor: str) -> Pause:
        self._note("pause", node_id, seconds, reason, actor)
        return Pause(id="z9", node_id=node_id, actor=actor, reason=reason, created=NOW, expires=NOW + seconds)

    async def resume(self, pause: str | None, actor: str) -> tuple[str, ...]:
        self._note("resume", pause, actor)
        return (pause or "z1",)

    async def clear(self, target: str, actor: str) -> None:
        self._note("clear", target, actor)

    async def clear_breaker(self, actor: str) -> None:
        self._note("clear_breaker", actor)

    def _note(self, *what: object) -> None:
        if self.error is not None:
            raise self.error
        self.said.append(what)


def _answered(id_: str, *, approve: bool, actor: str) -> Proposal:
    return proposal(id=id_, answer="approved" if approve else "rejected", actor=actor)
