"""An answer on its way to be damaged: the tree, what was done to it, and the bytes it becomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from dbc_exporter.dbc.exchange import RawAnswer
from tests.fuzz.good import Good, envelope
from tests.fuzz.kinds import KINDS
from tests.fuzz.tree import Arr, Leaf, Member, Node, Obj, Piece, marks, write
from tests.fuzz.truth import Damage


class Spot(NamedTuple):
    """A node and where it hangs: under a member of an object, or at a place of a list."""

    parent: Obj | Arr
    member: Member | None
    node: Node


@dataclass(slots=True)
class Draft:
    """One answer in the making; `pristine` is its message as the server wrote it; `body`, when set, takes the place of what the tree would be written as."""

    random: Random
    good: Good
    root: Obj
    pristine: str
    damage: Damage = field(default_factory=Damage)
    status: int = 200
    content_type: str = "application/json"
    spaced: bool = False
    body: bytes | None = None

    @classmethod
    def of(cls, random: Random, good: Good) -> Draft:
        root = envelope(good.message, good.comma)
        return cls(random, good, root, b"".join(piece.data for piece in write(good.message)).decode())

    # -- looking around

    def spots(self) -> list[Spot]:
        """Give every node but the outermost with its place."""
        return list(_spots(self.root))

    def leaves(self, *kinds: str, text: bool | None = None) -> list[Leaf]:
        """Give the plain leaves, of these kinds or of any; with `text`, those that any text suits, or the others."""
        found = [spot.node for spot in self.spots() if isinstance(spot.node, Leaf) and spot.node.raw is None]
        if text is not None:
            found = [leaf for leaf in found if KINDS[leaf.kind].is_text is text]
        return [leaf for leaf in found if leaf.kind in kinds] if kinds else found

    def objects(self) -> list[Obj]:
        return [self.root, *(spot.node for spot in self.spots() if isinstance(spot.node, Obj))]

    def lists(self, *, counted: bool | None = None) -> list[Arr]:
        found = [spot.node for spot in self.spots() if isinstance(spot.node, Arr)]
        return found if counted is None else [arr for arr in found if arr.counted is counted]

    # -- keeping account

    def touch(self, *nodes: Node) -> None:
        """Note that these nodes and everything below them were damaged; without its errcode nothing is left."""
        for node in nodes:
            if isinstance(node, Leaf) and node.kind == "errcode":
                self.touch_all()
        self.damage.touched |= marks(*nodes)

    def lose(self, *nodes: Node) -> None:
        """Note that these nodes and everything below them may not be said any more."""
        self.touch(*nodes)
        self.damage.lost |= marks(*nodes)

    def touch_all(self) -> None:
        # What was taken out of the tree before is marked already.
        everything = marks(self.root)
        self.damage.touched |= everything
        self.damage.lost |= everything

    def note(self, text: str) -> None:
        self.damage.notes.append(text[:300])

    def put(self, spot: Spot, node: Node) -> None:
        """Set another node in the place of this one."""
        if spot.member is not None:
            spot.member.node = node
        elif isinstance(spot.parent, Arr):
            spot.parent.items[_place(spot.parent.items, spot.node)] = node

    # -- writing

    def pieces(self) -> list[Piece]:
        return write(self.root)

    def written(self) -> bytes:
        """Write the answer, with white space between its parts where that was asked for."""
        pieces = self.pieces()
        if not self.spaced:
            return b"".join(piece.data for piece in pieces) + b"\r\n"
        blanks = (b"", b"", b" ", b"\n", b"\t", b"\r\n", b"    ")
        parts = []
        for piece in pieces:
            parts.append(piece.data)
            if piece.part == "joint":
                parts.append(self.random.choice(blanks))
                parts.insert(-2, self.random.choice(blanks))
        return b"".join(parts) + b"\r\n\r\n"

    def raw(self) -> RawAnswer:
        return RawAnswer(self.status, self.content_type, self.written() if self.body is None else self.body)


def _spots(node: Node) -> Iterator[Spot]:
    if isinstance(node, Obj):
        for member in node.members:
            yield Spot(node, member, member.node)
            yield from _spots(member.node)
    elif isinstance(node, Arr):
        for item in node.items:
            yield Spot(node, None, item)
            yield from _spots(item)


def _place(items: list[Node], node: Node) -> int:
    return next(place for place, item in enumerate(items) if item is node)
