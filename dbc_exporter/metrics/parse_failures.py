"""Counts fields that were in an answer and could not be read, by field."""

from __future__ import annotations

from dbc_exporter.facts import Fact
from dbc_exporter.metrics.blocks import Blocks
from dbc_exporter.metrics.lines import label, sample
from dbc_exporter.metrics.render import unreadable

_MAXIMUM = 200
_OTHER = "other"


class ParseFailures:
    """`dbc_parse_failures_total`; field names are the parsers' own, and capped should a parser go wild."""

    def __init__(self, blocks: Blocks) -> None:
        """Start at nothing; counts are of this process."""
        self._blocks = blocks
        self._counts: dict[str, int] = {}

    def count(self, fact: Fact) -> None:
        """Count the unreadable fields of one fact."""
        for name in unreadable(fact):
            field = name if name in self._counts or len(self._counts) < _MAXIMUM else _OTHER
            count = self._counts[field] = self._counts.get(field, 0) + 1
            self._blocks.put(sample("dbc_parse_failures_total", label("field", field), count))
