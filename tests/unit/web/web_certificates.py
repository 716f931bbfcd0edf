"""Certificates made for one test: an authority, servers and clients signed by it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Issued:
    """A certificate and its key as PEM."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey

    @property
    def cert_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def cert_der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            encryption = serialization.BestAvailableEncryption(passphrase)
        return self.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )

    def write(self, folder: Path, name: str) -> None:
        (folder / f"{name}.crt").write_bytes(self.cert_pem)
        (folder / f"{name}.key").write_bytes(self.key_pem())


@dataclass(frozen=True)
class Authority:
    """Signs certificates."""

    issued: Issued

    def issue(self, common_name: str, *names: x509.GeneralName) -> Issued:
        return _issue(common_name, names, self.issued)


def authority(common_name: str = "test authority") -> Authority:
    return Authority(_issue(common_name, (), None))


def localhost(signer: Authority) -> Issued:
    return signer.issue(
        "localhost", x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    )


def _issue(common_name: str, names: tuple[x509.GeneralName, ...], issuer: Issued | None) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Issued(builder.sign(issuer.private_key if issuer else key, hashes.SHA256()), key)
