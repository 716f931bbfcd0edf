"""Proof of who calls: a wallet, several wallets together, a session, or a bare-metal manager's key.

Signatures are sr25519 over the bare UTF-8 bytes of a nonce that works once per node, or of a session id. Secrets
come in as `SecretStr`; `repr` and errors show the credential's name and nothing else. The signing library is loaded
when the first key is built.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pydantic import SecretStr

from dbc_exporter.dbc.calls import Authority

RandomBytes = Callable[[int], bytes]

_RENTER = frozenset({Authority.OPTIONAL, Authority.RENTER})
_WALLET = frozenset({Authority.OPTIONAL, Authority.RENTER, Authority.WALLET})
_MANAGER = frozenset({Authority.MANAGER})
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SEED = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")
_SIGNATURE = re.compile(r"(?:0x)?[0-9a-fA-F]{128}")
_NODE_ID = re.compile(r"[0-9a-f]{64}")
_SS58_PREFIX = 42
_MOST_WALLETS = 63


class CredentialError(ValueError):
    """A credential that cannot be built or cannot do what is asked. The text holds no secret."""


class Credential(Protocol):
    """Signs requests."""

    @property
    def name(self) -> str:
        """The configured name, the only thing ever shown."""

    @property
    def serves(self) -> frozenset[Authority]:
        """The kinds of authority it can give."""

    @property
    def can_fence(self) -> bool:
        """Whether one nonce of its own choice tells later if a request arrived."""

    def addresses(self) -> frozenset[str]:
        """SS58 addresses a rent order of ours names as renter."""

    def sign(self, *, nonce: str | None = None) -> dict[str, Any]:
        """Give the body fields that prove the authority, over a fresh nonce or over the given one."""


def fresh_nonce(random_bytes: RandomBytes = os.urandom) -> str:
    """Give a nonce in the form of DBC's own tools: base58check of a UUIDv4's text, 55 characters or so."""
    payload = str(uuid.UUID(bytes=random_bytes(16), version=4)).encode()
    checksum = hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number = int.from_bytes(payload + checksum, "big")
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = _BASE58[digit] + digits
    return digits


class _Named:
    """Shows its name only."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"


class _Key:
    """One sr25519 key pair."""

    def __init__(self, name: str, secret: SecretStr) -> None:
        self._pair = _key_pair(name, secret.get_secret_value().strip())
        self.address: str = self._pair.ss58_address
        self.public_key: bytes = self._pair.public_key

    def __repr__(self) -> str:
        return "_Key(...)"

    def sign(self, text: str) -> str:
        """Sign the text's bytes; bytes, because the library takes a text with 0x for hex."""
        signature: bytes = self._pair.sign(text.encode())
        return signature.hex()


def _key_pair(name: str, secret: str) -> Any:
    from substrateinterface import Keypair  # noqa: PLC0415 - heavy; only who signs pays for it

    try:
        if _SEED.fullmatch(secret):
            return Keypair.create_from_seed("0x" + secret.removeprefix("0x"), ss58_format=_SS58_PREFIX)
        return Keypair.create_from_uri(secret, ss58_format=_SS58_PREFIX)
    except Exception:  # noqa: BLE001 - the library raises many types, some quoting the secret
        problem = "neither a seed of 64 hex digits nor a mnemonic or URI"
    raise CredentialError(f"credential {name}: the secret is {problem}")


class WalletSigner(_Named):
    """A renter's wallet: seed (64 hex digits), mnemonic or URI."""

    serves = _WALLET
    can_fence = True

    def __init__(self, name: str, secret: SecretStr, *, random_bytes: RandomBytes = os.urandom) -> None:
        super().__init__(name)
        self._key = _Key(name, secret)
        self._random_bytes = random_bytes

    def addresses(self) -> frozenset[str]:
        """Give the wallet's own address."""
        return frozenset({self._key.address})

    def sign(self, *, nonce: str | None = None) -> dict[str, Any]:
        """Give `wallet`, `nonce` and `sign`."""
        return _signed(self._key.address, self._key, nonce or fresh_nonce(self._random_bytes))

    def session(self, session_id: SecretStr) -> SessionCredential:
        """Turn the session id a node gave this wallet into a credential that needs no nonce."""
        sign = SecretStr(self._key.sign(session_id.get_secret_value()))
        return SessionCredential(self.name, session_id, sign, wallet=self._key.address)


