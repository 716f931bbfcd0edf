"""What was promised of each alert, and whether it was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.monitoring.behaviour.rules import Firing
from tests.monitoring.behaviour.series import JOB
from tests.monitoring.behaviour.stage import MINUTE, Case, Stage

HEADINGS = (
    "alert",
    "fires within",
    "still fires an hour after its data vanished",
    "resolves within",
    "silent in the healthy week",
    "raises no second alert from client trouble",
)

MEANINGLESS = "meaningless"
_WORDS = {True: "yes", False: "NO", None: MEANINGLESS}


@dataclass(frozen=True, slots=True)
class Vanished:
    """What fired where data vanished while all alerts of a stage fired: `end` is an hour later."""

    fired: Sequence[Firing]
    end: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What fired on a stage."""

    stage: Stage
    ids: Mapping[str, str]
    step: float
    fired: Sequence[Firing]
    vanished: Sequence[Vanished] = ()

    def expected(self, case: Case) -> list[dict[str, str]]:
        """Return the labels of the alerts that must fire."""
        return [
            {"job": JOB, **{name: self.ids.get(value, value) for name, value in labels.items()}}
            for labels in case.labels
        ]

    def surplus(self) -> list[Firing]:
        """Return what fired and no case of the stage speaks of."""
        spoken = [(case.alert, labels) for case in self.stage.cases for labels in self.expected(case)]
        return [one for one in self.fired if (one.alert, one.labels) not in spoken]


def row(case: Case, outcome: Outcome, others: Sequence[Outcome], week: Sequence[Firing]) -> tuple[str, ...]:
    """Return an alert's cells, which begin with `yes` where all is as promised, or are `MEANINGLESS`."""
    begun = _of(case, outcome.fired)
    stage, step = outcome.stage, outcome.step
    right = _are(begun, outcome.expected(case), step)
    stays = all(
        _are(_of(case, one.fired), outcome.expected(case), step)
        and all(firing.last == one.end for firing in _of(case, one.fired))
        for one in outcome.vanished
    )
    early = any(one.first < stage.begins for one in begun)
    after = max((one.first for one in begun), default=0) - stage.begins
    until = max((one.last for one in begun), default=0) + step - stage.ends
    cells = (
        (right and not early and after <= case.within, _minutes(after, case.within)),
        (stays, "") if case.vanishes else (None, ""),
        (right and 0 <= until <= case.ends_within, _minutes(until, case.ends_within)),
        (not _of(case, week), ""),
        (all(_told_once(case, other) for other in others), ""),
    )
    return (case.alert, *(f"{_WORDS[well]} {detail}".strip() for well, detail in cells))


def as_promised(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether all is as promised."""
    return all(cell.startswith((_WORDS[True], MEANINGLESS)) for cells in rows for cell in cells[1:])


def written(rows: Sequence[Sequence[str]]) -> str:
    """Write the table."""
    lines = [HEADINGS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _are(fired: Sequence[Firing], expected: Sequence[Mapping[str, str]], step: float) -> bool:
    """Tell whether these alerts fired, each without a break."""
    return _labels(fired) == _sorted(expected) and all(one.throughout(step) for one in fired)


def _told_once(case: Case, trouble: Outcome) -> bool:
    """Tell whether an alert fires in a client's trouble only where it is that trouble's own."""
    own = [
        labels for one in trouble.stage.cases if one.alert == case.alert for labels in trouble.expected(one)
    ]
    return _labels(_of(case, trouble.fired)) == _sorted(own)


def _of(case: Case, fired: Sequence[Firing]) -> list[Firing]:
    return [one for one in fired if one.alert == case.alert]


def _labels(fired: Sequence[Firing]) -> list[list[tuple[str, str]]]:
    return _sorted([one.labels for one in fired])


def _sorted(labels: Sequence[Mapping[str, str]]) -> list[list[tuple[str, str]]]:
    return sorted(sorted(one.items()) for one in labels)


def _minutes(seconds: float, bound: float) -> str:
    return f"{seconds / MINUTE:.1f} of {bound / MINUTE:.0f} min"
