"""What the polling tells whoever counts: every request is reported once, in one place."""

from __future__ import annotations

from typing import Protocol

from dbc_exporter.dbc.errors import Reason


class Observer(Protocol):
    """Receives each finished exchange with a client."""

    def finished(self, client: str, kind: str, seconds: float, reason: Reason | None) -> None:
        """Take note of a request: its kind, how long it took, and why it failed (None: it did not)."""

    def restarted(self, client: str) -> None:
        """Take note that a client process was gone and is back."""


class NullObserver:
    """Counts nothing."""

    def finished(self, client: str, kind: str, seconds: float, reason: Reason | None) -> None:
        """Do nothing."""

    def restarted(self, client: str) -> None:
        """Do nothing."""
