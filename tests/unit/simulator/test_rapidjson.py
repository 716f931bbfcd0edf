from __future__ import annotations

import pytest

from dbc_exporter.simulator import rapidjson


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "The document is empty.(0)"),
        (b"  ", "The document is empty.(2)"),
        (b'{"a":[', "Invalid value.(6)"),
        (b'{"peer_nodes_list":[', "Invalid value.(20)"),
        (b"{}xyz", "The document root must not be followed by other values.(2)"),
        (b"{a:1}", "Missing a name for object member.(1)"),
        (b'{"a" 1}', "Missing a colon after a name of object member.(5)"),
        (b'{"a":1 "b":2}', "Missing a comma or } after an object member.(7)"),
        (b"[1 2]", "Missing a comma or ] after an array element.(3)"),
        (b'{"a":"b', "Missing a closing quotation mark in string.(5)"),
        (b'["\\x"]', "Invalid escape character in string.(2)"),
        (b'["\\u12g4"]', "Incorrect hex digit after \\u escape in string.(2)"),
        (b'["\\ud800x"]', "The surrogate pair in string is invalid.(2)"),
        (b'["\x01"]', "Invalid encoding in string.(2)"),
        (b"[nul]", "Invalid value.(4)"),
        (b"[1.]", "Miss fraction part in number.(3)"),
        (b"[1e]", "Miss exponent in number.(3)"),
        (b"[1e999]", "Number too big to be stored in double.(1)"),
        (b"NaN", "Invalid value.(0)"),
    ],
)
def test_what_the_servers_parser_says_about_a_text(text: bytes, complaint: str) -> None:
    assert rapidjson.complaint(text) == complaint


@pytest.mark.parametrize(
    "text", [b"null", b' {"a":[1,-2.5e3,{"b":"\\ud83d\\ude00"}],"c":{}} ', b"[[[[]]]]", b'["\xff"]']
)
def test_what_it_accepts(text: bytes) -> None:
    assert rapidjson.complaint(text) is None


def test_a_nesting_that_overflows_its_stack_is_told_from_a_deep_one() -> None:
    assert rapidjson.complaint(b"[" * 10_000 + b"]" * 10_000) is None
    with pytest.raises(rapidjson.StackOverflow):
        rapidjson.complaint(b"[" * 2_000_000)
