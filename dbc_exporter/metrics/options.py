"""What an operator may set about rendering."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """`node_timezone` is the nodes' clock, if the operator says it: DBC's creation times have no zone."""

    node_timezone: tzinfo | None = None
