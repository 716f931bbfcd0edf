"""What remediation reasons about: subjects, what is seen of them, the fleet around them, and what was done before.

Everything here is an immutable value. Times without another word are *steady* seconds: they go on over restarts, and
no clock step moves them (see `steady`). `None` always means unknown, or that it never happened.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from dbc_exporter.remediation.reasons import Gate, Reason
from dbc_exporter.targets import DesiredState


class Mode(StrEnum):
    """How far remediation may go, from least to most."""

    OFF = "off"
    DRY_RUN = "dry_run"
    APPROVE = "approve"
    ACT = "act"


def lowest(*modes: Mode) -> Mode:
    """Return the most careful of some modes."""
    order = list(Mode)
    return min(modes, key=order.index)


class Action(StrEnum):
    """The five things remediation can do."""

    RESTART = "restart"
    FORCE_RESTART = "force_restart"
    START = "start"
    POWER_ON = "power_on"
    POWER_RESET = "power_reset"


class Problem(StrEnum):
    """What can be wrong with a subject in a way that an action may cure."""

    HUNG = "hung"  # a VM that is running and, says a probe, does not answer
    STOPPED = "stopped"  # a VM that is off and should run
    OFF = "off"  # a server whose power is off and should be on
    DEAD = "dead"  # a server whose power is on and that, say probes, does not answer


CURES = {
    Action.RESTART: Problem.HUNG,
    Action.FORCE_RESTART: Problem.HUNG,
    Action.START: Problem.STOPPED,
    Action.POWER_ON: Problem.OFF,
    Action.POWER_RESET: Problem.DEAD,
}


class Subject(Struct, frozen=True, order=True):
    """What an action is done to: a VM, or, with an empty `task_id`, a bare-metal server."""

    node_id: str
    task_id: str = ""

    @property
    def is_vm(self) -> bool:
        """Tell a VM from a server."""
        return bool(self.task_id)

    def __str__(self) -> str:
        return f"{self.node_id}/{self.task_id}" if self.task_id else self.node_id


class Fence(StrEnum):
    """Whether it can be found out later if an action arrived."""

    NONCE = "nonce"  # a wallet signs: yes
    NONE = "none"  # a session or several wallets: an unclear outcome stays unclear
    NO_CREDENTIAL = "no_credential"  # nothing can be done at all


class Alert(Struct, frozen=True):
    """One alert about a subject. `since` and `heard` are our own times of the first and the latest word of it.

    `ended` is when we heard that it resolved; such an alert is a witness of recovery until it is forgotten. One that
    is about the whole node (`of_node`) may forbid an action on a VM; it is no evidence and no witness of any of them.
    """

    name: str
    since: float
    heard: float
    ended: float | None = None
    of_node: bool = False


class Sight(Struct, frozen=True, kw_only=True):
    """What is known of one subject.

    `machine` is the node that requests queue at: a VM's node, a server's manager. `state` is DBC's (a `TaskState` or
    a `PowerState`), read last at `seen`, the same without a gap or an unknown between since `since`, in `samples`
    readings. `was_well` is when it was last seen running (on). `node_back` is when its machine last came back after
    it had been away or unheard of, `node_away` when its latest absence began. `vm_gpus_most` is the most GPUs its
    definition ever had while we looked. `busy` names work of DBC on the node that an action would disturb.
    """

    subject: Subject
    machine: str
    labels: tuple[tuple[str, str], ...] = ()
    client: str | None = None
    desired: DesiredState = DesiredState.NONE
    expected_gpus: int | None = None
    fence: Fence = Fence.NO_CREDENTIAL
    state: str = "unknown"
    seen: float | None = None
    since: float | None = None
    samples: int = 0
    was_well: float | None = None
    node_up: bool | None = None
    node_listed: bool | None = None
    node_back: float | None = None
    node_away: float | None = None
    order_live: bool | None = None
    order_seen: float | None = None
    gpus: int | None = None
    vm_gpus: int | None = None
    vm_gpus_most: int | None = None
    busy: str = ""
    alerts: tuple[Alert, ...] = ()


class Fleet(Struct, frozen=True, kw_only=True):
    """What is known of everything around the subjects.

    `started` is when this process began to watch, `disturbed` when something last happened after which nothing is
    believed for a while (a clock step, blindness, a storm, the end of a pause). `clients` are the DBC clients and
    their states. Of the `watched` targets (the most of the last 24 h, so that a list that shrinks hides nothing)
    `present` are in the inventory and `known` are certainly there or certainly away. `chain_silent` counts nodes whose
    latest signed call failed because DBC's chain did not answer. `truncated` is when Alertmanager last said that it
    left alerts out, `watchdog` when its always-firing alert was last heard. `faults` are what keeps this process from
    acting at all: gates of `journal` and the like with a text.
    """

    started: float
    disturbed: float = float("-inf")
    disturbance: str = ""
    clients: tuple[tuple[str, str], ...] = ()
    watched: int = 0
    present: int = 0
    known: int = 0
    chain_silent: int = 0
    truncated: float | None = None
    watchdog: float | None = None
    shards: int = 1
    killed: str = ""
    faults: tuple[str, ...] = ()


class Snapshot(Struct, frozen=True):
    """Everything the planner sees. `wall` is Unix time, for maintenance windows alone; sights are in subject order."""

    wall: float
    fleet: Fleet
    sights: tuple[Sight, ...]


class IntentState(StrEnum):
    """The life of an intent; everything but `ended` is open, and one open intent per subject and machine exists."""

    INTENDED = "intended"  # written down; nothing was sent
    SENDING = "sending"  # bytes may have left; after a crash the same as ambiguous
    AMBIGUOUS = "ambiguous"  # sent, and nobody knows whether it arrived
    SETTLING = "settling"  # it arrived; its effect is awaited
    ENDED = "ended"


class Result(StrEnum):
    """How an intent ended."""

    RECOVERED = "recovered"  # the witness says that the subject is well
    INEFFECTIVE = "ineffective"  # executed, as far as can be known, and the witness says that it is not
    UNVERIFIED = "unverified"  # executed or not, no witness could be heard: proves nothing
    REFUSED = "refused"  # the node said no
    NOT_EXECUTED = "not_executed"  # sent, never arrived, and never can any more
    CANCELLED = "cancelled"  # never sent
    UNRESOLVED = "unresolved"  # nobody will ever know: a person must look


class Intent(Struct, frozen=True, kw_only=True):
    """One intended action as the journal has it. `domains` are the label values its budgets count by."""

    id: str
    subject: Subject
    machine: str
    client: str
    action: Action
    problem: Problem
    state: IntentState
    created: float
    domains: tuple[tuple[str, str], ...] = ()
    nonce: str = ""
    canary: str = ""
    burns: int = 0
    next_look: float = 0.0
    sent: float | None = None
    ended: float | None = None
    result: Result | None = None
    reason: str = ""
    evidence: str = ""
    policy: str = ""
    approved_by: str = ""

    @property
    def open(self) -> bool:
        """Whether it is still under way."""
        return self.state is not IntentState.ENDED


class Approval(Struct, frozen=True, kw_only=True):
    """A proposal and what a person made of it. It holds for this evidence, action and policy, until `expires`."""

    id: str
    subject: Subject
    action: Action
    evidence: str
    created: float
    expires: float
    approved_by: str = ""
    rejected_by: str = ""
    used: bool = False


class Pause(Struct, frozen=True, kw_only=True):
    """Somebody wants nothing done, to one node or (empty `node_id`) at all, until `expires`."""

    id: str
    node_id: str
    actor: str
    reason: str
    created: float
    expires: float


class View(Struct, frozen=True, kw_only=True):
    """What the journal knows that matters now: intents of the last 48 h and all open ones, oldest first.

    `cleared` has the times at which persons ended quarantines, `breaker_cleared` when one last closed the breaker.
    """

    intents: tuple[Intent, ...] = ()
    quarantined: dict[Subject, str] = {}
    cleared: dict[Subject, float] = {}
    pauses: tuple[Pause, ...] = ()
    approvals: tuple[Approval, ...] = ()
    breaker: str = ""
    breaker_cleared: float = float("-inf")


class Verdict(StrEnum):
    """What the planner says of a subject."""

    HEALTHY = "healthy"
    UNKNOWN = "unknown"
    OPEN = "open"  # an action is under way
    WAIT = "wait"  # something that passes by itself stands in the way
    REFUSE = "refuse"  # something that does not pass by itself stands in the way
    QUARANTINE = "quarantine"  # attempts are used up: a person must look
    DRY_RUN = "dry_run"  # would act
    PROPOSE = "propose"  # asks a person
    ACT = "act"


class Check(Struct, frozen=True):
    """One gate's answer: `reason` is `None` when it lets pass. `detail` has the numbers, for people."""

    gate: Gate
    reason: Reason | None = None
    detail: str = ""


class Decision(Struct, frozen=True, kw_only=True):
    """The planner's word on one subject, with every gate that was asked.

    `reason` is that of the first gate that stands in the way. `evidence` names what the decision rests on: an approval
    holds only as long as it stays the same. `checks` is empty for healthy and unknown subjects.
    """

    subject: Subject
    verdict: Verdict
    reason: Reason | None = None
    problem: Problem | None = None
    action: Action | None = None
    rule: str = ""
    evidence: str = ""
    approval: str = ""
    checks: tuple[Check, ...] = ()
