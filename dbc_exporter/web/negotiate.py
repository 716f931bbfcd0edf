"""What the asker can read: gzip or not, HTML or JSON, by the quality values of its headers (RFC 9110, 12.5)."""

from __future__ import annotations


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Tell whether gzip is welcome. Without the header it is not: some readers would show the bytes."""
    qualities = _qualities(accept_encoding or "")
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def prefers_json(accept: str | None) -> bool:
    """Tell whether JSON is asked for rather than HTML; a tie, as of `*/*`, goes to HTML."""
    qualities = _qualities(accept or "*/*")
    return _media_quality(qualities, "application/json") > _media_quality(qualities, "text/html")


def _media_quality(qualities: dict[str, float], media_type: str) -> float:
    group = media_type.partition("/")[0] + "/*"
    for name in (media_type, group, "*/*"):
        if name in qualities:
            return qualities[name]
    return 0.0


def _qualities(header: str) -> dict[str, float]:
    """Read `name;q=0.5, other` into qualities; a quality that is no number between 0 and 1 counts as 0."""
    found: dict[str, float] = {}
    for item in header.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name:
            found[name] = _quality(parameters)
    return found


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                return 0.0
            return quality if 0 <= quality <= 1 else 0.0
    return 1.0
