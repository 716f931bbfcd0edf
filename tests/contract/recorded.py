"""Recorded exchanges with a real DBC server: reading them and comparing another server's answers with them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

HEAD = re.compile(
    rb"^# (\S+ \S+)  port=(\d+)  first byte \S+  complete ([\d.]+)s  end state: (.*)$", re.MULTILINE
)
CUT = re.compile(rb"\n?\.\.\.\((\d+) bytes in all\)\.\.\.$")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One exchange: raw bytes both ways, how long it took (seconds) and whether the server closed after it."""

    name: str
    ended_at: str
    port: int
    seconds: float
    closed: bool
    request: bytes
    answer: bytes

    @property
    def number(self) -> str:
        return self.name[:3]


def read(path: Path) -> Recorded | None:
    """Return the exchange in a file, None for files that hold measurements only."""
    raw = path.read_bytes()
    head = HEAD.search(raw)
    if head is None or b">>>> REQUEST\n" not in raw:
        return None
    _, _, rest = raw.partition(b">>>> REQUEST\n")
    request, _, answer = re.split(rb"\n<<<< RESPONSE \((\d+) bytes\)\n", rest, maxsplit=1)
    size = int(re.search(rb"<<<< RESPONSE \((\d+) bytes\)", rest)[1])  # type: ignore[index]  # split above found it
    return Recorded(
        name=path.stem,
        ended_at=head[1].decode(),
        port=int(head[2]),
        seconds=float(head[3]),
        closed=b"closed" in head[4],
        request=_restored(request),
        answer=answer[:size],
    )


def _restored(request: bytes) -> bytes:
    """Fill up a request that the recording cut, by its last byte and whatever closes its JSON.

    Bytes that are no UTF-8 were recorded as replacement characters; they get a byte each again.
    """
    cut = CUT.search(request)
    if cut is None:
        return request.replace("\N{REPLACEMENT CHARACTER}".encode(), b"\xff")
    missing = int(cut[1]) - cut.start()
    kept = request[: cut.start()]
    if b"\r\n\r\n" not in kept:
        return kept + kept[-1:] * (missing - 4) + b"\r\n\r\n"
    closing = b'"}}' if b'{"' in kept else b""
    return kept + kept[-1:] * (missing - len(closing)) + closing


def undated(answer: bytes) -> bytes:
    """Return an answer without its date."""
    return re.sub(rb"\r\nDate: [^\r]*", b"", answer)


@dataclass(frozen=True, slots=True)
class Parts:
    """An answer taken apart; `date` is not kept."""

    status: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


def parts(answer: bytes) -> Parts:
    """Take one HTTP answer apart."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    headers = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    return Parts(status, headers, body)


def differences(real: bytes, ours: bytes) -> list[str]:
    """Return in what an answer differs from the recorded one; nothing if in nothing that matters."""
    if not real or not ours:
        return [] if real == ours else [f"{len(ours)} bytes of answer instead of {len(real)}"]
    theirs, mine = parts(real), parts(ours)
    found = []
    if theirs.status != mine.status:
        found.append(f"status {mine.status!r} instead of {theirs.status!r}")
    if _comparable(theirs.headers) != _comparable(mine.headers):
        found.append(f"headers {mine.headers} instead of {theirs.headers}")
    length = dict(mine.headers).get(b"Content-Length")
    if length is not None and int(length) != len(mine.body.partition(b"HTTP/1.1 ")[0]):
        found.append(f"Content-Length {length!r} for {len(mine.body)} bytes")
    return found + _body_differences(theirs.body, mine.body)


def _comparable(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, b"" if name in (b"Date", b"Content-Length") else value) for name, value in headers]


def _body_differences(real: bytes, ours: bytes) -> list[str]:
    if undated(real) == undated(ours):
        return []
    try:
        theirs, mine = json.loads(real), json.loads(ours)
    except ValueError:
        return [f"body {ours[:200]!r} instead of {real[:200]!r}"]
    if theirs["errcode"] != mine["errcode"]:
        return [f"errcode {mine['errcode']} ({mine['message']!r}) instead of {theirs['errcode']}"]
    if isinstance(theirs["message"], str) and theirs["message"] != mine["message"]:
        return [f"message {mine['message']!r} instead of {theirs['message']!r}"]
    wanted, got = skeleton(real.decode()), skeleton(ours.decode())
    return [] if wanted == got else [f"shape {got} instead of {wanted}"]


TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')


def skeleton(text: str) -> str:
    """Return a JSON text with its values reduced to their types: keys, order and white space stay.

    Texts keep their form (digits as 9), and runs of equal list elements count as one.
    """
    reduced = TOKEN.sub(lambda found: found[0] if found[1] else _kind(found[0]), text)
    repeated = re.compile(r"((?:\{[^{}\[\]]*\}|\"[^\"]*\"))(?:,\1)+")
    return repeated.sub(r"\1", reduced)


FORMS = (
    ("id", re.compile(r'"[0-9a-f]{64}"')),
    ("stars", re.compile(r'"\*+"')),
    ("time", re.compile(r'"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"')),
    ("size", re.compile(r'"\d+(\.\d+)?[BKMGTP]"')),
    ("percent", re.compile(r'"\d+(\.\d+)?%"')),
    ("number as text", re.compile(r'"\d+"')),
    ("file", re.compile(r'"/.+"')),
)


def _kind(token: str) -> str:
    if not token.startswith('"'):
        return "#"
    return next((f'"{name}"' for name, form in FORMS if form.fullmatch(token)), '"text"')
