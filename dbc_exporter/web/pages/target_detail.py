"""One target in detail: what is known of it, and the freshness of each of its collectors."""

from __future__ import annotations

from dbc_exporter.web.pages.condition import EXPLAINED, condition
from dbc_exporter.web.pages.html import Html, join, tag
from dbc_exporter.web.pages.parts import condition_badge, facts, freshness_pill, table
from dbc_exporter.web.pages.show import UNKNOWN, ago, every, moment, until, yes_no
from dbc_exporter.web.types import CollectorView, Freshness, TargetView


def target_detail(target: TargetView, now: float) -> Html:
    """Return the page's content."""
    word = condition(target)
    pairs: list[tuple[str, str]] = [
        ("Condition", join((condition_badge(word), f" {EXPLAINED[word]}"))),
        ("Id", tag("span", target.id, cls="mono")),
        ("Kind", target.kind.replace("_", " ")),
        ("Asked through", target.client or UNKNOWN),
        ("Listed by a client", yes_no(target.visible)),
        ("Up", yes_no(target.up)),
        ("Suspect", yes_no(target.suspect)),
    ]
    if target.manager:
        pairs.append(("Manager", tag("a", target.manager, href=target.manager, cls="mono")))
    pairs += [(f"Label {name}", value) for name, value in sorted(target.labels.items())]
    names = ("Collector", "State", "Every", "Last success", "Last attempt", "Next poll", "Last error")
    head = (tag("th", name, scope="col") for name in names)
    rows = [_row(collector, now) for collector in target.collectors]
    return join(
        (
            facts(pairs),
            tag("h2", "Collectors"),
            table(head, rows, "No collector reads this target."),
            tag("p", tag("a", "This target as JSON", href="?format=json"), cls="pages"),
        )
    )


def _row(collector: CollectorView, now: float) -> Html:
    since = ago(collector.age_seconds)
    failed = collector.last_error and collector.state is not Freshness.UNAVAILABLE
    return tag(
        "tr",
        tag("td", collector.name, cls="tight"),
        tag("td", freshness_pill(collector, collector.state.value)),
        tag("td", every(collector.interval_seconds), cls="tight"),
        tag(
            "td",
            since,
            tag("div", moment(collector.last_success), cls="quiet") if collector.last_success else "",
        ),
        tag("td", moment(collector.last_attempt), cls="tight"),
        tag("td", until(collector.next_poll, now), cls="tight"),
        tag("td", collector.last_error or UNKNOWN, cls="error" if failed else "error quiet"),
    )
