"""Key pairs of wallets, nodes and managers, derived from the scenario's seed and a name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from dbc_exporter.simulator.signatures import KEY_BYTES, ss58


@dataclass(frozen=True, slots=True)
class Key:
    """One sr25519 key pair: `public` is a node id, `wallet` its SS58 form, `seed` the secret (hex)."""

    public: str
    wallet: str
    seed: str = field(repr=False)

    def sign(self, message: str) -> str:
        """Return the signature of a text in hex. Only for keys made with `real=True`."""
        import sr25519  # noqa: PLC0415 - a native library that worlds without signatures never load

        pair = sr25519.pair_from_seed(bytes.fromhex(self.seed))
        signature: bytes = sr25519.sign(pair, message.encode())
        return signature.hex()


def derive_key(seed: int, *names: str, real: bool) -> Key:
    """Return the key pair of a name; without `real` the public half is no curve point, which is much faster."""
    return key_from_seed(_digest(seed, "seed", names), real=real)


def key_from_seed(secret: str, *, real: bool) -> Key:
    """Return the key pair of a 32-byte seed in hex, with or without 0x."""
    secret = secret.removeprefix("0x")
    if real:
        import sr25519  # noqa: PLC0415 - a native library that worlds without signatures never load

        public = bytes(sr25519.pair_from_seed(bytes.fromhex(secret))[0])
    else:
        public = hashlib.blake2b(bytes.fromhex(secret), digest_size=KEY_BYTES).digest()
    return Key(public.hex(), ss58(public), secret)


def derive_id(seed: int, *names: str) -> str:
    """Return 64 lower-case hex characters that no one holds the secret of."""
    return _digest(seed, "id", names)


def _digest(seed: int, purpose: str, names: tuple[str, ...]) -> str:
    text = "\0".join((str(seed), purpose, *names)).encode()
    return hashlib.blake2b(text, digest_size=KEY_BYTES).hexdigest()
