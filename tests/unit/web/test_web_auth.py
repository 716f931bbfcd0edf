from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Iterator

import bcrypt
import pytest

from dbc_exporter.web import auth
from dbc_exporter.web.auth import PasswordCheck, TooManyLoginsError, decoy, parse_basic

ANNA = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
USERS = {"anna": ANNA, "bert": bcrypt.hashpw(b"other", bcrypt.gensalt(5)).decode()}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def check() -> Iterator[PasswordCheck]:
    passwords = PasswordCheck()
    yield passwords
    passwords.close()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record each hash that a password is checked against, in order."""
    seen: list[str] = []
    real = auth._matches

    def spy(password: bytes, against: str) -> bool:
        seen.append(against)
        return real(password, against)

    monkeypatch.setattr(auth, "_matches", spy)
    return seen


async def test_only_the_right_password_of_a_known_user_is_let_in(check: PasswordCheck) -> None:
    assert await check.allows(basic("anna", "right"), USERS)
    assert await check.allows(basic("bert", "other"), USERS)
    assert not await check.allows(basic("anna", "other"), USERS)
    assert not await check.allows(basic("anna", ""), USERS)
    assert not await check.allows(basic("carl", "right"), USERS)
    assert not await check.allows(basic("Anna", "right"), USERS)


@pytest.mark.parametrize(
    "header", [None, "", "Basic", "Basic !!!", "Bearer abc", "Basic " + "YW5uYQ==", "Basic \xfc"]
)
async def test_a_header_without_credentials_costs_no_hashing(
    check: PasswordCheck, hashed: list[str], header: str | None
) -> None:
    assert not await check.allows(header, USERS)
    assert hashed == []


async def test_an_unknown_user_costs_one_hash_like_a_known_one(
    check: PasswordCheck, hashed: list[str]
) -> None:
    await check.allows(basic("anna", "wrong"), USERS)
    await check.allows(basic("nobody", "wrong"), USERS)
    assert len(hashed) == 2


def test_the_decoy_costs_what_the_costliest_user_costs_and_is_a_real_hash() -> None:
    fake = decoy(USERS)
    assert fake.startswith("$2b$05$")
    assert len(fake) == len(ANNA)
    assert not bcrypt.checkpw(b"right", fake.encode())
    assert decoy(USERS) != decoy(USERS)


async def test_a_right_password_is_hashed_once(check: PasswordCheck, hashed: list[str]) -> None:
    for _ in range(3):
        assert await check.allows(basic("anna", "right"), USERS)
    assert hashed == [ANNA]


async def test_a_changed_hash_ends_what_was_remembered(check: PasswordCheck, hashed: list[str]) -> None:
    assert await check.allows(basic("anna", "right"), USERS)
    assert not await check.allows(basic("anna", "right"), {"anna": USERS["bert"]})
    assert not await check.allows(basic("anna", "right"), {"bert": USERS["bert"]})
    assert len(hashed) == 3


async def test_a_flood_of_wrong_passwords_does_not_push_out_the_right_one(
    check: PasswordCheck, hashed: list[str]
) -> None:
    assert await check.allows(basic("anna", "right"), USERS)
    for attempt in range(auth._REMEMBERED + 1):
        assert not await check.allows(basic("anna", f"wrong {attempt}"), USERS)
    hashed.clear()
    assert await check.allows(basic("anna", "right"), USERS)
    assert hashed == []


async def test_what_is_remembered_is_bounded_and_is_no_password(check: PasswordCheck) -> None:
    for number in range(auth._REMEMBERED + 5):
        assert await check.allows(basic(f"user{number}", "right"), {f"user{number}": ANNA})
    assert len(check._proven) == auth._REMEMBERED
    assert all(b"right" not in token for token in check._proven)


async def test_logins_beyond_the_queue_are_refused_while_proven_ones_pass(
    check: PasswordCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await check.allows(basic("anna", "right"), USERS)
    gate = threading.Event()
    monkeypatch.setattr(auth, "_matches", lambda _password, _hash: gate.wait() and False)
    waiting = [
        asyncio.create_task(check.allows(basic("anna", f"wrong {number}"), USERS))
        for number in range(auth._WAITING_LIMIT)
    ]
    await asyncio.sleep(0)  # each of them now waits for the hashing thread
    with pytest.raises(TooManyLoginsError):
        await check.allows(basic("anna", "one more"), USERS)
    assert await check.allows(basic("anna", "right"), USERS)
    gate.set()
    assert await asyncio.gather(*waiting) == [False] * auth._WAITING_LIMIT


async def test_passwords_longer_than_bcrypt_reads_are_checked_as_far_as_it_reads(
    check: PasswordCheck,
) -> None:
    users = {"anna": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()}
    assert await check.allows(basic("anna", "x" * 100), users)
    assert not await check.allows(basic("anna", "x" * 71 + "y" * 29), users)


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        (basic("anna", "right"), ("anna", b"right")),
        (basic("anna", "a:b"), ("anna", b"a:b")),
        (basic("ann\u00e4", "\u20ac"), ("ann\u00e4", "\u20ac".encode())),
        (basic("", ""), ("", b"")),
        ("bAsIc " + base64.b64encode(b"a:b").decode(), ("a", b"b")),
        ("Basic " + base64.b64encode(b"\xff:b").decode(), None),
    ],
)
def test_basic_credentials_are_read_as_the_standard_has_them(
    header: str, credentials: tuple[str, bytes] | None
) -> None:
    assert parse_basic(header) == credentials
