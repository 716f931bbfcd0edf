"""How things stand with remediation, as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from dbc_exporter.web.pages.show import ago, duration, until
from dbc_exporter.web.remediation_types import Action, Budget, Incident, Obstacle, Pause, Proposal, Status

_MOST = 20


def status_text(status: Status) -> str:
    """Return the text."""
    return "\n".join(_lines(status))


def _lines(status: Status) -> Iterator[str]:
    now = status.generated
    yield f"mode {status.mode}, {'armed' if status.armed else 'not armed'}"
    yield from (f"  {_reason(one)}" for one in status.obstacles)
    yield f"kill switch: {status.killed or 'not thrown'}"
    yield f"breaker: {status.breaker or 'closed'}"
    yield f"policy: {status.policy}"
    sick, quarantined = len(status.incidents), len(status.quarantines)
    yield (
        f"targets: {status.healthy} healthy, {status.unknown} unknown, {sick} sick, {quarantined} in quarantine"
    )
    yield from _part("waiting for a person", (_proposal(one, now) for one in status.proposals))
    yield from _part("incidents", (_incident(one, now) for one in status.incidents))
    yield from _part("pauses", (_pause(one, now) for one in status.pauses))
    yield from _part(
        "quarantine", (f"{one.target}: {one.reason} ({one.words})" for one in status.quarantines)
    )
    yield from _part("actions of the last 48 h", (_action(one) for one in status.actions))
    yield from _part("budgets", (_budget(one) for one in status.budgets))


def _part(title: str, entries: Iterable[str]) -> Iterator[str]:
    """Give a section its title, leave an empty one out, and cut a long one short."""
    found = list(entries)
    if found:
        yield ""
        yield f"{title}:"
        yield from (f"  {entry}" for entry in found[:_MOST])
    if len(found) > _MOST:
        yield f"  and {len(found) - _MOST} more (--json has all)"


def _reason(one: Obstacle) -> str:
    return f"{one.reason}: {one.words}" + (f" ({one.detail})" if one.detail else "")


def _proposal(one: Proposal, now: float) -> str:
    answer = f"{one.answer} by {one.actor}" if one.actor else f"expires {until(one.expires, now)}"
    return f"{one.id}  {one.action} {one.target}, {answer}; {one.evidence}"


def _incident(one: Incident, now: float) -> str:
    since = f" since {ago(now - one.since)}" if one.since is not None else ""
    action = f" {one.action}" if one.action else ""
    why = f": {_reason(one.obstacle)}" if one.obstacle else ""
    return f"{one.target} {one.problem}{since}, {one.verdict}{action}{why}"


def _pause(one: Pause, now: float) -> str:
    return f"{one.id}  {one.node_id or 'everything'} by {one.actor}, ends {until(one.expires, now)}: {one.reason}"


def _action(one: Action) -> str:
    when = datetime.fromtimestamp(one.created, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    why = f" ({one.reason}: {one.words})" if one.reason else ""
    by = f", approved by {one.approved_by}" if one.approved_by else ""
    return f"{when}  {one.action} {one.target}: {one.result or one.state}{why}{by}"


def _budget(one: Budget) -> str:
    most_by = f", most by {one.of}" if one.of else ""
    scope = f"{one.scope} {one.label}".rstrip()
    return f"{scope} in any {duration(one.window_seconds)}: {one.used} of {one.most}{most_by}"
