"""Turns alerts into Prometheus' rules.

Every alert becomes three rules. The first records the condition. The second records since when it holds, and keeps
that while an alert fires and nobody can look: an alert must end because things are well, not because nothing is known.
The third is the alert: the condition has lasted as many polls as its threshold asks for, by the interval at which the
exporter polls now. So it has no `for`, which could only repeat a default interval as a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

from monitoring import links
from monitoring.alert import ITSELF, Alert, Group, Record, Severity
from monitoring.alerts_exporter import INTERVAL
from monitoring.thresholds import HOLDS, VALUES

KEPT = "6h"
"""How long an alert goes on while nothing is known."""

SWITCH = "DbcDeadMansSwitch"

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is written in place of thresholds: numbers as texts, or placeholders of another tool's templates."""

    values: Mapping[str, str]
    polls: Mapping[str, str]
    seconds: Mapping[str, str]


DEFAULT = Numbers(
    {name: repr(threshold.value) for name, threshold in VALUES.items()},
    {name: f"{hold.polls}" for name, hold in HOLDS.items()},
    {name: f"{hold.seconds}" for name, hold in HOLDS.items()},
)

PLACEHOLDERS = Numbers(
    {name: f"${{values.{name}.value}}" for name in VALUES},
    {name: f"${{holds.{name}.polls}}" for name in HOLDS},
    {name: f"${{holds.{name}.seconds}}" for name in HOLDS},
)
"""Where each number of `alerts/thresholds.yml` goes."""


@dataclass(frozen=True, slots=True)
class Bases:
    """Addresses that links begin with."""

    runbooks: str = links.RUNBOOKS
    grafana: str = links.GRAFANA


OURS = Bases()


def group(declared: Group, numbers: Numbers = DEFAULT, bases: Bases = OURS) -> dict[str, Any]:
    """Return a group of rules."""
    rules = [_record(record, numbers) for record in declared.records]
    for alert in declared.alerts:
        rules += rules_of(alert, numbers, bases)
    return {"name": declared.name, "rules": rules}


def rules_of(alert: Alert, numbers: Numbers = DEFAULT, bases: Bases = OURS) -> Sequence[Rule]:
    """Return the rules of one alert, in the order in which they must be evaluated."""
    return (
        _record(Record(alert.record, alert.when), numbers),
        _record(Record(since(alert), _since(alert)), numbers),
        {
            "alert": alert.name,
            "expr": _lasting(alert, numbers),
            "labels": {"severity": alert.severity.value},
            "annotations": _annotations(alert, bases),
        },
    )


def switch(bases: Bases = OURS) -> dict[str, Any]:
    """Return the group with the alert that always fires: who does not hear it knows that alerting is broken."""
    rule = {
        "alert": SWITCH,
        "expr": "vector(1)",
        "labels": {"severity": Severity.NONE.value},
        "annotations": {
            "summary": "Always firing. Its absence means that alerts reach nobody.",
            "description": "Send it to a service that calls you when it stays away.",
            "runbook_url": links.runbook(bases.runbooks, SWITCH),
            "dashboard_url": links.dashboard(bases.grafana, links.EXPORTER, ()),
        },
    }
    return {"name": "dbc-dead-mans-switch", "rules": [rule]}


def since(alert: Alert) -> str:
    """Name the series that tells since when (Unix time) an alert's condition holds."""
    return f"{alert.record}_since"


def _record(record: Record, numbers: Numbers) -> Rule:
    return {"record": record.name, "expr": Template(record.expr).substitute(numbers.values)}


def _since(alert: Alert) -> str:
    me, on = since(alert), f"on ({alert.ids})"
    blind = [
        f'{me} and {on} ALERTS{{alertname="{alert.name}", alertstate="firing"}}',
        f"and {on} last_over_time({alert.record}[{KEPT}])",
        *(f"unless on ({known.on}) ({Template(known.expr).substitute(since=me)})" for known in alert.known),
    ]
    return "\n".join(
        [
            f"{me} and {on} {alert.record}",
            f"or {on} ( # what fires goes on while nobody can look",
            *(f"  {line}" for line in blind),
            ")",
            f"or {on} (0 * {alert.record} + time())",
        ]
    )


def _lasting(alert: Alert, numbers: Numbers) -> str:
    seconds = numbers.seconds[alert.name]
    lasted = f"time() - {since(alert)}"
    if alert.paced:
        itself = alert.paced == ITSELF
        on = "job, collector" if itself else "job"
        matcher = "" if itself else f'{{collector="{alert.paced}"}}'
        interval = f"last_over_time({INTERVAL}{matcher}[{KEPT}])"
        least = f"clamp_min({numbers.polls[alert.name]} * {interval}, {seconds})"
        lasted = f"{lasted}\n    >= on ({on}) group_left () {least}"
    else:
        lasted = f"{lasted} >= {seconds}"
    return f"last_over_time({alert.record}[{KEPT}])\nand on ({alert.ids}) (\n  {lasted}\n)"


def _annotations(alert: Alert, bases: Bases) -> dict[str, str]:
    ids = tuple(alert.ids.split(", "))
    return {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": links.runbook(bases.runbooks, alert.name),
        "dashboard_url": links.dashboard(bases.grafana, alert.page, ids),
    }
