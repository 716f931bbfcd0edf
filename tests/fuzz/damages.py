"""Damage to the tree of an answer: every value that is touched may get lost, none may become another."""

from __future__ import annotations

from typing import Any

from tests.fuzz.draft import Draft
from tests.fuzz.kinds import KINDS
from tests.fuzz.rewrites import as_node
from tests.fuzz.tree import Arr, Leaf, Member, Node, Obj, copied

CONTAINER_INSTEAD: tuple[Any, ...] = (None, -2, -1, 1.5, True, "", "a text", {}, {"a": []}, "N/A", 10**40)
JUNK_ROWS: tuple[Any, ...] = (None, -7, -1.5, True, [], {}, [[]], {"a": 1}, [None])
NOT_JSON = (
    b"NaN",
    b"-Infinity",
    b"Infinity",
    b"nan",
    b"-nan",
    b"1e999",
    b"-",
    b"0x10",
    b"undefined",
    b"'a'",
    b"+1",
)
LEGAL = {
    "size": "1G", "ratio": "1%", "hertz": "1MHz", "count": "3", "version": "9.9.9.9", "task_state": "none",
    "snapshot_state": "uploading", "transfer_state": "uploading", "power": "Power is off", "text": "something else",
    "word": "another", "time": "2001-01-01 00:00:00", "medium": "HDD", "node_id": "ee" * 32, "path": "/another",
    "name": "another", "rent_state": "renting", "block": "1", "node_type": "1", "exact": "another",
}  # fmt: skip
"""A legal value of each kind that is hardly ever the true one."""


def illegal_value(draft: Draft) -> bool:
    if not draft.leaves():
        return False
    leaf = draft.random.choice(draft.leaves())
    value = draft.random.choice(KINDS[leaf.kind].illegal)
    draft.note(f"{leaf.value!r} -> {value!r}")
    if leaf.kind == "errcode":  # one that was damaged before is perhaps not the one that counts
        draft.damage.refused = not draft.damage.touched and draft.good.asked.kind != ""
    draft.touch(leaf)
    leaf.raw = as_node(value).raw
    return True


def no_json_value(draft: Draft) -> bool:
    if not draft.leaves():
        return False
    leaf = draft.random.choice(draft.leaves())
    leaf.raw = draft.random.choice(NOT_JSON)
    draft.note(f"{leaf.value!r} -> {leaf.raw!r}")
    draft.touch_all()
    return True


def container_of_other_type(draft: Draft) -> bool:
    spots = [
        spot
        for spot in draft.spots()
        if not (isinstance(spot.node, Leaf) or spot.node.ours or spot.parent.ours)
    ]
    if not spots:
        return False
    spot = draft.random.choice(spots)
    value = draft.random.choice(CONTAINER_INSTEAD)
    draft.note(f"container -> {value!r}")
    draft.touch(spot.node)
    draft.put(spot, as_node(value))
    return True


def nested(draft: Draft) -> bool:
    spots = [spot for spot in draft.spots() if not isinstance(spot.node, Leaf) or spot.node.raw is None]
    if not spots:
        return False
    spot = draft.random.choice(spots)
    node = spot.node
    in_list = draft.random.random() < 0.5 and not (isinstance(node, Arr) and node.counted)
    draft.note(f"nested {type(node).__name__} in {'list' if in_list else 'object'}")
    draft.touch(node)
    draft.put(
        spot, Arr([node], counted=True, ours=True) if in_list else Obj([Member("value", node)], ours=True)
    )
    return True


def key_renamed(draft: Draft) -> bool:
    members = draft.random.choice(draft.objects()).members
    if not members:
        return False
    member = draft.random.choice(members)
    old = member.key
    new = draft.random.choice(
        (f"{old}_", f"x{old}", f"{old} ", old.upper(), f"{old}\u200b", old[::-1], "", f"{old}2")
    )
    if any(other.key == new for other in members):
        return False
    draft.note(f"key {old!r} -> {new!r}")
    draft.lose(member.node)
    member.key, member.raw = new, None
    return True


def key_removed(draft: Draft) -> bool:
    obj = draft.random.choice(draft.objects())
    if not obj.members:
        return False
    member = obj.members.pop(draft.random.randrange(len(obj.members)))
    draft.note(f"key {member.key!r} removed")
    if member.key == "errcode":
        draft.touch_all()
    draft.lose(member.node)
    return True


def field_said_again(draft: Draft) -> bool:
    """Say a field a second time, in the same words or as nonsense."""
    obj = draft.random.choice(draft.objects())
    if not obj.members:
        return False
    member = draft.random.choice(obj.members)
    again: Node = copied(member.node)
    if draft.random.random() < 0.5:
        again = as_node(draft.random.choice((None, -1, True)))
    draft.note(f"key {member.key!r} twice")
    draft.damage.refused = draft.damage.refused and member.key != "errcode"
    obj.members.insert(draft.random.randint(0, len(obj.members)), Member(member.key, again, member.raw))
    draft.touch_all()
    return True


