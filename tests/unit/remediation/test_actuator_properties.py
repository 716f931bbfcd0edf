"""Whatever the other side says, whenever we stand still or stop: one send at most, told truly by the journal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dbc_exporter.dbc import failures
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.facts import NodeConfig, Power, PowerState, TaskList, TaskState, Vm
from dbc_exporter.remediation.model import Action, IntentState, Result
from tests.unit.remediation.hands import NONCE_REFUSED, VM, Hands, as_it_was, detailed, listed
from tests.unit.remediation.scenes import policy

POLICY = policy()
FAILURES = st.builds(DbcError, st.sampled_from(Failure), sent=st.booleans()) | st.sampled_from(
    [
        NONCE_REFUSED,
        RuntimeError("a mistake"),
        asyncio.CancelledError(),
        failures.of_node("task not exist", "restart task"),
        failures.of_node("check authority failed: query machine_status failed", "restart task"),
    ]
)
STATES = st.sampled_from(TaskState)
WORDS: dict[str, st.SearchStrategy[Any]] = {
    "list": FAILURES | st.builds(listed, STATES) | st.just(TaskList()),
    "vm": FAILURES | st.builds(detailed, STATES) | st.just(Vm(task_id=VM.task_id, state=TaskState.RUNNING)),
    "power": FAILURES | st.builds(Power, state=st.sampled_from(PowerState)),
    "node": FAILURES | st.builds(NodeConfig, gpus=st.none() | st.integers(0, 8)),
    "order": FAILURES,
}


class Chance:
    """One attempt: what the wire says differently from a subject that is as it was, and how long it takes."""

    def __init__(self, says: dict[str, Any], slow: dict[str, float]) -> None:
        self.says, self.slow = says, slow

    def __repr__(self) -> str:
        return f"Chance({self.says}, {self.slow})"


CHANCES = st.builds(
    Chance,
    st.fixed_dictionaries({}, optional=WORDS),
    st.dictionaries(st.sampled_from(sorted(WORDS)), st.sampled_from([1.0, 119.0, 121.0]), max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(action=st.sampled_from(Action), chance=CHANCES, later=st.lists(FAILURES | st.none(), max_size=6))
async def test_an_intent_is_sent_once_at_most_and_its_journal_is_true(
    action: Action, chance: Chance, later: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        hands = Hands(Path(directory), action)
        _script(hands, action, chance)
        with contextlib.suppress(RuntimeError, asyncio.CancelledError):
            await hands.carry_out()
        _check_after_sending(hands)
        await _inquire(hands, later)
        assert len(hands.wire.calls) <= 1
        hands.journal.close()


def _script(hands: Hands, action: Action, chance: Chance) -> None:
    for name, word in {**as_it_was(action), **chance.says}.items():

        def say(_nonce: str, name: str = name, word: object = word) -> object:
            hands.clock.pass_by(chance.slow.get(name, 0.0))
            return word

        hands.wire.says[name] = say


def _check_after_sending(hands: Hands) -> None:
    done, left = hands.written(), len(hands.wire.calls)
    assert left <= 1
    if done.state is IntentState.INTENDED or done.result is Result.CANCELLED:
        assert (left, done.sent) == (0, None)
    else:
        assert left == 1
        assert done.sent is not None
        assert hands.wire.calls[0][2] == done.nonce
    if left:
        sight = hands.judged[0]
        wanted = {Action.START: "closed", Action.POWER_ON: "off", Action.POWER_RESET: "on"}
        assert sight.state == wanted.get(done.action, "running")


async def _inquire(hands: Hands, later: list[Any]) -> None:
    """Inquire as the loop does, while the node answers as it likes."""
    script = iter(later)

    def say(_nonce: str) -> object:
        word = next(script, None)
        return object() if word is None else word

    hands.wire.says |= {"list": say, "power": say}
    for _ in range(len(later) + 2):
        found = hands.written()
        if found.state is not IntentState.AMBIGUOUS:
            return
        try:
            await hands.actuator.inquire(found, POLICY)
        except (RuntimeError, asyncio.CancelledError):
            continue


async def test_neither_log_nor_journal_hold_more_than_nonces(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    hands = Hands(tmp_path)
    hands.wire.says["order"] = failures.of_node('{"sign":"aa11","login_password":"hunter2"}', "restart task")
    done = await hands.carry_out()
    assert done.state is IntentState.AMBIGUOUS
    told = caplog.text + repr([vars(record) for record in caplog.records])
    written = _files(tmp_path)
    for secret in ("aa11", "hunter2"):
        assert secret not in told
        assert secret.encode() not in written
    assert done.nonce not in told
    assert done.nonce.encode() in written


def _files(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(directory.iterdir()))