class MultisigSigner(_Named):
    """A wallet of several: all members, how many must sign, and the secrets of those who sign here."""

    serves = _WALLET
    can_fence = False  # every signer needs a nonce of its own

    def __init__(
        self,
        name: str,
        wallets: Sequence[str],
        threshold: int,
        secrets: Sequence[SecretStr],
        *,
        random_bytes: RandomBytes = os.urandom,
    ) -> None:
        super().__init__(name)
        self._keys = tuple(_Key(name, secret) for secret in secrets)
        self._wallets = tuple(dict.fromkeys(wallets))
        self._threshold = threshold
        self._random_bytes = random_bytes
        if not 1 <= threshold <= len(self._wallets) <= _MOST_WALLETS:
            raise CredentialError(f"credential {name}: the threshold must be from 1 to the number of wallets")
        signing = {key.address for key in self._keys}
        if not signing <= set(self._wallets):
            raise CredentialError(f"credential {name}: a secret belongs to none of the wallets")
        if len(signing) < threshold:
            raise CredentialError(f"credential {name}: fewer different secrets than the threshold")
        self._address = _multisig_address(name, self._wallets, threshold)

    def addresses(self) -> frozenset[str]:
        """Give the address that the members have in common."""
        return frozenset({self._address})

    def sign(self, *, nonce: str | None = None) -> dict[str, Any]:
        """Give `multisig_accounts`, each signature over a nonce of its own."""
        if nonce is not None:
            raise CredentialError(f"credential {self.name}: several wallets cannot share a nonce")
        signs = [_signed(key.address, key, fresh_nonce(self._random_bytes)) for key in self._keys]
        accounts = {"wallets": list(self._wallets), "threshold": str(self._threshold), "signs": signs}
        return {"multisig_accounts": accounts}


class SessionCredential(_Named):
    """A session id of one node and its signature; as long as the order runs, whoever has both may act.

    `wallet` is the address the session was made for, where it is known.
    """

    serves = _RENTER
    can_fence = False

    def __init__(
        self, name: str, session_id: SecretStr, session_sign: SecretStr, *, wallet: str | None = None
    ) -> None:
        super().__init__(name)
        if not session_id.get_secret_value() or not _SIGNATURE.fullmatch(session_sign.get_secret_value()):
            raise CredentialError(
                f"credential {name}: a session needs its id and a signature of 128 hex digits"
            )
        self._session_id = session_id
        self._session_sign = session_sign
        self._wallet = wallet

    def addresses(self) -> frozenset[str]:
        """Give the session's wallet, nothing when it is not known."""
        return frozenset() if self._wallet is None else frozenset({self._wallet})

    def sign(self, *, nonce: str | None = None) -> dict[str, Any]:
        """Give `session_id` and `session_id_sign`."""
        if nonce is not None:
            raise CredentialError(f"credential {self.name}: a session has no nonce")
        sign = self._session_sign.get_secret_value().removeprefix("0x")
        return {"session_id": self._session_id.get_secret_value(), "session_id_sign": sign}


class ManagerKey(_Named):
    """A bare-metal manager's own key, for adding, changing and deleting its servers."""

    serves = _MANAGER
    can_fence = False  # no harmless read tells whether its nonce was used

    def __init__(
        self, name: str, manager: str, secret: SecretStr, *, random_bytes: RandomBytes = os.urandom
    ) -> None:
        super().__init__(name)
        self._key = _Key(name, secret)
        self._random_bytes = random_bytes
        self._manager = manager
        if not _NODE_ID.fullmatch(manager) or self._key.public_key.hex() != manager:
            raise CredentialError(f"credential {name}: the key does not belong to the manager's node id")

    def addresses(self) -> frozenset[str]:
        """Give nothing: a manager rents nothing."""
        return frozenset()

    def sign(self, *, nonce: str | None = None) -> dict[str, Any]:
        """Give `wallet` (the node id), `nonce` and `sign`."""
        return _signed(self._manager, self._key, nonce or fresh_nonce(self._random_bytes))


def _signed(wallet: str, key: _Key, nonce: str) -> dict[str, Any]:
    return {"wallet": wallet, "nonce": nonce, "sign": key.sign(nonce)}


def _multisig_address(name: str, wallets: Sequence[str], threshold: int) -> str:
    """Derive the common address as Substrate does: blake2b over prefix, sorted keys and threshold."""
    from scalecodec.utils.ss58 import ss58_decode, ss58_encode  # noqa: PLC0415 - only who signs pays for it

    try:
        keys = sorted(bytes.fromhex(ss58_decode(wallet)) for wallet in wallets)
    except ValueError:
        raise CredentialError(f"credential {name}: a wallet is no SS58 address") from None
    # A vector's length in SCALE's one-byte form, which holds up to 63 members.
    payload = b"modlpy/utilisuba" + bytes([len(keys) << 2]) + b"".join(keys) + threshold.to_bytes(2, "little")
    address: str = ss58_encode(hashlib.blake2b(payload, digest_size=32).digest(), ss58_format=_SS58_PREFIX)
    return address
