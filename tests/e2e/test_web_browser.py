"""The list in a real browser: its script may run under its own policy, and narrows the list while one types."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dbc_exporter.web.server import WebServer
from tests.unit.web.desk_fakes import FakeDesk, busy
from tests.unit.web.web_fakes import FakeClock, Fleet, fleet

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (apt-get install chromium)"),
]
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
]
# Resolves with the list's text once the script has replaced the list.
CHANGE = """new Promise((done) => {
  new MutationObserver(() => done(document.getElementById("list").innerText))
    .observe(document.querySelector("main"), {childList: true});
  const field = document.querySelector("[name=%s]");
  field.value = "%s";
  field.dispatchEvent(new Event("input", {bubbles: true}));
})"""


class Tab:
    """One page of the browser, driven over its debugging protocol. `complaints` are its console's errors."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(60):
            while True:
                message = await self._socket.receive_json()
                if message.get("method") == "Log.entryAdded":
                    self.complaints.append(message["params"]["entry"]["text"])
                if message.get("id") == number:
                    result: dict[str, Any] = message["result"]
                    return result

    async def evaluate(self, script: str) -> Any:
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer
        return answer["result"].get("value")

    async def open(self, url: str) -> None:
        await self.call("Page.enable")
        await self.call("Log.enable")
        await self.call("Page.navigate", url=url)
        await self.evaluate(
            'document.readyState === "complete" || new Promise((done) => addEventListener("load", done))'
        )


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *QUIET,
        f"--user-data-dir={tmp_path / 'profile'}",
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while not (line := (await process.stderr.readline()).decode()).startswith("DevTools listening on "):
            assert line, "the browser ended before it listened"
    port = line.split("/")[2].rpartition(":")[2]
    draining = asyncio.create_task(process.stderr.read())
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json") as response:
            pages = [page for page in await response.json() if page["type"] == "page"]
        async with session.ws_connect(pages[0]["webSocketDebuggerUrl"]) as socket:
            yield Tab(socket)
    process.kill()
    await process.wait()
    await draining


@pytest.fixture
async def base() -> AsyncIterator[str]:
    desk = FakeDesk(shown=busy())
    server = WebServer(Fleet(targets=fleet(2000), desk=desk).sources(), FakeClock())
    (address,) = await server.start("127.0.0.1:0")
    yield f"http://{address}"
    await server.stop()


async def test_typing_and_choosing_narrow_the_whole_list_and_the_address_follows(tab: Tab, base: str) -> None:
    await tab.open(f"{base}/targets?sort=name")
    assert "1 to 100 of" in await tab.evaluate('document.getElementById("list").innerText')
    shown = await tab.evaluate(CHANGE % ("q", "gpu-1993"))
    assert "gpu-1993" in shown
    assert "1 target of" in shown.replace("\n", " ")
    assert await tab.evaluate("location.search") == "?q=gpu-1993&sort=name"
    await tab.evaluate(CHANGE % ("q", ""))
    shown = await tab.evaluate(CHANGE % ("condition", "down"))
    assert "200 targets of" in shown.replace("\n", " ").replace("1 to 100 of ", "")
    assert tab.complaints == []


async def test_no_page_breaks_its_own_policy(tab: Tab, base: str) -> None:
    for path in ("/", "/targets", f"/targets/{fleet(1)[0].id}", "/remediation"):
        await tab.open(base + path)
        background = await tab.evaluate('getComputedStyle(document.querySelector("header")).backgroundColor')
        assert background == "rgb(255, 255, 255)"  # the style sheet is in force
    assert tab.complaints == []


async def test_remediation_reads_well_from_the_overview_on(tab: Tab, base: str) -> None:
    await tab.open(base + "/")
    await tab.open(
        await tab.evaluate('[...document.links].find((a) => a.textContent === "Remediation").href')
    )
    shown = await tab.evaluate('document.querySelector("main").innerText')
    for words in (
        "not armed",
        "the kill switch is thrown",
        "dbc-exporter remediation approve p1",
        "moving racks",
    ):
        assert words in shown
    current = await tab.evaluate('document.querySelector("nav [aria-current]").textContent')
    assert current == "Remediation"
    assert await tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.complaints == []
