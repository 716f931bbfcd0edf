"""The list's query: which targets, in which order, which page. The server does it all; scripts only ask again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from dbc_exporter.web.pages.condition import Condition, condition, first_error, newest_age
from dbc_exporter.web.types import Freshness, TargetView

PAGE_SIZE = 100
_Word = TypeVar("_Word", bound=StrEnum)
_MOST_DIGITS = 9


class Order(StrEnum):
    """What the list can be sorted by."""

    CONDITION = "condition"
    NAME = "name"
    KIND = "kind"
    CLIENT = "client"
    AGE = "age"
    ERROR = "error"


class QueryError(Exception):
    """A parameter of the address cannot be understood; the text names it and what it can be."""


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for. Empty or `None` means no restriction; `page` counts from 1."""

    words: str = ""
    condition: Condition | None = None
    freshness: Freshness | None = None
    kind: str = ""
    client: str = ""
    order: Order = Order.CONDITION
    descending: bool = False
    page: int = 1

    def link(self, **changes: Any) -> str:
        """Return the query part of an address for this query with some fields changed; defaults stay out."""
        wanted = replace(self, **changes)
        fields = {
            "q": wanted.words,
            "condition": wanted.condition,
            "freshness": wanted.freshness,
            "kind": wanted.kind,
            "client": wanted.client,
            "sort": wanted.order if wanted.order is not Order.CONDITION else "",
            "desc": "1" if wanted.descending else "",
            "page": str(wanted.page) if wanted.page > 1 else "",
        }
        return "?" + urlencode({name: str(value) for name, value in fields.items() if value})


def read_query(values: Mapping[str, str]) -> Query:
    """Read an address's parameters. Raises QueryError."""
    page = values.get("page") or "1"
    if not (page.isascii() and page.isdigit() and len(page) <= _MOST_DIGITS and int(page)):
        raise QueryError("page: must be a whole number, 1 or more")
    return Query(
        words=values.get("q", "").strip(),
        condition=_one_of(Condition, "condition", values),
        freshness=_one_of(Freshness, "freshness", values),
        kind=values.get("kind", ""),
        client=values.get("client", ""),
        order=_one_of(Order, "sort", values) or Order.CONDITION,
        descending=values.get("desc") == "1",
        page=int(page),
    )


def select(targets: Sequence[TargetView], query: Query) -> list[TargetView]:
    """Return the targets that match, sorted; what is unknown comes last whatever the direction."""
    matching = [target for target in targets if _matches(target, query)]
    matching.sort(key=lambda target: (title_key(target), target.id))
    key = _KEYS[query.order]
    known = [target for target in matching if key(target) is not None]
    known.sort(key=key, reverse=query.descending)
    return known + [target for target in matching if key(target) is None]


def title_key(target: TargetView) -> str:
    """Return what a target is sorted by as a name."""
    return (target.name or target.id).casefold()


def _one_of(words: type[_Word], name: str, values: Mapping[str, str]) -> _Word | None:
    value = values.get(name)
    if not value:
        return None
    try:
        return words(value)
    except ValueError:
        raise QueryError(f"{name}: must be one of {', '.join(words)}") from None


def _matches(target: TargetView, query: Query) -> bool:
    if query.condition and condition(target) is not query.condition:
        return False
    if query.freshness and all(c.state is not query.freshness for c in target.collectors):
        return False
    if query.kind not in {"", target.kind} or query.client not in {"", target.client}:
        return False
    if not query.words:
        return True
    text = _searchable(target)
    return all(word in text for word in query.words.casefold().split())


def _searchable(target: TargetView) -> str:
    parts = [target.id, target.name or "", target.kind, target.client or "", target.manager or ""]
    parts += [f"{name}={value}" for name, value in target.labels.items()]
    parts += [c.last_error for c in target.collectors if c.last_error]
    return "\n".join(parts).casefold()


_SEVERITY = {each: rank for rank, each in enumerate(Condition)}
_KEYS: Mapping[Order, Callable[[TargetView], Any]] = {
    Order.CONDITION: lambda target: _SEVERITY[condition(target)],
    Order.NAME: title_key,
    Order.KIND: lambda target: target.kind,
    Order.CLIENT: lambda target: target.client,
    Order.AGE: newest_age,
    Order.ERROR: first_error,
}
