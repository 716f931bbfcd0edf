"""What our poll is measured against: the least that must be done with an HTTP client and a JSON decoder.

Every loop sends the same requests to the same server, keeps the same number in flight, and decodes the fields that
our collector reads into structs of text. None of them checks, converts, commits or renders anything. The
httpx client and the aiohttp session are made once, outside the measured time, as ours is.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable, Iterator, Sequence
from io import BytesIO
from typing import Any

import aiohttp
import httpx
import msgspec
from httpx_aiohttp import AiohttpTransport

PATH = "/api/v1/mining_nodes"
HEADERS = {"Content-Type": "application/json"}


class Cpu(msgspec.Struct):
    type: str
    hz: str
    cores: str
    used_usage: str
    physical_cpus: str


class Gpu(msgspec.Struct):
    gpu_count: str
    gpu_used: str


class Memory(msgspec.Struct):
    size: str
    free: str
    used_usage: str


class Disk(msgspec.Struct):
    type: str
    size: str
    path: str = ""
    free: str = ""
    used_usage: str = ""


class Image(msgspec.Struct):
    image_name: str
    image_size: str


class Config(msgspec.Struct):
    version: str
    node_type: str
    os: str
    cpu: Cpu
    gpu: Gpu
    mem: Memory
    disk_system: Disk
    disk_data: list[Disk]
    images: list[Image]


class Envelope(msgspec.Struct):
    errcode: int
    message: Config


DECODER = msgspec.json.Decoder(Envelope)
ENCODER = msgspec.json.Encoder()


def request_to(node: str) -> bytes:
    return ENCODER.encode({"peer_nodes_list": [node], "additional": {}})


async def side_by_side(nodes: Sequence[str], width: int, one: Callable[[str], Awaitable[None]]) -> None:
    """Call `one` for every node, `width` at a time."""
    rest = iter(nodes)

    async def worker(rest: Iterator[str]) -> None:
        for node in rest:
            await one(node)

    await asyncio.gather(*(worker(rest) for _ in range(width)))


def httpx_client() -> httpx.AsyncClient:
    """Build httpx over aiohttp's connector: the libraries our transport stands on, used plainly."""
    return httpx.AsyncClient(transport=AiohttpTransport(), timeout=None)  # noqa: S113 - as our own


async def one_with_httpx(client: httpx.AsyncClient, base: str, node: str) -> None:
    response = await client.post(base + PATH, content=request_to(node), headers=HEADERS)
    assert DECODER.decode(response.content).errcode == 0


async def with_httpx(client: httpx.AsyncClient, base: str, nodes: Sequence[str], width: int) -> None:
    """Poll every node with httpx."""
    await side_by_side(nodes, width, lambda node: one_with_httpx(client, base, node))


async def with_aiohttp(session: aiohttp.ClientSession, base: str, nodes: Sequence[str], width: int) -> None:
    """Poll every node with aiohttp alone."""

    async def one(node: str) -> None:
        async with session.post(base + PATH, data=request_to(node), headers=HEADERS) as response:
            assert DECODER.decode(await response.read()).errcode == 0

    await side_by_side(nodes, width, one)


def have_pycurl() -> bool:
    """Tell whether pycurl is installed; it is no dependency of ours."""
    return importlib.util.find_spec("pycurl") is not None


async def with_pycurl(base: str, nodes: Sequence[str], width: int) -> None:
    """Libcurl's multi interface, without asyncio."""
    pycurl: Any = importlib.import_module("pycurl")
    multi = pycurl.CurlMulti()
    rest = iter(nodes)
    bodies: dict[Any, BytesIO] = {}

    def start(handle: Any) -> bool:
        node = next(rest, None)
        if node is None:
            return False
        bodies[handle] = BytesIO()
        handle.setopt(pycurl.POSTFIELDS, request_to(node))
        handle.setopt(pycurl.WRITEDATA, bodies[handle])
        multi.add_handle(handle)
        return True

    def fresh() -> Any:
        handle = pycurl.Curl()
        handle.setopt(pycurl.URL, base + PATH)
        handle.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in HEADERS.items()])
        return handle

    running = sum(start(fresh()) for _ in range(width))
    while running:
        multi.perform()
        _, done, failed = multi.info_read()
        assert not failed
        for handle in done:
            assert DECODER.decode(bodies[handle].getvalue()).errcode == 0
            multi.remove_handle(handle)
            running -= not start(handle)
        if running:
            multi.select(1.0)
