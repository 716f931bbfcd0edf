"""Pieces that several pages share: badges, pills, tables, lists of facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dbc_exporter.web.pages.condition import EXPLAINED, Condition
from dbc_exporter.web.pages.html import Html, tag
from dbc_exporter.web.pages.show import ago
from dbc_exporter.web.types import CollectorView, Freshness

CONDITION_TONE = {
    Condition.DOWN: "bad",
    Condition.SUSPECT: "warn",
    Condition.UNLISTED: "warn",
    Condition.UNKNOWN: "",
    Condition.UP: "good",
}
FRESHNESS_TONE = {
    Freshness.FRESH: "good",
    Freshness.AGEING: "warn",
    Freshness.WITHDRAWN: "bad",
    Freshness.NEVER: "",
    Freshness.UNAVAILABLE: "",
}


def badge(text: str, tone: str = "", title: str | None = None) -> Html:
    """Return a coloured word; `tone` is good, warn, bad or empty."""
    return tag("span", text, cls=f"badge {tone}".rstrip(), title=title)


def condition_badge(word: Condition) -> Html:
    """Return the badge of a target's condition."""
    return badge(word.value, CONDITION_TONE[word], EXPLAINED[word])


def freshness_pill(collector: CollectorView, text: str) -> Html:
    """Return a small mark in the manner of the collector's freshness; its title says it in words."""
    facts = [f"{collector.name}: {collector.state.value}"]
    if collector.age_seconds is not None:
        facts.append(f"last success {ago(collector.age_seconds)}")
    if collector.last_error:
        facts.append(collector.last_error)
    return tag("span", text, cls=freshness_manner(collector.state), title="; ".join(facts))


def freshness_manner(state: Freshness) -> str:
    """Return the classes of a pill for a state: its colour and, for whoever sees none, its outline or stroke."""
    return " ".join(f"pill {FRESHNESS_TONE[state]} {state.value}".split())


def table(head: Iterable[Html], rows: Sequence[Html], empty: str) -> Html:
    """Return a table on a sheet, or the sentence `empty` where it has no rows."""
    if not rows:
        return tag("div", tag("div", empty, cls="empty"), cls="sheet")
    return tag("div", tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows)), cls="sheet")


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Return names and values on a sheet."""
    entries = (part for name, value in pairs for part in (tag("dt", name), tag("dd", value)))
    return tag("div", tag("dl", *entries), cls="sheet")


def tile(figure: str, caption: str, tone: str = "", href: str | None = None) -> Html:
    """Return one figure with its caption, as a link where it leads somewhere."""
    manner = "zero" if figure == "0" else tone
    parts = (tag("b", figure), tag("span", caption))
    if href:
        return tag("a", *parts, cls=f"tile {manner}".rstrip(), href=href)
    return tag("div", *parts, cls=f"tile {manner}".rstrip())
