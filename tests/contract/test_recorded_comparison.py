"""The comparison itself must be able to find differences, or the table proves nothing."""

from __future__ import annotations

import pytest

from tests.contract.recorded import differences, skeleton

HEAD = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: application/json\r\nDate: x\r\n"
REAL_BODY = b'{"errcode":0, "message":{"nodes":[{"size":"23.54G","cores":1},{"size":"1G","cores":2}]}}\r\n'


def answer(body: bytes = REAL_BODY, head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_other_values_of_the_same_kind_are_the_same() -> None:
    ours = REAL_BODY.replace(b"23.54G", b"7K").replace(b'"cores":1', b'"cores":64')
    assert differences(answer(), answer(ours)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"errcode":0', b'"errcode":1'),
        (b'"errcode":0, ', b'"errcode":0,'),
        (b'"cores":1', b'"cores":"1"'),
        (b'"size":"23.54G"', b'"size":"23.54%"'),
        (b'"size":"23.54G",', b""),
        (b'"nodes":', b'"machines":'),
        (b"\r\n", b"\n"),
        (b'[{"size":"23.54G","cores":1},{"size":"1G","cores":2}]', b"[]"),
    ],
)
def test_other_codes_spacing_types_keys_and_line_ends_differ(old: bytes, new: bytes) -> None:
    assert differences(answer(), answer(REAL_BODY.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"200 OK", b"500 Internal Server Error"),
        (b"Access-Control-Allow-Origin: *\r\n", b""),
        (b"application/json", b"text/html"),
        (b"Date: x\r\n", b"Date: x\r\nServer: me\r\n"),
    ],
)
def test_other_status_lines_and_headers_differ(old: bytes, new: bytes) -> None:
    assert differences(answer(), answer(head=HEAD.replace(old, new)))


def test_another_error_text_differs_and_so_does_silence() -> None:
    refused = b'{"errcode":-3, "message":"no"}\r\n'
    assert differences(answer(refused), answer(refused.replace(b"no", b"yes")))
    assert differences(answer(), b"")
    assert differences(b"", answer())
    assert differences(b"", b"") == []


def test_a_wrong_content_length_differs() -> None:
    wrong = answer().replace(b"Content-Length: ", b"Content-Length: 1")
    assert differences(answer(), wrong)


def test_a_skeleton_keeps_keys_order_and_spacing_and_counts_equal_elements_once() -> None:
    assert skeleton('{"a": [{"x":"12%"},{"x":"7%"}], "b":null}') == '{"a": [{"x":"percent"}], "b":null}'
