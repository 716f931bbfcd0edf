from __future__ import annotations

import asyncio
import random

import pytest

from dbc_exporter.simulator.wire_faults import KINDS, WireFault
from tests.unit.simulator_http.http_case import BODY, Port, open_port, post


def fault(kind: str, share: float = 1.0) -> WireFault:
    return WireFault(kind, random.Random(1), share=share, delay_seconds=0.01, bytes_per_second=1e6)


async def answer_under(kind: str) -> bytes:
    """Return everything a peer gets that closes its own side after the request."""
    async with open_port() as port:
        port.server.wire.fault = fault(kind)
        return await port.until_closed(post(b"{}", "Connection: close"), end=True)


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


async def test_garbage_is_no_http() -> None:
    answer = await answer_under("garbage")
    assert len(answer) == 512
    assert not answer.startswith(b"HTTP/")


async def test_html_is_a_well_formed_page_with_status_200() -> None:
    answer = await answer_under("html")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
    assert body_of(answer).startswith(b"<html>")


async def test_huge_is_32_mib_of_json() -> None:
    body = body_of(await answer_under("huge"))
    assert len(body) == 32 * 1024 * 1024
    assert body.endswith(b'x"}\r\n')


async def test_half_promises_the_whole_body_and_ends_in_its_middle() -> None:
    answer = await answer_under("half")
    assert f"Content-Length: {len(BODY)}".encode() in answer
    assert 0 < len(body_of(answer)) < len(BODY)


async def test_truncated_json_is_well_framed() -> None:
    answer = await answer_under("truncated_json")
    assert body_of(answer) == BODY[: len(BODY) // 2]
    assert f"Content-Length: {len(BODY) // 2}\r\n".encode() in answer


async def test_empty_is_an_answer_without_a_body() -> None:
    answer = await answer_under("empty")
    assert b"Content-Length: 0\r\n" in answer
    assert body_of(answer) == b""


async def test_no_answer_closes_without_a_word() -> None:
    assert await answer_under("no_answer") == b""


async def test_reset_is_a_reset() -> None:
    with pytest.raises(ConnectionResetError):
        await answer_under("reset")


@pytest.mark.parametrize("kind", ["drip", "delay"])
async def test_drip_and_delay_bring_the_right_answer_in_the_end(kind: str) -> None:
    assert body_of(await answer_under(kind)) == BODY


async def test_a_share_hits_only_some_answers_the_same_ones_for_the_same_seed() -> None:
    first, again = ([one.hits() for _ in range(50)] for one in (fault("half", 0.3), fault("half", 0.3)))
    assert first == again
    assert 5 < sum(first) < 25


async def test_a_connection_kept_open_sees_the_trouble_end() -> None:
    async with open_port() as port:
        port.server.wire.fault = fault("truncated_json")
        reader, writer = await port.connect()
        writer.write(post())
        cut = await reader.readuntil(BODY[: len(BODY) // 2])
        port.server.wire.fault = None
        writer.write(post())
        assert BODY not in cut
        assert (await reader.readuntil(BODY)).startswith(b"HTTP/1.1 200 OK")
        writer.close()


def test_every_kind_is_specified_here() -> None:
    specified = {
        "garbage",
        "html",
        "huge",
        "half",
        "truncated_json",
        "empty",
        "no_answer",
        "reset",
        "drip",
        "delay",
    }
    assert set(KINDS) == specified


async def test_a_slow_answer_ends_with_the_client_process() -> None:
    async with open_port() as port:
        slow = WireFault("drip", random.Random(1), bytes_per_second=0.5)
        port.server.wire.fault = slow
        assert await _killed_meanwhile(port) == b"H"


async def _killed_meanwhile(port: Port) -> bytes:
    reader, writer = await port.connect()
    writer.write(post())
    first = await reader.readexactly(1)
    port.client.kill()
    rest = await reader.read()
    writer.close()
    await asyncio.sleep(0)
    return first + rest
