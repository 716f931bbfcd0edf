"""Who is watched now: configured targets together with what DBC clients and managers list. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from dbc_exporter.config.settings import DiscoverSettings
from dbc_exporter.facts import BareMetalList, ListedNode, NodeList
from dbc_exporter.targets import Kind, Target

_NODE_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Seen:
    """The last good lists: compute nodes and bare-metal servers by client, and each manager's servers.

    Keep a client's list while it cannot be asked: what nobody could look for has not left. `unlisted` has the compute
    nodes that left all lists not long ago: a dead one is a target still, else nothing could tell of its death.
    """

    nodes: Mapping[str, NodeList] = field(default_factory=dict)
    servers: Mapping[str, NodeList] = field(default_factory=dict)
    managed: Mapping[str, BareMetalList] = field(default_factory=dict)
    unlisted: NodeList = field(default_factory=NodeList)


def merge(
    configured: Iterable[Target], seen: Seen, discover: DiscoverSettings, *, enabled: bool
) -> tuple[Target, ...]:
    """Return every target once: configured ones in their order, then discovered ones by id.

    A configured record is never changed by discovery, except that a server without a manager gets the one that lists
    it. With `discover.bare_metal`, servers that a configured manager lists are targets also when discovery is not
    `enabled`; they inherit the manager's clients and labels. A server no manager lists has no manager, and its power
    cannot be read. `include` and `exclude` apply to discovered targets alone.
    """
    known = {target.id: target for target in configured}
    manager_of = {
        server.node_id: manager for manager, listed in seen.managed.items() for server in listed.servers
    }
    found: dict[str, Target] = {}
    for target in _discovered(known, seen, discover, enabled=enabled):
        if target.id not in known:
            found.setdefault(target.id, target)
    targets = [*known.values(), *(found[node_id] for node_id in sorted(found))]
    return tuple(_with_manager(target, manager_of) for target in targets)


def wanted(node: ListedNode, discover: DiscoverSettings) -> bool:
    """Whether the patterns let a listed node in. A pattern matches the id or the name, case and all."""
    texts = [node.node_id] if node.name is None else [node.node_id, node.name]
    included = not discover.include or _matches(texts, discover.include)
    return included and not _matches(texts, discover.exclude)


def discoverable(node: ListedNode, discover: DiscoverSettings) -> bool:
    """Whether a listed node can be a target: it has an id, and the patterns let it in."""
    return _NODE_ID.fullmatch(node.node_id) is not None and wanted(node, discover)


def _matches(texts: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns for text in texts)


def _discovered(
    known: Mapping[str, Target], seen: Seen, discover: DiscoverSettings, *, enabled: bool
) -> Iterator[Target]:
    if discover.bare_metal:
        yield from _managed(known, seen, discover)
    if not enabled:
        return
    kinds = [(Kind.COMPUTE, [*seen.nodes.values()])]
    if discover.bare_metal:
        kinds.append((Kind.SERVER, [*seen.servers.values()]))
    kinds.append((Kind.COMPUTE, [seen.unlisted]))  # last: what is listed now is what the list says
    labels = tuple(sorted(discover.labels.items()))
    for kind, lists in kinds:
        for node in (node for listed in lists for node in listed.nodes):
            if discoverable(node, discover):
                yield Target(id=node.node_id, kind=kind, credential=discover.credential, labels=labels)


def _managed(known: Mapping[str, Target], seen: Seen, discover: DiscoverSettings) -> Iterator[Target]:
    names = {node.node_id: node.name for listed in seen.servers.values() for node in listed.nodes}
    for manager_id, listed in seen.managed.items():
        manager = known.get(manager_id)
        if manager is None or manager.kind is not Kind.MANAGER:
            continue
        for server in listed.servers:
            node = ListedNode(server.node_id, names.get(server.node_id))
            if discoverable(node, discover):
                labels = tuple(sorted({**discover.labels, **dict(manager.labels)}.items()))
                yield Target(
                    id=server.node_id,
                    kind=Kind.SERVER,
                    manager=manager_id,
                    clients=manager.clients,
                    credential=discover.credential,
                    labels=labels,
                )


def _with_manager(target: Target, manager_of: Mapping[str, str]) -> Target:
    if target.unmanaged and target.id in manager_of:
        return replace(target, manager=manager_of[target.id])
    return target
