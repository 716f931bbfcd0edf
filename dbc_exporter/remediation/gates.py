"""The gates: one question each, all of them asked about every subject with a problem. Pure.

`GATES` is the order in which they are asked and the one list of them. A gate answers with a reason, or `None` to let
pass, and with its numbers in words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dbc_exporter.remediation import gates_fleet, gates_history, gates_mode, gates_subject
from dbc_exporter.remediation.case import Answer, Case, Surroundings
from dbc_exporter.remediation.reasons import Gate, Reason

USED_UP = frozenset({Reason.ATTEMPTS_USED_UP, Reason.LADDER_EXHAUSTED})
CAPS = frozenset({Reason.NO_FENCE, Reason.NO_WITNESS, Reason.NEIGHBOURS_UNCLAIMED})
PASSES_BY_ITSELF = frozenset(
    {
        Reason.HOLDING_OFF,
        Reason.BLIND,
        Reason.WATCHDOG_SILENT,
        Reason.STORM,
        Reason.ALERTS_TRUNCATED,
        Reason.CHAIN_SILENT,
        Reason.OUT_OF_WINDOW,
        Reason.CLIENT_UNUSABLE,
        Reason.NODE_UNKNOWN,
        Reason.NODE_JUST_BACK,
        Reason.STATE_STALE,
        Reason.STATE_UNKNOWN,
        Reason.HELD_TOO_SHORT,
        Reason.TOO_FEW_SAMPLES,
        Reason.ORDER_UNKNOWN,
        Reason.NODE_BUSY,
        Reason.MACHINE_IN_USE,
        Reason.COOLING_DOWN,
        Reason.TOO_MANY_AT_ONCE,
        Reason.BUDGET_SPENT,
    }
)


class GateCheck(NamedTuple):
    """A gate and the function that asks it."""

    gate: Gate
    ask: Callable[[Case, Surroundings], Answer]


GATES: tuple[GateCheck, ...] = (
    GateCheck(Gate.JOURNAL, gates_fleet.journal),
    GateCheck(Gate.KILL_SWITCH, gates_fleet.kill_switch),
    GateCheck(Gate.PAUSE, gates_fleet.pause),
    GateCheck(Gate.RULE, gates_subject.rule),
    GateCheck(Gate.LADDER, gates_subject.ladder),
    GateCheck(Gate.CREDENTIAL, gates_subject.credential),
    GateCheck(Gate.QUARANTINE, gates_subject.quarantine),
    GateCheck(Gate.DESIRED_STATE, gates_subject.desired_state),
    GateCheck(Gate.SINGLE_FLIGHT, gates_history.single_flight),
    GateCheck(Gate.BREAKER, gates_fleet.breaker),
    GateCheck(Gate.HOLD_OFF, gates_fleet.hold_off),
    GateCheck(Gate.SIGHT, gates_fleet.sight),
    GateCheck(Gate.STORM, gates_fleet.storm),
    GateCheck(Gate.CHAIN, gates_fleet.chain),
    GateCheck(Gate.CLIENT, gates_subject.client),
    GateCheck(Gate.NODE, gates_subject.node),
    GateCheck(Gate.FRESHNESS, gates_subject.freshness),
    GateCheck(Gate.EVIDENCE, gates_subject.evidence),
    GateCheck(Gate.HOLD, gates_subject.hold),
    GateCheck(Gate.ORDER, gates_subject.order),
    GateCheck(Gate.HOST_CAUSE, gates_subject.host_cause),
    GateCheck(Gate.GPUS, gates_subject.gpus),
    GateCheck(Gate.BUSY, gates_subject.busy),
    GateCheck(Gate.ATTEMPTS, gates_history.attempts),
    GateCheck(Gate.COOLDOWN, gates_history.cooldown),
    GateCheck(Gate.WINDOW, gates_history.window),
    GateCheck(Gate.CONCURRENCY, gates_history.concurrency),
    GateCheck(Gate.BUDGET, gates_history.budget),
    GateCheck(Gate.MODE, gates_mode.mode),
)
