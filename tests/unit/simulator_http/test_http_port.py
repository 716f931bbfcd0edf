from __future__ import annotations

import asyncio

import pytest

from dbc_exporter.simulator.protocol import Request
from tests.unit.simulator_http.http_case import BODY, Port, open_port, post

CLOSE = "Connection: close"


def names(answer: bytes) -> list[str]:
    """Return an answer's header names in order."""
    head = answer.partition(b"\r\n\r\n")[0].decode()
    return [line.partition(":")[0] for line in head.split("\r\n")[1:]]


async def answers(port: Port, sent: bytes, count: int) -> list[bytes]:
    """Return so many answers with BODY from one connection that stays open."""
    reader, writer = await port.connect()
    writer.write(sent)
    found = [await reader.readuntil(BODY) for _ in range(count)]
    writer.close()
    return found


async def test_an_answer_carries_exactly_the_four_headers_of_the_real_server() -> None:
    async with open_port() as port:
        [answer] = await answers(port, post(), 1)
    assert names(answer) == ["Access-Control-Allow-Origin", "Content-Type", "Date", "Content-Length"]
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\n")
    assert f"Content-Length: {len(BODY)}\r\n".encode() in answer


async def test_requests_reach_the_client_with_their_target_undecoded() -> None:
    async with open_port() as port:
        await answers(port, post(b'{"a":1}', target="//x%20y?z=%41"), 1)
        assert port.client.asked == [Request("POST", "//x%20y?z=%41", "1.1", b'{"a":1}')]


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with open_port() as port:
        await answers(port, post(b"1") + post(b"2") + post(b"3"), 3)
        assert [request.body for request in port.client.asked] == [b"1", b"2", b"3"]


async def test_http_1_0_gets_neither_date_nor_length_and_the_end_of_the_connection() -> None:
    async with open_port() as port:
        answer = await port.until_closed(post(version="1.0"))
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert names(answer) == ["Access-Control-Allow-Origin", "Content-Type"]


async def test_http_1_0_can_ask_to_keep_the_connection() -> None:
    async with open_port() as port:
        [answer, _] = await answers(port, post(b"", "Connection: keep-alive", version="1.0") * 2, 2)
    assert "Content-Length" in names(answer)
    assert b"Connection: keep-alive\r\n" in answer


async def test_connection_close_is_honoured() -> None:
    async with open_port() as port:
        answer = await port.until_closed(post(b"{}", CLOSE))
    assert names(answer)[-1] == "Connection"


async def test_chunked_bodies_are_put_together() -> None:
    sent = (
        b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n"
    )
    async with open_port() as port:
        await answers(port, sent + post(b"next"), 2)
        assert [request.body for request in port.client.asked] == [b"abcdefg", b"next"]


async def test_continue_is_sent_only_to_a_peer_that_waits_for_it() -> None:
    async with open_port() as port:
        reader, writer = await port.connect()
        head, body = post(b"{}", "Expect: 100-continue").split(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readuntil(BODY)).startswith(b"HTTP/1.1 200 OK")
        writer.close()
        [at_once] = await answers(port, post(b"{}", "Expect: 100-continue"), 1)
    assert at_once.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b" garbage\r\n\r\n", b"400 Bad Request"),
        (b"GET /x\r\n\r\n", b"400 Bad Request"),
        (b"GET /x HTTP/2.0\r\n\r\n", b"400 Bad Request"),
        (b"GET /x HTTP/1.1\r\nno colon\r\n\r\n", b"400 Bad Request"),
        (post(b"", "X-Big: " + "a" * 9000), b"400 Bad Request"),
        (b"GET /" + b"a" * 9000, b"400 Bad Request"),
        (b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400 Bad Request"),
        (b"POST /x HTTP/1.1\r\nContent-Length: 33554433\r\n\r\n", b"413 Request Entity Too Large"),
        (
            b"POST /x HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
            b"413 Request Entity Too Large",
        ),
        (b"GET /x HTTP/1." + b"1" * 5000 + b"\r\n\r\n", b"400 Bad Request"),
        (b"OPTIONS /x HTTP/1.1\r\nOrigin: http://x\r\n\r\n", b"501 Not Implemented"),
        (b"PATCH /x HTTP/1.1\r\n\r\n", b"501 Not Implemented"),
        (post(b"{}", "Expect: the best"), b"417 Expectation Failed"),
    ],
)
async def test_what_the_http_library_refuses_gets_an_html_page_and_the_end(
    sent: bytes, status: bytes
) -> None:
    async with open_port() as port:
        answer = await port.until_closed(sent)
        assert port.client.asked == []
    assert answer.startswith(b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html\r\nConnection: close\r\n")
    assert b"<TITLE>" + status + b"</TITLE>" in answer


async def test_a_body_of_exactly_32_mib_is_taken() -> None:
    async with open_port() as port:
        await answers(port, post(b"x" * 33_554_432), 1)
        assert len(port.client.asked[0].body) == 33_554_432


async def test_head_gets_a_body_without_a_length_and_stalls_until_the_idle_close() -> None:
    async with open_port(idle_seconds=0.05) as port:
        answer = await port.until_closed(b"HEAD /api/v1/ HTTP/1.1\r\n\r\n")
    assert answer.endswith(BODY)
    assert "Content-Length" not in names(answer)


@pytest.mark.parametrize("sent", [b"", b"POST /x HTT", b"POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"])
async def test_an_idle_or_half_sent_request_ends_with_the_idle_time(sent: bytes) -> None:
    async with open_port(idle_seconds=0.05) as port:
        assert await port.until_closed(sent) == b""


async def test_a_request_in_hand_outlives_the_idle_time() -> None:
    async with open_port(idle_seconds=0.05) as port:
        port.client.hold.clear()
        asyncio.get_running_loop().call_later(0.2, port.client.hold.set)
        [answer] = await answers(port, post(), 1)
    assert answer.endswith(BODY)


async def test_a_body_without_a_length_ends_with_the_stream() -> None:
    async with open_port() as port:
        answer = await port.until_closed(b"POST /x HTTP/1.1\r\n\r\nabc", end=True)
        assert port.client.asked[0].body == b"abc"
    assert answer.endswith(BODY)


async def test_a_dying_client_closes_without_an_answer() -> None:
    async with open_port() as port:
        assert await port.until_closed(post(target="/crash")) == b""


async def test_a_killed_client_refuses_connections_and_listens_again_on_its_port_when_restarted() -> None:
    async with open_port() as port:
        before = port.server.port
        reader, writer = await port.connect()
        port.client.kill()
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await port.connect()
        port.client.restart()
        await port.server.opened()
        [answer] = await answers(port, post(), 1)
        assert port.server.port == before
    assert answer.endswith(BODY)


async def test_a_peer_that_hangs_up_is_kept_until_its_answer_is_there() -> None:
    async with open_port() as port, asyncio.timeout(5):
        port.client.hold.clear()
        _reader, writer = await port.connect()
        writer.write(post())
        while not port.client.asked:  # noqa: ASYNC110 - a test of what happens between events
            await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(port.server.connections) == 1
        port.client.hold.set()
        while port.server.connections:  # noqa: ASYNC110 - a test of what happens between events
            await asyncio.sleep(0)
