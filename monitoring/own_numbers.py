"""Reads thresholds of an operator's own: a copy of `alerts/thresholds.yml`, or the part of it that differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from monitoring.rules import DEFAULT, Numbers


def read(file: Path) -> Numbers:
    """Return all numbers, those of the file in place of ours. Raises `ValueError` for what is not there or no number."""
    given = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    holds, values = _part(given, "holds"), _part(given, "values")
    if strange := given.keys() - {"holds", "values"}:
        raise ValueError(f"{file}: there is no {', '.join(sorted(strange))}")
    return Numbers(
        _over(DEFAULT.values, values, "value"),
        _over(DEFAULT.polls, holds, "polls"),
        _over(DEFAULT.seconds, holds, "seconds"),
    )


def _part(given: Any, name: str) -> dict[str, Any]:
    part = given.get(name, {}) if isinstance(given, dict) else None
    if not isinstance(part, dict):
        raise ValueError(f"{name} is no mapping")  # noqa: TRY004 - the file is wrong, not the program
    return part


def _over(ours: Any, given: dict[str, Any], key: str) -> dict[str, str]:
    numbers = dict(ours)
    for name, entry in given.items():
        if name not in numbers:
            raise ValueError(f"there is no threshold {name}")
        number = entry.get(key) if isinstance(entry, dict) else None
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError(f"{name}: {key} is no number")  # noqa: TRY004 - the file is wrong, not the program
        numbers[name] = repr(number)
    return numbers
