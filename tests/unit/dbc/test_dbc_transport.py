"""The HTTP transport against servers that behave well and badly, over loopback sockets."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dbc_exporter.dbc.errors import DbcError, Reason
from dbc_exporter.dbc.exchange import RawAnswer, Transport
from dbc_exporter.dbc.transport import HttpTransport

OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"errcode":0}\r\n'
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LONG = 30.0


class Server:
    """A loopback server that keeps what it was sent and answers by a script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.splitlines() if line.lower().startswith(b"content-length:")), 0
        )
        request = head + await reader.readexactly(length)
        self.requests.append(request)
        return request


@asynccontextmanager
async def _running(server: Server, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


@asynccontextmanager
async def _transport(server: Server, **options: object) -> AsyncIterator[HttpTransport]:
    scheme = options.pop("scheme", "http")
    transport = HttpTransport(f"{scheme}://127.0.0.1:{server.port}", **options)  # type: ignore[arg-type] # by name
    try:
        yield transport
    finally:
        await transport.aclose()


def _answering(*answers: bytes) -> Server:
    """A server that gives each connection these answers one after the other, then closes it."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await server.request(reader)
            writer.write(answer)
            await writer.drain()

    server = Server(script)
    return server


async def _post(transport: Transport, *, deadline: float = LONG, retry: bool = False) -> RawAnswer:
    return await transport.send("POST", "/api/v1/tasks", b"{}", deadline_seconds=deadline, retry=retry)


async def _failure(transport: Transport, *, deadline: float = LONG, retry: bool = False) -> DbcError:
    with pytest.raises(DbcError) as caught:
        await _post(transport, deadline=deadline, retry=retry)
    return caught.value


async def test_a_request_is_sent_as_given_and_its_answer_returned_as_it_came() -> None:
    async with _running(_answering(OK)) as server, _transport(server) as transport:
        answer = await transport.send(
            "POST", "/api/v1/tasks/restart/t1?force_reboot=true", b'{"a":1}', deadline_seconds=LONG
        )
    assert answer == RawAnswer(200, "application/json", b'{"errcode":0}\r\n')
    (request,) = server.requests
    assert request.startswith(b"POST /api/v1/tasks/restart/t1?force_reboot=true HTTP/1.1\r\n")
    assert request.endswith(b'\r\n\r\n{"a":1}')
    assert b"gzip" not in request


async def test_the_version_is_asked_for_with_its_trailing_slash() -> None:
    async with _running(_answering(OK)) as server, _transport(server) as transport:
        await transport.send("GET", "/api/v1/", b"", deadline_seconds=LONG)
    assert server.requests[0].startswith(b"GET /api/v1/ HTTP/1.1\r\n")


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with _running(_answering(OK, OK)) as server, _transport(server) as transport:
        await _post(transport)
        await _post(transport)
    assert server.connections == 1


async def test_cookies_are_not_given_back_and_redirects_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nSet-Cookie: a=b\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n"
    async with _running(_answering(moved, OK)) as server, _transport(server) as transport:
        assert (await _post(transport)).status == 302
        await _post(transport)
    assert len(server.requests) == 2
    assert b"cookie" not in server.requests[1].lower()


async def test_a_proxy_in_the_environment_is_used_only_when_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _running(_answering(OK)) as server, _running(_answering(OK)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        async with _transport(server) as transport:
            await _post(transport)
        assert proxy.requests == []
        async with _transport(server, trust_env=True) as transport:
            await _post(transport)
        assert len(proxy.requests) == 1


async def test_a_configured_proxy_is_used() -> None:
    async with _running(_answering(OK)) as server, _running(_answering(OK)) as proxy:
        async with _transport(server, proxy=f"http://127.0.0.1:{proxy.port}") as transport:
            await _post(transport)
        assert (len(proxy.requests), server.requests) == (1, [])


async def test_no_answer_within_the_deadline_is_our_own_deadline() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with _running(Server(silent)) as server, _transport(server) as transport:
        assert (await _failure(transport, deadline=0.05)).reason is Reason.OWN_DEADLINE


async def test_the_deadline_covers_a_slow_body_and_a_retry_too() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(OK[:-5])
        await writer.drain()
        await reader.read()

    server = Server(slow)
    async with _running(server), _transport(server) as transport:
        assert (await _failure(transport, deadline=0.05, retry=True)).reason is Reason.OWN_DEADLINE
    assert len(server.requests) == 1


async def test_a_declared_length_over_the_cap_is_not_read() -> None:
    huge = b"HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n"
    async with _running(_answering(huge)) as server, _transport(server, answer_cap_bytes=1024) as transport:
        assert (await _failure(transport)).reason is Reason.TOO_LARGE


async def test_a_stream_over_the_cap_is_cut_off() -> None:
    written = asyncio.get_running_loop().create_future()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            written.set_result(None)

    server = Server(endless)
    async with _running(server), _transport(server, answer_cap_bytes=100_000) as transport:
        assert (await _failure(transport)).reason is Reason.TOO_LARGE
        await asyncio.wait_for(written, LONG)  # the connection was closed, not drained


async def test_an_answer_of_exactly_the_cap_is_an_answer() -> None:
    async with _running(_answering(OK)) as server, _transport(server, answer_cap_bytes=15) as transport:
        assert (await _post(transport)).status == 200


async def test_nobody_listening_is_a_refused_connection() -> None:
    async with _running(_answering()) as server:
        pass
    async with _transport(server) as transport:
        error = await _failure(transport, retry=True)
    assert (error.reason, error.said) == (Reason.UNREACHABLE, "connection refused")


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        (b"", Reason.UNREACHABLE, "closed without an answer"),
        (OK[:-5], Reason.UNREACHABLE, "closed half-way through the answer"),
        (b"\x00\x01 garbage\r\n\r\n", Reason.MALFORMED, "the answer is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Reason.MALFORMED, "the answer is no HTTP"),
    ],
    ids=["nothing", "half", "garbage", "bad header"],
)
async def test_a_bad_answer_has_its_reason(answer: bytes, reason: Reason, said: str) -> None:
    async with _running(_answering(answer)) as server, _transport(server) as transport:
        error = await _failure(transport, retry=True)
    assert (error.reason, error.said) == (reason, said)
    assert server.connections == 1  # a new connection that fails is no reason to ask again


async def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    transport = HttpTransport("http://nowhere.invalid:5050")
    try:
        error = await _failure(transport)
    finally:
        await transport.aclose()
    assert error.reason is Reason.UNREACHABLE
    assert "nowhere" not in error.said


def _closing_the_kept_connection() -> Server:
    """A server whose first connection answers once and hangs up on the second request."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = server.connections == 1
        await server.request(reader)
        writer.write(OK)
        await writer.drain()
        await server.request(reader)
        if not first:
            writer.write(OK)
            await writer.drain()

    server = Server(script)
    return server


async def test_a_read_is_sent_once_more_when_its_kept_connection_was_closed() -> None:
    async with _running(_closing_the_kept_connection()) as server, _transport(server) as transport:
        await _post(transport)
        assert (await _post(transport, retry=True)).status == 200
    assert len(server.requests) == 3


async def test_a_write_is_never_sent_twice() -> None:
    async with _running(_closing_the_kept_connection()) as server, _transport(server) as transport:
        await _post(transport)
        error = await _failure(transport)
    assert (error.reason, error.said) == (Reason.UNREACHABLE, "closed without an answer")
    assert len(server.requests) == 2


async def test_no_more_sockets_than_the_pool_are_open() -> None:
    async with _running(_answering(*[OK] * 20)) as server, _transport(server, pool_size=2) as transport:
        await asyncio.gather(*[_post(transport) for _ in range(10)])
        assert server.connections <= 2
        assert len(server.requests) == 10


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    day = dt.timedelta(days=1)
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "cert.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate_file, key_file


async def test_tls_is_verified_and_a_certificate_of_ones_own_can_be_trusted(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with _running(_answering(OK), serving) as server:
        async with _transport(server, scheme="https") as transport:
            error = await _failure(transport)
        assert (error.reason, error.said) == (Reason.UNREACHABLE, "TLS failed")
        async with _transport(server, scheme="https", verify=trusting) as transport:
            assert (await _post(transport)).status == 200
        async with _transport(server, scheme="https", verify=False) as transport:
            assert (await _post(transport)).status == 200
