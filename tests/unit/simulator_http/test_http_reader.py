from __future__ import annotations

import contextlib
import itertools

from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.simulator.wire import Refused, RequestReader

ONE = b"POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
TWO = b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
THREE = b"GET /c HTTP/1.0\nConnection: keep-alive\n\n"
WHOLE = ONE + TWO + THREE


def read(pieces: list[bytes]) -> list[tuple[str, str, bytes]]:
    """Return the requests a reader finds in pieces that arrive one after the other."""
    reader, found = RequestReader(), []
    for piece in pieces:
        reader.feed(piece)
        while (request := reader.next()) is not None:
            head, body = request
            found.append((head.method, head.target, body))
    return found


@given(st.sets(st.integers(1, len(WHOLE) - 1)))
def test_requests_are_the_same_however_their_bytes_are_cut_up(cuts: set[int]) -> None:
    edges = [0, *sorted(cuts), len(WHOLE)]
    pieces = [WHOLE[start:end] for start, end in itertools.pairwise(edges)]
    assert read(pieces) == [("POST", "/a", b"hello"), ("POST", "/b", b"abcde"), ("GET", "/c", b"")]


@given(st.integers(0, len(WHOLE)), st.integers(0, 20), st.binary(max_size=20))
def test_damaged_requests_are_read_or_refused_and_never_break_the_reader(
    at: int, gone: int, instead: bytes
) -> None:
    with contextlib.suppress(Refused):
        read([WHOLE[:at] + instead + WHOLE[at + gone :]])
