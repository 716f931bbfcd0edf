"""TLS over real sockets: certificates replaced between handshakes, client certificates and their names."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from dbc_exporter.web.server import WebServer
from tests.unit.web.desk_fakes import FakeDesk
from tests.unit.web.web_certificates import Authority, Issued, authority, localhost
from tests.unit.web.web_fakes import FakeClock, Fleet

TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key%s}\n"
REQUIRED = ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt"
OPTIONAL = ", client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.crt"
GET = b"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Site:
    """A running HTTPS server, its files, and the authority its clients trust."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.signer = authority()
        self.shown = Fleet()
        localhost(self.signer).write(folder, "server")
        (folder / "ca.crt").write_bytes(self.signer.issued.cert_pem)

    def configure(self, extra: str) -> None:
        (self.folder / "web.yml").write_text(TLS % extra)

    @asynccontextmanager
    async def running(self, extra: str = "") -> AsyncIterator[Site]:
        self.configure(extra)
        server = WebServer(self.shown.sources(), FakeClock(), config_file=self.folder / "web.yml")
        assert server.scheme == "https"
        (self.address,) = await server.start("127.0.0.1:0")
        yield self
        await server.stop()

    def context(self, client: Issued | None = None, signer: Authority | None = None) -> ssl.SSLContext:
        trusted = (signer or self.signer).issued.cert_pem.decode()
        context = ssl.create_default_context(cadata=trusted)
        if client:
            client.write(self.folder, "client")
            context.load_cert_chain(self.folder / "client.crt", self.folder / "client.key")
        return context

    async def connect(self, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.address.port, ssl=context)

    async def served_certificate(self, context: ssl.SSLContext) -> bytes:
        _, writer = await self.connect(context)
        served: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
        return served

    async def status(
        self, client: Issued | None = None, path: bytes = b"/metrics", method: bytes = b"GET"
    ) -> int | None:
        """Return the answer's status; `None` where the handshake or the connection was refused."""
        try:
            reader, writer = await self.connect(self.context(client))
        except (ssl.SSLError, ConnectionError):
            return None
        try:
            writer.write(GET % (method, path))
            answer = await reader.read()
        except (ssl.SSLError, ConnectionError):
            return None
        finally:
            writer.transport.abort()
        return int(answer.split(b" ", 2)[1]) if answer else None


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_pages_are_served_over_tls_with_the_configured_certificate(site: Site) -> None:
    async with site.running():
        assert await site.status() == 200
        certificate = x509.load_pem_x509_certificate((site.folder / "server.crt").read_bytes())
        served = x509.load_der_x509_certificate(await site.served_certificate(site.context()))
        assert served == certificate


async def test_a_certificate_replaced_on_disk_is_served_at_the_next_handshake(site: Site) -> None:
    async with site.running():
        before = await site.served_certificate(site.context())
        replacement = localhost(site.signer)
        replacement.write(site.folder, "server")
        after = await site.served_certificate(site.context())
        assert before != after == replacement.cert_der


async def test_a_connection_that_is_open_outlives_the_certificate_it_began_with(site: Site) -> None:
    async with site.running():
        reader, writer = await site.connect(site.context())
        localhost(site.signer).write(site.folder, "server")
        await site.served_certificate(site.context())
        writer.write(GET % (b"GET", b"/metrics"))
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("damage", ["cert", "key", "both", "config"])
async def test_a_bad_replacement_leaves_the_old_certificate_in_force(site: Site, damage: str) -> None:
    async with site.running():
        before = await site.served_certificate(site.context())
        if damage in {"cert", "both"}:
            (site.folder / "server.crt").write_bytes(b"-----BEGIN CERTIFICATE-----\nhalf of")
        if damage in {"key", "both"}:
            (site.folder / "server.key").unlink()
        if damage == "config":
            (site.folder / "web.yml").write_text("tls_server_config: {cert_file: ")
        assert await site.served_certificate(site.context()) == before


async def test_plain_http_and_unknown_authorities_get_nowhere(site: Site) -> None:
    async with site.running():
        reader, writer = await asyncio.open_connection("127.0.0.1", site.address.port)
        writer.write(GET % (b"GET", b"/metrics"))
        assert b"HTTP/1.1 200" not in await reader.read()
        writer.close()
        await writer.wait_closed()
        with pytest.raises(ssl.SSLCertVerificationError):
            await site.connect(site.context(signer=authority("another")))


async def test_a_version_below_the_minimum_is_refused(site: Site) -> None:
    async with site.running(", min_version: TLS13"):
        old = site.context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await site.connect(old)
        assert await site.status() == 200


