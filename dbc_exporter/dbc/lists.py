"""A client's lists: understood once as long as they do not change, and whether all of them could be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from dbc_exporter.dbc.calls import ReadCall
from dbc_exporter.dbc.envelope import understand
from dbc_exporter.dbc.exchange import RawAnswer
from dbc_exporter.facts import NodeList

T = TypeVar("T")

_ROWS = frozenset({"mining_nodes", "bare_metal_nodes"})  # how the parsers name a row that cannot be read


@dataclass(slots=True)
class KnownAnswers:
    """Knows answers again: lists of thousands of nodes seldom change."""

    _last: dict[tuple[str, bytes], tuple[RawAnswer, Any]] = field(default_factory=dict, repr=False)

    def understand(self, call: ReadCall[T], body: bytes, raw: RawAnswer) -> T:
        """Return the facts of an answer; raises what `understand` raises."""
        last = self._last.get((call.path, body))
        if last is not None and last[0] == raw:
            known: T = last[1]
            return known
        answer = understand(call, raw)
        self._last[call.path, body] = (raw, answer)
        return answer


def lacks_rows(*lists: NodeList | None) -> bool:
    """Tell whether somebody may stand on one of the lists in a row that could not be read."""
    return any(not _ROWS.isdisjoint(one.unreadable) for one in lists if one is not None)


def count_rows(listing: NodeList | None) -> int | None:
    """Count the rows of a list, or give None when some could not be read: a node among them is there and not named."""
    return None if listing is None or lacks_rows(listing) else len(listing.nodes)
