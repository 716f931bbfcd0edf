"""Bare metal: a manager's list of servers, and the power of each server."""

from __future__ import annotations

from dataclasses import dataclass, field

from dbc_exporter.collectors.base import Outcome
from dbc_exporter.collectors.orders import CANNOT_SAY, RenterGuard
from dbc_exporter.collectors.single import SingleCallCollector
from dbc_exporter.dbc import reads
from dbc_exporter.dbc.calls import ReadCall
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.pool import Reader
from dbc_exporter.facts import BareMetalList, Power, PowerState
from dbc_exporter.targets import Kind, Target

MOST_PATIENT = 4.0  # a dead BMC blocks its manager for ten seconds: ask it ever more rarely, down to this
DOUBTFUL = 2.0  # one whose words mean nothing to us may be dead or well: it is asked half as often, never more rarely


class BareMetalCollector(SingleCallCollector):
    """`/bare_metal` at a manager: the first 51 servers by id. Asks no BMC."""

    name = "bare_metal"
    kinds = frozenset({Kind.MANAGER})
    lane = "list bare metal"

    def call(self, target: Target) -> ReadCall[BareMetalList]:
        """Return the call for a manager's servers."""
        return reads.bare_metal_list(target.id)


@dataclass(slots=True)
class PowerCollector:
    """Power of one server: `/bare_metal/<server>` at its manager, which asks the BMC and needs no credential.

    A renter who does not know the manager asks the server itself (`/bare_metal/power`, status), signed. `learnt` is how
    patient to be with each BMC.
    """

    guard: RenterGuard
    name: str = "power"
    kinds: frozenset[Kind] = frozenset({Kind.SERVER})
    lane: str = "list bare metal"
    authenticated: bool = False
    calls_per_target: float = 1.0
    learnt: dict[str, float] = field(default_factory=dict)

    def unavailable(self, target: Target) -> str | None:
        """Refuse a server of which neither the manager nor a renter's credential is known."""
        return None if target.manager or target.credential else "no_manager"

    async def fetch(self, target: Target, read: Reader) -> Outcome:
        """Read one server's power; a BMC that did not answer leaves it unknown and is asked more rarely."""
        power = await self._power(target, read)
        patience = _patience(power.bmc_reachable, self.learnt.get(target.id, 1.0))
        self.learnt[target.id] = patience
        return Outcome({"": power}, patience=patience)

    async def _power(self, target: Target, read: Reader) -> Power:
        if target.manager is None:
            return await self._as_renter(target, read)
        try:
            return await self._by_manager(target, read)
        except DbcError as error:  # managers before 0.4.1.4 tell no single server's power
            if target.credential is None or error.reason not in CANNOT_SAY:
                raise
        return await self._as_renter(target, read)

    async def _by_manager(self, target: Target, read: Reader) -> Power:
        server = await read(reads.bare_metal_server(target.manager or "", target.id), target)
        if server is None:
            raise DbcError(Reason.NOT_FOUND, "the manager does not know this server")
        reachable = True if server.power is not PowerState.UNKNOWN else None if server.power_said else False
        return Power(state=server.power, bmc_reachable=reachable, unreadable=server.unreadable)

    async def _as_renter(self, target: Target, read: Reader) -> Power:
        await self.guard.require_live_order(target, read)
        try:
            return await read(reads.power_status(target.id), target)
        except DbcError as error:
            if error.reason is not Reason.BMC:
                raise
        return Power(state=PowerState.UNKNOWN, bmc_reachable=False)


def _patience(reachable: bool | None, before: float) -> float:
    if reachable is None:
        return DOUBTFUL
    return 1.0 if reachable else min(MOST_PATIENT, before * 2)
