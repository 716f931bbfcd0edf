"""Which format, which coding, whether anything changed."""

from __future__ import annotations

import pytest

from dbc_exporter.metrics.negotiate import Format, choose_format, etag_matches, gzip_allowed

OM = "application/openmetrics-text"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, Format.TEXT),
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", Format.TEXT),
        ("text/plain", Format.TEXT),
        ("image/png", Format.TEXT),
        (OM, Format.OPENMETRICS),
        (f"{OM};version=1.0.0,{OM};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Format.OPENMETRICS),
        (f"text/plain;version=0.0.4;q=0.9,{OM};version=1.0.0;q=0.8", Format.TEXT),
        (f"text/plain;q=0.3, {OM}; version=1.0.0; q=0.4", Format.OPENMETRICS),
        (f"{OM};q=0, text/plain;q=0.1", Format.TEXT),
        (f"{OM};q=0", Format.TEXT),
        (f"text/plain;q=0, {OM};q=0.1", Format.OPENMETRICS),
        (f"{OM}, text/plain", Format.OPENMETRICS),
        (f"text/plain, {OM}", Format.TEXT),
        (f"{OM};version=9.9.9", Format.OPENMETRICS),
        (f"{OM};version=0.0.1;q=0.9, text/plain;q=0.5", Format.OPENMETRICS),
        (f"{OM};version=1.0.0;q=0, {OM};version=0.0.1, text/plain;q=0.5", Format.TEXT),
        ("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5", Format.TEXT),
        (f'{OM.upper()}; Version="1.0.0"; Q=0.9, text/plain;q=0.2', Format.OPENMETRICS),
        ("application/*;q=0.9, text/*;q=0.2", Format.OPENMETRICS),
        (f"{OM};q=nonsense, text/plain;q=0.1", Format.TEXT),
        (f"{OM};q=7, text/plain;q=0.1", Format.TEXT),
        (f"{OM};q=nan, text/plain;q=0.1", Format.TEXT),
        (",;,q=1", Format.TEXT),
    ],
)  # fmt: skip
def test_the_format_with_the_greatest_weight_is_chosen(accept: str | None, chosen: Format) -> None:
    assert choose_format(accept) is chosen


@pytest.mark.parametrize(
    ("accept_encoding", "allowed"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate, gzip;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("br, zstd", False),
    ],
)
def test_gzip_needs_a_weight_above_zero(accept_encoding: str | None, allowed: bool) -> None:
    assert gzip_allowed(accept_encoding) is allowed


@pytest.mark.parametrize(
    ("if_none_match", "matches"),
    [
        (None, False),
        ('W/"a"', True),
        ('"a"', True),
        ('"b", W/"a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
    ],
)
def test_entity_tags_are_compared_weakly(if_none_match: str | None, matches: bool) -> None:
    assert etag_matches(if_none_match, 'W/"a"') is matches
