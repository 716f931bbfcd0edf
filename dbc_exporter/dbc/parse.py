"""Single values out of a DBC answer.

Each reader gives the value or `None` when it cannot be sure. `take` keeps account: a field that is absent, null or
empty was not said; a field that is there and cannot be read is named in the list of unreadable fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from dbc_exporter.dbc.errors import DbcError, Reason

T = TypeVar("T")
Json = Mapping[str, Any]

TEXT_LIMIT = 128

_NOT_SAID = frozenset({"", "N/A"})
_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?"
_SIZE = re.compile(rf"({_NUMBER})([BKMGTP])")
_PERCENT = re.compile(rf"({_NUMBER})%")
_HERTZ = re.compile(rf"({_NUMBER}) ?([kKMG]?)[hH][zZ]")
_COUNT = re.compile(r"[0-9]{1,9}")
_VERSION = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){1,4}(?:[.+_-][0-9A-Za-z.]{1,16})?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_NODE_ID = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[0-9A-Za-z_.-]{1,64}")

_UNITS = {unit: 1024**power for power, unit in enumerate("BKMGTP")}
_HERTZ_UNITS = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
_LARGEST_SIZE = float(2**60)
_LARGEST_HERTZ = 1e11
_LARGEST_COUNT = 1_000_000


def malformed(what: str) -> DbcError:
    """Build the error for an answer whose shape is not that of the call; `what` quotes nothing of the answer."""
    return DbcError(Reason.MALFORMED, what)


def size(value: Any) -> float | None:
    """Bytes of a size such as "23.54G"; the server's units are powers of 1024."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    scaled = float(match[1]) * _UNITS[match[2]]
    return scaled if scaled <= _LARGEST_SIZE else None


def ratio(value: Any) -> float | None:
    """Ratio 0..1 of a percentage such as "58.81%"; anything outside 0 to 100 % is a glitch of the server."""
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    percentage = float(match[1])
    return round(percentage / 100, 12) if percentage <= 100 else None  # noqa: PLR2004 - per cent


def hertz(value: Any) -> float | None:
    """Hertz of a frequency such as "2900MHz"."""
    match = _HERTZ.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    frequency = float(match[1]) * _HERTZ_UNITS[match[2]]
    return frequency if 0 < frequency <= _LARGEST_HERTZ else None


def count(value: Any) -> int | None:
    """Give a whole number of things, sent as a number or as its text."""
    if isinstance(value, str):
        if _COUNT.fullmatch(value) is None:
            return None
        value = int(value)
    if type(value) is not int:
        return None
    return value if 0 <= value <= _LARGEST_COUNT else None


def block(value: Any) -> int | None:
    """Give a block number of the chain, sent as a number or as its text."""
    if isinstance(value, str) and _COUNT.fullmatch(value) is not None:
        return int(value)
    return value if type(value) is int and 0 <= value < 10**9 else None


def text(value: Any) -> str | None:
    """Free text, cut to 128 characters, without control, format and surrogate characters."""
    if not isinstance(value, str):
        return None
    if not value.isprintable():
        value = "".join(character for character in value if character.isprintable())
    return value[:TEXT_LIMIT].strip() or None


def version(value: Any) -> str | None:
    """Read a DBC version; the client builds its own from freed memory, so garbage is possible."""
    return value if isinstance(value, str) and _VERSION.fullmatch(value) else None


def word(value: Any) -> str | None:
    """Read a short identifier of the server's: order number, network id, image centre. Its numbers have 64 bits."""
    if type(value) is int and 0 <= value < 2**64:
        value = str(value)
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def node_id(value: Any) -> str | None:
    """Read a node id: 64 lower-case hex digits."""
    return value if isinstance(value, str) and _NODE_ID.fullmatch(value) else None


def local_time(value: Any) -> str | None:
    """Read a "2026-11-23 11:22:45" of the node's own clock and time zone, kept as text."""
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        return None
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return None
    return value


def medium(value: Any) -> str | None:
    """Read the server's guess at a disk's medium."""
    upper = value.upper() if isinstance(value, str) else ""
    return upper if upper in {"SSD", "HDD"} else None


def take(
    source: Json, key: str, read: Callable[[Any], T | None], bad: list[str], prefix: str = ""
) -> T | None:
    """Read one field; one that is there and unreadable is added to `bad` as `prefix + key`."""
    value = source.get(key)
    if value is None or (isinstance(value, str) and value in _NOT_SAID):
        return None
    result = read(value)
    if result is None:
        bad.append(prefix + key)
    return result


def section(source: Json, key: str, bad: list[str]) -> Json:
    """Give the object under `key`, empty when it is absent or no object."""
    value = source.get(key)
    if isinstance(value, dict):
        return value
    if value is not None:
        bad.append(key)
    return {}


def unreadable(bad: list[str]) -> tuple[str, ...]:
    """Name each unreadable field once, in the order met."""
    return tuple(dict.fromkeys(bad)) if bad else ()
