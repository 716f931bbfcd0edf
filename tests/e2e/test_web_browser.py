"""The list in a real browser: its script may run under its own policy, and narrows the list while one types."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dbc_exporter.web.server import WebServer
from tests.e2e.browser import CHROMIUM, Tab, browser
from tests.unit.web.desk_fakes import FakeDesk, busy
from tests.unit.web.web_fakes import FakeClock, Fleet, fleet

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (apt-get install chromium)"),
]
# Resolves with the list's text once the script has replaced the list.
CHANGE = """new Promise((done) => {
  new MutationObserver(() => done(document.getElementById("list").innerText))
    .observe(document.querySelector("main"), {childList: true});
  const field = document.querySelector("[name=%s]");
  field.value = "%s";
  field.dispatchEvent(new Event("input", {bubbles: true}));
})"""


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    async with browser(tmp_path / "profile") as page:
        yield page


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
