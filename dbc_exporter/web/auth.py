"""Who may ask: basic authentication against bcrypt hashes, without telling a stranger which users exist."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt

_REMEMBERED = 128
_WAITING_LIMIT = 64
_BCRYPT_LIMIT = 72  # bcrypt itself never looked at more bytes of a password
_BCRYPT_ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_DIGEST_LENGTH = 31


class TooManyLoginsError(Exception):
    """So many unproven passwords wait for their hash that another one is not taken."""


class PasswordCheck:
    """Checks `Authorization` headers; a right password costs its bcrypt time once.

    Hashing happens in one thread of its own, one at a time: it is slow on purpose, and must take neither the event
    loop nor all processors. Right passwords are remembered by a keyed hash, never as they are. Wrong ones are not
    remembered, so that a flood of them cannot push the right ones out.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._proven: OrderedDict[bytes, None] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bcrypt")
        self._waiting = 0

    async def allows(self, authorization: str | None, users: Mapping[str, str]) -> bool:
        """Tell whether the header names a user of `users` (name to bcrypt hash) and their password.

        An unknown user takes the time of the costliest hash. Raises TooManyLoginsError.
        """
        credentials = parse_basic(authorization)
        if credentials is None:
            return False
        user, password = credentials
        known = user in users
        hashed = users[user] if known else decoy(users)
        token = self._token(user, hashed, password)
        if token in self._proven:
            self._proven.move_to_end(token)
            return True
        if self._waiting >= _WAITING_LIMIT:
            raise TooManyLoginsError
        self._waiting += 1
        try:
            right = await asyncio.get_running_loop().run_in_executor(self._thread, _matches, password, hashed)
        finally:
            self._waiting -= 1
        if not (right and known):
            return False
        self._proven[token] = None
        if len(self._proven) > _REMEMBERED:
            self._proven.popitem(last=False)
        return True

    def close(self) -> None:
        """Let the hashing thread end."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _token(self, user: str, hashed: str, password: bytes) -> bytes:
        parts = (user.encode(), hashed.encode(), password)
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._key, framed, hashlib.sha256)


def parse_basic(authorization: str | None) -> tuple[str, bytes] | None:
    """Return user and password of a `Basic` header; `None` where there is none or it is no such thing."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def decoy(users: Mapping[str, str]) -> str:
    """Return a hash that no password fits and that costs as much to check as the costliest of `users`."""
    cost = max((int(hashed.split("$")[2]) for hashed in users.values()), default=10)
    digest = "".join(secrets.choice(_BCRYPT_ALPHABET) for _ in range(_DIGEST_LENGTH))
    return bcrypt.gensalt(cost).decode() + digest


def _matches(password: bytes, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_BCRYPT_LIMIT], hashed.encode())
    except ValueError:
        return False
