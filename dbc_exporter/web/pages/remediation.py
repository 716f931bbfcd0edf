"""The page of remediation: is it armed, what goes on, what waits for a person, what was done and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from dbc_exporter.web.pages.html import Html, join, tag
from dbc_exporter.web.pages.parts import badge, facts, table, tile
from dbc_exporter.web.pages.show import UNKNOWN, ago, duration, moment, number, short_id, until
from dbc_exporter.web.remediation_types import (
    Action,
    Budget,
    Incident,
    Obstacle,
    Pause,
    Proposal,
    Quarantine,
    Status,
)

_VERDICT_TONE = {"act": "good", "open": "good", "propose": "warn", "quarantine": "bad"}
_RESULT_TONE = {
    "recovered": "good",
    "ineffective": "bad",
    "unresolved": "bad",
    "refused": "warn",
    "unverified": "warn",
}
_WAITS = "waiting"
_MOST_INCIDENTS = 200
_COMMAND = "dbc-exporter remediation"


def remediation_off() -> Html:
    """Return the page's content while remediation is not configured."""
    said = "Remediation is off: the settings name no policy. Nothing is ever done to a machine."
    return tag("div", tag("div", said, cls="empty"), cls="sheet")


def remediation(status: Status) -> Html:
    """Return the page's content."""
    now = status.generated
    sections: list[tuple[str, Html]] = [
        ("", _whether(status)),
        ("Targets", _tiles(status)),
        ("Waiting for a person", _proposals(status.proposals, now)),
        ("Open incidents", _incidents(status.incidents, now)),
        ("Pauses", _pauses(status.pauses, now)),
        ("Quarantine", _quarantines(status.quarantines)),
        ("Actions of the last 48 hours", _actions(status.actions, now)),
        ("Budgets", _budgets(status.budgets)),
    ]
    if not status.pauses:
        sections = [section for section in sections if section[0] != "Pauses"]
    if not status.quarantines:
        sections = [section for section in sections if section[0] != "Quarantine"]
    headed = (part for title, body in sections for part in ((tag("h2", title) if title else ""), body))
    return join((*headed, tag("p", tag("a", "This page as JSON", href="?format=json"), cls="pages")))


def _whether(status: Status) -> Html:
    armed = badge("armed", "good") if status.armed else badge("not armed", "warn")
    switch = badge("thrown", "bad") if status.killed else "not thrown"
    breaker = badge("open", "bad") if status.breaker else "closed"
    pairs: list[tuple[str, str]] = [
        ("Mode", badge(status.mode, "good" if status.mode == "act" else "")),
        ("Armed", armed),
        *((_reason_name(one), _reason(one)) for one in status.obstacles),
        ("Kill switch", join((switch, f" {status.killed}" if status.killed else ""))),
        ("Breaker", join((breaker, *_breaker_remedy(status)))),
        ("Policy", tag("span", status.policy, cls="mono")),
    ]
    return facts(pairs)


def _breaker_remedy(status: Status) -> tuple[Html | str, ...]:
    return (f" {status.breaker}. ", _line(f"{_COMMAND} clear breaker")) if status.breaker else ()


def _reason_name(obstacle: Obstacle) -> Html:
    return tag("span", obstacle.reason, cls="mono")


def _reason(obstacle: Obstacle) -> Html:
    detail = tag("span", f" ({obstacle.detail})", cls="quiet") if obstacle.detail else ""
    return join((obstacle.words, detail))


def _tiles(status: Status) -> Html:
    sick = len(status.incidents)
    return tag(
        "div",
        tile(number(status.healthy), "healthy: nothing is wrong", "good"),
        tile(number(status.unknown), "unknown: never acted on"),
        tile(number(sick), "sick: an action might help", "bad"),
        tile(number(len(status.quarantines)), "in quarantine: a person must look", "bad"),
        cls="tiles",
    )


def _proposals(proposals: Sequence[Proposal], now: float) -> Html:
    head = _head("Target", "Action", "Evidence", "Answer", "Expires", "To answer")
    return table(head, [_proposal(one, now) for one in proposals], "Nothing waits for approval.")


def _proposal(one: Proposal, now: float) -> Html:
    waits = one.answer == _WAITS
    answer = badge(one.answer, "warn" if waits else "")
    return tag(
        "tr",
        tag("td", _target(one.target)),
        tag("td", one.action, cls="tight"),
        tag("td", one.evidence, cls="small whole"),
        tag("td", answer, tag("div", f"by {one.actor}", cls="quiet") if one.actor else ""),
        tag("td", until(one.expires, now), cls="tight"),
        tag("td", _line(f"{_COMMAND} approve {one.id}") if waits else UNKNOWN),
    )


