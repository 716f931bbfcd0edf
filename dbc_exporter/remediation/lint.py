"""The linter: contradictions in a policy, between values that are each right by themselves, and with the targets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dbc_exporter.config.problems import Path
from dbc_exporter.remediation import worst_case
from dbc_exporter.remediation.findings import Finding, Severity
from dbc_exporter.remediation.lint_limits import of_alerts, of_limits
from dbc_exporter.remediation.lint_rules import against_polling, of_rules, of_windows
from dbc_exporter.remediation.lint_targets import against_targets
from dbc_exporter.remediation.policy import Policy
from dbc_exporter.remediation.stand_ins import most_subjects
from dbc_exporter.targets import Target

Where = Callable[[Path], str]

__all__ = ["Finding", "Severity", "lint", "report"]


def lint(
    policy: Policy,
    targets: Sequence[Target] = (),
    *,
    complete: bool = True,
    intervals: Mapping[str, float] | None = None,
) -> tuple[Finding, ...]:
    """Return everything that contradicts itself, or that will hardly do what is meant.

    With `targets` also what contradicts them; `complete` is false where more of them are discovered later. With
    `intervals`, the seconds between two polls of a target by collector, also what contradicts those.
    """
    found = [*of_windows(policy), *of_limits(policy), *of_alerts(policy), *of_rules(policy)]
    found += against_polling(policy, intervals or {})
    if targets:
        found += against_targets(policy, targets, complete=complete)
    return tuple(found)


def report(
    policy: Policy,
    targets: Sequence[Target] = (),
    *,
    complete: bool = True,
    intervals: Mapping[str, float] | None = None,
    where: Where | None = None,
) -> tuple[str, int]:
    """Return the findings and the worst case for people, and 0, or 2 when a finding is an error.

    `where` tells the place in the file of a path in the policy.
    """
    found = lint(policy, targets, complete=complete, intervals=intervals)
    said = [told(finding, where) for finding in found] or ["OK: nothing contradicts itself"]
    fleet = most_subjects(targets) if targets and complete else None
    failed = any(finding.severity is Severity.ERROR for finding in found)
    return "\n".join([*said, *worst_case.lines(policy, fleet)]), 2 if failed else 0


def told(finding: Finding, where: Where | None) -> str:
    """Return a finding with its place in the file."""
    return f"{finding} ({where(finding.at)})" if where else str(finding)
