"""Content negotiation: `Accept` with q values, `Accept-Encoding`, `If-None-Match`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """The two expositions; the values are those of the `format` label."""

    TEXT = "text"
    OPENMETRICS = "openmetrics"


CONTENT_TYPES = {
    Format.TEXT: "text/plain; version=0.0.4; charset=utf-8",
    Format.OPENMETRICS: "application/openmetrics-text; version=1.0.0; charset=utf-8",
}
_MEDIA = {
    Format.TEXT: ("text", "plain", "0.0.4"),
    Format.OPENMETRICS: ("application", "openmetrics-text", "1.0.0"),
}


@dataclass(frozen=True, slots=True)
class _Range:
    """One item of a header: what it names, its parameters, its weight, its place."""

    name: str
    parameters: dict[str, str]
    q: float
    place: int


def choose_format(accept: str | None) -> Format:
    """Choose the format an `Accept` header likes best; text 0.0.4 when it names none of ours.

    The most specific range decides a format's weight (RFC 9110, 12.5.1). A version we do not speak counts as the
    nearest one that we do. Equal weights go to the one listed first.
    """
    ranges = _parse(accept or "")
    best = Format.TEXT
    best_rank = (0.0, -math.inf)
    for candidate in Format:
        found = _match(candidate, ranges)
        if found is not None and found.q > 0 and (found.q, -found.place) > best_rank:
            best, best_rank = candidate, (found.q, -found.place)
    return best


def gzip_allowed(accept_encoding: str | None) -> bool:
    """Tell whether an `Accept-Encoding` header allows gzip with a weight above 0."""
    codings = {item.name: item.q for item in _parse(accept_encoding or "")}
    return codings.get("gzip", codings.get("x-gzip", codings.get("*", 0.0))) > 0


def etag_matches(if_none_match: str | None, etag: str) -> bool:
    """Tell whether an `If-None-Match` header names this entity tag, by weak comparison."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    opaque = etag.removeprefix("W/")
    return any(item.strip().removeprefix("W/") == opaque for item in if_none_match.split(","))


def _match(candidate: Format, ranges: list[_Range]) -> _Range | None:
    """Return the most specific range that covers a format; of equally specific ones the heaviest."""
    main, sub, version = _MEDIA[candidate]
    fits: list[tuple[int, float, _Range]] = []
    for item in ranges:
        if item.name == f"{main}/{sub}":
            said = item.parameters.get("version")
            fits.append((4 if said == version else 3 if said is None else 2, item.q, item))
        elif item.name == f"{main}/*":
            fits.append((1, item.q, item))
        elif item.name == "*/*":
            fits.append((0, item.q, item))
    return max(fits, key=lambda fit: fit[:2])[2] if fits else None


def _parse(header: str) -> list[_Range]:
    items = []
    for place, part in enumerate(header.split(",")):
        name, *rest = (piece.strip() for piece in part.split(";"))
        if not name:
            continue
        parameters = {}
        for piece in rest:
            key, _, value = piece.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"')
        items.append(_Range(name.lower(), parameters, _weight(parameters.get("q")), place))
    return items


def _weight(text: str | None) -> float:
    """Read a q value; one that cannot be read, or lies outside 0 to 1, asks for nothing."""
    if text is None:
        return 1.0
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
