"""Credentials as the operator writes them, by name. Secret values are `SecretStr` from the first moment.

Each secret has three keys: `x` (the value itself), `x_file` (a file that holds it) and `x_env` (an environment variable
that holds it). After loading, `x` holds the value whichever way it came (see `secrets.resolve`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SecretStr

from dbc_exporter.config.section import Section


class Secretive(Section):
    """A section with secrets. Of each group of secrets exactly one must be given, in one of the three ways."""

    groups: ClassVar[tuple[tuple[str, ...], ...]] = ()


class Keys(Secretive):
    """The secret of one wallet: exactly one of seed, mnemonic and uri."""

    groups = (("seed", "mnemonic", "uri"),)

    seed: SecretStr | None = Field(default=None, description="32 bytes in hex, with or without 0x")
    seed_file: Path | None = Field(default=None, description="file that holds the seed")
    seed_env: str | None = Field(default=None, description="environment variable that holds the seed")
    mnemonic: SecretStr | None = Field(default=None, description="12 to 24 words")
    mnemonic_file: Path | None = Field(default=None, description="file that holds the mnemonic")
    mnemonic_env: str | None = Field(default=None, description="environment variable that holds the mnemonic")
    uri: SecretStr | None = Field(
        default=None, description="a secret URI as Substrate tools write it, with derivation path"
    )
    uri_file: Path | None = Field(default=None, description="file that holds the URI")
    uri_env: str | None = Field(default=None, description="environment variable that holds the URI")


class Wallet(Keys):
    """A renter's wallet: each call is signed with a fresh nonce."""

    type: Literal["wallet"]


class Multisig(Section):
    """A multisig account of renters; `threshold` of the signers must be ours."""

    type: Literal["multisig"]
    wallets: tuple[str, ...] = Field(min_length=1, description="SS58 addresses of all members of the account")
    threshold: int = Field(ge=1, description="signatures the account needs")
    signers: tuple[Keys, ...] = Field(
        min_length=1, description="our members' keys: seed…, mnemonic… or uri… each"
    )


class Session(Secretive):
    """A renter's session: id and its signature, both reusable bearer secrets."""

    groups = (("session_id",), ("session_sign",))

    type: Literal["session"]
    session_id: SecretStr | None = Field(
        default=None, description="the id that /mining_nodes/session_id gave"
    )
    session_id_file: Path | None = Field(default=None, description="file that holds the id")
    session_id_env: str | None = Field(default=None, description="environment variable that holds the id")
    session_sign: SecretStr | None = Field(
        default=None, description="the wallet's signature of the id, 64 bytes in hex"
    )
    session_sign_file: Path | None = Field(default=None, description="file that holds the signature")
    session_sign_env: str | None = Field(
        default=None, description="environment variable that holds the signature"
    )
    wallet: str | None = Field(
        default=None, description="SS58 address of the wallet, to recognise its rent orders"
    )


class Manager(Secretive):
    """The private key of a bare-metal manager node."""

    groups = (("key",),)

    type: Literal["manager"]
    key: SecretStr | None = Field(default=None, description="the manager's node_private_key, 32 bytes in hex")
    key_file: Path | None = Field(default=None, description="file that holds the key")
    key_env: str | None = Field(default=None, description="environment variable that holds the key")


Credential = Annotated[Wallet | Multisig | Session | Manager, Field(discriminator="type")]
TYPES = ("wallet", "multisig", "session", "manager")
