"""Users, rate limit, headers, reload and draining, with a web configuration file over plain HTTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import aiohttp
import bcrypt
import pytest

from dbc_exporter.web.server import WebServer
from dbc_exporter.web.types import ReloadError
from dbc_exporter.web.webconfig import WebConfigError
from tests.unit.web.web_fakes import FakeClock, Fleet

USERS = "basic_auth_users: {%s: " + bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode() + "}\n"
PATHS = ("/", "/metrics", "/targets", "/-/healthy", "/-/ready", "/nothing")


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Site:
    """A running server with a web configuration that can be rewritten."""

    def __init__(
        self, folder: Path, text: str, drain_seconds: float = 10.0, external_url: str | None = None
    ) -> None:
        self.file = folder / "web.yml"
        self.file.write_text(text)
        self.clock = FakeClock()
        self.shown = Fleet()
        self.server = WebServer(
            self.shown.sources(),
            self.clock,
            config_file=self.file,
            drain_seconds=drain_seconds,
            external_url=external_url,
        )

    async def __aenter__(self) -> Self:
        (self.address,) = await self.server.start("127.0.0.1:0")
        self.session = aiohttp.ClientSession(f"http://{self.address}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        await self.server.stop()

    async def status(
        self, path: str, login: tuple[str, str] | None = None, method: str = "GET", **headers: str
    ) -> int:
        if login:
            headers |= basic(*login)
        async with self.session.request(method, path, headers=headers) as response:
            await response.read()
            return response.status


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Site(tmp_path, USERS % "anna") as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_is_shown_to_strangers_not_even_what_exists(site: Site, path: str) -> None:
    for login in (None, ("anna", "wrong"), ("nobody", "right")):
        assert await site.status(path, login) == 401
    assert await site.status(path, ("anna", "right")) == (404 if path == "/nothing" else 200)


async def test_a_refusal_asks_for_basic_authentication_and_runs_nothing(site: Site) -> None:
    async with site.session.get("/metrics") as response:
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert site.shown.asked == []


async def test_users_are_read_again_when_the_file_changes(site: Site) -> None:
    site.file.write_text(USERS % "bert")
    assert await site.status("/metrics", ("anna", "right")) == 401
    assert await site.status("/metrics", ("bert", "right")) == 200


async def test_a_bad_new_file_leaves_the_old_users_in_force(site: Site) -> None:
    for bad in ("", "basic_auth_users: {anna: right}", "nonsense: ["):
        site.file.write_text(bad)
        assert await site.status("/metrics") == 401
        assert await site.status("/metrics", ("anna", "right")) == 200


async def test_reload_runs_for_users_and_only_by_post(site: Site) -> None:
    anna = ("anna", "right")
    assert await site.status("/-/reload", method="POST") == 401
    assert await site.status("/-/reload", anna) == 405
    assert await site.status("/-/reload", anna, "POST", Origin="http://elsewhere.example") == 403
    assert site.shown.reloads == 0
    assert await site.status("/-/reload", anna, "POST") == 200
    assert await site.status("/-/reload", anna, "POST", Origin=f"http://{site.address}") == 200
    assert site.shown.reloads == 2


@pytest.mark.parametrize(
    ("external", "origin", "status"),
    [
        ("https://dbc.example/dbc", "https://dbc.example", 200),
        ("https://dbc.example:443/dbc", "https://dbc.example", 200),
        ("https://DBC.example:8443", "https://dbc.example:8443", 200),
        ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080", 200),
        ("https://dbc.example/dbc", "http://dbc.example", 403),
        ("https://dbc.example/dbc", "https://dbc.example:8443", 403),
        ("https://dbc.example/dbc", "https://dbc.example.evil", 403),
        ("https://dbc.example/dbc", "null", 403),
        (None, "https://dbc.example", 403),
    ],
)
async def test_the_external_urls_origin_is_our_own(
    tmp_path: Path, external: str | None, origin: str, status: int
) -> None:
    async with Site(tmp_path, USERS % "anna", external_url=external) as site:
        assert await site.status("/-/reload", ("anna", "right"), "POST", Origin=origin) == status


async def test_a_refused_reload_says_why(site: Site) -> None:
    async def refuse() -> None:
        raise ReloadError("targets.static[0].id: not 64 hex characters")

    site.shown.on_reload = refuse
    async with site.session.post("/-/reload", headers=basic("anna", "right")) as response:
        assert response.status == 500
        assert "targets.static[0].id: not 64 hex characters" in await response.text()


async def test_reloads_run_one_after_the_other(site: Site) -> None:
    running = 0
    most = 0

    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    site.shown.on_reload = count
    anna = ("anna", "right")
    assert await asyncio.gather(*(site.status("/-/reload", anna, "POST") for _ in range(4))) == [200] * 4
    assert most == 1


async def test_an_answer_under_way_is_finished_while_new_connections_are_refused(site: Site) -> None:
    started, gate = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        await gate.wait()

    site.shown.on_reload = wait
    under_way = asyncio.create_task(site.status("/-/reload", ("anna", "right"), "POST"))
    await started.wait()
    stopping = asyncio.create_task(site.server.stop())
    await asyncio.sleep(0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(site.address.host, site.address.port)
    gate.set()
    assert await under_way == 200
    await stopping


async def test_an_answer_that_never_ends_is_cut_off_at_the_limit(tmp_path: Path) -> None:
    started = asyncio.Event()

    async def hang() -> None:
        started.set()
        await asyncio.Event().wait()

    async with Site(tmp_path, USERS % "anna", drain_seconds=0.02) as site:
        site.shown.on_reload = hang
        under_way = asyncio.create_task(site.status("/-/reload", ("anna", "right"), "POST"))
        await started.wait()
        await site.server.stop()
        with pytest.raises(aiohttp.ClientError):
            await under_way


async def test_headers_of_the_configuration_are_on_every_answer(tmp_path: Path) -> None:
    text = (
        "http_server_config: {headers: {X-Frame-Options: sameorigin, Strict-Transport-Security: max-age=60}}"
    )
    async with Site(tmp_path, text) as site:
        for path in PATHS:
            async with site.session.get(path) as response:
                assert response.headers["X-Frame-Options"] == "sameorigin"
                assert response.headers["Strict-Transport-Security"] == "max-age=60"


async def test_requests_over_the_rate_are_refused_until_time_has_passed(tmp_path: Path) -> None:
    async with Site(tmp_path, "rate_limit: {interval: 1s, burst: 2}") as site:
        assert [await site.status("/metrics") for _ in range(3)] == [200, 200, 429]
        site.clock.now += 1
        assert [await site.status("/metrics") for _ in range(2)] == [200, 429]


def test_a_bad_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match="http2"):
        Site(tmp_path, "http_server_config: {http2: true}")
