"""What an alert is: its declaration as data, and nothing that writes it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Who is told, and when."""

    PAGE = "page"
    """A person must do something now, at any hour."""

    TICKET = "ticket"
    """A person must do something, within days."""

    INFO = "info"
    """Nobody must do anything; it is good to know."""

    NONE = "none"
    """For machines that watch the alerting itself."""


@dataclass(frozen=True, slots=True)
class Known:
    """When an alert's condition can be judged: `expr` has a series for its labels `on`.

    While it has none, nobody can look, and an alert that fires goes on. `${since}` in `expr` stands for the alert's
    own series.
    """

    on: str
    expr: str


@dataclass(frozen=True, slots=True)
class Record:
    """A recording rule. Its name is `level:metric:operation`."""

    name: str
    expr: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert.

    `record` names the condition as `level:metric:operation`. `when` is the condition, and has exactly the labels `ids`,
    which are the alert's own. Numbers in it that an operator may want to change are `${names}` of thresholds. `paced` is
    the collector whose interval tells how long the condition must last, or `ITSELF` where the label `collector` of the
    alert tells it, or "" where nothing is polled. `page` is the dashboard to look at, which gets the alert's labels as
    variables.
    """

    name: str
    severity: Severity
    ids: str
    record: str
    when: str
    known: tuple[Known, ...]
    page: str
    summary: str
    description: str
    paced: str = ""


ITSELF = "*"


def events(ids: str, counter: str, over: str) -> str:
    """Count a counter's events within a time: whole ones, since `increase()` makes 1.005 of one."""
    return f"round(sum by ({ids}) (increase({counter}[{over}])))"


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts that the same person acts upon; `records` are rules that they rest on."""

    name: str
    about: str
    alerts: tuple[Alert, ...]
    records: tuple[Record, ...] = ()
