"""The little languages inside a scenario's values: durations, sizes, shares."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([BKMGT])(?:i?B)?")
_BYTES = {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%?")


def parse_duration(value: object) -> float:
    """Return seconds from `90`, `1.5`, `500ms`, `90s`, `10m`, `1h30m`."""
    if _is_number(value):
        seconds = float(value)  # type: ignore[arg-type]  # a number, as _is_number says
    elif isinstance(value, str) and _DURATION.sub("", value.strip()) == "" and value.strip():
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(value))
    else:
        raise _bad(value, "a duration", "write 500ms, 90s, 10m, 1h30m, or a number of seconds")
    if not 0 <= seconds < math.inf:
        raise _bad(value, "a duration", "it must not be negative")
    return seconds


def parse_range(value: object) -> tuple[float, float]:
    """Return (from, to) seconds from one duration or a list of two."""
    if isinstance(value, (list, tuple)):
        if len(value) != 2:  # noqa: PLR2004 - from and to
            raise _bad(value, "a range of durations", "write [2s, 8s]")
        low, high = parse_duration(value[0]), parse_duration(value[1])
        if low > high:
            raise _bad(value, "a range of durations", "put the shorter one first")
        return low, high
    return parse_duration(value), parse_duration(value)


def parse_size(value: object) -> int:
    """Return bytes from `10G`, `512M`, `9.5GiB` (powers of 1024) or a number of bytes."""
    if _is_number(value):
        return int(value)  # type: ignore[call-overload,no-any-return]  # a number, as _is_number says
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise _bad(value, "a size", "write 512M, 9.5G or 2T (powers of 1024), or a number of bytes")
    return int(float(match[1]) * _BYTES[match[2]])


def parse_share(value: object) -> float:
    """Return a fraction from `30` or `30%`."""
    text = str(value) if _is_number(value) else value
    match = _SHARE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or float(match[1]) > 100:  # noqa: PLR2004 - percent
        raise _bad(value, "a percentage", "write a number from 0 to 100, such as 30 or 30%")
    return float(match[1]) / 100


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bad(value: object, what: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError(
        "bad_value", "{value} is not {what}: {remedy}", {"value": repr(value), "what": what, "remedy": remedy}
    )


Duration = Annotated[float, BeforeValidator(parse_duration)]
"""Seconds."""
DurationRange = Annotated[tuple[float, float], BeforeValidator(parse_range)]
"""Two ends in seconds; drawn from uniformly."""
Size = Annotated[int, BeforeValidator(parse_size)]
"""Bytes."""
Share = Annotated[float, BeforeValidator(parse_share)]
"""A fraction in [0, 1], written in percent."""
