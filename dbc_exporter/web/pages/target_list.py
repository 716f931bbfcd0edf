"""The list of targets: a form, one page of rows, links to the other pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from dbc_exporter.web.pages.condition import (
    FRESHNESS_EXPLAINED,
    Condition,
    condition,
    first_error,
    newest_age,
    next_poll,
)
from dbc_exporter.web.pages.html import Html, join, tag
from dbc_exporter.web.pages.parts import condition_badge, freshness_manner, freshness_pill, table
from dbc_exporter.web.pages.query import PAGE_SIZE, Order, Query, select
from dbc_exporter.web.pages.show import UNKNOWN, ago, number, short_id, title, until
from dbc_exporter.web.types import Freshness, TargetView

_COLUMNS = (
    ("Target", Order.NAME),
    ("Condition", Order.CONDITION),
    ("Kind", Order.KIND),
    ("Client", Order.CLIENT),
    ("Collectors", None),
    ("Last success", Order.AGE),
    ("Next poll", None),
    ("Last error", Order.ERROR),
)


def target_list(targets: Sequence[TargetView], query: Query, now: float) -> Html:
    """Return the page's content for everything watched and what was asked for."""
    return join((_form(targets, query), _list(targets, query, now)))


def _form(targets: Sequence[TargetView], query: Query) -> Html:
    kinds = sorted({target.kind for target in targets})
    clients = sorted({target.client for target in targets if target.client})
    search = tag(
        "input",
        type="search",
        name="q",
        value=query.words,
        placeholder="name, id, label=value or error",
        aria_label="Search",
        autocomplete="off",
    )
    return tag(
        "form",
        search,
        _choice("condition", "any condition", Condition, query.condition),
        _choice("freshness", "any freshness", Freshness, query.freshness),
        _choice("kind", "any kind", kinds, query.kind),
        _choice("client", "any client", clients, query.client),
        tag(
            "input",
            type="hidden",
            name="sort",
            value=query.order.value if query.order != Order.CONDITION else "",
        ),
        tag("input", type="hidden", name="desc", value="1" if query.descending else ""),
        tag("button", "Show", type="submit"),
        method="get",
        role="search",
    )


def _choice(name: str, anything: str, values: Iterable[str | StrEnum], chosen: str | StrEnum | None) -> Html:
    options = [tag("option", anything, value="")]
    options += [tag("option", str(value), value=str(value), selected=value == chosen) for value in values]
    return tag("select", *options, name=name, aria_label=name)


def _list(targets: Sequence[TargetView], query: Query, now: float) -> Html:
    found = select(targets, query)
    last_page = max(1, -(-len(found) // PAGE_SIZE))
    query = replace(query, page=min(query.page, last_page))
    begin = (query.page - 1) * PAGE_SIZE
    rows = [_row(target, now) for target in found[begin : begin + PAGE_SIZE]]
    empty = "No target matches." if targets else "No target is watched yet."
    return tag(
        "div",
        table((_heading(name, order, query) for name, order in _COLUMNS), rows, empty),
        _pages(query, shown=len(rows), matched=len(found), watched=len(targets)),
        _legend(),
        id="list",
    )


def _legend() -> Html:
    parts = (
        tag("div", tag("span", state.value, cls=freshness_manner(state)), tag("span", meaning))
        for state, meaning in FRESHNESS_EXPLAINED.items()
    )
    return tag("div", *parts, cls="legend quiet small")


def _heading(name: str, order: Order | None, query: Query) -> Html:
    if order is None:
        return tag("th", name, scope="col")
    if order is not query.order:
        return tag("th", tag("a", name, href=query.link(order=order, descending=False, page=1)), scope="col")
    arrow, sense = (
        ("\N{DOWNWARDS ARROW}", "descending") if query.descending else ("\N{UPWARDS ARROW}", "ascending")
    )
    link = query.link(descending=not query.descending, page=1)
    return tag("th", tag("a", f"{name} {arrow}", href=link), scope="col", aria_sort=sense)


def _row(target: TargetView, now: float) -> Html:
    error = first_error(target)
    labels = ", ".join(f"{name}={value}" for name, value in sorted(target.labels.items()))
    return tag(
        "tr",
        tag(
            "td",
            tag(
                "a",
                title(target),
                href=f"targets/{target.id}",
                title=target.id,
                cls=None if target.name else "mono",
            ),
            tag("div", short_id(target.id), cls="quiet mono") if target.name else "",
            tag("div", labels, cls="quiet small whole") if labels else "",
        ),
        tag("td", condition_badge(condition(target))),
        tag("td", target.kind.replace("_", " "), cls="tight"),
        tag("td", target.client or UNKNOWN, cls="tight"),
        tag("td", tag("div", *(freshness_pill(c, c.name) for c in target.collectors), cls="pills")),
        tag("td", ago(newest_age(target)), cls="tight"),
        tag("td", until(next_poll(target), now), cls="tight"),
        tag("td", error or UNKNOWN, cls="error" if error else "error quiet"),
    )


def _pages(query: Query, *, shown: int, matched: int, watched: int) -> Html:
    begin = (query.page - 1) * PAGE_SIZE
    part = f"{number(begin + 1)} to {number(begin + shown)} of " if matched > shown else ""
    every = f" of {number(watched)} watched" if matched != watched else ""
    noun = "target" if matched == 1 else "targets"
    links = []
    if query.page > 1:
        links.append(tag("a", "Previous", href=query.link(page=query.page - 1), rel="prev"))
    if begin + shown < matched:
        links.append(tag("a", "Next", href=query.link(page=query.page + 1), rel="next"))
    as_json = query.link(page=1)
    links.append(tag("a", "JSON", href=f"{as_json}{'&' if len(as_json) > 1 else ''}format=json"))
    return tag(
        "div", tag("span", f"{part}{number(matched)} {noun}{every}"), tag("span", *links), cls="pages quiet"
    )
