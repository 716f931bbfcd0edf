"""TLS contexts from the web configuration, built anew whenever a file behind them changes."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from dbc_exporter.web.webconfig import ClientAuth, Pem, TlsConfig

_VERIFY = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}


class TlsError(Exception):
    """A certificate, key or CA could not be read or does not fit; the text names the file, never its content."""


@dataclass(frozen=True, slots=True)
class Material:
    """The bytes behind a TLS configuration, read once so that what was compared is what is used."""

    cert: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None


def read_material(tls: TlsConfig) -> Material:
    """Read the certificate, key and client CA. Raises TlsError."""
    client_ca = _read("client_ca_file", tls.client_ca) if tls.client_ca else None
    return Material(_read("cert_file", tls.cert), _read("key_file", tls.key), client_ca)


def build_context(tls: TlsConfig, material: Material) -> ssl.SSLContext:
    """Build the server's context. Raises TlsError where certificate, key, CA, suites or curve do not fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = tls.minimum, tls.maximum
    context.set_alpn_protocols(["http/1.1"])
    if not tls.prefer_server:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        if tls.ciphers:
            context.set_ciphers(tls.ciphers)
        if tls.curve:
            context.set_ecdh_curve(tls.curve)
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(f"this OpenSSL refuses the cipher suites or the curve: {_reason(error)}") from None
    _load_pair(context, material)
    _trust_clients(context, tls, material)
    return context


class PerHandshakeContext(ssl.SSLContext):
    """Stands for whichever context is right at the moment of each handshake.

    asyncio asks its context for one TLS object per connection. Answering from a context built for this moment brings
    new certificates, CAs and versions into force without a restart, while connections that are open keep theirs.
    """

    _current: Callable[[], ssl.SSLContext]

    def __new__(cls, current: Callable[[], ssl.SSLContext]) -> Self:
        """Stand for what `current` returns."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        context._current = current
        return context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin one handshake with the context of this moment."""
        return self._current().wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def subject_alternative_names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Return DNS names, addresses, e-mail addresses and URIs of a verified peer certificate, as `ssl` decodes it."""
    names: set[str] = set()
    for kind, value in (certificate or {}).get("subjectAltName", ()):
        if kind == "IP Address":
            names.add(str(ipaddress.ip_address(value.strip())))
        elif kind in {"DNS", "email", "URI"}:
            names.add(value)
    return frozenset(names)


def common_name(certificate: Mapping[str, Any] | None) -> str | None:
    """Return the common name of a verified peer certificate, as `ssl` decodes it."""
    for part in (certificate or {}).get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return None


def _read(key: str, pem: Pem) -> bytes:
    if pem.path is None:
        return (pem.inline or "").encode()
    try:
        return pem.path.read_bytes()
    except OSError as error:
        raise TlsError(f"tls_server_config.{key}: cannot read {pem.path}: {error.strerror}") from None


def _load_pair(context: ssl.SSLContext, material: Material) -> None:
    with _in_memory(material.cert) as cert, _in_memory(material.key) as key:
        try:
            # An empty pass phrase makes an encrypted key fail instead of asking at the terminal.
            context.load_cert_chain(cert, key, password="")
        except (ssl.SSLError, ValueError) as error:
            raise TlsError(f"the certificate and its key do not load: {_reason(error)}") from None


def _trust_clients(context: ssl.SSLContext, tls: TlsConfig, material: Material) -> None:
    context.verify_mode = _VERIFY[tls.client_auth]
    if tls.client_auth is ClientAuth.NONE:
        return
    # Each certificate of the CA file is trusted by itself, also an intermediate one.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if material.client_ca is None:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        return
    try:
        context.load_verify_locations(cadata=material.client_ca.decode("ascii", errors="ignore"))
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(f"the client CA does not load: {_reason(error)}") from None


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give bytes a path, which is all `load_cert_chain` takes, without writing a key to a disk."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or str(error) or "unreadable"
    return str(reason).replace("_", " ").lower()
