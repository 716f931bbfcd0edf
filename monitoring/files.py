"""The files in `alerts/`, as texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from monitoring import (
    alerts_bare_metal,
    alerts_clients,
    alerts_exporter,
    alerts_nodes,
    alerts_remediation,
    alerts_transfers,
    alerts_vms,
)
from monitoring.alert import Alert, Group
from monitoring.inhibit import RULES as INHIBIT_RULES
from monitoring.rules import DEFAULT, OURS, PLACEHOLDERS, Bases, Numbers, group, switch
from monitoring.thresholds import HOLDS, VALUES

GROUPS: tuple[Group, ...] = (
    alerts_clients.GROUP,
    alerts_nodes.GROUP,
    alerts_vms.GROUP,
    alerts_transfers.GROUP,
    alerts_bare_metal.GROUP,
    alerts_remediation.GROUP,
    alerts_exporter.GROUP,
)
ALERTS: tuple[Alert, ...] = tuple(alert for one in GROUPS for alert in one.alerts)

THRESHOLDS = "thresholds.yml"
_WRITTEN = "Written by `python -m monitoring`; change monitoring/, not this file."


def alert_files() -> Mapping[str, str]:
    """Return every file of `alerts/` by its name."""
    files = dict(rule_files())
    files[THRESHOLDS] = _threshold_file()
    files["alertmanager-inhibit.yml"] = _text(
        {"inhibit_rules": list(INHIBIT_RULES)}, "for alertmanager.yml: what need not be said as well"
    )
    return files


def rule_files(numbers: Numbers = DEFAULT, bases: Bases = OURS) -> Mapping[str, str]:
    """Return every file of rules by its name."""
    files = {
        f"{one.name}.rules.yml": _text({"groups": [group(one, numbers, bases)]}, one.about) for one in GROUPS
    }
    files["dbc-dead-mans-switch.rules.yml"] = _text({"groups": [switch(bases)]}, "for a service outside")
    return files


def chart_files() -> Mapping[str, str]:
    """Return the rules for the Helm chart, which puts the numbers in, by the files' names."""
    return {**rule_files(PLACEHOLDERS), THRESHOLDS: _threshold_file()}


def _threshold_file() -> str:
    return _text(_thresholds(), "numbers in the rules, for tools that write rules anew")


def _thresholds() -> dict[str, Any]:
    return {
        "values": {name: {"value": one.value, "about": one.about} for name, one in VALUES.items()},
        "holds": {
            name: {"polls": one.polls, "seconds": one.seconds, "why": one.why} for name, one in HOLDS.items()
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _string)


def _text(content: Mapping[str, Any], about: str) -> str:
    body = yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return f"# {about[0].upper()}{about[1:]}.\n# {_WRITTEN}\n{body}"
