"""The file behind `--web.config.file`, in the format of Prometheus' exporter-toolkit.

Parsing only: what the file says, checked as far as it can be without opening other files. What Python's TLS cannot
honour is refused here by name, so that nobody believes in a protection that is not there.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from dbc_exporter.web.strict import Section, parse_yaml


class WebConfigError(Exception):
    """The web configuration was refused. `problems` has one sentence per problem; none of them holds a secret."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))
        self.problems = tuple(problems)


class ClientAuth(Enum):
    """What is asked of a TLS client; the values are exporter-toolkit's words."""

    NONE = "NoClientCert"
    IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRED = "RequireAndVerifyClientCert"


_UNVERIFIED = ("RequestClientCert", "RequireClientCert", "RequireAnyClientCert")
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OLD_VERSIONS = ("TLS10", "TLS11")
# OpenSSL's names of the suites up to TLS 1.2 that Go calls secure.
_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
# Always on with TLS 1.3 and not selectable, in Go as in Python: named, they change nothing.
_TLS13_SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
_HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")


@dataclass(frozen=True, slots=True)
class Pem:
    """PEM text given in the file itself, or the file that holds it."""

    inline: str | None = field(default=None, repr=False)
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """`tls_server_config`. `ciphers` is OpenSSL's list, `curve` OpenSSL's name; `None` leaves OpenSSL's default."""

    cert: Pem
    key: Pem
    client_ca: Pem | None
    client_auth: ClientAuth
    client_sans: tuple[str, ...]
    minimum: ssl.TLSVersion
    maximum: ssl.TLSVersion
    ciphers: str | None
    prefer_server: bool
    curve: str | None


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A token bucket: one request per `interval_seconds`, `burst` at once."""

    interval_seconds: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """The whole file. `users` maps a name to its bcrypt hash."""

    tls: TlsConfig | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate_limit: RateLimit | None = None

    @property
    def requires_client_certificate(self) -> bool:
        """Tell whether a client without a verified certificate gets nowhere."""
        return self.tls is not None and self.tls.client_auth is ClientAuth.REQUIRED

    @property
    def authenticated(self) -> bool:
        """Tell whether every request comes from somebody we know."""
        return bool(self.users) or self.requires_client_certificate


def parse(content: bytes, path: Path) -> WebConfig:
    """Parse the file's content; relative paths in it start at the folder of `path`. Raises WebConfigError."""
    problems: list[str] = []
    try:
        root = Section(parse_yaml(content.decode()), "", problems)
    except ValueError as error:
        text = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise WebConfigError(path, [text]) from None
    config = WebConfig(
        tls=_tls(root.section("tls_server_config"), path.parent),
        headers=_headers(root.section("http_server_config")),
        users=_users(root.section("basic_auth_users")),
        rate_limit=_rate_limit(root.section("rate_limit")),
    )
    root.finish()
    if problems:
        raise WebConfigError(path, problems)
    return config


def _tls(section: Section, folder: Path) -> TlsConfig | None:
    cert = _pem(section, "cert", folder)
    key = _pem(section, "key", folder)
    client_ca = _pem(section, "client_ca", folder)
    minimum, maximum = _versions(section)
    ciphers, minimum = _ciphers(section, minimum, maximum)
    auth_given = section.has("client_auth_type")
    auth = _client_auth(section)
    sans = section.texts("client_allowed_sans")
    prefer_server = section.flag("prefer_server_cipher_suites", default=True)
    curve = _curve(section)
    section.finish()
    if cert is None and key is None and client_ca is None and not auth_given:
        if sans:
            section.problem("client_allowed_sans", "needs cert_file, key_file and client_auth_type")
        return None
    if client_ca is not None and auth is ClientAuth.NONE:
        section.problem("client_auth_type", "is needed where client_ca_file or client_ca is given")
    if sans and auth is not ClientAuth.REQUIRED:
        section.problem(
            "client_auth_type",
            f"must be {ClientAuth.REQUIRED.value} where client_allowed_sans is given: "
            "who shows no certificate has no name",
        )
    if cert is None:
        section.problem("", "one of cert_file and cert is needed")
    if key is None:
        section.problem("", "one of key_file and key is needed")
    if cert is None or key is None:
        return None
    return TlsConfig(cert, key, client_ca, auth, sans, minimum, maximum, ciphers, prefer_server, curve)


