"""What a transport gives: one HTTP exchange with a DBC client, nothing understood yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """Status line, content type and body of one answer."""

    status: int
    content_type: str
    body: bytes


class Transport(Protocol):
    """Sends one request. Implementations raise `DbcError` (unreachable, own_deadline, too_large, malformed)."""

    async def send(
        self, method: str, path: str, body: bytes, *, deadline_seconds: float, retry: bool = False
    ) -> RawAnswer:
        """Exchange one request for one answer; `path` starts with `/api/v1`.

        With `retry`, for reads only, the request is sent once more when a kept connection turns out closed.
        """

    async def aclose(self) -> None:
        """Close the connections."""
