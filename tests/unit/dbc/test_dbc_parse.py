"""Single values: read when certain, unknown otherwise, never an exception and never a guess."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.dbc import parse

GIB = 1024.0**3

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0K", 0),
        ("192K", 192 * 1024),
        ("600M", 600 * 1024**2),
        ("23.54G", 23.54 * GIB),
        ("1.5T", 1.5 * 1024**4),
        ("1.23457e+06G", 1.23457e6 * GIB),
        ("1P", 1024**5),
        ("12B", 12),
    ],
)
def test_sizes_are_bytes_with_a_base_of_1024(text: str, size: float) -> None:
    assert parse.size(text) == pytest.approx(size, rel=1e-15)


@pytest.mark.parametrize(
    "value",
    ["-1G", "", "G", "1", "1g", "1 G", "1,5G", "1.2.3G", "1GB", "nanG", "infG", "1e999G", "99999P", "\u0661G", "1G\n",
     5, 5.0, None, True, ["1G"], {"size": "1G"}],
)  # fmt: skip
def test_what_is_no_clear_size_is_unknown(value: Any) -> None:
    assert parse.size(value) is None


@pytest.mark.parametrize(
    ("text", "ratio"),
    [("0%", 0.0), ("58.81%", 0.5881), ("3.52%", 0.0352), ("100%", 1.0), ("1e-05%", 1e-7), ("71.92%", 0.7192)],
)
def test_percentages_are_ratios(text: str, ratio: float) -> None:
    assert parse.ratio(text) == ratio


@pytest.mark.parametrize(
    "value",
    ["-3.5%", "100.01%", "4294967295%", "nan%", "-nan%", "inf%", "-inf%", "58.81", "58,81%", "%", "", 58.81, 0.58,
     True, None, ["1%"]],
)  # fmt: skip
def test_what_is_no_ratio_from_0_to_1_is_unknown(value: Any) -> None:
    assert parse.ratio(value) is None


@pytest.mark.parametrize(
    ("text", "hertz"), [("2900MHz", 2.9e9), ("2900 MHz", 2.9e9), ("3GHz", 3e9), ("100000kHz", 1e8)]
)
def test_frequencies_are_hertz(text: str, hertz: float) -> None:
    assert parse.hertz(text) == hertz


@pytest.mark.parametrize("value", ["", "Processor", "0MHz", "-1MHz", "2900", "9e99GHz", 2900, None])
def test_what_is_no_frequency_is_unknown(value: Any) -> None:
    assert parse.hertz(value) is None


@pytest.mark.parametrize(("value", "number"), [("8", 8), (8, 8), ("0", 0), ("008", 8)])
def test_counts_come_as_numbers_or_texts(value: Any, number: int) -> None:
    assert parse.count(value) == number


@pytest.mark.parametrize(
    "value",
    [-1, "-1", 1.5, 8.0, "1.5", "4294967295", 10**30, "8 ", "\u0668", "eight", "", None, True, math.nan, [8]],
)
def test_what_is_no_count_is_unknown(value: Any) -> None:
    assert parse.count(value) is None


@pytest.mark.parametrize("value", ["2026-11-23 11:22:45", "2024-02-29 00:00:00"])
def test_local_times_are_kept_as_text(value: str) -> None:
    assert parse.local_time(value) == value


@pytest.mark.parametrize(
    "value", ["2026-02-30 11:22:45", "2026-11-23T11:22:45", "1795432985", "yesterday", 5, None]
)
def test_what_is_no_local_time_is_unknown(value: Any) -> None:
    assert parse.local_time(value) is None


def test_texts_lose_control_characters_and_length() -> None:
    assert parse.text("a\x00b\u202ec\ud800d\n") == "abcd"
    assert parse.text("x" * 500) == "x" * 128
    assert parse.text("\x00\x01") is None


@pytest.mark.parametrize("value", ["", "0.4.1.8\n", "\x7f\x03", "x" * 33, 4, None])
def test_garbage_for_a_version_is_unknown(value: Any) -> None:
    assert parse.version(value) is None


@given(st.floats(min_value=0, max_value=2**20), st.sampled_from("KMGT"))
def test_every_size_the_server_prints_is_read_back(number: float, unit: str) -> None:
    printed = f"{number:.6g}{unit}"
    expected = float(f"{number:.6g}") * 1024 ** "BKMGTP".index(unit)
    assert parse.size(printed) == (expected if expected <= 2**60 else None)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_usage_the_server_prints_is_read_back_or_unknown(percentage: float) -> None:
    printed = f"{percentage:.6g}"
    shown = float(printed)
    legal = not printed.startswith("-") and 0 <= shown <= 100
    ratio = parse.ratio(f"{printed}%")
    assert ratio == (pytest.approx(shown / 100, abs=1e-12) if legal else None)


READERS = [
    parse.size, parse.ratio, parse.hertz, parse.count, parse.block, parse.text, parse.version, parse.word,
    parse.node_id, parse.local_time, parse.medium,
]  # fmt: skip


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@given(value=anything)
def test_no_value_makes_a_reader_fail(read: Any, value: Any) -> None:
    result = read(value)
    assert result is None or isinstance(result, str | int | float)
    if isinstance(result, float):
        assert math.isfinite(result)
        assert result >= 0
    if isinstance(result, str):
        assert result.isprintable()
        assert 0 < len(result) <= 128


def test_absent_null_and_empty_fields_were_not_said_and_bad_ones_are_named() -> None:
    bad: list[str] = []
    source = {"null": None, "empty": "", "unset": "N/A", "bad": "many", "good": "3"}
    values = [parse.take(source, key, parse.count, bad, "cpu.") for key in ("absent", *source)]
    assert values == [None, None, None, None, None, 3]
    assert bad == ["cpu.bad"]
