"""The complaints of RapidJSON, the server's JSON parser: which error, at which byte.

Only consulted for texts that Python's parser has refused; an iterative scan, so that depth is no danger here.
"""

from __future__ import annotations

import re

FATAL_DEPTH = 100_000
"""The real parser is recursive: a nesting of this order overflows the process's stack."""

_EMPTY = "The document is empty."
_ROOT_NOT_SINGULAR = "The document root must not be followed by other values."
_VALUE = "Invalid value."
_MISS_NAME = "Missing a name for object member."
_MISS_COLON = "Missing a colon after a name of object member."
_MISS_OBJECT_END = "Missing a comma or } after an object member."
_MISS_ARRAY_END = "Missing a comma or ] after an array element."
_HEX = "Incorrect hex digit after \\u escape in string."
_SURROGATE = "The surrogate pair in string is invalid."
_ESCAPE = "Invalid escape character in string."
_MISS_QUOTE = "Missing a closing quotation mark in string."
_ENCODING = "Invalid encoding in string."
_TOO_BIG = "Number too big to be stored in double."
_FRACTION = "Miss fraction part in number."
_EXPONENT = "Miss exponent in number."

_SPACE = b" \t\r\n"
_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_DIGITS = re.compile(rb"[0-9]+")
_HEX4 = re.compile(rb"[0-9A-Fa-f]{4}")
_LOW_SURROGATE = re.compile(rb"\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')


class StackOverflow(Exception):  # noqa: N818 - an event in the simulated process
    """The text is nested deeply enough to kill the server."""


class _Stop(Exception):  # noqa: N818 - carries the verdict out of the scan
    def __init__(self, text: str, offset: int) -> None:
        super().__init__(text)
        self.text = text
        self.offset = offset


def complaint(raw: bytes) -> str | None:
    """Return RapidJSON's error as `text(offset)`, None when it would accept the text.

    Raises StackOverflow.
    """
    try:
        _scan(raw)
    except _Stop as stop:
        return f"{stop.text}({stop.offset})"
    return None


def _scan(raw: bytes) -> None:
    at = _skip(raw, 0)
    if at >= len(raw):
        raise _Stop(_EMPTY, at)
    stack: list[int] = []
    while True:
        at, opened = _value(raw, at, stack)
        if opened:
            continue
        at, more = _after_value(raw, at, stack)
        if not more:
            break
    at = _skip(raw, at)
    if at < len(raw):
        raise _Stop(_ROOT_NOT_SINGULAR, at)


def _value(raw: bytes, at: int, stack: list[int]) -> tuple[int, bool]:
    """Read one value; True when it opened a container whose first value comes next."""
    first = raw[at : at + 1]
    if first in (b"{", b"["):
        if len(stack) >= FATAL_DEPTH:
            raise StackOverflow
        at = _skip(raw, at + 1)
        closing = b"}" if first == b"{" else b"]"
        if raw[at : at + 1] == closing:
            return at + 1, False
        stack.append(first[0])
        return (_name(raw, at) if first == b"{" else at), True
    if first == b'"':
        return _string(raw, at), False
    for word in (b"null", b"true", b"false"):
        if first == word[:1]:
            return _word(raw, at, word), False
    return _number(raw, at), False


def _after_value(raw: bytes, at: int, stack: list[int]) -> tuple[int, bool]:
    """Close containers until another value follows."""
    while stack:
        at = _skip(raw, at)
        in_object = stack[-1] == ord("{")
        char = raw[at : at + 1]
        if char == b",":
            at = _skip(raw, at + 1)
            return (_name(raw, at) if in_object else at), True
        if char != (b"}" if in_object else b"]"):
            raise _Stop(_MISS_OBJECT_END if in_object else _MISS_ARRAY_END, at)
        at += 1
        stack.pop()
    return at, False


def _name(raw: bytes, at: int) -> int:
    if raw[at : at + 1] != b'"':
        raise _Stop(_MISS_NAME, at)
    at = _skip(raw, _string(raw, at))
    if raw[at : at + 1] != b":":
        raise _Stop(_MISS_COLON, at)
    return _skip(raw, at + 1)


def _word(raw: bytes, at: int, word: bytes) -> int:
    for index in range(1, len(word)):
        if raw[at + index : at + index + 1] != word[index : index + 1]:
            raise _Stop(_VALUE, at + index)
    return at + len(word)


def _number(raw: bytes, at: int) -> int:
    found = _INTEGER.match(raw, at)
    if not found:
        raise _Stop(_VALUE, at + (raw[at : at + 1] == b"-"))
    start, at = at, found.end()
    if raw[at : at + 1] == b".":
        at = _digits(raw, at + 1, _FRACTION)
    if raw[at : at + 1] in (b"e", b"E"):
        at += 1
        at = _digits(raw, at + (raw[at : at + 1] in (b"+", b"-")), _EXPONENT)
    if float(raw[start:at]) in (float("inf"), float("-inf")):
        raise _Stop(_TOO_BIG, start)
    return at


def _digits(raw: bytes, at: int, missing: str) -> int:
    found = _DIGITS.match(raw, at)
    if not found:
        raise _Stop(missing, at)
    return found.end()


def _string(raw: bytes, start: int) -> int:
    at = start + 1
    while True:
        at = _plain_end(raw, at)
        char = raw[at : at + 1]
        if char == b'"':
            return at + 1
        if char == b"\\":
            at = _escape(raw, at)
        elif char in (b"", b"\0"):
            raise _Stop(_MISS_QUOTE, start)
        else:
            raise _Stop(_ENCODING, at)


def _plain_end(raw: bytes, at: int) -> int:
    found = _PLAIN.match(raw, at)
    return found.end() if found else at


def _escape(raw: bytes, at: int) -> int:
    char = raw[at + 1 : at + 2]
    if char == b"u":
        if not _HEX4.match(raw, at + 2):
            raise _Stop(_HEX, at)
        code = int(raw[at + 2 : at + 6], 16)
        if 0xDC00 <= code <= 0xDFFF:  # noqa: PLR2004 - low surrogates
            raise _Stop(_SURROGATE, at)
        if 0xD800 <= code <= 0xDBFF:  # noqa: PLR2004 - high surrogates
            if not _LOW_SURROGATE.match(raw, at + 6):
                raise _Stop(_SURROGATE, at)
            return at + 12
        return at + 6
    if char and char in b'"\\/bfnrt':
        return at + 2
    raise _Stop(_ESCAPE, at)


def _skip(raw: bytes, at: int) -> int:
    while at < len(raw) and raw[at] in _SPACE:
        at += 1
    return at
