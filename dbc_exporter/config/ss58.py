"""SS58 addresses, judged without the signing library: base58 of prefix, 32-byte key and a checksum."""

from __future__ import annotations

import hashlib

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PREFIX = 42  # DBC uses Substrate's generic prefix
_LENGTH = 35  # one byte of prefix, 32 of key, two of checksum


def is_address(text: str) -> bool:
    """Whether this is a wallet's address as the DBC chain writes it (it starts with 5)."""
    number = 0
    for character in text:
        digit = _ALPHABET.find(character)
        if digit < 0:
            return False
        number = number * 58 + digit
    if number.bit_length() > 8 * _LENGTH:
        return False
    raw = number.to_bytes(_LENGTH, "big")
    checksum = hashlib.blake2b(b"SS58PRE" + raw[:-2]).digest()[:2]
    return raw[0] == _PREFIX and raw[-2:] == checksum
