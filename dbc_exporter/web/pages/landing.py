"""The landing page: is it well, what does it watch, how are its DBC clients."""

from __future__ import annotations

from collections.abc import Sequence

from dbc_exporter.web.pages.condition import (
    EXPLAINED,
    FRESHNESS_EXPLAINED,
    Condition,
    count_conditions,
    count_freshness,
)
from dbc_exporter.web.pages.html import Html, join, tag
from dbc_exporter.web.pages.parts import CONDITION_TONE, FRESHNESS_TONE, badge, facts, table, tile
from dbc_exporter.web.pages.query import Query
from dbc_exporter.web.pages.show import UNKNOWN, duration, moment, number
from dbc_exporter.web.types import About, ClientView, Freshness, Health, TargetView

_CLIENT_TONE = {"ok": "good", "unknown": "", "isolated": "warn", "ceiling": "warn", "troubled": "warn"}
_FRESHNESS_ORDER = (
    Freshness.FRESH,
    Freshness.AGEING,
    Freshness.WITHDRAWN,
    Freshness.NEVER,
    Freshness.UNAVAILABLE,
)


def landing(
    *,
    about: About | None,
    health: Health | None,
    ready: Health | None,
    clients: Sequence[ClientView] | None,
    targets: Sequence[TargetView] | None,
    now: float,
) -> Html:
    """Return the page's content. `None` stands for what could not be asked; the rest is shown all the same."""
    return join(
        (
            _process(about, health, ready, now),
            tag("h2", "Targets"),
            _target_tiles(targets) if targets is not None else _failed("targets"),
            tag("h2", "DBC clients"),
            _clients(clients) if clients is not None else _failed("clients"),
        )
    )


def _process(about: About | None, health: Health | None, ready: Health | None, now: float) -> Html:
    pairs: list[tuple[str, str]] = [("Health", _verdict(health)), ("Readiness", _verdict(ready))]
    if about is not None:
        running = f" ({duration(now - about.start_time)} ago)"
        pairs += [
            ("Version", about.version),
            ("Started", join((moment(about.start_time), running))),
            ("Settings", about.config_path or "defaults, environment and flags; no file"),
        ]
    return facts(pairs)


def _verdict(health: Health | None) -> Html:
    if health is None:
        return badge("failed", "bad", "the check itself failed; the log has the cause")
    return join((badge("ok", "good") if health.ok else badge("not ok", "bad"), f" {health.detail}"))


def _failed(what: str) -> Html:
    return tag(
        "p",
        f"The {what} cannot be shown now; the log has the cause. Metrics are served all the same.",
        cls="notice",
    )


def _target_tiles(targets: Sequence[TargetView]) -> Html:
    conditions, freshness = count_conditions(targets), count_freshness(targets)
    whole = tile(number(len(targets)), "watched", href="targets")
    by_condition = [
        tile(
            number(count),
            f"{word.value}: {EXPLAINED[word]}",
            CONDITION_TONE[word],
            "targets" + Query().link(condition=word) if count else None,
        )
        for word, count in sorted(conditions.items(), key=lambda item: item[0] is not Condition.UP)
    ]
    by_freshness = [
        tile(
            number(freshness[state]),
            f"{state.value}: {FRESHNESS_EXPLAINED[state]}",
            FRESHNESS_TONE[state],
            "targets" + Query().link(freshness=state) if freshness[state] else None,
        )
        for state in _FRESHNESS_ORDER
    ]
    return join(
        (
            tag("div", whole, *by_condition, cls="tiles"),
            tag("h2", "Collectors, over all targets"),
            tag("div", *by_freshness, cls="tiles"),
        )
    )


def _clients(clients: Sequence[ClientView]) -> Html:
    names = ("Client", "State", "Version", "Listed nodes", "Peers", "In flight", "Unanswered", "Ceiling")
    figures = {"Listed nodes", "Peers", "Unanswered", "Ceiling"}
    head = (tag("th", name, scope="col", cls="figure" if name in figures else None) for name in names)
    return table(head, [_client(client) for client in clients], "No DBC client is configured.")


def _client(client: ClientView) -> Html:
    return tag(
        "tr",
        tag("td", tag("b", client.name), tag("div", client.url, cls="quiet mono")),
        tag("td", badge(client.state, _CLIENT_TONE.get(client.state, "bad"))),
        tag("td", client.version or UNKNOWN, cls="tight"),
        tag("td", number(client.visible), cls="figure"),
        tag("td", number(client.peers), cls="figure"),
        tag("td", _lanes(client)),
        tag("td", number(client.unanswered), cls="figure"),
        tag("td", number(client.ceiling), cls="figure"),
    )


def _lanes(client: ClientView) -> Html:
    if not client.lanes:
        return tag("span", UNKNOWN)
    busy = [lane for lane in client.lanes if lane.in_flight]
    if not busy:
        return tag("span", "none", cls="quiet")
    pills = (tag("span", f"{lane.kind} {lane.in_flight}/{lane.limit}", cls="pill") for lane in busy)
    return tag("div", *pills, cls="pills")
