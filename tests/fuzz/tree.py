"""An answer as a tree that is written out as the server writes it: pasted together, nothing escaped.

Every node carries a mark. Facts name the marks they rest on, and damage names the marks it has touched; a copy of a
node keeps its mark.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Mark:
    """Stands for one place of an answer."""

    __slots__ = ()


@dataclass(slots=True, eq=False)
class Leaf:
    """A single value. `kind` names what it is (see `kinds`); `raw` takes its place, quotes and all, when set."""

    value: Any
    kind: str
    mark: Mark = field(default_factory=Mark)
    raw: bytes | None = None


@dataclass(slots=True, eq=False)
class Member:
    """One field of an object; `raw` takes the place of the key between its quotes when set."""

    key: str
    node: Node
    raw: bytes | None = None


@dataclass(slots=True, eq=False)
class Obj:
    """An object; `comma` and `colon` stand between its parts, `edge` behind and before its braces.

    One of `ours` was put in by us and is no part of the server's answer.
    """

    members: list[Member]
    comma: str = ","
    colon: str = ":"
    edge: tuple[str, str] = ("", "")
    ours: bool = False
    mark: Mark = field(default_factory=Mark)

    def __getitem__(self, key: str) -> Node:
        return next(member.node for member in self.members if member.key == key)


@dataclass(slots=True, eq=False)
class Arr:
    """A list. Of a `counted` one only the length is a fact, so that no element may be added."""

    items: list[Node]
    counted: bool = False
    ours: bool = False
    mark: Mark = field(default_factory=Mark)


Node = Leaf | Obj | Arr


def obj(fields: dict[str, Node], comma: str = ",", colon: str = ":") -> Obj:
    """Make an object of its fields in order."""
    return Obj([Member(key, node) for key, node in fields.items()], comma, colon)


def walk(node: Node) -> Iterator[Node]:
    """Give a node and everything below it."""
    yield node
    if isinstance(node, Obj):
        for member in node.members:
            yield from walk(member.node)
    elif isinstance(node, Arr):
        for item in node.items:
            yield from walk(item)


def marks(*nodes: Node) -> frozenset[Mark]:
    """Give the marks of these nodes and of everything below them."""
    return frozenset(inner.mark for node in nodes for inner in walk(node))


def copied(node: Node) -> Node:
    """Copy a node deeply, with the same marks."""
    if isinstance(node, Leaf):
        return Leaf(node.value, node.kind, node.mark, node.raw)
    if isinstance(node, Arr):
        return Arr([copied(item) for item in node.items], node.counted, node.ours, node.mark)
    members = [Member(member.key, copied(member.node), member.raw) for member in node.members]
    return Obj(members, node.comma, node.colon, node.edge, node.ours, node.mark)


class Piece(NamedTuple):
    """A run of bytes of the written answer: `joint`, `quote`, `key`, `text` or `number`, and whose it is."""

    data: bytes
    part: str
    node: Node


def write(node: Node) -> list[Piece]:
    """Write a tree as pieces of text."""
    pieces: list[Piece] = []
    _write(node, pieces)
    return pieces


def _write(node: Node, out: list[Piece]) -> None:
    if isinstance(node, Leaf):
        _write_leaf(node, out)
    elif isinstance(node, Arr):
        out.append(Piece(b"[", "joint", node))
        for place, item in enumerate(node.items):
            if place:
                out.append(Piece(b",", "joint", node))
            _write(item, out)
        out.append(Piece(b"]", "joint", node))
    else:
        _write_object(node, out)


def _write_object(node: Obj, out: list[Piece]) -> None:
    comma, colon = node.comma.encode(), node.colon.encode()
    out.append(Piece(b"{" + node.edge[0].encode(), "joint", node))
    for place, member in enumerate(node.members):
        if place:
            out.append(Piece(comma, "joint", node))
        out.append(Piece(b'"', "quote", member.node))
        key = member.key.encode("utf-8", "surrogatepass") if member.raw is None else member.raw
        out.append(Piece(key, "key", member.node))
        out.append(Piece(b'"', "quote", member.node))
        out.append(Piece(colon, "joint", node))
        _write(member.node, out)
    out.append(Piece(node.edge[1].encode() + b"}", "joint", node))


def _write_leaf(leaf: Leaf, out: list[Piece]) -> None:
    if leaf.raw is not None:
        out.append(Piece(leaf.raw, "raw", leaf))
    elif isinstance(leaf.value, str):
        out.append(Piece(b'"', "quote", leaf))
        out.append(Piece(leaf.value.encode("utf-8", "surrogatepass"), "text", leaf))
        out.append(Piece(b'"', "quote", leaf))
    else:
        out.append(Piece(json.dumps(leaf.value).encode(), "number", leaf))
