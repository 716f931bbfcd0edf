"""A journal in a directory of a test, with clocks in hand and values to write into it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.model import (
    Action,
    Approval,
    Intent,
    IntentState,
    Pause,
    Problem,
    Subject,
)

WALL = 1_795_000_000.0
NODE, OTHER_NODE = "a" * 64, "b" * 64
VM, SIBLING, OTHER_VM = Subject(NODE, "vm1"), Subject(NODE, "vm2"), Subject(OTHER_NODE, "vm1")
BOOT = "boot-1"


@dataclass
class HandClock:
    """Clocks that stand still until they are moved."""

    mono: float = 1_000.0
    unix: float = WALL

    def monotonic(self) -> float:
        return self.mono

    def wall(self) -> float:
        return self.unix

    def pass_by(self, seconds: float) -> None:
        self.mono += seconds
        self.unix += seconds


def opened(directory: Path, clock: HandClock | None = None, boot: str = BOOT) -> Journal:
    return Journal.open(directory, clock or HandClock(), boot)


def intent(number: int = 1, subject: Subject = VM, **changes: Any) -> Intent:
    """An intent to restart a VM."""
    made = Intent(
        id=f"intent-{number}",
        subject=subject,
        machine=subject.node_id,
        client="one",
        action=Action.RESTART,
        problem=Problem.HUNG,
        state=IntentState.INTENDED,
        created=WALL,
        domains=(("rack", "7"), ("site", "north")),
        evidence="hung restart",
        policy="abc",
    )
    return replace(made, **changes)


def approval(**changes: Any) -> Approval:
    """The proposal of that very action."""
    made = Approval(
        id="proposal-1",
        subject=VM,
        action=Action.RESTART,
        evidence="hung restart",
        created=WALL,
        expires=WALL + 900,
    )
    return replace(made, **changes)


def pause(**changes: Any) -> Pause:
    made = Pause(
        id="pause-1", node_id="", actor="ann", reason="moving racks", created=WALL, expires=WALL + 600
    )
    return replace(made, **changes)


def approved(journal: Journal) -> None:
    """Let a person approve the proposal."""
    journal.propose(approval(), WALL)
    journal.decide_approval("proposal-1", actor="ann", approve=True, at=WALL + 60)


def kinds(journal: Journal) -> list[str]:
    """The kinds of all events, oldest first."""
    return [event["kind"] for event in reversed(journal.events(limit=1_000_000))]
