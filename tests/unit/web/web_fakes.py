"""A small made-up fleet for the pages, and sources whose answers a test can change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dbc_exporter.web.remediation_types import Desk
from dbc_exporter.web.types import (
    About,
    ClientView,
    CollectorView,
    Freshness,
    Health,
    Lane,
    Reply,
    ReplyLike,
    Sources,
    TargetView,
)

NOW = 1_790_000_000.0
NODE_COLLECTORS = (
    ("node", 60.0),
    ("orders", 300.0),
    ("tasks", 300.0),
    ("vms", 900.0),
    ("disks", 3600.0),
    ("snapshots", 3600.0),
    ("images", 900.0),
)


@dataclass
class FakeClock:
    """A clock that moves when told to."""

    now: float = NOW

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


def node_id(index: int) -> str:
    """Return a made-up id of the real form."""
    return f"{index * 2654435761 % 2**32:08x}" * 8


def collector(
    name: str, interval: float, state: Freshness, *, age: float | None = None, error: str | None = None
) -> CollectorView:
    """Return a collector's view with its times fitting its state."""
    seconds = {Freshness.FRESH: 0.4, Freshness.AGEING: 2.2, Freshness.WITHDRAWN: 9.0}.get(state)
    age = age if age is not None or seconds is None else interval * seconds
    asked = state is not Freshness.UNAVAILABLE
    return CollectorView(
        name,
        interval,
        state,
        last_attempt=NOW - min(interval * 0.4, age or interval)
        if asked and state is not Freshness.NEVER
        else None,
        last_success=None if age is None else NOW - age,
        age_seconds=age,
        last_error=error,
        next_poll=NOW + interval * 0.6 if asked else None,
    )


def healthy_node(index: int, **changes: object) -> TargetView:
    """Return a compute node that answers."""
    views = tuple(collector(name, interval, Freshness.FRESH) for name, interval in NODE_COLLECTORS)
    target = TargetView(
        node_id(index + 1),
        "compute",
        name=f"gpu-{index:03}",
        labels={"site": ("oslo", "turin")[index % 2], "rack": f"r{index % 7}"},
        client=f"client-{index % 2}",
        visible=True,
        up=True,
        suspect=False,
        collectors=views,
    )
    return replace(target, **changes)  # type: ignore[arg-type] # whichever fields the test names


def fleet(count: int = 40) -> list[TargetView]:
    """Return machines in every condition, most of them well."""
    return [_machine(index) for index in range(count)]


def _machine(index: int) -> TargetView:
    node = healthy_node(index)
    views = node.collectors
    match index % 10:
        case 3:
            late = (
                collector("node", 60, Freshness.WITHDRAWN, error="node_timeout: mining_nodes timeout"),
                *(collector(name, interval, Freshness.AGEING) for name, interval in NODE_COLLECTORS[1:]),
            )
            return replace(node, up=False, suspect=True, collectors=late)
        case 5:
            late = (
                collector("node", 60, Freshness.AGEING, error="own_deadline: no answer in 37 s"),
                *views[1:],
            )
            return replace(node, up=None, suspect=True, collectors=late)
        case 7:
            nothing = tuple(collector(name, interval, Freshness.NEVER) for name, interval in NODE_COLLECTORS)
            return replace(node, name=None, up=None, visible=False, labels={}, collectors=nothing)
        case 8:
            power = collector("power", 300, Freshness.FRESH)
            return replace(node, kind="bare_metal_server", manager=node_id(4), collectors=(power,))
        case 9:
            missing = tuple(
                collector(name, interval, Freshness.UNAVAILABLE, error="no_credential")
                for name, interval in NODE_COLLECTORS[2:]
            )
            return replace(node, collectors=(*views[:2], *missing))
        case _:
            return node


@dataclass
class Fleet:
    """What the fake sources answer. `broken` makes every view raise, as a bug would."""

    targets: Sequence[TargetView] = field(default_factory=fleet)
    health: Health = field(default_factory=lambda: Health(True, "event loop and scheduler are alive"))
    ready: Health = field(default_factory=lambda: Health(True, "first sweep done"))
    listable: Health = field(default_factory=lambda: Health(True, "somebody looked"))
    exposition: ReplyLike = field(
        default_factory=lambda: Reply(200, {"Content-Type": "text/plain; version=0.0.4"}, b"dbc_up 1\n")
    )
    on_reload: Callable[[], Awaitable[None]] | None = None
    broken: bool = False
    desk: Desk | None = None
    asked: list[tuple[Mapping[str, str], Mapping[str, list[str]]]] = field(default_factory=list)
    probed: list[tuple[str, float, str | None]] = field(default_factory=list)
    total_shards: int = 1
    reloads: int = 0

    def sources(self) -> Sources:
        return Sources(
            exposition=self._expose,
            health=lambda: self.health,
            ready=lambda: self.ready,
            listable=lambda: self.listable,
            reload=self._reload,
            targets=self._targets,
            target=lambda wanted: next((each for each in self._targets() if each.id == wanted), None),
            inventory=self._targets,
            clients=self._clients,
            about=lambda: About("1.2.3", NOW - 93_784, "/etc/dbc-exporter/config.yml", self.total_shards),
            remediation=lambda: self.desk,
            probe=self._probe,
        )

    def _expose(self, request_headers: Mapping[str, str], query: Mapping[str, list[str]], /) -> ReplyLike:
        self.asked.append((request_headers, query))
        return self.exposition

    async def _probe(
        self, target_id: str, seconds: float, request_headers: Mapping[str, str], /
    ) -> ReplyLike | None:
        self.probed.append((target_id, seconds, request_headers.get("accept")))
        known = any(target.id == target_id for target in self.targets)
        return Reply(200, {"Content-Type": "text/plain"}, b"dbc_probe_success 1\n") if known else None

    async def _reload(self) -> None:
        if self.on_reload:
            await self.on_reload()
        self.reloads += 1

    def _targets(self) -> Sequence[TargetView]:
        if self.broken:
            raise RuntimeError("secret-in-an-exception")
        return self.targets

    def _clients(self) -> Sequence[ClientView]:
        if self.broken:
            raise RuntimeError("secret-in-an-exception")
        busy = (Lane("node_info", 3, 16), Lane("list_task", 1, 8), Lane("lan", 0, 1))
        return [
            ClientView("client-0", "http://10.0.0.5:5050", "ok", "0.3.7.3", 2011, 48, busy, 2, 512),
            ClientView("client-1", "http://10.0.0.6:5050", "wedged", "0.3.7.2", None, None, (), 512, 512),
        ]
