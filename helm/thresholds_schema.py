"""JSON schema of what a chart's values may change of `alerts/thresholds.yml`: a copy of it, or the part that differs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from monitoring.thresholds import HOLDS, VALUES

_NUMBER = {"type": "number"}
_TIME = {"type": "number", "minimum": 0}
_TEXT = {"type": "string"}


def thresholds() -> dict[str, Any]:
    """Return the schema; it knows every threshold by name."""
    value = _strict({"value": _NUMBER, "about": _TEXT})
    hold = _strict({"polls": _TIME, "seconds": _TIME, "why": _TEXT})
    return _strict({"values": _each(VALUES, value), "holds": _each(HOLDS, hold)})


def _each(names: Iterable[str], schema: dict[str, Any]) -> dict[str, Any]:
    return _strict(dict.fromkeys(names, schema))


def _strict(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}
