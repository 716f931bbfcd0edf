"""A real browser without a window, driven over its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium")
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

    async def picture(self, width: int, most: int, *, dark: bool) -> bytes:
        """Return the page as PNG, cut off at the height `most`."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Emulation.setScrollbarsHidden", hidden=True)
        size = {"width": width, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size, height=1)
        height = min(most, await self.evaluate("document.documentElement.scrollHeight"))
        await self.call("Emulation.setDeviceMetricsOverride", **size, height=height)
        shot = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Tab]:
    """Run the browser with a profile of its own and give its page."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *QUIET,
        f"--user-data-dir={profile}",
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
