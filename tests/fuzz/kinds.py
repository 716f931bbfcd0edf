"""What the values of an answer are, what can never be one of a kind, and what says the same in other words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

Rewrite = Callable[[Random, Any], Any]

NOT_SAID: tuple[Any, ...] = (None, "", "N/A")
NESTED: tuple[Any, ...] = ([], {}, [[]], [1], {"value": 1}, {"a": {"b": ["c"]}}, [None], ["1"])
ODD: tuple[Any, ...] = (True, False, -1, -7, 1.5, -0.5, 1e308, 2**64, -(2**63), 10**40)
LONG = "9" * 5000


@dataclass(frozen=True, slots=True)
class Kind:
    """`illegal` values read as nothing; `rewrites` keep the meaning and give None where they do not apply.

    `is_text`: any text is a legal value, so that only other types are illegal.
    """

    illegal: tuple[Any, ...]
    rewrites: tuple[Rewrite, ...] = ()
    is_text: bool = False


def _more_digits(_random: Random, value: Any) -> Any:
    """Write "58.81%" as "58.8100%"."""
    found = re.fullmatch(r"([0-9.]+)([^0-9.].*)", value)
    return f"{found[1]}{'' if '.' in found[1] else '.'}00{found[2]}" if found else None


def _exponent(_random: Random, value: Any) -> Any:
    """Write "58.81%" as "5881e-2%"."""
    found = re.fullmatch(r"([0-9]+)\.([0-9]+)(\D+)", value)
    return f"{found[1]}{found[2]}e-{len(found[2])}{found[3]}" if found else None


def _smaller_unit(_random: Random, value: Any) -> Any:
    """Write "2G" as "2048M"."""
    found = re.fullmatch(r"([0-9]+)([KMGT])", value)
    return f"{int(found[1]) * 1024}{'BKMG'['KMGT'.index(found[2])]}" if found else None


def _as_number(_random: Random, value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdigit() and str(int(value)) == value else None


def _as_text(_random: Random, value: Any) -> Any:
    return str(value) if type(value) is int else None


def _in_gigahertz(_random: Random, value: Any) -> Any:
    found = re.fullmatch(r"([0-9]+)MHz", value)
    return f"{int(found[1]) / 1000!r}GHz" if found else None


def _spaced_hertz(_random: Random, value: Any) -> Any:
    return value.replace("MHz", " MHz") if value.endswith("MHz") and " " not in value else None


def _other_case(random: Random, value: Any) -> Any:
    return random.choice((value.lower(), value.upper()))


def _unmarked_power(_random: Random, value: Any) -> Any:
    return value.replace("Chassis Power is", "Power is")


KINDS: dict[str, Kind] = {
    "size": Kind(
        (
            *(
                "-5G",
                "-0.5G",
                "nanG",
                "infG",
                "1e999G",
                "1e30P",
                "23.54",
                "G",
                "23.54 G",
                "23.54GB",
                "23.54GiB",
            ),
            *(
                "23.54X",
                "23.54g",
                "0x10G",
                "\uff11\uff12G",
                "1,5G",
                "1..5G",
                "+5G",
                "1_0G",
                " 1G",
                "1G ",
                f"{LONG}G",
            ),
            *("23.54%", "unknown", *ODD, *NESTED, *NOT_SAID, 7, 0),
        ),
        (_more_digits, _exponent, _smaller_unit),
    ),
    "ratio": Kind(
        (
            *("-3%", "nan%", "-nan%", "inf%", "-inf%", "101%", "100.01%", "1e999%", "4294967295%", "58", "%"),
            *("58.81 %", "58,81%", "0x1%", "\uff15%", "58.81%%", "58.81G", f"{LONG}%", "half"),
            *(58.81, 0, 1, *ODD, *NESTED, *NOT_SAID),
        ),
        (_more_digits, _exponent),
    ),
    "hertz": Kind(
        (
            *(
                "Processor",
                "Unknown",
                "-3000MHz",
                "3000",
                "0MHz",
                "nanMHz",
                "infMHz",
                "1e99GHz",
                "MHz",
                "3000MB",
            ),
            *(f"{LONG}MHz", 3000, *ODD, *NESTED, *NOT_SAID),
        ),
        (_in_gigahertz, _spaced_hertz),
    ),
    "count": Kind(
        (
            *(
                "-1",
                "1.5",
                "1e3",
                "99999999999",
                "nan",
                "inf",
                "0x10",
                "7 ",
                "\uff11\uff12",
                "many",
                "4294967295",
                LONG,
            ),
            *(10**12, *ODD, *NESTED, *NOT_SAID),
        ),
        (_as_number, _as_text),
    ),
    "block": Kind(("-1", "1.5", "later", "1e3", LONG, *ODD, *NESTED, *NOT_SAID), (_as_number, _as_text)),
    "version": Kind(
        ("4", "v0.4.1.8", "..", "0.4.1.8 beta", "garbage", "0.4.1.\u00e9", 4, *ODD, *NESTED, *NOT_SAID)
    ),
    "node_type": Kind(("9", "one", "-1", 9, *ODD, *NESTED, *NOT_SAID), (_as_number,)),
    "task_state": Kind(
        ("running!", "Running", "RUNNING ", "on", "läuft", "done", 1, *ODD, *NESTED, *NOT_SAID)
    ),
    "snapshot_state": Kind(("None", "idle!", "done", "creating ", 1, *ODD, *NESTED, *NOT_SAID)),
    "transfer_state": Kind(
        ("failed", "Downloading", "downloading ", "finished", 1, *ODD, *NESTED, *NOT_SAID)
    ),
    "rent_state": Kind(("", "renting, perhaps", "vermietet ä", -1, True, 1.5, *NESTED, None)),
    "power": Kind(
        (
            *(
                "Unable to get Chassis Power Status",
                "Chassis Power is",
                "is on",
                "on",
                "sh: ipmitool: not found",
            ),
            *(
                "power is on power is off",
                "Chassis Power is on <line> Error: x",
                "Chassis Power is maybe",
                "0n",
            ),
            *(1, *ODD, *NESTED, *NOT_SAID),
        ),
        (_other_case, _unmarked_power),
    ),
    "node_id": Kind(
        (
            "AA" * 32,
            "0x" + "aa" * 32,
            "aa" * 31 + "a",
            "aa" * 32 + "a",
            "zz" * 32,
            7,
            *ODD,
            *NESTED,
            *NOT_SAID,
        )
    ),
    "word": Kind(
        ("a b", "ä", "x" * 65, "a/b", "a;b", " ", "\u202ea", -1, True, 1.5, 1e308, *NESTED, "", None),
        (_as_number,),
    ),
    "time": Kind(
        (
            *(
                "2026-99-99 00:00:00",
                "2026-02-30 10:00:00",
                "yesterday",
                "2026-11-23T11:22:45",
                "0000-00-00 00:00:00",
            ),
            *(
                "2026-11-23 11:22",
                "\uff12\uff10\uff12\uff16-11-23 11:22:45",
                1763896965,
                *ODD,
                *NESTED,
                *NOT_SAID,
            ),
        )
    ),
    "medium": Kind(("NVMe", "S S D", "tape", 1, *ODD, *NESTED, *NOT_SAID), (_other_case,)),
    "path": Kind(("data", "C:/data", "./data", "~", 1, *ODD, *NESTED, *NOT_SAID), is_text=True),
    "text": Kind((7, 0, *ODD, *NESTED, *NOT_SAID), is_text=True),
    "name": Kind((7, 0, *ODD, *NESTED, None, ""), is_text=True),
    "exact": Kind(("", "another", " ", 7, *ODD, *NESTED, None)),
    "secret": Kind((7, *ODD, *NESTED, *NOT_SAID, "*" * 12)),
    "ignored": Kind(("x", 7, *ODD, *NESTED, *NOT_SAID)),
    "errcode": Kind((1, -3, -1, -25, 2**70, 0.5, 1.0, True, "x", "", [], {}, None, "1", "-"), (_as_text,)),
}
"""`name` is a text that names a thing, so that another text would be another thing; `exact` must be repeated as asked
for; `ignored` is read by nobody."""

NEVER_LEGAL = bytes(range(0x20)) + b'"\\!#$&*<>?@[]^`{|}~;=\x7f' + bytes(range(0x80, 0x100))
"""Bytes that are part of no legal value of any kind but `text` and `name`."""
