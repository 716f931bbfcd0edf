"""A reader that answers calls from a table, for collectors under test."""

from __future__ import annotations

from typing import Any

from dbc_exporter.dbc.calls import ReadCall
from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.targets import Kind, Target

NODE = "a" * 64
MANAGER = "b" * 64
SERVER = "c" * 64
WALLET = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"

RENTED = Target(NODE, credential="renter", rent_order="101")


def server(**changes: Any) -> Target:
    return Target(**({"id": SERVER, "kind": Kind.SERVER, "manager": MANAGER} | changes))


class Answers:
    """Answers by the path below /api/v1, a fact or an error each; remembers what was asked."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.table = table
        self.asked: list[str] = []

    async def __call__(self, call: ReadCall[Any], target: Target) -> Any:
        del target
        path = call.path.removeprefix("/api/v1/").partition("?")[0]
        self.asked.append(path)
        answer = self.table.get(path, DbcError(Reason.NOT_FOUND, f"nothing prepared for {path}"))
        if isinstance(answer, Exception):
            raise answer
        return answer


class HandClock:
    """Stands still until moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_795_000_000.0 + self.now
