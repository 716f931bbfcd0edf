"""`healthcheck` against real sockets: plain, TLS, locked, sick and absent exporters."""

from __future__ import annotations

import datetime as dt
import http.server
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dbc_exporter import cli
from tests.logging_state import logging_restored


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    with logging_restored():
        yield


class _Server(http.server.ThreadingHTTPServer):
    status = 200

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of refused handshakes."""


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        self.send_response(self.server.status if self.path == "/-/healthy" else 404)
        self.end_headers()
        self.wfile.write(b"loop alive")

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def answering(server: _Server) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield
    server.shutdown()
    thread.join()


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as made, answering(made):
        yield made


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Write a self-signed certificate for another name, and a web configuration that uses it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "exporter.example")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n")
    return tmp_path


def speak_tls(server: _Server, folder: Path, *, ask_client: bool = False) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    if ask_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "cert.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)


def check(server: _Server, *more: str) -> int:
    return cli.main(["healthcheck", "--web.listen-address", f":{server.server_port}", *more], {})


def test_a_healthy_exporter(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(server) == 0
    assert capsys.readouterr().out == "200 loop alive\n"


def test_a_sick_exporter(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.status = 503
    assert check(server) == 1
    assert capsys.readouterr().err == "503 loop alive\n"


def test_an_exporter_that_wants_a_password_is_alive(server: _Server) -> None:
    server.status = 401
    assert check(server) == 0


def test_an_absent_exporter(server: _Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.socket.close()
    assert check(server) == 1
    assert "no answer" in capsys.readouterr().err


def test_an_exporter_under_a_prefix_is_asked_there(
    server: _Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(server, "--web.external-url", "https://example/dbc") == 1
    assert capsys.readouterr().err == "404 loop alive\n"
    assert check(server, "--web.external-url", "https://example/dbc", "--web.route-prefix", "/") == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "localhost"])  # noqa: S104 (asked, not bound)
def test_the_listen_address_is_asked(server: _Server, address: str) -> None:
    assert cli.main(["healthcheck", "--web.listen-address", f"{address}:{server.server_port}"], {}) == 0


class _UnixServer(_Server):
    address_family = socket.AF_UNIX
    server_port = 0

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        return self.socket.accept()[0], ("unix", 0)


@pytest.mark.parametrize("https", [False, True])
def test_an_exporter_on_a_unix_socket(
    tmp_path: Path, certificate: Path, https: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "http.sock"
    argv = ["healthcheck", "--web.listen-address", f"unix://{path}"]
    if https:
        argv += ["--web.config.file", str(certificate / "web.yml")]
    assert cli.main(argv, {}) == 1
    assert f"no answer from unix://{path}" in capsys.readouterr().err
    with _UnixServer(str(path), _Handler) as made:  # type: ignore[arg-type]  # a path, for this family
        if https:
            speak_tls(made, certificate)
        with answering(made):
            assert cli.main(argv, {}) == 0
    assert capsys.readouterr().out == "200 loop alive\n"


def test_an_exporter_with_tls(server: _Server, certificate: Path) -> None:
    speak_tls(server, certificate)
    assert check(server, "--web.config.file", str(certificate / "web.yml")) == 0


def test_an_exporter_that_wants_a_client_certificate_is_alive(
    server: _Server, certificate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speak_tls(server, certificate, ask_client=True)
    (certificate / "web.yml").write_text(
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: cert.pem,"
        " client_auth_type: RequireAndVerifyClientCert}"
    )
    assert check(server, "--web.config.file", str(certificate / "web.yml")) == 0
    assert "client certificate" in capsys.readouterr().out
    server.socket.close()
    assert check(server, "--web.config.file", str(certificate / "web.yml")) == 1


def test_an_unusable_web_configuration(server: _Server, tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: nowhere}\n")
    assert check(server, "--web.config.file", str(tmp_path / "web.yml")) == 1
