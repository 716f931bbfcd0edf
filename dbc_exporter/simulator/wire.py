"""HTTP/1.x as libevent's evhttp (the real server's library) reads and writes it; bytes in, bytes out, no sockets."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

from dbc_exporter.simulator.protocol import Response

MAX_HEADER_BYTES = 8192
MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_LENGTH_DIGITS = 18
MAX_VERSION_DIGITS = 4
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_METHODS = frozenset({"GET", "POST", "HEAD", "PUT", "DELETE"})
_METHODS_WITH_BODY = frozenset({"POST", "PUT"})
_REASONS = {413: "Request Entity Too Large"}


class Refused(Exception):  # noqa: N818 - an answer, not a fault of the program
    """The request is answered with an HTML page by the HTTP library itself, and the connection closed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class Head:
    """A request line and its headers; header names are lower-case."""

    method: str
    target: str
    minor: int
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open after the answer."""
        wish = self.headers.get("connection", "").lower()
        return wish == "keep-alive" if self.minor == 0 else wish != "close"


class RequestReader:
    """Reads one request after another from bytes as they come; raises `Refused` once, after which it is useless."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: Head | None = None
        self._body: _Body | None = None
        self._continue_due = False

    @property
    def buffered(self) -> int:
        """Bytes taken and not yet used."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._buffer += data

    def continue_due(self) -> bool:
        """Say, once per request, whether `100 Continue` is to be sent: asked for, and no body byte has come yet."""
        due, self._continue_due = self._continue_due, False
        return due

    def next(self) -> tuple[Head, bytes] | None:
        """Return the next complete request, or None until more bytes come."""
        if self._head is None or self._body is None:
            self._head = self._take_head()
            if self._head is None:
                return None
            self._body = _body_of(self._head)
            self._continue_due = "expect" in self._head.headers and not self._buffer
        body = self._body.take(self._buffer)
        if body is None:
            return None
        head, self._head, self._body = self._head, None, None
        return head, body

    def end(self) -> tuple[Head, bytes] | None:
        """Return the request that the peer's end of stream completes: a body without any length."""
        if self._head is None or not isinstance(self._body, _UntilEnd):
            return None
        head, self._head, self._body = self._head, None, None
        body = bytes(self._buffer)
        self._buffer.clear()
        return head, body

    def _take_head(self) -> Head | None:
        end = self._buffer.find(b"\r\n\r\n")
        skip = 4
        bare = self._buffer.find(b"\n\n")
        if bare >= 0 and (end < 0 or bare < end):
            end, skip = bare, 2
        if (end if end >= 0 else len(self._buffer)) > MAX_HEADER_BYTES:
            raise Refused(HTTPStatus.BAD_REQUEST)
        if end < 0:
            self._refuse_bad_first_line()
            return None
        text = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + skip]
        return _parse_head(text.replace("\r\n", "\n").split("\n"))

    def _refuse_bad_first_line(self) -> None:
        """Refuse a bad request line as soon as it is complete, as the real server does, headers or not."""
        line, found, _ = self._buffer.partition(b"\n")
        if found:
            _parse_request_line(line.decode("latin-1").rstrip("\r"))


