"""Bare metal: a manager's list of servers, and the power of each server. Public, through the manager."""

from __future__ import annotations

from dataclasses import dataclass, field

from dbc_exporter.collectors.base import Outcome, Reader
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.facts import Power, PowerState
from dbc_exporter.targets import Kind, Target

MOST_PATIENT = 4.0  # a dead BMC blocks its manager for ten seconds: ask it ever more rarely, down to this


class BareMetalCollector:
    """`/bare_metal` at a manager: the first 51 servers by id. Asks no BMC."""

    name = "bare_metal"
    kinds = frozenset({Kind.MANAGER})
    lane = "list bare metal"
    authenticated = False
    calls_per_target = 1.0

    def unavailable(self, target: Target) -> str | None:
        """Every manager can be asked."""
        del target
        return None

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """Read the manager's servers as one list."""
        return Outcome({"": await read(reads.bare_metal_list(target.id), target)})


@dataclass(slots=True)
class PowerCollector:
    """`/bare_metal/<server>` at its manager, which asks the BMC; needs no credential."""

    name: str = "power"
    kinds: frozenset[Kind] = frozenset({Kind.SERVER})
    lane: str = "list bare metal"
    authenticated: bool = False
    calls_per_target: float = 1.0
    _patience: dict[str, float] = field(default_factory=dict)

    def unavailable(self, target: Target) -> str | None:
        """Refuse a server whose manager is not known: it is listed, never polled."""
        return None if target.manager else "no_manager"

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """Read one server's power; a BMC that did not answer leaves it unknown and is asked more rarely."""
        manager = target.manager or ""
        server = await read(reads.bare_metal_server(manager, target.id), target)
        if server is None:
            raise DbcError(Reason.NOT_FOUND, "the manager does not know this server")
        reachable = server.power is not PowerState.UNKNOWN
        power = Power(state=server.power, bmc_reachable=reachable, unreadable=server.unreadable)
        patience = 1.0 if reachable else min(MOST_PATIENT, self._patience.get(target.id, 1.0) * 2)
        self._patience[target.id] = patience
        return Outcome({"": power}, patience=patience)
