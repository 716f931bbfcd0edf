"""A systemd unit file, read as far as tests need it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Unit:
    """The lines of a unit file: section, key, value, in their order."""

    lines: tuple[tuple[str, str, str], ...]

    def values(self, section: str, key: str) -> list[str]:
        """Return all values of a key that may be repeated."""
        return [value for where, name, value in self.lines if (where, name) == (section, key)]

    def value(self, section: str, key: str) -> str:
        """Return the value of a key that occurs once."""
        (value,) = self.values(section, key)
        return value


def read(path: Path) -> Unit:
    """Read a unit file."""
    section = ""
    lines: list[tuple[str, str, str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            lines.append((section, key, value))
    return Unit(tuple(lines))
