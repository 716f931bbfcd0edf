"""Remediation's endpoints over a real socket: who may ask, who may change, who may deliver alerts."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import bcrypt
import pytest

from dbc_exporter.web.remediation_types import BadDeliveryError, RefusedError, UnusableError
from dbc_exporter.web.server import WebServer
from tests.unit.web.desk_fakes import SERVER, VM, FakeDesk, busy
from tests.unit.web.web_fakes import FakeClock, Fleet, node_id

USERS = "basic_auth_users: {anna: " + bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode() + "}\n"
API = "/api/v1/remediation"
HOOK = "/api/v1/alertmanager"
CHANGES: dict[str, dict[str, Any]] = {
    "approve": {"id": "p1"},
    "reject": {"id": "p1"},
    "pause": {"seconds": 60, "reason": "moving racks"},
    "resume": {},
    "clear": {"breaker": True},
}
ANNA = "Basic " + base64.b64encode(b"anna:right").decode()
TOKEN = "Bearer t0ken"


class Site:
    """A running server with remediation; `users` decides whether its pages ask who somebody is."""

    def __init__(self, folder: Path, *, users: bool) -> None:
        self.desk = FakeDesk()
        self.shown = Fleet(desk=self.desk)
        file = folder / "web.yml"
        file.write_text(USERS if users else "")
        self.server = WebServer(self.shown.sources(), FakeClock(), config_file=file)

    async def open(self) -> None:
        (self.address,) = await self.server.start("127.0.0.1:0")
        self.session = aiohttp.ClientSession(f"http://{self.address}")

    async def close(self) -> None:
        await self.session.close()
        await self.server.stop()

    async def ask(
        self, path: str, method: str = "GET", body: Any = None, login: str | None = None, **headers: str
    ) -> tuple[int, str]:
        if login:
            headers["Authorization"] = login
        encoded = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        data = None if encoded is None else io.BytesIO(encoded)
        async with self.session.request(method, path, data=data, headers=headers) as response:
            self.headers = response.headers
            return response.status, await response.text()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """Everybody must say who they are."""
    running = Site(tmp_path, users=True)
    await running.open()
    yield running
    await running.close()


@pytest.fixture
async def open_site(tmp_path: Path) -> AsyncIterator[Site]:
    """Nobody must say who they are."""
    running = Site(tmp_path, users=False)
    await running.open()
    yield running
    await running.close()


# -- the page and what is read


async def test_the_page_and_its_json_show_the_same_day(open_site: Site) -> None:
    open_site.desk.shown = busy()
    status, page = await open_site.ask("/remediation")
    assert status == 200
    assert "moving racks" in page
    status, body = await open_site.ask("/remediation?format=json")
    answer = json.loads(body)
    assert (status, answer["armed"], answer["pauses"][0]["reason"]) == (200, False, "moving racks")
    assert answer == json.loads((await open_site.ask(f"{API}/status"))[1])


async def test_times_in_json_are_named_as_unix_seconds_and_what_is_unknown_is_null(open_site: Site) -> None:
    open_site.desk.shown = busy()
    answer = json.loads((await open_site.ask(f"{API}/status"))[1])
    assert answer["generated_timestamp_seconds"] == busy().generated
    assert answer["incidents"][1]["since_timestamp_seconds"] is None


async def test_every_page_leads_to_remediation_only_while_it_is_configured(open_site: Site) -> None:
    link = 'href="./remediation"'
    for path in ("/", "/targets", "/remediation"):
        assert link in (await open_site.ask(path))[1]
    open_site.shown.desk = None
    for path in ("/", "/targets", "/remediation"):
        assert link not in (await open_site.ask(path))[1]


async def test_while_it_is_not_configured_the_page_says_so_and_no_endpoint_exists(site: Site) -> None:
    site.shown.desk = None
    status, page = await site.ask("/remediation", login=ANNA)
    assert (status, "Remediation is off" in page) == (200, True)
    assert (await site.ask("/remediation?format=json", login=ANNA))[0] == 404
    for path in (f"{API}/status", f"{API}/explain?target={VM}"):
        assert (await site.ask(path, login=ANNA))[0] == 404
    for path in (*(f"{API}/{word}" for word in CHANGES), HOOK):
        assert (await site.ask(path, "POST", {}, login=ANNA))[0] == 404


async def test_an_explanation_is_asked_for_a_target_and_a_time(open_site: Site) -> None:
    status, body = await open_site.ask(f"{API}/explain?target={VM}&at=2026-09-21T14:13:20Z")
    assert (status, json.loads(body)["text"]) == (200, f"{VM} is well")
    await open_site.ask(f"{API}/explain?target={SERVER}")
    assert open_site.desk.said == [("explain", VM, 1_790_000_000.0), ("explain", SERVER, None)]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "target:"),
        ("?target=gpu-1", "target:"),
        (f"?target={SERVER.upper()}x", "target:"),
        (f"?target={VM}/more", "target:"),
        (f"?target={VM}&at=yesterday", "at:"),
    ],
)
async def test_a_question_that_cannot_be_understood_is_a_400_that_says_why(
    open_site: Site, query: str, named: str
) -> None:
    status, said = await open_site.ask(f"{API}/explain{query}")
    assert (status, said.startswith(named)) == (400, True)
    assert open_site.desk.said == []


async def test_what_is_read_is_not_changed(open_site: Site) -> None:
    for path in (f"{API}/status", f"{API}/explain"):
        assert (await open_site.ask(path, "POST", {}))[0] == 405


async def test_without_a_journal_an_explanation_is_a_503(open_site: Site) -> None:
    open_site.desk.error = UnusableError("the disk is full")
    assert await open_site.ask(f"{API}/explain?target={VM}") == (503, "the disk is full\n")


# -- what changes something


@pytest.mark.parametrize("word", CHANGES)
async def test_without_authentication_nothing_that_changes_something_exists(
    open_site: Site, word: str
) -> None:
    for method in ("GET", "POST"):
        assert (await open_site.ask(f"{API}/{word}", method, CHANGES[word]))[0] == 404
    assert open_site.desk.said == []


@pytest.mark.parametrize("word", CHANGES)
async def test_changes_are_made_by_users_by_post_and_from_our_own_origin(site: Site, word: str) -> None:
    path, body = f"{API}/{word}", CHANGES[word]
    assert (await site.ask(path, "POST", body))[0] == 401
    assert (await site.ask(path, login=ANNA))[0] == 405
    assert site.headers["Allow"] == "POST"
    assert (await site.ask(path, "POST", body, ANNA, Origin="http://elsewhere.example"))[0] == 403
    assert site.desk.said == []
    assert (await site.ask(path, "POST", body, ANNA, Origin=f"http://{site.address}"))[0] == 200
    assert (await site.ask(path, "POST", body, ANNA))[0] == 200
    assert len(site.desk.said) == 2


async def test_every_change_names_the_user_who_made_it(site: Site) -> None:
    for word, body in CHANGES.items():
        assert (await site.ask(f"{API}/{word}", "POST", body, ANNA))[0] == 200
    assert site.desk.said == [
        ("answer", "p1", True, "anna"),
        ("answer", "p1", False, "anna"),
        ("pause", "", 60.0, "moving racks", "anna"),
        ("resume", None, "anna"),
        ("clear_breaker", "anna"),
    ]


async def test_a_node_can_be_paused_a_pause_ended_and_a_target_cleared_by_its_id(site: Site) -> None:
    node = node_id(1)
    pause = {"seconds": 7200, "reason": "fans", "node_id": node}
    status, body = await site.ask(f"{API}/pause", "POST", pause, ANNA)
    assert (status, json.loads(body)["actor"]) == (200, "anna")
    assert json.loads((await site.ask(f"{API}/resume", "POST", {"id": "z9"}, ANNA))[1]) == {"resumed": ["z9"]}
    assert json.loads((await site.ask(f"{API}/clear", "POST", {"target": VM}, ANNA))[1]) == {"cleared": VM}
    assert site.desk.said == [
        ("pause", node, 7200.0, "fans", "anna"),
        ("resume", "z9", "anna"),
        ("clear", VM, "anna"),
    ]


@pytest.mark.parametrize(
    ("word", "body"),
    [
        ("approve", b""),
        ("approve", b"{"),
        ("approve", b"\xff"),
        ("approve", {}),
        ("approve", {"id": 7}),
        ("approve", {"id": "p1", "actor": "somebody else"}),
        ("approve", {"id": "../p1"}),
        ("reject", ["p1"]),
        ("pause", {"reason": "no end"}),
        ("pause", {"seconds": 0, "reason": "x"}),
        ("pause", {"seconds": -5, "reason": "x"}),
        ("pause", {"seconds": 60, "reason": ""}),
        ("pause", {"seconds": 60, "reason": "x", "node_id": "gpu-1"}),
        ("resume", {"ids": ["z1"]}),
        ("clear", {}),
        ("clear", {"target": VM, "breaker": True}),
        ("clear", {"target": "all"}),
    ],
)
async def test_a_body_that_is_not_exactly_right_changes_nothing(site: Site, word: str, body: Any) -> None:
    status, said = await site.ask(f"{API}/{word}", "POST", body, ANNA)
    assert status == 400
    assert said.strip()
    assert site.desk.said == []


async def test_a_body_too_long_changes_nothing(site: Site) -> None:
    body = {"seconds": 60, "reason": "x" * 20_000}
    assert (await site.ask(f"{API}/pause", "POST", body, ANNA))[0] == 413
    assert site.desk.said == []


@pytest.mark.parametrize(
    ("error", "status"), [(RefusedError("it expired"), 409), (UnusableError("full"), 503)]
)
async def test_what_is_refused_or_cannot_be_written_down_says_why(
    site: Site, error: Exception, status: int
) -> None:
    site.desk.error = error
    for word, body in CHANGES.items():
        assert await site.ask(f"{API}/{word}", "POST", body, ANNA) == (status, f"{error}\n")


# -- the webhook


async def test_the_webhook_does_not_exist_while_nobody_must_say_who_they_are(open_site: Site) -> None:
    for method in ("GET", "POST"):
        assert (await open_site.ask(HOOK, method, b"{}"))[0] == 404
        assert (await open_site.ask(HOOK, method, b"{}", login=TOKEN))[0] == 404
    assert open_site.desk.said == []


async def test_users_deliver_alerts_and_are_answered_once_they_are_stored(site: Site) -> None:
    assert (await site.ask(HOOK, "POST", b"{}"))[0] == 401
    assert await site.ask(HOOK, "POST", b'{"version": "4"}', ANNA) == (202, "stored\n")
    assert site.desk.said == [("take", b'{"version": "4"}')]


async def test_the_token_delivers_alerts_also_where_pages_need_no_login(open_site: Site) -> None:
    open_site.desk.token = "t0ken"
    assert (await open_site.ask(HOOK, "POST", b"{}"))[0] == 401
    assert open_site.headers["WWW-Authenticate"] == "Bearer"
    for wrong in ("Bearer t0kem", "Bearer ", "Bearer t0ken2", "bearer T0KEN", "Basic t0ken", ANNA):
        assert (await open_site.ask(HOOK, "POST", b"{}", wrong))[0] == 401
    assert open_site.desk.said == []
    assert (await open_site.ask(HOOK, "POST", b"{}", TOKEN))[0] == 202


async def test_beside_users_either_the_token_or_a_user_delivers(site: Site) -> None:
    site.desk.token = "t0ken"
    assert (await site.ask(HOOK, "POST", b"{}", TOKEN))[0] == 202
    assert (await site.ask(HOOK, "POST", b"{}", ANNA))[0] == 202
    assert (await site.ask(HOOK, "POST", b"{}", "Bearer wrong"))[0] == 401
    assert (await site.ask(HOOK, "POST", b"{}"))[0] == 401


async def test_the_token_gives_nothing_but_the_webhook(site: Site) -> None:
    site.desk.token = "t0ken"
    for path in ("/", "/metrics", "/targets", "/remediation", f"{API}/status", "/-/healthy", "/nothing"):
        assert (await site.ask(path, login=TOKEN))[0] == 401
    for path in (*(f"{API}/{word}" for word in CHANGES), "/-/reload"):
        assert (await site.ask(path, "POST", {}, TOKEN))[0] == 401
    assert site.desk.said == []


async def test_the_token_lets_nobody_change_anything_where_pages_need_no_login(open_site: Site) -> None:
    open_site.desk.token = "t0ken"
    for word, body in CHANGES.items():
        assert (await open_site.ask(f"{API}/{word}", "POST", body, TOKEN))[0] == 404
    assert open_site.desk.said == []


async def test_without_a_configured_token_no_token_fits(site: Site) -> None:
    for token in (None, ""):
        site.desk.token = token
        for given in ("Bearer ", "Bearer None", "Bearer"):
            assert (await site.ask(HOOK, "POST", b"{}", given))[0] == 401


async def test_a_token_that_is_no_plain_text_is_just_wrong(site: Site) -> None:
    site.desk.token = "t0ken"
    assert await _raw(site, b"Authorization: Bearer \xff\xfe\r\n") == 401


async def test_the_webhook_takes_posts_from_no_other_origin(site: Site) -> None:
    assert (await site.ask(HOOK, login=ANNA))[0] == 405
    assert site.headers["Allow"] == "POST"
    assert (await site.ask(HOOK, "POST", b"{}", ANNA, Origin="http://elsewhere.example"))[0] == 403
    assert site.desk.said == []


async def test_a_delivery_of_a_mebibyte_is_taken_and_a_longer_one_is_not(site: Site) -> None:
    assert (await site.ask(HOOK, "POST", b" " * 1024 * 1024, ANNA))[0] == 202
    assert (await site.ask(HOOK, "POST", b" " * (1024 * 1024 + 1), ANNA))[0] == 413
    assert [said[0] for said in site.desk.said] == ["take", "too_large"]


async def test_a_delivery_too_long_is_to_be_repeated_where_not_even_that_could_be_stored(site: Site) -> None:
    site.desk.error = UnusableError("the disk is full")
    assert (await site.ask(HOOK, "POST", b" " * (1024 * 1024 + 1), ANNA))[0] == 503
    assert site.headers["Retry-After"] == "10"


async def test_a_delivery_too_long_from_somebody_unknown_leaves_no_trace(site: Site) -> None:
    long = b" " * (1024 * 1024 + 1)
    for token in (None, "t0ken"):
        site.desk.token = token
        assert (await site.ask(HOOK, "POST", long))[0] == 401
        assert (await site.ask(HOOK, "POST", long, "Bearer wrong"))[0] == 401
    assert (await site.ask(HOOK, "POST", long, ANNA, Origin="http://elsewhere.example"))[0] == 403
    assert site.desk.said == []


async def test_a_delivery_too_long_leaves_no_trace_while_nobody_must_say_who_they_are(
    open_site: Site,
) -> None:
    long = b" " * (1024 * 1024 + 1)
    assert (await open_site.ask(HOOK, "POST", long))[0] == 404
    open_site.desk.token = "t0ken"
    assert (await open_site.ask(HOOK, "POST", long))[0] == 401
    assert open_site.desk.said == []
    assert (await open_site.ask(HOOK, "POST", long, TOKEN))[0] == 413
    assert open_site.desk.said == [("too_large",)]


async def test_a_long_delivery_of_unstated_length_is_cut_off(site: Site) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b" " * 256 * 1024

    async with site.session.post(HOOK, data=pieces(), headers={"Authorization": ANNA}) as response:
        assert response.status == 413
    assert site.desk.said == [("too_large",)]


async def test_a_bad_delivery_is_final_and_one_that_could_not_be_stored_is_to_be_repeated(site: Site) -> None:
    site.desk.error = BadDeliveryError("alerts[0].status: neither firing nor resolved")
    assert await site.ask(HOOK, "POST", b"{}", ANNA) == (
        400,
        "alerts[0].status: neither firing nor resolved\n",
    )
    assert "Retry-After" not in site.headers
    site.desk.error = UnusableError("the disk is full")
    assert await site.ask(HOOK, "POST", b"{}", ANNA) == (503, "not stored: the disk is full\n")
    assert site.headers["Retry-After"] == "10"


async def test_every_answer_of_the_webhook_is_counted_whoever_gave_it(site: Site) -> None:
    await site.ask(HOOK, "POST", b"{}", ANNA)
    await site.ask(HOOK, "POST", b"{}")
    await site.ask(HOOK, login=ANNA)
    site.desk.error = BadDeliveryError("no")
    await site.ask(HOOK, "POST", b"{}", ANNA)
    site.desk.error = RuntimeError("secret-in-an-exception")
    status, said = await site.ask(HOOK, "POST", b"{}", ANNA)
    assert (status, "secret" in said) == (500, False)
    await site.ask("/metrics", login=ANNA)
    assert site.desk.codes == [202, 401, 405, 400, 500]


async def _raw(site: Site, header: bytes) -> int:
    reader, writer = await asyncio.open_connection(site.address.host, site.address.port)
    writer.write(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n" % HOOK.encode())
    writer.write(header + b"\r\n{}")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ", 2)[1])
