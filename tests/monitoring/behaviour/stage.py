"""What is played: stages, and on each the cases of some alerts. Declarations only.

A stage is a fleet with an exporter on it. All its cases begin at one moment and end at another, so that at the moment
before they end all their alerts fire at once. Put cases on one stage when their troubles do not touch each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.monitoring.behaviour.player import Live

MINUTE = 60.0
HOUR = 60 * MINUTE
Action = Callable[["Live"], None]


def nothing(_live: Live) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Case:
    """One alert: what makes it fire, and how soon it must.

    `faults` are lines of a simulator's scenario without `at` and `for`: they strike when the stage's troubles begin and,
    where they can, recover when these end. `begin` and `end` do at the same moments what no fault does. `labels` has the
    labels of each alert that must fire, without `job`; names of clients, nodes, servers and VMs (`rented-1/2`) stand for
    their ids. `within` and `ends_within` are seconds from the beginning and the end of the trouble, and follow from the
    intervals of what is polled and the alert's hold. `vanishes` is false where the data's absence is the trouble itself.
    """

    alert: str
    labels: tuple[Mapping[str, str], ...]
    within: float
    ends_within: float
    faults: tuple[Mapping[str, Any], ...] = ()
    vanishes: bool = True
    begin: Action = nothing
    end: Action = nothing


@dataclass(frozen=True, slots=True)
class Stage:
    """A fleet, what befalls it, and when (seconds from the start).

    `fleet` is a simulator's scenario without version; `settings` are the exporter's beyond what follows from the
    fleet; `policy` is remediation's, "" without any. `shards` has the shard of each exporter; actions and remediation are
    about the first one. `start` is done before anything. `client_trouble` says that the DBC clients are what fails; at
    `clients_die` all of them do on top of everything else. `clients_matter` is false where that takes none of the alerts'
    data away (the exporter counts it itself) or cannot be seen (it polls nothing, or is not scraped).
    """

    name: str
    fleet: Mapping[str, Any]
    cases: tuple[Case, ...]
    begins: float = 20 * MINUTE
    ends: float = 60 * MINUTE
    length: float = 90 * MINUTE
    settings: Mapping[str, Any] = field(default_factory=dict)
    policy: str = ""
    shards: tuple[int, ...] = (0,)
    start: Action = nothing
    client_trouble: bool = False
    clients_die: float | None = None
    clients_matter: bool = True

    def blinded(self) -> Stage:
        """Return the same with an hour without DBC clients at its end, and no recovery."""
        names = tuple(client["name"] for client in self.fleet["clients"])
        down = Case("DbcClientDown", tuple({"client": name} for name in names), within=HOUR, ends_within=0)
        length = self.ends + HOUR
        return replace(
            self,
            name=f"{self.name}, then no client",
            cases=(*self.cases, down),
            clients_die=self.ends,
            ends=length + HOUR,
            length=length,
        )
