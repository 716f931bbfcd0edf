"""Functions of the product with a guard taken out, for `mutations`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dbc_exporter.dbc.actuation import Sender
from dbc_exporter.dbc.errors import DbcError
from dbc_exporter.dbc.errors import Reason as Failure
from dbc_exporter.remediation import (
    actuator,
    alerts,
    evidence,
    fence,
    gates_mode,
    journal_file,
    journal_schema,
    last_look,
    loop,
    outcome,
    sightings,
    tracker,
    verify,
)
from dbc_exporter.remediation.fence import Finding
from dbc_exporter.remediation.journal import Journal
from dbc_exporter.remediation.model import Intent, IntentState, Result, Sight
from dbc_exporter.remediation.problems import WELL_STATES
from dbc_exporter.remediation.reasons import Reason

Patch = tuple[Any, str, Any]
_ORDER = Sender.order
_LOOK = actuator.Actuator._last_look
_OF_FAILURE = outcome.of_failure
_INQUIRE = fence.inquire
_OUTCOME = verify.outcome
_FIRED = sightings._fired
_PARSE = alerts.parse


async def _look_and_ask(self: actuator.Actuator, intent: Intent, sight: Sight, canary: str) -> Any:
    seen = await _LOOK(self, intent, sight, canary)
    await self._ask_again(intent, seen.sight)
    return seen


async def _only_written_ahead(self: actuator.Actuator, intent: Intent, _fresh: Sight, attempt: Any) -> None:
    attempt.allowed = self.now()
    await self._write_ahead(intent, attempt)


def _act_anyway(_self: actuator.Actuator, _intent: Intent, _fresh: Sight) -> Any:
    async def nothing() -> None:
        return

    return nothing()


async def _not_written_ahead(self: actuator.Actuator, intent: Intent, attempt: Any) -> None:
    del self, intent
    attempt.written = True


async def _twice(self: Any, call: Any, target: Any, nonce: Any, before_send: Any) -> Any:
    try:
        return await _ORDER(self, call, target, nonce, before_send)
    except DbcError as error:
        if error.reason is not Failure.OWN_DEADLINE:
            raise

        async def nothing() -> None:
            return

        return await _ORDER(self, call, target, nonce, nothing)


def _deadline_is_failure(error: DbcError) -> Any:
    if error.reason in (Failure.OWN_DEADLINE, Failure.NODE_TIMEOUT):
        return Result.NOT_EXECUTED, Reason.NOT_SENT
    return _OF_FAILURE(error)


def _any_words_refuse(error: DbcError) -> Any:
    if error.sent and error.reason is Failure.REFUSED_BY_NODE:
        return Result.REFUSED, Reason.REFUSED_BY_NODE
    return _OF_FAILURE(error)


async def _no_canary(self: last_look.LastLook, subject: Any, target: Any, canary: str) -> object:
    del canary
    return await self.wire.read(last_look.harmless(subject), target)


async def _without_canary(
    nonce: str, canary: str, ask: Any, fresh_nonce: Any, burning: Any, *, first: bool
) -> Finding:
    async def ask_all_but_canary(one: str) -> object:
        return await ask(fresh_nonce() if one == canary else one)

    found = await _INQUIRE(nonce, canary, ask_all_but_canary, fresh_nonce, burning, first=first)
    return Finding.NEVER_ARRIVED if found is Finding.FORGOTTEN else found


async def _always_first(
    nonce: str, canary: str, ask: Any, fresh_nonce: Any, burning: Any, *, first: bool
) -> Finding:
    del first
    return await _INQUIRE(nonce, canary, ask, fresh_nonce, burning, first=True)


async def _no_probe_first(
    nonce: str, canary: str, ask: Any, fresh_nonce: Any, burning: Any, *, first: bool
) -> Finding:
    del fresh_nonce
    await burning()
    accepted = await fence._accepted(nonce, ask)
    if accepted is None:
        return Finding.NEVER_ARRIVED
    if not accepted:
        return Finding.ARRIVED if first else Finding.SPENT
    forgotten = await fence._accepted(canary, ask)
    return Finding.FORGOTTEN if forgotten else Finding.NEVER_ARRIVED


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    """Stand in for a guard."""


async def _no_look(self: last_look.LastLook, action: Any, sight: Sight, target: Any, canary: str) -> Any:
    del action
    await self._first(sight.subject, target, canary)
    return last_look.Seen(sight, target)


def _recovered_by_old_words(look: verify.Look, sight: Sight, rung: Any) -> bool:
    del look, rung
    return sight.state in WELL_STATES and any(alert.ended is not None for alert in sight.alerts)


def _silence_is_failure(look: verify.Look) -> Any:
    found = _OUTCOME(look)
    if found is not None and found[0] is Result.UNVERIFIED:
        return Result.INEFFECTIVE, Reason.STILL_BAD
    return found


def _late_words_count(before: Any, word: Any, at: float) -> Any:
    if before is not None and before.over is not None and word.starts_at <= before.over:
        return sightings.Memory(starts_at=word.starts_at, since=at, heard=at)
    return _FIRED(before, word, at)


def _every_word_is_a_sign_of_life(body: bytes, watchdog: str, watched: Any) -> alerts.Delivery:
    return dataclasses.replace(_PARSE(body, watchdog, watched), watchdog=True)


def _ends_of_the_unwatched_are_lost(subject: Any, watched: Any, *, firing: bool) -> bool:
    del firing
    return bool(watched(subject.node_id))


def _take_over_as_unsent(self: Journal) -> None:
    now = self.steady.now()
    begun = (IntentState.INTENDED, IntentState.SENDING)
    ended = {"ended": now, "result": Result.CANCELLED.value, "reason": Reason.SUPERSEDED.value}
    for intent in self.view(now).intents:
        if intent.state in begun:
            self._advance(intent.id, now, begun, IntentState.ENDED, ended)


def _take_over_as_lost(self: Journal) -> None:
    now = self.steady.now()
    for intent in self.view(now).intents:
        if intent.state is IntentState.INTENDED:
            self.end(intent.id, now, Result.CANCELLED, Reason.SUPERSEDED.value)
        elif intent.state is IntentState.SENDING:
            self.end(intent.id, now, Result.NOT_EXECUTED, Reason.NOT_SENT.value)


def _no_lock(directory: Path) -> int:
    del directory
    return -1


def _verified_without_mark(connection: Any, _marked: Any) -> tuple[int, str]:
    [(seq, last)] = connection.execute(
        "SELECT coalesce(max(seq), 0), coalesce((SELECT hash FROM event ORDER BY seq DESC LIMIT 1), '') FROM event"
    )
    return seq, last


def _approve_anything(self: Journal, approval_id: str, *, actor: str, approve: bool, at: float) -> Any:
    column = "approved_by" if approve else "rejected_by"
    with self.transaction("approved", at) as db:
        db.execute(f"UPDATE approval SET {column} = ? WHERE id = ?", (actor, approval_id))  # noqa: S608 - own names


def _keep_approval(self: Journal, db: Any, intent: Intent, approval: str, at: float) -> None:
    """Use nothing up."""


def _read_any_gap(self: tracker.Run, state: str, at: float, longest_gap: float) -> None:
    del longest_gap
    if state == self.state and at == self.seen:
        return
    if (state != self.state and state in WELL_STATES) or self.since is None:
        self.since, self.samples = at, 0
    self.state, self.seen = state, at
    self.samples += 1
    if state in WELL_STATES:
        self.was_well = at


def _unknown_is_nothing(self: tracker.Run, at: float) -> None:
    """Keep what was known as if it were known still."""


def _always_there(self: tracker.Presence, up: bool | None, at: float) -> None:
    if self.back is None:
        self.back = at
    self.up = up


def _silent_until_by_the_wall_clock(self: evidence.Evidence, one: Any, now: float) -> float:
    records = {record.collector: record for record in self.store.freshness(one.owner)}
    record = records.get("tasks")
    if record is None or record.last_reason is not Failure.AUTHORITY or record.unavailable is not None:
        return evidence.NEVER
    if (record.last_failure or evidence.NEVER) <= (record.last_success or evidence.NEVER):
        return evidence.NEVER
    return now - (self.clock.wall() - (record.last_failure or 0.0)) + self._longest_gap(one.target)


async def _view_alone(self: loop.Remediation, now: float) -> Any:
    return await self.journal(lambda journal: journal.view(now))


async def _trip_late(self: loop.Remediation, view: Any) -> None:
    """Leave subjects to a person only after the round has decided."""
    await _VIEW(self, self.now())
    await _TRIP(self, view)


def _old_approval(case: Any, around: Any) -> Any:
    """Find an approval whatever it was given for."""
    mine = [one for one in around.view.approvals if one.subject == case.sight.subject]
    return max(mine, key=lambda one: (bool(one.approved_by), one.created, one.id), default=None)


_VIEW, _TRIP = loop.Remediation._view, loop.Remediation._trip
_WITHOUT_INDEXES = re.sub(r"CREATE UNIQUE INDEX one_open_per_\w+ [^;]*;", "", journal_schema.SCHEMA)

CODE: Mapping[str, tuple[Patch, ...]] = {
    "actuator: nobody is asked again": ((actuator.Actuator, "_ask_again", _act_anyway),),
    "actuator: no last look": ((last_look.LastLook, "take", _no_look),),
    "actuator: a last look never grows old": ((actuator, "LOOK_LASTS_SECONDS", 1e9),),
    "actuator: a yes never grows old": ((actuator, "YES_LASTS_SECONDS", 1e9),),
    "actuator: asked before its turn": (
        (actuator.Actuator, "_last_look", _look_and_ask),
        (actuator.Actuator, "_before_send", _only_written_ahead),
    ),
    "actuator: not written ahead": ((actuator.Actuator, "_write_ahead", _not_written_ahead),),
    "actuator: no canary": ((last_look.LastLook, "_first", _no_canary),),
    "actuator: other people's VMs": ((last_look, "_check_ours", _nothing),),
    "actuator: sent once more after a deadline": ((Sender, "order", _twice),),
    "outcome: a deadline is a failure": ((actuator, "of_failure", _deadline_is_failure),),
    "outcome: any words are a refusal": ((actuator, "of_failure", _any_words_refuse),),
    "fence: the canary is not asked": ((fence, "inquire", _without_canary),),
    "fence: burns are not counted": ((fence, "inquire", _always_first),),
    "fence: silence means never arrived": ((fence, "inquire", _no_probe_first),),
    "verify: words from before the send": ((verify, "_recovered", _recovered_by_old_words),),
    "verify: silence is failure": ((loop, "outcome", _silence_is_failure),),
    "verify: nobody has to be alive": ((verify.Look, "heard_since", lambda _self, _moment: True),),
    "webhook: late words of what is over": ((sightings, "_fired", _late_words_count),),
    "webhook: every delivery is a sign of life": ((alerts, "parse", _every_word_is_a_sign_of_life),),
    "webhook: ends are lost while a target is away": (
        (alerts, "_concerns", _ends_of_the_unwatched_are_lost),
    ),
    "journal: no unique indexes": ((journal_schema, "SCHEMA", _WITHOUT_INDEXES),),
    "journal: what was being sent counts as unsent": ((Journal, "_take_over", _take_over_as_unsent),),
    "journal: what was being sent counts as lost": ((Journal, "_take_over", _take_over_as_lost),),
    "journal: no mark": ((journal_file, "_verified", _verified_without_mark),),
    "journal: no lock": ((journal_file, "_take_lock", _no_lock),),
    "journal: any answer to a proposal": ((Journal, "decide_approval", _approve_anything),),
    "journal: approvals are not used up": ((Journal, "_use_approval", _keep_approval),),
    "planner: approvals of anything": (
        (gates_mode, "approval_for", _old_approval),
        (Journal, "_use_approval", _keep_approval),
    ),
    "evidence: readings may be far apart": ((tracker.Run, "read", _read_any_gap),),
    "evidence: unknown ends nothing": ((tracker.Run, "unknown", _unknown_is_nothing),),
    "evidence: nobody was ever away": ((tracker.Presence, "note", _always_there),),
    "evidence: clocks may step": ((evidence.Evidence, "_watch_clocks", _nothing),),
    "evidence: the chain's silence by the wall clock": (
        (evidence.Evidence, "_chain_silent_until", _silent_until_by_the_wall_clock),
    ),
    "loop: storms and blindness leave no trace": ((loop, "disturbances", lambda *_: ()),),
    "loop: the end of a pause leaves no trace": ((loop.Remediation, "_ended", lambda _self, _view: []),),
    "loop: the kill file is not looked for": ((loop.Remediation, "_killed", lambda _self: ""),),
    "loop: the breaker never trips": ((loop, "trips", lambda *_: ""),),
    "loop: outcomes nobody knows are told late": (
        (loop.Remediation, "_view", _view_alone),
        (loop.Remediation, "_trip", _trip_late),
    ),
    "loop: outcomes nobody knows are forgotten": ((loop, "_wants_a_person", lambda *_: False),),
}
