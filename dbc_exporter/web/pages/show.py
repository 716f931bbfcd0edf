"""Values as people read them; unknown is a dash, never a zero."""

from __future__ import annotations

from datetime import UTC, datetime

from dbc_exporter.web.pages.html import Html, tag
from dbc_exporter.web.types import TargetView

UNKNOWN = "\N{EN DASH}"
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))
_SHORT_ID = 20


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, such as `5 h 12 min`; below a minute in whole seconds."""
    whole = int(max(seconds, 0))
    smaller = "s"
    for index, (size, unit) in enumerate(_UNITS):
        if whole >= size:
            next_size, smaller = _UNITS[index + 1] if index + 1 < len(_UNITS) else (1, "s")
            rest = whole % size // next_size
            return f"{whole // size} {unit} {rest} {smaller}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def every(seconds: float | None) -> str:
    """Return an interval, such as `5 min`."""
    return UNKNOWN if seconds is None else duration(seconds)


def ago(seconds: float | None) -> str:
    """Return an age, such as `12 s ago`."""
    return UNKNOWN if seconds is None else f"{duration(seconds)} ago"


def until(timestamp: float | None, now: float) -> str:
    """Return how far off a moment is, such as `in 12 s`; `due` once it has passed."""
    if timestamp is None:
        return UNKNOWN
    return f"in {duration(timestamp - now)}" if timestamp > now else "due"


def moment(timestamp: float | None) -> Html:
    """Return a moment in UTC, to the second."""
    if timestamp is None:
        return tag("span", UNKNOWN)
    when = datetime.fromtimestamp(timestamp, UTC)
    return tag("time", f"{when:%Y-%m-%d %H:%M:%S} UTC", datetime=f"{when:%Y-%m-%dT%H:%M:%SZ}")


def number(value: float | None) -> str:
    """Return a count with its thousands apart."""
    return UNKNOWN if value is None else f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def yes_no(value: bool | None) -> str:
    """Return a fact that may be unknown."""
    return "unknown" if value is None else ("yes" if value else "no")


def short_id(identity: str) -> str:
    """Return an id short enough for a table: its beginning and its end."""
    if len(identity) <= _SHORT_ID:
        return identity
    return f"{identity[:10]}\N{HORIZONTAL ELLIPSIS}{identity[-6:]}"


def title(target: TargetView) -> str:
    """Return what a target is called: its name, else its short id."""
    return target.name or short_id(target.id)
