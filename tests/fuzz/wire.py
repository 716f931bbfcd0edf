"""Damage on the wire and to the envelope: bytes, HTTP status, errcode, whole bodies."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.fuzz.draft import Draft
from tests.fuzz.kinds import KINDS, NEVER_LEGAL
from tests.fuzz.rewrites import as_node
from tests.fuzz.tree import Arr, Leaf, Obj, Piece

STATUSES = (
    0,
    100,
    201,
    204,
    206,
    301,
    302,
    304,
    400,
    401,
    403,
    404,
    405,
    413,
    429,
    500,
    501,
    502,
    503,
    504,
    599,
    999,
)
ERRCODES = (1, -1, -3, -25, -32600, -32701, 2**40)
SAID = (
    "check authority failed: nonce check failed", "task_id not exist", "list task timeout", "response parse error",
    "bare metal nodes are not supported", "Unhandled request", "", "ok", "\x00\x1b[31m", "a" * 9000, "no session id",
    "Error: Unable to establish LAN session <line> Error: Unable to establish IPMI v1.5 / RMCP session",
)  # fmt: skip
SAID_OF_THE_CLIENT = (
    "create request session failed",
    "broadcast request failed",
    "create node request failed",
)
BODIES = (
    b"", b" ", b"\r\n", b"null", b"[]", b"{}", b"0", b'""', b'"ok"', b'{"errcode":0}', b'{"message":"ok"}', b"<html>",
    b"<!DOCTYPE html><html><body><h1>400 Bad Request</h1></body></html>", b"[" * 100_000, b'{"a":' * 50_000,
    b"HTTP/1.1 200 OK\r\n\r\n", b"\x00" * 1000, b"\xff\xfe", b'{"errcode":0,"message":null}', b"{" * 3 + b"}" * 3,
    b'{"errcode":0,"message":{}}\r\n{"errcode":0,"message":{}}', b'{"errcode":' + b"9" * 5000 + b',"message":{}}',
)  # fmt: skip
NO_MESSAGES: tuple[Any, ...] = (*(None, True, 0, -1, 1.5, [], {}, [[]], {"message": []}, [None], "", 10**40),)
NOT_IN_JOINTS = frozenset(b"0123456789+-.eE")


def status(draft: Draft) -> bool:
    draft.status = draft.random.choice(STATUSES)
    draft.note(f"HTTP {draft.status}")
    draft.damage.refused = draft.good.asked.kind != ""
    draft.touch_all()
    return True


def refusal(draft: Draft) -> bool:
    """Refuse with an errcode, any status, and some words: usual ones, or the answer itself with all its secrets."""
    random = draft.random
    local = draft.good.asked.kind == ""
    draft.status = random.choice((200, 200, 400, 500, 404, 503))
    draft.touch_all()
    words = random.choice((*SAID, *(() if local else SAID_OF_THE_CLIENT)))
    if random.random() < 0.6:
        words = _quoted(draft)
    # A list that does not parse may be read one by one; a client may refuse one thing and say the others.
    draft.damage.refused = not local and words != "response parse error"
    for member in draft.root.members:
        if member.key == "errcode":
            member.node = as_node(random.choice(ERRCODES))
        elif member.key == "message":
            member.node = Leaf(
                None, "ignored", raw=json.dumps(words, ensure_ascii=random.random() < 0.5).encode()
            )
    draft.note(f"refusal {draft.status} {words[:80]!r}")
    return True


def _quoted(draft: Draft) -> str:
    """Give words with secrets of the answer in them, in a form that tells that they are secret."""
    random = draft.random
    whole = draft.pristine
    if not draft.good.secrets or random.random() < 0.5:
        return random.choice(("", "failed: ", "x" * random.randint(0, 300) + " ")) + whole
    secret = random.choice(draft.good.secrets)
    form = random.choice(
        (
            'cannot use {{"login_password":"{}"}}',
            'said "ipmi_password": "{}", and failed',
            '"session_id" : "{}"',
            '"nonce":"{}',
        )
    )
    return "x " * random.randint(0, 110) + form.format(secret)


def message_as_text(draft: Draft) -> bool:
    """Send the message as a text that holds its JSON."""
    draft.touch_all()
    for member in draft.root.members:
        if member.key == "message":
            member.node = Leaf(None, "ignored", raw=json.dumps(draft.pristine).encode())
    draft.note("message as text")
    return True


def wrapped(draft: Draft) -> bool:
    """Wrap the whole answer, as gateways do."""
    body = draft.written()
    forms = (
        b'{"mainnet":%s}',
        b'{"errcode":0,"message":%s}',
        b"[%s]",
        b'{"data":%s,"errcode":0}',
        b"%s,",
        b"(%s)",
    )
    draft.body = draft.random.choice(forms).replace(b"%s", body)
    draft.note("wrapped")
    draft.touch_all()
    return True


def surrounded(draft: Draft) -> bool:
    """Send more than the answer: twice, behind a mark, before garbage."""
    body = draft.written()
    before, after = draft.random.choice(
        (
            (b"", body),
            (b"\xef\xbb\xbf", b""),
            (b"", b"garbage"),
            (b"garbage", b""),
            (b"", b"}"),
            (b"\x00", b"\x00"),
            (b"[", b""),
        )
    )
    draft.body = before + body + after
    draft.note(f"surrounded {before[:9]!r} {after[:9]!r}")
    draft.touch_all()
    return True


def recoded(draft: Draft) -> bool:
    """Send the answer in another coding."""
    body = draft.written()
    codings = (
        lambda: body.decode("utf-8", "replace").encode("utf-16"),
        lambda: body.decode("utf-8", "replace").encode("utf-32"),
        lambda: gzip.compress(body, 1),
        lambda: json.dumps(body.decode("utf-8", "replace")).encode(),
        lambda: b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    )
    draft.body = draft.random.choice(codings)()
    draft.note("recoded")
    draft.touch_all()
    return True


def other_body(draft: Draft) -> bool:
    draft.body = draft.random.choice(BODIES)
    draft.note(f"body {draft.body[:60]!r}")
    draft.touch_all()
    return True


def no_message(draft: Draft) -> bool:
    value = draft.random.choice(NO_MESSAGES)
    if (value == [] and isinstance(draft.good.message, Arr)) or (
        value == {} and isinstance(draft.good.message, Obj)
    ):
        return False  # an empty list is an answer of its own
    if isinstance(value, str) and isinstance(draft.good.message, Leaf):
        return False
    draft.touch_all()
    for member in draft.root.members:
        if member.key == "message":
            member.node = as_node(value)
    draft.note(f"message {value!r}")
    return True


def cut_off(draft: Draft) -> bool:
    body = draft.written()
    draft.body = body[: draft.random.randrange(len(body))]
    draft.note(f"cut at {len(draft.body)} of {len(body)}")
    draft.touch_all()
    return True


def bytes_flipped(draft: Draft) -> bool:
    """Change one or two bytes, never so that a value becomes another legal one."""
    pieces = [piece for piece in draft.pieces() if _may_flip(piece)]
    everything = draft.pieces()
    for _ in range(draft.random.randint(1, 2)):
        piece = draft.random.choice(pieces)
        place = draft.random.randrange(len(piece.data))
        new = _other_byte(draft, piece)
        what = draft.random.choice(("flip", "flip", "flip", "insert", "drop"))
        if what == "drop" and piece.part in {"text", "number"}:
            what = "flip"
        middle, rest = (b"" if what == "drop" else bytes([new])), (place if what == "insert" else place + 1)
        changed = Piece(piece.data[:place] + middle + piece.data[rest:], "changed", piece.node)
        everything = [changed if one is piece else one for one in everything]
        pieces = [one for one in pieces if one is not piece]
        draft.note(f"{what} at {place} of {piece.data[:40]!r}: {bytes([new])!r}")
        if isinstance(piece.node, Leaf) and piece.node.kind == "text":
            draft.damage.loose.add(piece.node.mark)
    draft.body = b"".join(piece.data for piece in everything) + b"\r\n"
    draft.touch_all()
    return True


def _may_flip(piece: Piece) -> bool:
    if not piece.data or piece.part == "raw":
        return False
    is_name = isinstance(piece.node, Leaf) and KINDS[piece.node.kind].is_text and piece.node.kind != "text"
    return not (piece.part == "text" and is_name)


def _other_byte(draft: Draft, piece: Piece) -> int:
    if piece.part == "number":
        return draft.random.choice(b'xyz{}[]"\\#')
    if piece.part == "text" and not (isinstance(piece.node, Leaf) and piece.node.kind == "text"):
        return draft.random.choice(NEVER_LEGAL)
    new = draft.random.randrange(256)
    return ord("#") if piece.part == "joint" and new in NOT_IN_JOINTS else new


WIRE = (
    status,
    refusal,
    refusal,
    message_as_text,
    wrapped,
    surrounded,
    recoded,
    other_body,
    no_message,
    cut_off,
    cut_off,
    bytes_flipped,
    bytes_flipped,
    bytes_flipped,
)
