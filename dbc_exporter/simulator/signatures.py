"""sr25519 signatures and the address forms around them, as the chain defines them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

SS58_PREFIX = 42
KEY_BYTES = 32
SIGNATURE_BYTES = 64
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def verifies(sign: str, message: str, key: bytes | None) -> bool:
    """Say whether `sign` (hex, with or without 0x) is this key's sr25519 signature of the text."""
    signature = _hex(sign, SIGNATURE_BYTES)
    if signature is None or key is None:
        return False
    import sr25519  # noqa: PLC0415 - a native library that worlds without signatures never load

    try:
        return bool(sr25519.verify(signature, message.encode(), key))
    except Exception:  # noqa: BLE001 - the binding raises on some malformed points; that is no valid signature
        return False


def public_key(wallet: str) -> bytes | None:
    """Return the key of an SS58 address or of a hex key, None for anything else."""
    key = _hex(wallet, KEY_BYTES)
    if key is not None:
        return key
    raw = _base58_decode(wallet)
    if raw is None or len(raw) != 1 + KEY_BYTES + 2:
        return None
    return raw[1:-2] if _ss58_checksum(raw[:-2]) == raw[-2:] else None


def ss58(key: bytes) -> str:
    """Return a key's SS58 address with the generic prefix."""
    body = bytes([SS58_PREFIX]) + key
    return _base58_encode(body + _ss58_checksum(body))


def multisig_wallet(wallets: Iterable[str], threshold: int) -> str | None:
    """Return the SS58 address of the multisig account of these wallets, None when one of them is no address."""
    keys = [public_key(wallet) for wallet in wallets]
    known = sorted(key for key in keys if key is not None)
    if len(known) != len(keys) or not 0 < threshold < len(known) + 1 <= 64:  # noqa: PLR2004 - one-byte compact length
        return None
    body = b"modlpy/utilisuba" + bytes([len(known) << 2]) + b"".join(known) + threshold.to_bytes(2, "little")
    return ss58(hashlib.blake2b(body, digest_size=32).digest())


def base58check(text: str) -> str:
    """Return a text in base58 with a four-byte checksum, the form of session ids and nonces."""
    body = text.encode()
    digest = hashlib.sha256(hashlib.sha256(body).digest()).digest()
    return _base58_encode(body + digest[:4])


def _hex(text: str, length: int) -> bytes | None:
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return None
    return raw if len(raw) == length else None


def _ss58_checksum(body: bytes) -> bytes:
    return hashlib.blake2b(b"SS58PRE" + body).digest()[:2]


def _base58_encode(raw: bytes) -> str:
    number = int.from_bytes(raw, "big")
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_BASE58[digit])
    zeros = len(raw) - len(raw.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def _base58_decode(text: str) -> bytes | None:
    number = 0
    for char in text:
        digit = _BASE58.find(char)
        if digit < 0:
            return None
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