def row_contradicted(draft: Draft) -> bool:
    """Say a row a second time, one of its values unreadable."""
    rows = [(arr, row) for arr in draft.lists(counted=False) for row in arr.items if isinstance(row, Obj)]
    rows = [(arr, row) for arr, row in rows if _plain(row)]
    if not rows:
        return False
    arr, row = draft.random.choice(rows)
    again = copied(row)
    assert isinstance(again, Obj)
    member, leaf = draft.random.choice(_plain(again))
    value = draft.random.choice(KINDS[leaf.kind].illegal)
    draft.note(f"row again with {member.key!r} {value!r}")
    member.node = as_node(value)
    arr.items.insert(draft.random.randint(0, len(arr.items)), again)
    draft.touch(row)
    draft.damage.touched.add(arr.mark)
    return True


def _plain(row: Obj) -> list[tuple[Member, Leaf]]:
    """Give the fields with a value that nothing was done to: of another one nobody knows what would be unreadable."""
    leaves = ((member, member.node) for member in row.members if isinstance(member.node, Leaf))
    return [(member, leaf) for member, leaf in leaves if leaf.raw is None]


def junk_row(draft: Draft) -> bool:
    lists = draft.lists(counted=False)
    if not lists:
        return False
    arr, value = draft.random.choice(lists), draft.random.choice(JUNK_ROWS)
    draft.note(f"junk row {value!r}")
    arr.items.insert(draft.random.randint(0, len(arr.items)), as_node(value))
    draft.damage.touched.add(arr.mark)
    return True


def unseen_character_in_value(draft: Draft) -> bool:
    leaves = [
        leaf for leaf in draft.leaves(text=False) if isinstance(leaf.value, str) and "\\" not in leaf.value
    ]
    if not leaves:
        return False
    leaf = draft.random.choice(leaves)
    character = draft.random.choice(
        (b"\x00", b"\x1f", b"\x7f", b"\\u0000", b"\xe2\x80\x8b", b"\\ud800", b"\xff", b"\xc3")
    )
    value = leaf.value.encode()
    place = draft.random.randint(0, len(leaf.value)) if leaf.value.isascii() else 0
    leaf.raw = b'"' + value[:place] + character + value[place:] + b'"'
    draft.note(f"{leaf.value!r} -> {leaf.raw!r}")
    draft.touch(leaf)
    return True


def text_reads_differently(draft: Draft) -> bool:
    """Change a text that is nobody's name: cut it, lengthen it, put in bytes that are no UTF-8."""
    leaves = [leaf for leaf in draft.leaves("text") if isinstance(leaf.value, str) and "\\" not in leaf.value]
    if not leaves:
        return False
    leaf = draft.random.choice(leaves)
    place = draft.random.randint(0, len(leaf.value))
    before, after = (part.encode() for part in (leaf.value[:place], leaf.value[place:]))
    middle = draft.random.choice(
        (b"\xff", b"\xed\xa0\x80", b"\xc3", b"x" * 500, "é".encode() * 300, b'\\"', b"\\\\", b"\\n")
    )
    leaf.raw = b'"' + before + middle + after + b'"'
    draft.note(f"text with {middle[:20]!r}")
    draft.touch(leaf)
    draft.damage.loose.add(leaf.mark)
    return True


def quote_in_text(draft: Draft) -> bool:
    """Let the quote of a text break the answer, or cut a row in two."""
    leaves = [
        leaf
        for leaf in draft.leaves("text", "name")
        if isinstance(leaf.value, str) and "\\" not in leaf.value
    ]
    if not leaves:
        return False
    leaf = draft.random.choice(leaves)
    payload = draft.random.choice(
        (b'"', b"\\", b'" ', b'"}', b'"},{"x":"', b'"],["', b'":"', b'", "', b'"},{"x":{"y":"')
    )
    leaf.raw = b'"' + leaf.value.encode() + payload + b'"'
    draft.note(f"text with {payload!r}")
    draft.touch_all()
    draft.damage.loose.add(leaf.mark)
    return True


def lie(draft: Draft) -> bool:
    """Say a field a second time with another legal value, by its own name or out of a free text: no one can tell
    which is true."""
    rows = [
        (obj, member)
        for obj in draft.objects()
        for member in obj.members
        if isinstance(member.node, Leaf) and member.node.kind in LEGAL
    ]
    if not rows:
        return False
    obj, member = draft.random.choice(rows)
    assert isinstance(member.node, Leaf)
    other = LEGAL[member.node.kind]
    texts = [m.node for m in obj.members if isinstance(m.node, Leaf) and m.node.kind == "text"]
    draft.note(f"{member.key!r} twice, once as {other!r}")
    if texts and draft.random.random() < 0.6:
        text = draft.random.choice(texts)
        also = draft.random.choice(("", '"q" :1,', '"q"\n:"",', '"q":{"r" : 1},', '"q":"\\":",', '"q":"":,'))
        text.raw = f'"{text.value}",{also}"{member.key}":"{other}"'.encode()
        draft.damage.loose.add(text.mark)
    else:
        obj.members.insert(draft.random.randint(0, len(obj.members)), Member(member.key, as_node(other)))
        draft.spaced = draft.random.random() < 0.5
    draft.touch_all()
    return True


DAMAGES = (
    illegal_value,
    illegal_value,
    illegal_value,
    illegal_value,
    no_json_value,
    container_of_other_type,
    nested,
    key_renamed,
    key_removed,
    field_said_again,
    row_contradicted,
    junk_row,
    unseen_character_in_value,
    text_reads_differently,
    quote_in_text,
)
