from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from dbc_exporter.web.tls import TlsError, build_context, read_material, subject_alternative_names
from dbc_exporter.web.webconfig import TlsConfig, parse
from tests.unit.web.web_certificates import authority, localhost


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    signer = authority()
    localhost(signer).write(tmp_path, "server")
    signer.issue("other").write(tmp_path, "other")
    (tmp_path / "ca.crt").write_bytes(signer.issued.cert_pem)
    (tmp_path / "empty.crt").write_bytes(b"")
    (tmp_path / "locked.key").write_bytes(localhost(signer).key_pem(b"passphrase"))
    return tmp_path


def tls(folder: Path, text: str) -> TlsConfig:
    config = parse(f"tls_server_config: {{{text}}}".encode(), folder / "web.yml")
    assert config.tls is not None
    return config.tls


def build(folder: Path, text: str) -> ssl.SSLContext:
    config = tls(folder, text)
    return build_context(config, read_material(config))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("cert_file: none, key_file: server.key", "cannot read", id="no certificate file"),
        pytest.param("cert_file: server.crt, key_file: none", "cannot read", id="no key file"),
        pytest.param(
            "cert_file: server.crt, key_file: other.key", "mismatch", id="key of another certificate"
        ),
        pytest.param("cert_file: empty.crt, key_file: server.key", "do not load", id="empty certificate"),
        pytest.param(
            "cert_file: server.crt, key_file: server.crt", "do not load", id="certificate in the key's place"
        ),
        pytest.param(
            "cert_file: server.crt, key_file: locked.key", "do not load", id="key under a pass phrase"
        ),
        pytest.param(
            "cert_file: server.crt, key_file: server.key, client_auth_type: RequireAndVerifyClientCert, "
            "client_ca_file: empty.crt",
            "client CA does not load",
            id="client CA without certificates",
        ),
        pytest.param(
            "cert_file: server.crt, key_file: server.key, client_auth_type: RequireAndVerifyClientCert, "
            "client_ca_file: none",
            "client_ca_file: cannot read",
            id="no client CA file",
        ),
    ],
)
def test_files_that_do_not_fit_are_refused_and_named(folder: Path, text: str, said: str) -> None:
    with pytest.raises(TlsError, match=said):
        build(folder, text)


def test_certificate_and_key_may_stand_in_the_file_itself(folder: Path) -> None:
    cert = (folder / "server.crt").read_text().replace("\n", "\n    ")
    key = (folder / "server.key").read_text().replace("\n", "\n    ")
    text = f"tls_server_config:\n  cert: |\n    {cert}\n  key: |\n    {key}\n"
    config = parse(text.encode(), folder / "web.yml").tls
    assert config is not None
    assert build_context(config, read_material(config))


def test_versions_suites_and_preference_reach_openssl(folder: Path) -> None:
    context = build(
        folder,
        "cert_file: server.crt, key_file: server.key, max_version: TLS12, prefer_server_cipher_suites: false, "
        "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384], curve_preferences: [CurveP384]",
    )
    assert context.maximum_version is ssl.TLSVersion.TLSv1_2
    suites = {suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"}
    assert suites == {"ECDHE-ECDSA-AES256-GCM-SHA384"}
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        ("NoClientCert", ssl.CERT_NONE),
        ("VerifyClientCertIfGiven", ssl.CERT_OPTIONAL),
        ("RequireAndVerifyClientCert", ssl.CERT_REQUIRED),
    ],
)
def test_client_auth_type_sets_what_is_asked_of_clients(
    folder: Path, word: str, mode: ssl.VerifyMode
) -> None:
    context = build(folder, f"cert_file: server.crt, key_file: server.key, client_auth_type: {word}")
    assert context.verify_mode is mode


def test_names_of_a_client_are_its_dns_names_addresses_mails_and_uris() -> None:
    certificate = {
        "subject": ((("commonName", "not-this"),),),
        "subjectAltName": (
            ("DNS", "scraper.example"),
            ("IP Address", "10.0.0.1"),
            ("IP Address", "2001:DB8:0:0:0:0:0:1\n"),
            ("email", "ops@example"),
            ("URI", "spiffe://example/scraper"),
            ("DirName", "ignored"),
        ),
    }
    assert subject_alternative_names(certificate) == {
        "scraper.example",
        "10.0.0.1",
        "2001:db8::1",
        "ops@example",
        "spiffe://example/scraper",
    }
    assert subject_alternative_names(None) == frozenset()
