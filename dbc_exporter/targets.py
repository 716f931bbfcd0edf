"""Who is watched: one record for every kind of machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Kinds of target; a bare-metal server is reached through its manager."""

    COMPUTE = "compute"
    MANAGER = "bare_metal_manager"
    SERVER = "bare_metal_server"


class DesiredState(StrEnum):
    """What the operator wants of a target; `none` wants nothing."""

    RUNNING = "running"
    ON = "on"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Target:
    """A machine to watch. `id` is its DBC node id: 64 lower-case hex characters.

    `manager` is set for servers (their manager's id), `clients` names the DBC clients that may be asked (empty: all),
    `credential` names an entry of the settings' credentials, `transfers` are the image files to follow.
    """

    id: str
    kind: Kind = Kind.COMPUTE
    manager: str | None = None
    clients: tuple[str, ...] = ()
    credential: str | None = None
    rent_order: str | None = None
    desired_state: DesiredState = DesiredState.NONE
    expected_gpus: int | None = None
    transfers: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = field(default=())

    @property
    def unmanaged(self) -> bool:
        """Whether it is a server of which no manager is known: only its renter can ask it, with signed requests."""
        return self.kind is Kind.SERVER and self.manager is None


def spread(by: object, key: str) -> bytes:
    """Return 8 evenly spread bytes for a target's key and a client, shard or source: the same in every process."""
    return hashlib.blake2b(f"{by}\0{key}".encode(), digest_size=8).digest()
