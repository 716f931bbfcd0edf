"""Whose facts they are."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Owner:
    """A DBC client (`client` set) or a target (`node_id` set).

    `manager_id` names the manager of a bare-metal server; it appears in labels and is no part of the identity.
    """

    client: str = ""
    node_id: str = ""
    manager_id: str = field(default="", compare=False)