def _incidents(incidents: Sequence[Incident], now: float) -> Html:
    head = _head("Target", "Problem", "Since", "Verdict", "Action", "Why")
    rows = [_incident(one, now) for one in incidents[:_MOST_INCIDENTS]]
    shown = table(head, rows, "Nothing that an action could cure is wrong.")
    if len(incidents) <= _MOST_INCIDENTS:
        return shown
    more = f"{number(len(incidents) - _MOST_INCIDENTS)} more are in the JSON of this page."
    return join((shown, tag("p", more, cls="quiet")))


def _incident(one: Incident, now: float) -> Html:
    since = UNKNOWN if one.since is None else ago(now - one.since)
    why = join((_reason_name(one.obstacle), " ", _reason(one.obstacle))) if one.obstacle else UNKNOWN
    return tag(
        "tr",
        tag("td", _target(one.target), tag("div", one.rule, cls="quiet small") if one.rule else ""),
        tag("td", one.problem, cls="tight"),
        tag("td", since, cls="tight"),
        tag("td", badge(one.verdict, _VERDICT_TONE.get(one.verdict, ""))),
        tag("td", one.action or UNKNOWN, cls="tight"),
        tag("td", why),
    )


def _pauses(pauses: Sequence[Pause], now: float) -> Html:
    head = _head("What", "By", "Reason", "Ends", "To end it")
    rows = [
        tag(
            "tr",
            tag("td", _target(one.node_id) if one.node_id else tag("b", "everything")),
            tag("td", one.actor),
            tag("td", one.reason, cls="whole"),
            tag("td", until(one.expires, now), cls="tight"),
            tag("td", _line(f"{_COMMAND} resume {one.id}")),
        )
        for one in pauses
    ]
    return table(head, rows, "Nothing is paused.")


def _quarantines(quarantines: Sequence[Quarantine]) -> Html:
    rows = [
        tag(
            "tr",
            tag("td", _target(one.target)),
            tag("td", tag("span", one.reason, cls="mono"), f" {one.words}"),
            tag("td", _line(f"{_COMMAND} clear {one.target}")),
        )
        for one in quarantines
    ]
    return table(_head("Target", "Why", "Once looked at"), rows, "Nothing is in quarantine.")


def _actions(actions: Sequence[Action], now: float) -> Html:
    head = _head("When", "Target", "Action", "Result", "Why", "Evidence")
    return table(head, [_action(one, now) for one in actions], "Nothing was done.")


def _action(one: Action, now: float) -> Html:
    result = badge(one.result, _RESULT_TONE.get(one.result, "")) if one.result else badge(one.state, "warn")
    why = join((tag("span", one.reason, cls="mono"), f" {one.words}")) if one.reason else UNKNOWN
    took = f"took {duration(one.ended - one.sent)}" if one.ended is not None and one.sent is not None else ""
    return tag(
        "tr",
        tag("td", moment(one.created), tag("div", ago(now - one.created), cls="quiet"), cls="tight"),
        tag("td", _target(one.target), tag("div", one.id, cls="quiet mono")),
        tag("td", one.action, tag("div", f"for {one.problem}", cls="quiet"), cls="tight"),
        tag("td", result, tag("div", took, cls="quiet") if took else ""),
        tag("td", why, tag("div", f"approved by {one.approved_by}", cls="quiet") if one.approved_by else ""),
        tag("td", one.evidence, cls="small whole"),
    )


def _budgets(budgets: Sequence[Budget]) -> Html:
    rows = [
        tag(
            "tr",
            tag("td", f"{one.scope} {one.label}".rstrip()),
            tag("td", duration(one.window_seconds), cls="tight"),
            tag("td", f"{number(one.used)} of {number(one.most)}", cls="figure"),
            tag("td", _target(one.of) if one.of and one.scope == "node" else one.of or UNKNOWN),
        )
        for one in budgets
    ]
    return table(_head("For each", "In any", "Used", "Most by"), rows, "The policy has no budget.")


def _head(*names: str) -> tuple[Html, ...]:
    figures = {"Used"}
    return tuple(tag("th", name, scope="col", cls="figure" if name in figures else None) for name in names)


def _target(target: str) -> Html:
    """Return a target as a link to its node's page, shortened."""
    node_id, _, task_id = target.partition("/")
    shown = f"{short_id(node_id)}/{task_id}" if task_id else short_id(node_id)
    return tag("a", shown, href=f"targets/{node_id}", title=target, cls="mono")


def _line(command: str) -> Html:
    return tag("code", command, cls="small whole")
