"""Secrets come from files and variables, fit their form, and are shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from dbc_exporter.config.credentials import Multisig, Session, Wallet
from dbc_exporter.config.load import load, read
from dbc_exporter.config.problems import ConfigError
from dbc_exporter.config.secrets import values

SEED = "0x" + "5e" * 32
SIGN = "a1" * 64
WORDS = "abandon " * 11 + "about"
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
BOB = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"


def config(tmp_path: Path, credentials: str) -> list[str]:
    (tmp_path / "dbc.yml").write_text(f"clients: [{{url: 'http://a'}}]\ncredentials:\n  me: {credentials}\n")
    return ["--config.file", str(tmp_path / "dbc.yml")]


def refusal(tmp_path: Path, credentials: str, env: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as refused:
        load(config(tmp_path, credentials), env or {})
    assert len(refused.value.problems) == 1, refused.value.problems
    return str(refused.value)


def test_a_secret_is_the_same_whichever_way_it_came(tmp_path: Path) -> None:
    (tmp_path / "seed").write_text(f"\n{SEED}\n")
    for text in (
        "{type: wallet, seed_file: seed}",
        "{type: wallet, seed_env: MY_SEED}",
        f"{{type: wallet, seed: {SEED}}}",
    ):
        credential = load(config(tmp_path, text), {"MY_SEED": SEED}).credentials["me"]
        assert isinstance(credential, Wallet)
        assert credential.seed == SecretStr(SEED)


def test_every_form_of_credential_is_read(tmp_path: Path) -> None:
    (tmp_path / "words").write_text(WORDS)
    multisig = f"{{type: multisig, wallets: [{ALICE}, {BOB}], threshold: 2, signers: [{{mnemonic_file: words}}, {{uri_env: U}}]}}"
    found = load(config(tmp_path, multisig), {"U": "//Bob//stash"}).credentials["me"]
    assert isinstance(found, Multisig)
    assert found.signers[0].mnemonic == SecretStr(WORDS)
    assert found.signers[1].uri == SecretStr("//Bob//stash")
    session = f"{{type: session, session_id_env: I, session_sign_env: S, wallet: {ALICE}}}"
    settings = load(config(tmp_path, session), {"I": "3QRjS1", "S": SIGN})
    assert isinstance(settings.credentials["me"], Session)
    assert set(values(settings.credentials)) == {"3QRjS1", SIGN}


def test_a_secret_in_the_settings_file_draws_a_warning_and_one_in_the_environment_does_not(
    tmp_path: Path,
) -> None:
    argv = config(tmp_path, f"{{type: wallet, seed: {SEED}}}")
    assert any(
        "credentials.me.seed: is written in the settings file" in warning
        for warning in read(argv, {}).warnings
    )
    env = {"DBC_EXPORTER_CREDENTIALS__ME__SEED": SEED}
    assert not any("written" in warning for warning in read(config(tmp_path, "{type: wallet}"), env).warnings)


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        ("{type: wallet}", "needs exactly one of seed, seed_file, seed_env, mnemonic"),
        (f"{{type: wallet, seed: {SEED}, uri_env: U}}", "but has seed and uri_env"),
        ("{type: wallet, seed_file: nowhere}", "cannot be read: No such file or directory"),
        ("{type: wallet, seed_file: .}", "cannot be read: Is a directory"),
        ("{type: wallet, seed_env: NOT_SET}", "environment variable 'NOT_SET' is not set"),
        (f"{{type: wallet, seed_env: {SEED}}}", "must be the name of an environment variable"),
        ("{type: wallet, seed_env: EMPTY}", "is empty; put the secret there"),
        ("{type: wallet, seed: 5eed}", "must be 32 bytes in hex"),
        ("{type: wallet, mnemonic: abandon abandon about}", "must be 12, 15, 18, 21 or 24 words"),
        (f"{{type: session, session_id: a, session_sign: {SEED}}}", "must be 64 bytes in hex"),
        (f"{{type: session, session_id: a, session_sign: {SIGN}, wallet: {ALICE[:-1]}}}", "SS58"),
        (
            f"{{type: multisig, wallets: [{ALICE}], threshold: 2, signers: [{{uri: //Bob}}]}}",
            "more than the account's 1",
        ),
        (
            f"{{type: multisig, wallets: [{ALICE}, {BOB}], threshold: 2, signers: [{{uri: //Bob}}]}}",
            "needs 2 signers",
        ),
        (
            f"{{type: multisig, wallets: [{ALICE}, {ALICE}], threshold: 1, signers: [{{uri: //Bob}}]}}",
            "listed twice",
        ),
        ("{seed: 5eed}", "needs a type"),
        (f"{{type: {SEED}}}", "has a type that does not exist"),
        (SEED, "must be a group of keys"),
        (f"{{type: wallet, {SEED}: 1}}", "is no known key"),
    ],
)
def test_a_bad_credential_is_told_without_its_secret(credential: str, words: str, tmp_path: Path) -> None:
    said = refusal(tmp_path, credential, {"EMPTY": " ", "U": "//Bob"})
    assert words in said
    assert said.startswith("credentials.me")


@pytest.mark.parametrize(
    "credential",
    [
        f"{{type: wallet, seed_file: {SEED}}}",
        f"{{type: wallet, seed_env: {SEED}}}",
        f"{{type: {SEED}}}",
        SEED,
        f"{{type: wallet, seed: [{SEED}]}}",
        f"{{type: wallet, seed: *{SEED[2:]}}}",
        f"{{type: wallet, seed: !{SEED} x}}",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(credential: str, tmp_path: Path) -> None:
    assert SEED[2:] not in refusal(tmp_path, credential)


def test_no_view_of_the_settings_shows_a_secret(tmp_path: Path) -> None:
    settings = load(config(tmp_path, f"{{type: wallet, seed: {SEED}}}"), {})
    for view in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert SEED not in view
        assert SEED[2:] not in view
