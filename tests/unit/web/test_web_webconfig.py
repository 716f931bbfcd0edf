from __future__ import annotations

import json
import ssl
from pathlib import Path

import bcrypt
import pytest

from dbc_exporter.web.webconfig import ClientAuth, WebConfig, WebConfigError, parse

HASH = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
PAIR = "tls_server_config: {cert_file: a.crt, key_file: a.key"


def read(text: str) -> WebConfig:
    return parse(text.encode(), Path("/etc/web/web.yml"))


def problems(text: str | bytes) -> str:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(WebConfigError) as refused:
        parse(content, Path("/etc/web/web.yml"))
    return "\n".join(refused.value.problems)


REFUSED = [
    pytest.param("junk words only", "must be a mapping", id="no mapping"),
    pytest.param("- a\n- b\n", "must be a mapping", id="a list"),
    pytest.param("a: [1", "not valid YAML: line 1", id="no YAML"),
    pytest.param(b"\xff\xfe\xff", "not UTF-8", id="no text"),
    pytest.param("rate_limit: {}\nrate_limit: {}", "'rate_limit' is given twice", id="a key twice"),
    pytest.param("? [a]\n: b", "a key is not plain text", id="a list as key"),
    pytest.param("a: !!python/name:os.system x", "not valid YAML", id="a Python object"),
    pytest.param("tls_server: {}", "tls_server: is not a known key", id="an unknown section"),
    pytest.param(
        PAIR + ", cert_filse: x}", "tls_server_config.cert_filse: is not a known key", id="a misspelt key"
    ),
    pytest.param("tls_server_config: here", "tls_server_config: must be a mapping", id="a section of text"),
    pytest.param(
        "tls_server_config: {cert_file: '', key_file: a.key}",
        "one of cert_file and cert",
        id="cert_file empty",
    ),
    pytest.param(
        "tls_server_config: {cert: '', key_file: a.key}", "one of cert_file and cert", id="cert empty"
    ),
    pytest.param(
        "tls_server_config: {cert_file: a.crt, key_file: ''}", "one of key_file and key", id="key_file empty"
    ),
    pytest.param("tls_server_config: {cert_file: a.crt, key: ''}", "one of key_file and key", id="key empty"),
    pytest.param(PAIR + ", cert: pem}", "cert: give this or cert_file, not both", id="certificate twice"),
    pytest.param(PAIR + ", key: pem}", "key: give this or key_file, not both", id="key twice"),
    pytest.param(
        PAIR + ", client_ca: pem, client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}",
        "client_ca: give this or client_ca_file, not both",
        id="client CA twice",
    ),
    pytest.param(
        "tls_server_config: {client_ca_file: ca.crt}", "one of cert_file and cert", id="client CA alone"
    ),
    pytest.param(
        "tls_server_config: {client_ca: pem}", "one of cert_file and cert", id="client CA in the file alone"
    ),
    pytest.param(
        PAIR + ", client_ca: pem}", "client_auth_type: is needed", id="client CA in the file without policy"
    ),
    pytest.param(
        PAIR + ", cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]}",
        "not a known cipher suite",
        id="a cipher suite that Go calls insecure",
    ),
    pytest.param(
        "tls_server_config: {client_auth_type: NoClientCert}",
        "one of cert_file and cert",
        id="no certificate at all",
    ),
    pytest.param(
        PAIR + ", client_auth_type: x}", "'x' is none of NoClientCert", id="an invented client_auth_type"
    ),
    pytest.param(
        PAIR + ", client_ca_file: ca.crt}", "client_auth_type: is needed", id="client CA without policy"
    ),
    pytest.param(
        PAIR + ", client_allowed_sans: [a]}", "client_auth_type: must be Require", id="names without policy"
    ),
    pytest.param(
        PAIR + ", client_auth_type: VerifyClientCertIfGiven, client_allowed_sans: [a]}",
        "client_auth_type: must be RequireAndVerifyClientCert",
        id="names of certificates that need not be shown",
    ),
    pytest.param("tls_server_config: {client_allowed_sans: [a]}", "needs cert_file", id="names without TLS"),
    pytest.param(PAIR + ", client_allowed_sans: a}", "must be a list", id="names not in a list"),
    pytest.param(
        PAIR + ", client_auth_type: RequestClientCert}", "cannot be honoured", id="RequestClientCert"
    ),
    pytest.param(
        PAIR + ", client_auth_type: RequireClientCert}", "cannot be honoured", id="RequireClientCert"
    ),
    pytest.param(
        PAIR + ", client_auth_type: RequireAnyClientCert}", "cannot be honoured", id="RequireAnyClientCert"
    ),
    pytest.param(PAIR + ", min_version: TLS111}", "must be TLS12 or TLS13", id="an invented version"),
    pytest.param(PAIR + ", min_version: TLS10}", "min_version: TLS10 cannot be honoured", id="TLS 1.0"),
    pytest.param(PAIR + ", max_version: TLS11}", "max_version: TLS11 cannot be honoured", id="TLS 1.1"),
    pytest.param(
        PAIR + ", min_version: TLS13, max_version: TLS12}", "is above max_version", id="versions crossed"
    ),
    pytest.param(
        PAIR + ", cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA2048]}",
        "not a known cipher suite",
        id="an invented cipher suite",
    ),
    pytest.param(
        PAIR + ", cipher_suites: [TLS_AES_128_GCM_SHA256], max_version: TLS12}",
        "TLS 1.3 only",
        id="suites too new",
    ),
    pytest.param(PAIR + ", curve_preferences: [CurveP257]}", "not a known curve", id="an invented curve"),
    pytest.param(
        PAIR + ", curve_preferences: [CurveP256, X25519]}",
        "order of curves cannot be honoured",
        id="several curves",
    ),
    pytest.param(
        PAIR + ", prefer_server_cipher_suites: maybe}", "must be true or false", id="a flag that is no flag"
    ),
    pytest.param(
        "http_server_config: {http2: true}", "http_server_config.http2: true cannot be honoured", id="HTTP/2"
    ),
    pytest.param("http_server_config: {http3: true}", "http3: is not a known key", id="an unknown HTTP key"),
    pytest.param(
        "http_server_config: {headers: {Content-Type: foo}}",
        "headers.Content-Type: cannot be set",
        id="other header",
    ),
    pytest.param(
        "http_server_config: {headers: {X-Frame-Options: foo}}", "deny, sameorigin", id="X-Frame-Options"
    ),
    pytest.param(
        "http_server_config: {headers: {X-Frame-Options: DENY}}",
        "deny, sameorigin",
        id="a value in capitals",
    ),
    pytest.param(
        "http_server_config: {headers: {x-frame-options: deny}}",
        "headers.x-frame-options: cannot be set",
        id="a header's name in small letters",
    ),
    pytest.param(
        "http_server_config: {headers: {X-Content-Type-Options: sniff}}", "nosniff", id="content type options"
    ),
    pytest.param(
        'http_server_config: {headers: {X-XSS-Protection: "1\\r\\nSet-Cookie: a"}}',
        "one line",
        id="a split header",
    ),
    pytest.param(
        "http_server_config: {headers: {X-XSS-Protection: [1]}}", "text value", id="a header of lists"
    ),
    pytest.param(
        "basic_auth_users: {john: doe}", "basic_auth_users.john: is not a bcrypt hash", id="a bare password"
    ),
    pytest.param("basic_auth_users: {john: }", "john: must have a text value", id="a user without hash"),
    pytest.param(f"basic_auth_users: {{'a:b': {HASH}}}", "cannot contain a colon", id="a colon in a name"),
    pytest.param("rate_limit: {interval: 5}", "with a unit", id="an interval without unit"),
    pytest.param("rate_limit: {interval: 1s}", "burst: must be at least 1", id="a limit that lets nobody in"),
    pytest.param(
        "rate_limit: {interval: 1s, burst: -1}", "burst: must be a whole number", id="a negative burst"
    ),
    pytest.param(
        "rate_limit: {interval: 1s, burst: 1, per: host}", "per: is not a known key", id="unknown limit key"
    ),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_a_bad_file_is_refused_with_the_key_and_the_reason(text: str | bytes, said: str) -> None:
    assert said in problems(text)


ACCEPTED = [
    pytest.param("", id="empty"),
    pytest.param(
        "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\nrate_limit:\n", id="empty sections"
    ),
    pytest.param("tls_server_config: {cert_file: '', key_file: ''}", id="TLS keys left empty"),
    pytest.param("rate_limit: {interval: 0, burst: 0}", id="rate limit off"),
    pytest.param("http_server_config: {http2: false}", id="HTTP/2 off"),
    pytest.param(
        "http_server_config: {headers: {X-Frame-Options: '', Content-Security-Policy: ''}}",
        id="headers left blank",
    ),
    pytest.param("http_server_config: {headers: {X-Content-Type-Options: }}", id="a header without value"),
    pytest.param("tls_server_config: {min_version: TLS12}", id="a version without TLS"),
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_file_that_asks_for_nothing_is_the_default(text: str) -> None:
    config = read(text)
    assert (config.tls, dict(config.headers), dict(config.users), config.rate_limit) == (None, {}, {}, None)
    assert not config.authenticated


SUITES = [
    f"TLS_ECDHE_{signature}_WITH_{cipher}"
    for signature in ("ECDSA", "RSA")
    for cipher in (
        "AES_128_CBC_SHA",
        "AES_256_CBC_SHA",
        "AES_128_GCM_SHA256",
        "AES_256_GCM_SHA384",
        "CHACHA20_POLY1305_SHA256",
    )
] + ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
HONOURED = [
    pytest.param(PAIR + "}", id="a certificate and its key"),
    pytest.param("tls_server_config: {cert: pem, key: pem}", id="both in the file itself"),
    pytest.param("tls_server_config: {cert: pem, key_file: a.key}", id="the certificate in the file"),
    *(
        pytest.param(PAIR + f", client_auth_type: {word}}}", id=word)
        for word in ("NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
    ),
    *(
        pytest.param(PAIR + f", client_auth_type: {word}, {key}: ca}}", id=f"{key}, {word}")
        for word in ("VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
        for key in ("client_ca_file", "client_ca")
    ),
    pytest.param(
        PAIR
        + ", client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [a, '::1', 'spiffe://a']}",
        id="names of clients",
    ),
    *(
        pytest.param(PAIR + f", min_version: {low}, max_version: {high}}}", id=f"{low} to {high}")
        for low, high in (("TLS12", "TLS12"), ("TLS12", "TLS13"), ("TLS13", "TLS13"))
    ),
    pytest.param(PAIR + f", cipher_suites: [{', '.join(SUITES)}]}}", id="every cipher suite"),
    *(
        pytest.param(PAIR + f", curve_preferences: [{curve}]}}", id=curve)
        for curve in ("CurveP256", "CurveP384", "CurveP521", "X25519")
    ),
    pytest.param(PAIR + ", prefer_server_cipher_suites: false}", id="the client's order of suites"),
]


@pytest.mark.parametrize("text", HONOURED)
def test_a_good_tls_section_is_taken(text: str) -> None:
    assert read(text).tls is not None


def test_each_header_of_the_allow_list_is_taken_as_it_is_written() -> None:
    headers = {
        "Content-Security-Policy": "default-src 'self'",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "sameorigin",
        "X-XSS-Protection": "1; mode=block",
    }
    assert read(json.dumps({"http_server_config": {"headers": headers}})).headers == headers


def test_all_problems_are_reported_at_once() -> None:
    found = problems("basic_auth_users: {a: b, c: d}\nrate_limit: {interval: x}\nwhat: 1\n")
    assert found.count("\n") == 3


def test_neither_hash_nor_password_nor_key_is_ever_quoted() -> None:
    secret = "hunter2-and-more"
    config = read(PAIR.replace("key_file: a.key", f"key: {secret}") + f"}}\nbasic_auth_users: {{a: {HASH}}}")
    assert secret not in repr(config)
    assert HASH not in repr(config)
    assert secret not in problems(f"basic_auth_users: {{a: {secret}}}")
    assert secret not in problems(f"basic_auth_users: {{a: [{secret}]}}")
    assert secret not in problems(f"tls_server_config: {{cert_file: a, key: [{secret}]}}")
    assert secret not in problems(f"tls_server_config:\n  key: 'x {secret}\n")


def test_relative_paths_start_at_the_files_folder() -> None:
    config = read(PAIR + ", client_ca_file: /abs/ca.crt, client_auth_type: RequireAndVerifyClientCert}")
    assert config.tls is not None
    assert config.tls.cert.path == Path("/etc/web/a.crt")
    assert config.tls.key.path == Path("/etc/web/a.key")
    assert config.tls.client_ca is not None
    assert config.tls.client_ca.path == Path("/abs/ca.crt")


def test_tls_defaults_are_those_of_the_format() -> None:
    tls = read(PAIR + "}").tls
    assert tls is not None
    assert (tls.minimum, tls.maximum) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert tls.prefer_server
    assert tls.client_auth is ClientAuth.NONE
    assert (tls.ciphers, tls.curve) == (None, None)


def test_cipher_suites_keep_their_order_and_suites_of_tls_1_3_change_nothing() -> None:
    tls = read(
        PAIR + ", cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,"
        " TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]}"
    ).tls
    assert tls is not None
    assert tls.ciphers == "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
    assert tls.minimum is ssl.TLSVersion.TLSv1_2


def test_suites_of_tls_1_3_alone_leave_only_tls_1_3() -> None:
    tls = read(PAIR + ", cipher_suites: [TLS_AES_128_GCM_SHA256]}").tls
    assert tls is not None
    assert tls.minimum is ssl.TLSVersion.TLSv1_3


def test_names_and_header_values_stay_text_whatever_they_look_like() -> None:
    config = read(
        f"basic_auth_users: {{1: {HASH}, yes: {HASH}, 0x10: {HASH}}}\n"
        "http_server_config: {headers: {X-XSS-Protection: 1, Strict-Transport-Security: max-age=31536000}}"
    )
    assert set(config.users) == {"1", "yes", "0x10"}
    assert config.headers == {"X-XSS-Protection": "1", "Strict-Transport-Security": "max-age=31536000"}


@pytest.mark.parametrize(
    ("interval", "seconds"), [("1s", 1.0), ("250ms", 0.25), ("1m30s", 90.0), ("1h", 3600.0), ("1.5s", 1.5)]
)
def test_a_rate_limit_is_read_in_seconds(interval: str, seconds: float) -> None:
    limit = read(f"rate_limit: {{interval: {interval}, burst: 3}}").rate_limit
    assert limit is not None
    assert (limit.interval_seconds, limit.burst) == (seconds, 3)


def test_users_or_required_client_certificates_count_as_authentication_and_nothing_else_does() -> None:
    assert read(f"basic_auth_users: {{a: {HASH}}}").authenticated
    assert read(PAIR + ", client_auth_type: RequireAndVerifyClientCert}").authenticated
    assert not read(PAIR + ", client_auth_type: VerifyClientCertIfGiven}").authenticated
    assert not read(PAIR + "}").authenticated
