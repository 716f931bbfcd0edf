"""Nodes that stayed silent: kept out of the sweeps, probed apart, with back-off."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

FIRST_SECONDS = 30.0
LONGEST_SECONDS = 600.0


@dataclass(slots=True)
class Suspect:
    """A node under suspicion: probes that stayed silent so far, and when the next one is due."""

    since: float
    probes: int = 0
    next_probe: float = 0.0


@dataclass(slots=True)
class Suspects:
    """The suspects of all clients, by the id that requests are queued under (node or manager)."""

    _by_id: dict[str, Suspect] = field(default_factory=dict)

    def __contains__(self, node_id: str) -> bool:
        return node_id in self._by_id

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, node_id: str) -> Suspect | None:
        """Return a node's entry, or None when it is not suspected."""
        return self._by_id.get(node_id)

    def add(self, node_id: str, now: float) -> None:
        """Suspect a node that stayed silent once; the first probe is due after a short wait."""
        self._by_id.setdefault(node_id, Suspect(since=now, next_probe=now + FIRST_SECONDS))

    def clear(self, node_id: str) -> bool:
        """Forget a node that answered; tell whether it was suspected."""
        return self._by_id.pop(node_id, None) is not None

    def stayed_silent(self, node_id: str, now: float) -> None:
        """Back off: twice as long after each silent probe, 10 minutes at most."""
        suspect = self._by_id.get(node_id)
        if suspect is None:
            return
        suspect.probes += 1
        suspect.next_probe = now + min(LONGEST_SECONDS, FIRST_SECONDS * 2.0**suspect.probes)

    def put_off(self, node_id: str, now: float) -> None:
        """Ask again a little later: the probe was not the node's to answer."""
        suspect = self._by_id.get(node_id)
        if suspect is not None:
            suspect.next_probe = now + FIRST_SECONDS

    def retain(self, node_ids: Collection[str]) -> None:
        """Forget everybody else: they are not watched any more."""
        for node_id in self._by_id.keys() - set(node_ids):
            del self._by_id[node_id]

    def listed_again(self, node_id: str, now: float) -> None:
        """Ask a suspect at once that came back to a client's list: it announced itself."""
        suspect = self._by_id.get(node_id)
        if suspect is not None:
            suspect.probes = 0
            suspect.next_probe = now

    def due(self, now: float, may_ask: Callable[[str], bool]) -> str | None:
        """Return the suspect to probe next among those that may be asked: fewest silent probes, then longest due."""
        due = sorted((s.probes, s.next_probe, node) for node, s in self._by_id.items() if s.next_probe <= now)
        return next((node for _, _, node in due if may_ask(node)), None)