def _pem(section: Section, name: str, folder: Path) -> Pem | None:
    inline, file = section.text(name), section.text(f"{name}_file")
    if inline and file:
        section.problem(name, f"give this or {name}_file, not both")
    if file:
        return Pem(path=folder / file)
    return Pem(inline=inline) if inline else None


def _client_auth(section: Section) -> ClientAuth:
    word = section.text("client_auth_type")
    if word in _UNVERIFIED:
        section.problem(
            "client_auth_type",
            f"{word} cannot be honoured: Python verifies each certificate it asks for; "
            f"use {ClientAuth.REQUIRED.value} or {ClientAuth.IF_GIVEN.value}",
        )
        return ClientAuth.REQUIRED
    if word is None:
        return ClientAuth.NONE
    try:
        return ClientAuth(word)
    except ValueError:
        section.problem("client_auth_type", f"{word!r} is none of {', '.join(a.value for a in ClientAuth)}")
        return ClientAuth.REQUIRED


def _versions(section: Section) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    found: dict[str, ssl.TLSVersion] = {}
    for key, default in (("min_version", ssl.TLSVersion.TLSv1_2), ("max_version", ssl.TLSVersion.TLSv1_3)):
        word = section.text(key)
        found[key] = _VERSIONS.get(word or "", default)
        if word in _OLD_VERSIONS:
            section.problem(
                key, f"{word} cannot be honoured: OpenSSL no longer serves it; use TLS12 or TLS13"
            )
        elif word is not None and word not in _VERSIONS:
            section.problem(key, f"must be TLS12 or TLS13, not {word!r}")
    if found["min_version"] > found["max_version"]:
        section.problem("min_version", "is above max_version")
    return found["min_version"], found["max_version"]


def _ciphers(
    section: Section, minimum: ssl.TLSVersion, maximum: ssl.TLSVersion
) -> tuple[str | None, ssl.TLSVersion]:
    names = section.texts("cipher_suites")
    unknown = [name for name in names if name not in _SUITES and name not in _TLS13_SUITES]
    for name in unknown:
        section.problem("cipher_suites", f"{name!r} is not a known cipher suite")
    chosen = [_SUITES[name] for name in names if name in _SUITES]
    if chosen or not names or unknown:
        return ":".join(chosen) or None, minimum
    if maximum < ssl.TLSVersion.TLSv1_3:
        section.problem("cipher_suites", "names suites of TLS 1.3 only, while max_version forbids it")
    return None, ssl.TLSVersion.TLSv1_3  # without a suite of TLS 1.2 only TLS 1.3 can be spoken


def _curve(section: Section) -> str | None:
    names = section.texts("curve_preferences")
    for name in names:
        if name not in _CURVES:
            section.problem("curve_preferences", f"{name!r} is not a known curve")
    if len(names) > 1:
        section.problem(
            "curve_preferences",
            "an order of curves cannot be honoured: Python takes one curve or OpenSSL's own order; name one or none",
        )
    return _CURVES.get(names[0]) if names else None


def _headers(section: Section) -> dict[str, str]:
    if section.flag("http2", default=False):
        section.problem(
            "http2", "true cannot be honoured: this server speaks HTTP/1.1; leave it out or say false"
        )
    wanted = section.section("headers")
    section.finish()
    headers = {name: value for name, value in wanted.pairs(blank=True).items() if value}
    for name, value in headers.items():
        if name not in _HEADERS:
            wanted.problem(name, f"cannot be set here; allowed are {', '.join(_HEADERS)}")
        elif _HEADERS[name] and value not in _HEADERS[name]:
            wanted.problem(name, f"must be one of {', '.join(_HEADERS[name])}, not {value!r}")
        elif _CONTROL.search(value):
            wanted.problem(name, "must be one line without control characters")
    return headers


def _users(section: Section) -> dict[str, str]:
    users = section.pairs()
    for name, hashed in users.items():
        if not _BCRYPT.fullmatch(hashed):
            section.problem(name, "is not a bcrypt hash; make one with: htpasswd -nBC 10 NAME")
        elif ":" in name:
            section.problem(name, "a user's name cannot contain a colon")
    return users


def _rate_limit(section: Section) -> RateLimit | None:
    interval, burst = section.seconds("interval"), section.whole("burst")
    section.finish()
    if not interval:
        return None
    if not burst:
        section.problem("burst", "must be at least 1; with 0 every request would be refused")
        return None
    return RateLimit(interval, burst)
