"""What the linter finds: how bad it is, where in the policy file, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dbc_exporter.config.problems import Path, dotted


class Severity(StrEnum):
    """An error makes the policy unusable; a warning says what it will not do, or does dangerously."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `at` is the place in the policy's tree, `path` the same as people write it."""

    severity: Severity
    at: Path
    text: str

    @property
    def path(self) -> str:
        """Return the place as text: `rules[0].ladder`."""
        return dotted(self.at)

    def __str__(self) -> str:
        return f"{self.severity}: {self.path}: {self.text}"


def error(at: Path, text: str) -> Finding:
    """Return a finding for which a policy is refused."""
    return Finding(Severity.ERROR, at, text)


def warning(at: Path, text: str) -> Finding:
    """Return a finding that is only told."""
    return Finding(Severity.WARNING, at, text)
