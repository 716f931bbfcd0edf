"""Rate limit, negotiation, listen addresses."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dbc_exporter.web.listen import Address, ListenError, open_all, open_sockets, parse_address
from dbc_exporter.web.negotiate import accepts_gzip, prefers_json
from dbc_exporter.web.ratelimit import TokenBucket
from dbc_exporter.web.webconfig import RateLimit
from tests.unit.web.web_fakes import FakeClock


def test_a_bucket_lets_a_burst_through_and_then_one_per_interval() -> None:
    clock = FakeClock()
    bucket, limit = TokenBucket(clock), RateLimit(interval_seconds=2.0, burst=3)
    assert [bucket.allows(limit) for _ in range(5)] == [True, True, True, False, False]
    clock.now += 2.0
    assert [bucket.allows(limit) for _ in range(2)] == [True, False]


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    clock = FakeClock()
    bucket, limit = TokenBucket(clock), RateLimit(interval_seconds=1.0, burst=2)
    bucket.allows(limit)
    clock.now += 3600
    assert [bucket.allows(limit) for _ in range(3)] == [True, True, False]


def test_without_a_limit_everything_passes_and_a_new_limit_starts_full() -> None:
    bucket, limit = TokenBucket(FakeClock()), RateLimit(interval_seconds=1.0, burst=1)
    assert all(bucket.allows(None) for _ in range(100))
    assert [bucket.allows(limit), bucket.allows(limit)] == [True, False]
    assert bucket.allows(RateLimit(interval_seconds=1.0, burst=5))


@pytest.mark.parametrize(
    ("header", "welcome"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*", True),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
        ("identity", False),
        ("gzip;q=nonsense", False),
        ("gzip;q=nan", False),
    ],
)
def test_gzip_is_used_only_where_it_is_welcome(header: str | None, welcome: bool) -> None:
    assert accepts_gzip(header) is welcome


@pytest.mark.parametrize(
    ("header", "json"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", True),
        ("application/*", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("text/html;q=0.5, application/json", True),
        ("text/html, application/json;q=0.5", False),
        ("application/json;q=0", False),
        ("application/json, */*;q=0.1", True),
    ],
)
def test_json_is_sent_only_to_whoever_prefers_it(header: str | None, json: bool) -> None:
    assert prefers_json(header) is json


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (":10177", ("", 10177)),
        ("localhost:0", ("localhost", 0)),
        ("0.0.0.0:9", ("0.0.0.0", 9)),  # noqa: S104 -- parsed, not bound
        ("[::1]:10177", ("::1", 10177)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
    ],
)
def test_listen_addresses_are_read_as_prometheus_writes_them(text: str, parts: tuple[str, int]) -> None:
    assert parse_address(text) == parts


@pytest.mark.parametrize(
    "text", ["", "10177", "localhost", "::1:80", "[::1]", "host:http", "host:70000", "host:-1", "[]:1"]
)
def test_an_address_that_cannot_be_read_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(ListenError, match="listen address"):
        parse_address(text)


def test_an_address_is_shown_as_it_is_written() -> None:
    assert str(Address("127.0.0.1", 80)) == "127.0.0.1:80"
    assert str(Address("::1", 80)) == "[::1]:80"


async def test_a_port_in_use_is_refused_and_nothing_stays_open() -> None:
    (taken,) = await open_sockets("127.0.0.1:0")
    taken.listen()
    with taken, pytest.raises(ListenError, match=r"127\.0\.0\.1:\d+.*in use"):
        await open_sockets(f"127.0.0.1:{taken.getsockname()[1]}")


async def test_when_one_address_cannot_be_bound_none_is(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with pytest.raises(ListenError, match=r"192\.0\.2\.1"):
        await open_all([f"unix://{path}", "192.0.2.1:0"])
    assert not path.exists()


async def test_a_unix_socket_is_for_its_user_and_group(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    (listener,) = await open_all([f"unix://{path}"])
    with listener:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


async def test_a_unix_socket_left_behind_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    (dead,) = await open_all([f"unix://{path}"])
    dead.close()
    (living,) = await open_all([f"unix://{path}"])
    living.listen()
    with living, pytest.raises(ListenError, match=r"http\.sock: somebody listens there"):
        await open_all([f"unix://{path}"])


@pytest.mark.parametrize(
    ("name", "said"),
    [("file", "no socket"), ("none/x", "No such file or directory"), ("x" * 200, "path too long")],
)
async def test_a_path_that_cannot_be_a_socket_is_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ListenError, match=said):
        await open_all([f"unix://{tmp_path}/{name}"])
    assert (tmp_path / "file").read_text() == "kept"


async def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ListenError, match=r"listen address '192\.0\.2\.1:0'"):
        await open_sockets("192.0.2.1:0")
