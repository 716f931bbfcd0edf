"""Authority in its three documented forms and a manager's, held against published signatures."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from itertools import count
from pathlib import Path
from subprocess import run
from typing import Any

import base58
import pytest
import sr25519
from pydantic import SecretStr
from scalecodec.utils.ss58 import ss58_decode

from dbc_exporter.dbc import reads, writes
from dbc_exporter.dbc.authority import (
    CredentialError,
    ManagerKey,
    MultisigSigner,
    SessionCredential,
    WalletSigner,
    fresh_nonce,
)
from dbc_exporter.dbc.envelope import request_body
from dbc_exporter.dbc.errors import DbcError, Reason
from tests.shared import SHARED

NODE = "ab" * 32
ROOT = Path(__file__).resolve().parents[2]
ALICE_SEED = "e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a"
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
BOB = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"
CHARLIE = "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y"
# The published address of Alice, Bob and Charlie, two of whom must sign.
TWO_OF_THREE = "5DjYJStmdZ2rcqXbXGX7TW85JsrW6uG4y9MUcLq2BoPMpRA7"


def _verifies(wallet: str, message: str, sign: str) -> bool:
    public_key = bytes.fromhex(wallet if re.fullmatch(r"[0-9a-f]{64}", wallet) else ss58_decode(wallet))
    return bool(sr25519.verify(bytes.fromhex(sign), message.encode(), public_key))


def _alice(**options: Any) -> WalletSigner:
    return WalletSigner("alice", SecretStr("//Alice"), **options)


def _counting() -> Any:
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


def _body(call: Any, credential: Any, order: str | None = None, **options: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(request_body(call, credential, order, **options))
    return decoded


def _published() -> list[tuple[str, str, str]]:
    """Wallet, signed text and signature, as the documentation of DBC prints them."""
    chain = SHARED / "chain" / "chain.md"
    if not chain.is_file():
        return []
    text = chain.read_text()
    wallets = re.findall(r"wallet `(\w{48})`, nonce `(\w+)`, sign `([0-9a-f]{128})`", text)
    session = re.search(r"session `(\w+)` signed by the first wallet: `([0-9a-f]{128})`", text)
    return wallets + ([] if session is None else [(wallets[0][0], *session.groups())])


@pytest.mark.skipif(not _published(), reason="the published signatures are not beside this checkout")
def test_published_signatures_verify_over_the_bare_text() -> None:
    published = _published()
    assert len(published) == 3
    assert [_verifies(*vector) for vector in published] == [True, True, True]


@pytest.mark.skipif(not _published(), reason="the published signatures are not beside this checkout")
def test_published_nonces_have_the_form_of_ours() -> None:
    for _, text, _ in _published():
        assert re.fullmatch(r"[0-9a-f-]{36}", base58.b58decode_check(text).decode())
        assert len(fresh_nonce()) in range(len(text) - 1, len(text) + 2)


def test_a_nonce_is_base58check_of_a_uuid_version_4() -> None:
    text = base58.b58decode_check(fresh_nonce(lambda size: b"\x07" * size)).decode()
    assert text == "07070707-0707-4707-8707-070707070707"


def test_a_wallet_signs_a_fresh_nonce_for_every_call() -> None:
    wallet = _alice(random_bytes=_counting())
    first, second = (_body(reads.task_list(NODE), wallet, "101") for _ in range(2))
    assert set(first) == {"peer_nodes_list", "additional", "rent_order", "wallet", "nonce", "sign"}
    assert (first["wallet"], first["rent_order"]) == (ALICE, "101")
    assert first["nonce"] != second["nonce"]
    assert _verifies(ALICE, first["nonce"], first["sign"])
    assert _verifies(ALICE, second["nonce"], second["sign"])


def test_a_signature_is_128_hex_digits_without_0x() -> None:
    assert re.fullmatch(r"[0-9a-f]{128}", _alice().sign()["sign"])


def test_a_given_nonce_is_signed_as_the_text_it_is() -> None:
    signed = _alice().sign(nonce="0xabcd")
    assert signed["nonce"] == "0xabcd"
    assert _verifies(ALICE, "0xabcd", signed["sign"])
    assert _body(reads.task_list(NODE), _alice(), nonce="canary")["nonce"] == "canary"


@pytest.mark.parametrize(
    "secret",
    [
        ALICE_SEED,
        "0x" + ALICE_SEED,
        "//Alice",
        "bottom drive obey lake curtain smoke basket hold race lonely fit walk//Alice",
    ],
    ids=["seed", "seed with 0x", "uri", "mnemonic with path"],
)
def test_a_wallet_is_built_from_seed_mnemonic_or_uri(secret: str) -> None:
    assert WalletSigner("w", SecretStr(secret)).addresses() == {ALICE}


def test_several_wallets_sign_each_with_a_nonce_of_its_own() -> None:
    both = [SecretStr("//Alice"), SecretStr("//Bob")]
    signer = MultisigSigner("team", [ALICE, BOB, CHARLIE], 2, both)
    body = _body(reads.session_id(NODE), signer)
    accounts = body["multisig_accounts"]
    assert set(body) == {"peer_nodes_list", "additional", "multisig_accounts"}
    assert (accounts["wallets"], accounts["threshold"]) == ([ALICE, BOB, CHARLIE], "2")
    assert [sign["wallet"] for sign in accounts["signs"]] == [ALICE, BOB]
    assert len({sign["nonce"] for sign in accounts["signs"]}) == 2
    assert all(_verifies(sign["wallet"], sign["nonce"], sign["sign"]) for sign in accounts["signs"])


def test_the_common_address_is_the_one_substrate_derives_in_any_order() -> None:
    both = [SecretStr("//Alice"), SecretStr("//Bob")]
    for wallets in ([ALICE, BOB, CHARLIE], [CHARLIE, BOB, ALICE]):
        assert MultisigSigner("team", wallets, 2, both).addresses() == {TWO_OF_THREE}


def test_a_session_is_sent_without_a_nonce() -> None:
    session = _alice().session(SecretStr("3QRjS1PsbDReGJKVBBRqxUh9RqXB5jbfHJ8bMgGoJ3C9HHHHm9rCmmh"))
    body = _body(reads.vm(NODE, "Task1"), session, "101")
    assert set(body) == {"peer_nodes_list", "additional", "rent_order", "session_id", "session_id_sign"}
    assert _verifies(ALICE, body["session_id"], body["session_id_sign"])
    assert session.addresses() == {ALICE}


def test_a_configured_session_signature_loses_its_0x() -> None:
    session = SessionCredential("s", SecretStr("session"), SecretStr("0x" + "ab" * 64))
    assert session.sign() == {"session_id": "session", "session_id_sign": "ab" * 64}
    assert session.addresses() == frozenset()


def _manager() -> ManagerKey:
    node_id = ss58_decode(ALICE)
    return ManagerKey("manager", node_id, SecretStr("//Alice"))


def test_a_manager_signs_with_its_node_id_as_wallet_and_without_an_order() -> None:
    manager = ss58_decode(ALICE)
    body = _body(writes.delete_servers(manager, [NODE]), _manager(), "101")
    assert set(body) == {"peer_nodes_list", "additional", "wallet", "nonce", "sign"}
    assert body["wallet"] == manager
    assert _verifies(manager, body["nonce"], body["sign"])


def test_a_public_call_is_never_signed() -> None:
    for call in (reads.node_config(NODE), reads.bare_metal_list(NODE), reads.lan_probe(NODE), reads.peers()):
        assert set(_body(call, _alice(), "101")) == {"peer_nodes_list", "additional"}


def test_an_optional_credential_is_used_when_there_is_one() -> None:
    assert set(_body(reads.images(NODE), None)) == {"peer_nodes_list", "additional"}
    assert "sign" in _body(reads.images(NODE), _alice())


SESSION = SessionCredential("s", SecretStr("session"), SecretStr("ab" * 64))


@pytest.mark.parametrize(
    ("call", "credential"),
    [
        (reads.task_list(NODE), None),
        (reads.session_id(NODE), SESSION),
        (writes.delete_servers(NODE, [NODE]), SESSION),
        (writes.delete_servers(NODE, [NODE]), None),
    ],
)
def test_a_call_without_the_authority_it_needs_is_not_built(call: Any, credential: Any) -> None:
    with pytest.raises(DbcError) as caught:
        request_body(call, credential)
    assert caught.value.reason is Reason.AUTHORITY


def test_a_manager_key_cannot_act_as_renter() -> None:
    with pytest.raises(DbcError) as caught:
        request_body(reads.task_list(NODE), _manager())
    assert caught.value.reason is Reason.AUTHORITY


def test_only_a_wallet_can_fence() -> None:
    multisig = MultisigSigner("team", [ALICE], 1, [SecretStr("//Alice")])
    assert [c.can_fence for c in (_alice(), multisig, SESSION, _manager())] == [True, False, False, False]
    for credential in (multisig, SESSION):
        with pytest.raises(CredentialError):
            credential.sign(nonce="canary")


WORDS = "bottom drive obey lake curtain smoke basket hold race lonely fit walkk"


@pytest.mark.parametrize("secret", ["", "nonsense", WORDS, "ab" * 31, "//Alice///password", "0x" + "zz" * 32])
def test_a_bad_secret_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(CredentialError) as caught:
        WalletSigner("mine", SecretStr(secret))
    assert "mine" in str(caught.value)
    assert not secret or secret not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("wallets", "threshold", "secrets"),
    [
        ([ALICE, BOB], 3, ["//Alice", "//Bob"]),
        ([ALICE, BOB], 0, ["//Alice"]),
        ([ALICE, BOB], 2, ["//Alice"]),
        ([ALICE, BOB], 2, ["//Alice", "//Alice"]),
        ([ALICE, BOB], 1, ["//Charlie"]),
        ([ALICE, "nonsense"], 1, ["//Alice"]),
    ],
)
def test_several_wallets_that_cannot_reach_their_threshold_are_refused(
    wallets: list[str], threshold: int, secrets: list[str]
) -> None:
    with pytest.raises(CredentialError):
        MultisigSigner("team", wallets, threshold, [SecretStr(secret) for secret in secrets])


def test_a_manager_key_of_another_node_is_refused() -> None:
    with pytest.raises(CredentialError):
        ManagerKey("manager", NODE, SecretStr("//Alice"))


def test_a_session_without_a_signature_is_refused() -> None:
    with pytest.raises(CredentialError):
        SessionCredential("s", SecretStr("session"), SecretStr("abc"))


def test_credentials_show_their_name_only() -> None:
    multisig = MultisigSigner("team", [ALICE], 1, [SecretStr("//Alice")])
    shown = [repr(credential) + str(credential) for credential in (_alice(), multisig, SESSION, _manager())]
    assert "alice" in shown[0]
    for text in shown:
        assert not re.search(r"//Alice|[0-9a-f]{32}|5Grwva|'session'", text)


def test_the_signing_library_is_loaded_only_when_a_key_is_built() -> None:
    check = (
        "import sys; from dbc_exporter.dbc import authority, envelope, inventory, reads, writes, transport;"
        "sys.exit('substrateinterface' in sys.modules or 'sr25519' in sys.modules)"
    )
    assert run([sys.executable, "-c", check], check=False, cwd=ROOT).returncode == 0


def test_a_signature_covers_nothing_but_the_nonce() -> None:
    signed = _alice().sign(nonce="n")
    wrapped = "<Bytes>n</Bytes>"
    assert not _verifies(ALICE, wrapped, signed["sign"])
    assert not _verifies(ALICE, hashlib.sha256(b"n").hexdigest(), signed["sign"])