async def test_cipher_suites_bind_clients_of_tls_1_2(site: Site) -> None:
    chosen = ", max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]"
    async with site.running(chosen):
        _, writer = await site.connect(site.context())
        assert writer.get_extra_info("cipher")[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
        writer.close()
        await writer.wait_closed()
        other = site.context()
        other.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        other.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await site.connect(other)


async def test_a_required_client_certificate_must_come_from_the_client_ca(site: Site) -> None:
    async with site.running(REQUIRED):
        assert await site.status() is None
        assert await site.status(authority("another").issue("scraper")) is None
        assert await site.status(site.signer.issue("scraper")) == 200


async def test_an_optional_client_certificate_is_verified_where_it_is_given(site: Site) -> None:
    async with site.running(OPTIONAL):
        assert await site.status() == 200
        assert await site.status(site.signer.issue("scraper")) == 200
        assert await site.status(authority("another").issue("scraper")) is None


async def test_only_clients_with_an_allowed_name_are_let_in(site: Site) -> None:
    names = ", client_allowed_sans: [scraper.example, 'spiffe://example/scraper', '2001:db8::1']"
    async with site.running(REQUIRED + names):
        good = site.signer.issue("x", x509.DNSName("other.example"), x509.DNSName("scraper.example"))
        by_uri = site.signer.issue("x", x509.UniformResourceIdentifier("spiffe://example/scraper"))
        bad = site.signer.issue("scraper.example", x509.DNSName("scraper.example.evil"))
        assert await site.status(good) == 200
        assert await site.status(by_uri) == 200
        assert await site.status(bad) == 403
        assert await site.status(site.signer.issue("scraper.example")) == 403


async def test_a_new_client_ca_is_in_force_at_the_next_handshake(site: Site) -> None:
    async with site.running(REQUIRED):
        newcomer = authority("another")
        assert await site.status(newcomer.issue("scraper")) is None
        (site.folder / "ca.crt").write_bytes(newcomer.issued.cert_pem)
        assert await site.status(newcomer.issue("scraper")) == 200
        assert await site.status(site.signer.issue("scraper")) is None


async def test_client_certificates_can_be_demanded_without_a_restart(site: Site) -> None:
    async with site.running():
        assert await site.status() == 200
        site.configure(REQUIRED)
        assert await site.status() is None


async def test_a_connection_from_before_client_certificates_were_demanded_gets_nowhere(site: Site) -> None:
    async with site.running():
        reader, writer = await site.connect(site.context())
        site.configure(REQUIRED)
        writer.write(GET % (b"POST", b"/-/reload"))
        assert (await reader.read()).startswith(b"HTTP/1.1 403")
        writer.close()
        await writer.wait_closed()
    assert site.shown.reloads == 0


async def test_required_client_certificates_open_the_reload_and_optional_ones_do_not(site: Site) -> None:
    async with site.running(REQUIRED):
        assert await site.status(site.signer.issue("scraper"), b"/-/reload", b"POST") == 200
    async with site.running(OPTIONAL):
        assert await site.status(site.signer.issue("scraper"), b"/-/reload", b"POST") == 404


async def test_a_required_client_certificate_delivers_alerts_and_names_who_changes_something(
    site: Site,
) -> None:
    site.shown.desk = desk = FakeDesk()
    async with site.running(REQUIRED):
        context = site.context(site.signer.issue("night shift"))
        async with aiohttp.ClientSession(f"https://localhost:{site.address.port}") as session:
            async with session.post("/api/v1/alertmanager", data=b"{}", ssl=context) as response:
                assert response.status == 202
            async with session.post("/api/v1/remediation/resume", data=b"{}", ssl=context) as response:
                assert response.status == 200
    assert desk.said == [("take", b"{}"), ("resume", None, "certificate night shift")]


async def test_beside_a_client_certificate_a_configured_token_is_still_demanded(site: Site) -> None:
    site.shown.desk = desk = FakeDesk(token="t0ken")
    async with site.running(REQUIRED):
        assert await site.status(site.signer.issue("x"), b"/api/v1/alertmanager", b"POST") == 401
    assert desk.said == []


async def test_an_optional_client_certificate_opens_no_endpoint_that_changes_something(site: Site) -> None:
    site.shown.desk = FakeDesk()
    async with site.running(OPTIONAL):
        for path in (b"/api/v1/alertmanager", b"/api/v1/remediation/resume"):
            assert await site.status(site.signer.issue("x"), path, b"POST") == 404
