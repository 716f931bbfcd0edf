"""One word for a target's condition, and summaries of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from dbc_exporter.web.types import Freshness, TargetView


class Condition(StrEnum):
    """What a person needs to know first, worst first."""

    DOWN = "down"
    SUSPECT = "suspect"
    UNLISTED = "unlisted"
    UNKNOWN = "unknown"
    UP = "up"


EXPLAINED = {
    Condition.DOWN: "stayed silent towards a healthy client",
    Condition.SUSPECT: "failed lately and is asked apart from the others",
    Condition.UNLISTED: "no client lists it",
    Condition.UNKNOWN: "nothing recent is known",
    Condition.UP: "answered lately",
}
FRESHNESS_EXPLAINED = {
    Freshness.FRESH: "read within two intervals",
    Freshness.AGEING: "late, its last values are still shown",
    Freshness.WITHDRAWN: "too old, its values are no longer shown",
    Freshness.NEVER: "not read yet",
    Freshness.UNAVAILABLE: "cannot be read with what is configured",
}


def condition(target: TargetView) -> Condition:
    """Reduce what is known of a target to one word."""
    if target.up is False:
        return Condition.DOWN
    if target.suspect:
        return Condition.SUSPECT
    if target.visible is False:
        return Condition.UNLISTED
    return Condition.UP if target.up else Condition.UNKNOWN


def count_conditions(targets: Sequence[TargetView]) -> dict[Condition, int]:
    """Count targets by condition; every condition is present."""
    counts = Counter(condition(target) for target in targets)
    return {each: counts[each] for each in Condition}


def count_freshness(targets: Sequence[TargetView]) -> dict[Freshness, int]:
    """Count collectors of all targets by freshness; every state is present."""
    counts = Counter(collector.state for target in targets for collector in target.collectors)
    return {each: counts[each] for each in Freshness}


def newest_age(target: TargetView) -> float | None:
    """Return seconds since the last success of any collector of a target."""
    return min((c.age_seconds for c in target.collectors if c.age_seconds is not None), default=None)


def next_poll(target: TargetView) -> float | None:
    """Return the Unix time of a target's next poll by any collector."""
    return min((c.next_poll for c in target.collectors if c.next_poll is not None), default=None)


def first_error(target: TargetView) -> str | None:
    """Return the error of the first collector that failed; what is merely unavailable is no error."""
    for collector in target.collectors:
        if collector.last_error and collector.state is not Freshness.UNAVAILABLE:
            return f"{collector.name}: {collector.last_error}"
    return None
