"""A known-good answer: its text, what is true of it, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fuzz.made import Maker
from tests.fuzz.stage import AnyCall, Show, key_of
from tests.fuzz.tree import Leaf, Mark, Member, Node, Obj, marks, write
from tests.fuzz.truth import Fact, Key, Number


@dataclass(slots=True)
class Good:
    """An answer to `asked`; `others` are the undamaged answers that the same poll needs, by request."""

    asked: AnyCall
    message: Node
    show: Show
    comma: str = ","
    others: dict[str, Node] = field(default_factory=dict)
    truth: dict[Key, Fact] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)

    def number(self, name: Key, value: float | None, *rests_on: Node) -> None:
        """Write down a number and the parts it rests on; None is no fact at all."""
        if value is not None:
            self.truth[name] = Number(value, leaves(*rests_on))

    @property
    def key(self) -> str:
        return key_of(self.asked)


Build = Callable[[Maker], Good]


def leaves(*nodes: Node) -> frozenset[Mark]:
    """Give the marks of these very nodes, not of what is below them."""
    return frozenset(node.mark for node in nodes)


def below(*nodes: Node) -> frozenset[Mark]:
    """Give the marks of these nodes and of everything below them."""
    return marks(*nodes)


def envelope(message: Node, comma: str = ",") -> Obj:
    """Put a message into the server's envelope."""
    return Obj([Member("errcode", Leaf(0, "errcode")), Member("message", message)], comma)


def text_of(message: Node, comma: str = ",") -> bytes:
    """Write a whole answer."""
    return b"".join(piece.data for piece in write(envelope(message, comma))) + b"\r\n"
