"""What survives a restart, as plain rows; times are Unix seconds."""

from __future__ import annotations

from dataclasses import dataclass

from dbc_exporter.targets import Target


@dataclass(frozen=True, slots=True)
class SavedFreshness:
    """A collector's record at one owner."""

    client: str
    node_id: str
    manager_id: str
    collector: str
    interval: float | None
    last_attempt: float | None
    last_success: float | None


@dataclass(frozen=True, slots=True)
class SavedTarget:
    """A target of the inventory; `left_at` is set for one that left it and is not forgotten yet."""

    target: Target
    left_at: float | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """Everything the store hands over."""

    freshness: tuple[SavedFreshness, ...] = ()
    targets: tuple[SavedTarget, ...] = ()