def _parse_head(lines: list[str]) -> Head:
    head = _parse_request_line(lines[0])
    name = ""
    for line in lines[1:]:
        if line[:1] in (" ", "\t") and name:
            head.headers[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise Refused(HTTPStatus.BAD_REQUEST)
        name = name.lower()
        head.headers.setdefault(name, value.strip(" "))
    if head.method not in _METHODS:
        raise Refused(HTTPStatus.NOT_IMPLEMENTED)
    if head.headers.get("expect", "100-continue").lower() != "100-continue":
        raise Refused(HTTPStatus.EXPECTATION_FAILED)
    return head


def _parse_request_line(line: str) -> Head:
    parts = line.split(" ")
    if len(parts) != 3 or not parts[1]:  # noqa: PLR2004 - method, target, version
        raise Refused(HTTPStatus.BAD_REQUEST)
    method, target, version = parts
    major, dot, minor = version.removeprefix("HTTP/").partition(".")
    numbers = dot and major in ("0", "1") and minor.isdecimal() and len(minor) <= MAX_VERSION_DIGITS
    if not version.startswith("HTTP/") or not numbers:
        raise Refused(HTTPStatus.BAD_REQUEST)
    return Head(method, target, int(minor))


class _Body:
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        self._length = length

    def take(self, buffer: bytearray) -> bytes | None:
        """Remove and return the whole body, None until it is there."""
        if len(buffer) < self._length:
            return None
        body = bytes(buffer[: self._length])
        del buffer[: self._length]
        return body


class _UntilEnd(_Body):
    """A body without a length: it ends with the stream."""

    def take(self, buffer: bytearray) -> bytes | None:
        if len(buffer) > MAX_BODY_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return None


class _Chunked(_Body):
    """A body in chunks; trailers are read and dropped."""

    def __init__(self) -> None:
        super().__init__(0)
        self._parts = bytearray()
        self._in_trailers = False

    def take(self, buffer: bytearray) -> bytes | None:
        while not self._in_trailers:
            line, found, rest = buffer.partition(b"\n")
            if not found:
                return None
            size = _chunk_size(line)
            if len(self._parts) + size > MAX_BODY_BYTES:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            if size == 0:
                self._in_trailers = True
                buffer[:] = rest
                break
            if len(rest) < size + 2:
                return None
            self._parts += rest[:size]
            buffer[:] = rest[size:].lstrip(b"\r").removeprefix(b"\n")
        while True:
            line, found, rest = buffer.partition(b"\n")
            if not found:
                return None
            buffer[:] = rest
            if not line.rstrip(b"\r"):
                return bytes(self._parts)


def _chunk_size(line: bytearray) -> int:
    try:
        size = int(line.partition(b";")[0].strip(), 16)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST) from None
    if size < 0:
        raise Refused(HTTPStatus.BAD_REQUEST)
    return size


def _body_of(head: Head) -> _Body:
    if head.method not in _METHODS_WITH_BODY:
        return _Body(0)
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        return _Chunked()
    length = head.headers.get("content-length")
    if length is None:
        if head.headers.get("connection", "close").lower() != "close":
            raise Refused(HTTPStatus.BAD_REQUEST)
        return _UntilEnd(0)
    if not length.isdecimal():
        raise Refused(HTTPStatus.BAD_REQUEST)
    if len(length) > MAX_LENGTH_DIGITS or int(length) > MAX_BODY_BYTES:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return _Body(int(length))


def answer_bytes(head: Head, response: Response, wall: float) -> bytes:
    """Return an answer as the real server writes it; `wall` is Unix time for `Date`.

    HTTP/1.0 answers carry neither `Date` nor, unless kept alive, `Content-Length`. The answer to HEAD carries its
    body but no length: a client waits until the idle connection is closed.
    """
    lines = [
        f"HTTP/1.{head.minor} {response.status} {_reason(response.status)}",
        "Access-Control-Allow-Origin: *",
        f"Content-Type: {response.content_type}",
    ]
    if head.minor >= 1:
        lines.append(f"Date: {formatdate(wall, usegmt=True)}")
    elif head.keep_alive:
        lines.append("Connection: keep-alive")
    if head.method != "HEAD" and (head.minor >= 1 or head.keep_alive):
        lines.append(f"Content-Length: {len(response.body)}")
    if head.headers.get("connection", "").lower() == "close":
        lines.append("Connection: close")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + response.body


def refusal_bytes(status: int, wall: float) -> bytes:
    """Return the HTML page with which evhttp itself refuses a request before it closes the connection."""
    reason = _reason(status)
    page = (
        f"<HTML><HEAD>\n<TITLE>{status} {reason}</TITLE>\n</HEAD><BODY>\n<H1>{reason}</H1>\n</BODY></HTML>\n"
    ).encode("ascii")
    return html_bytes(status, page, wall)


def html_bytes(status: int, page: bytes, wall: float) -> bytes:
    """Return an HTML answer with evhttp's headers for pages of its own."""
    head = (
        f"HTTP/1.1 {status} {_reason(status)}\r\nContent-Type: text/html\r\nConnection: close\r\n"
        f"Date: {formatdate(wall, usegmt=True)}\r\nContent-Length: {len(page)}\r\n\r\n"
    )
    return head.encode("ascii") + page


def _reason(status: int) -> str:
    return _REASONS.get(status) or HTTPStatus(status).phrase
