"""Other words for the same answer: after any of these, every fact must still be shown."""

from __future__ import annotations

import json
from typing import Any

from tests.fuzz.draft import Draft
from tests.fuzz.kinds import KINDS
from tests.fuzz.tree import Leaf, Member, copied

UNSEEN = (
    "\x00",
    "\x07",
    "\x0b",
    "\x1b",
    "\x1f",
    "\x7f",
    "\x9f",
    "\u200b",
    "\u202e",
    "\ufeff",
    "\u2028",
    "\ud800",
)
UNKNOWN_NAMES = (
    "x_total",
    "gpu_temperature",
    "errors",
    "0",
    "__proto__",
    "data",
    "größe",
    " ",
    "",
    "result",
    "NaN",
)
JUNK: tuple[Any, ...] = (
    None,
    0,
    -1,
    1.5,
    True,
    "text",
    "23.54G",
    [],
    {},
    [[]],
    {"a": 1},
    10**40,
    "\\u0000",
    "9" * 3000,
)
CONTENT_TYPES = (
    "text/html",
    "",
    "application/json; charset=utf-16",
    "image/png",
    "multipart/form-data",
    "\x00",
)


def members_in_other_order(draft: Draft) -> bool:
    obj = draft.random.choice(draft.objects())
    draft.random.shuffle(obj.members)
    return True


def rows_in_other_order(draft: Draft) -> bool:
    lists = draft.lists()
    if lists:
        draft.random.shuffle(draft.random.choice(lists).items)
    return bool(lists)


def row_said_again(draft: Draft) -> bool:
    lists = [arr for arr in draft.lists(counted=False) if arr.items]
    if not lists:
        return False
    arr = draft.random.choice(lists)
    arr.items.insert(draft.random.randint(0, len(arr.items)), copied(draft.random.choice(arr.items)))
    return True


def unknown_field(draft: Draft) -> bool:
    """Add a field nobody knows, now and then with a secret of the answer in it."""
    obj = draft.random.choice(draft.objects())
    name = draft.random.choice(UNKNOWN_NAMES)
    if any(member.key == name for member in obj.members):
        return False
    value = draft.random.choice((*JUNK, *draft.good.secrets))
    obj.members.insert(draft.random.randint(0, len(obj.members)), Member(name, as_node(value)))
    return True


def as_node(value: Any) -> Leaf:
    """Make a node of a value that nothing more is done to; a text is pasted as it is."""
    raw = f'"{value}"' if isinstance(value, str) else json.dumps(value)
    return Leaf(value, "ignored", raw=raw.encode())


def value_in_other_words(draft: Draft) -> bool:
    choices = [leaf for leaf in draft.leaves() if KINDS[leaf.kind].rewrites]
    if not choices:
        return False
    leaf = draft.random.choice(choices)
    value = draft.random.choice(KINDS[leaf.kind].rewrites)(draft.random, leaf.value)
    if value is None:
        return False
    draft.note(f"{leaf.value!r} as {value!r}")
    leaf.value = value
    return True


def value_escaped(draft: Draft) -> bool:
    choices = [leaf for leaf in draft.leaves() if isinstance(leaf.value, str) and "\\" not in leaf.value]
    if not choices:
        return False
    leaf = draft.random.choice(choices)
    leaf.raw = b'"' + escaped(draft, leaf.value) + b'"'
    return True


def key_escaped(draft: Draft) -> bool:
    members = draft.random.choice(draft.objects()).members
    if members:
        member = draft.random.choice(members)
        member.raw = escaped(draft, member.key)
    return bool(members)


def escaped(draft: Draft, text: str) -> bytes:
    units = text.encode("utf-16-be", "surrogatepass")
    words = [units[place : place + 2] for place in range(0, len(units), 2)]
    whole = draft.random.random() < 0.5
    return b"".join(
        f"\\u{word.hex()}".encode()
        if whole or word[0] or draft.random.random() < 0.3
        else word[1:].decode("latin-1").encode()
        for word in words
    )


def unseen_characters_in_text(draft: Draft) -> bool:
    """Put characters into a text that nobody sees, raw or escaped."""
    choices = [
        leaf for leaf in draft.leaves("text", "name", "path") if leaf.value and isinstance(leaf.value, str)
    ]
    if not choices:
        return False
    leaf = draft.random.choice(choices)
    character = draft.random.choice(UNSEEN)
    place = draft.random.randint(0, len(leaf.value))
    before, after = (part.encode() for part in (leaf.value[:place], leaf.value[place:]))
    plain = character != "\ud800" and draft.random.random() < 0.6
    middle = character.encode() if plain else f"\\u{ord(character):04x}".encode()
    leaf.raw = b'"' + before + middle + after + b'"'
    draft.note(f"unseen {middle!r}")
    return True


def white_space(draft: Draft) -> bool:
    draft.spaced = True
    return True


def content_type(draft: Draft) -> bool:
    draft.content_type = draft.random.choice(CONTENT_TYPES)
    return True


def quote_closed_by_the_text(draft: Draft) -> bool:
    """Let a text bring a field of its own: its quote ends the text where it ends anyway."""
    choices = [
        leaf
        for leaf in draft.leaves("text", "name")
        if isinstance(leaf.value, str) and "\\" not in leaf.value
    ]
    choices = [
        leaf
        for leaf in choices
        if any(member.node is leaf for obj in draft.objects() for member in obj.members)
    ]
    if not choices:
        return False
    leaf = draft.random.choice(choices)
    leaf.raw = b'"' + leaf.value.encode() + b'","x_brought_%d":"y"' % draft.random.getrandbits(64)
    return True


ALONE = (row_said_again,)  # a row said twice is none to be damaged: then two rows contradict each other
REWRITES = (
    members_in_other_order,
    rows_in_other_order,
    unknown_field,
    value_in_other_words,
    value_in_other_words,
    value_escaped,
    key_escaped,
    unseen_characters_in_text,
    white_space,
    content_type,
    quote_closed_by_the_text,
)
