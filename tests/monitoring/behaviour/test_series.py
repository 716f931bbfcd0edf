from __future__ import annotations

from tests.monitoring.behaviour.series import Series

TARGET = 'job="dbc",instance="exporter:10177"'


def scraped(*expositions: str) -> Series:
    series = Series({"a", "b", "c_timestamp_seconds"}, epoch=1000)
    for exposition in expositions:
        series.scrape(exposition)
    return series


def test_a_series_has_the_labels_of_its_target_and_only_metrics_asked_for_are_kept() -> None:
    series = scraped('# TYPE a gauge\na 1\nb{x="y z"} 2\nother 3\n')
    assert series.written() == {f"a{{{TARGET}}}": "1x0 stale", f'b{{{TARGET},x="y z"}}': "2x0 stale"}


def test_a_series_ends_with_the_scrape_that_misses_it_and_may_begin_again() -> None:
    written = scraped("b 0\n", "b 0\na 1\n", "b 0\na 1\n", "b 0\n", "b 0\n", "b 0\na 2\n").written()
    assert written[f"a{{{TARGET}}}"] == "_x1 1x1 stale _x1 2x0 stale"
    assert written[f"b{{{TARGET}}}"] == "0x5 stale"


def test_nothing_is_left_after_the_last_of_the_first_scrapes() -> None:
    series = scraped("a 1\n", "a 1\n", "a 1\n", "a 2\nb 1\n")
    assert series.written(2) == {f"a{{{TARGET}}}": "1x1 stale"}


def test_unix_times_begin_when_the_play_does() -> None:
    assert scraped("c_timestamp_seconds 1.03e3\n").written() == {
        f"c_timestamp_seconds{{{TARGET}}}": "30.000x0 stale"
    }
