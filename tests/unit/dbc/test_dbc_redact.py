"""What a server said is shown without its secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbc_exporter.dbc.redact import HIDDEN, SAID_LIMIT, quote, redact
from tests.shared import needs_captures
from tests.unit.dbc import captures

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
surroundings = st.text(alphabet=st.characters(codec="utf-8"), max_size=60)
FIELDS = ["login_password", "vnc_password", "user_name", "node_private_key", "ipmi_hostname", "ipmi_password",
          "session_id", "session_id_sign", "sign", "nonce", "deeplink_device_password", "ssh_ip"]  # fmt: skip


def _texts() -> list[tuple[str, Any]]:
    """Every recorded JSON text that holds a secret, requests and answers."""
    texts = []
    for recorded in captures.every():
        if recorded.body is not None:
            texts.append((f"{recorded.name} request", recorded.body))
        if recorded.answer is not None and captures.decoded(recorded.answer.body) is not None:
            texts.append((f"{recorded.name} answer", captures.decoded(recorded.answer.body)))
    return [(name, decoded) for name, decoded in texts if captures.secrets_in(decoded)]


def _recognisable() -> list[str]:
    """Secrets that betray themselves without their field's name: signatures, keys, nonces and session ids."""
    found = {secret for _, decoded in _texts() for secret in captures.secrets_in(decoded)}
    return sorted(secret for secret in found if len(secret) >= 40)


def test_there_are_secrets_to_look_for() -> None:
    if not captures.every():
        pytest.skip("the recorded exchanges are not beside this checkout")
    assert len(_texts()) > 20
    assert len(_recognisable()) > 20


@needs_captures
@pytest.mark.parametrize(("name", "decoded"), _texts(), ids=[name for name, _ in _texts()])
def test_no_recorded_secret_survives(name: str, decoded: Any) -> None:
    assert name
    for text in (
        json.dumps(decoded),
        json.dumps(decoded, indent=4),
        json.dumps(decoded, separators=(",", ":")),
    ):
        shown = redact(text)
        assert [
            secret for secret in captures.secrets_in(decoded) if len(secret) > 5 and secret in shown
        ] == []
        # Still JSON, except where a password in a log line took the quote behind it along.
        left = captures.secrets_in(captures.decoded(shown.encode()))
        assert {secret for secret in left if HIDDEN not in secret} == set()


@needs_captures
@given(data=st.data(), before=surroundings, after=surroundings)
def test_no_recorded_secret_survives_in_any_text(data: st.DataObject, before: str, after: str) -> None:
    secret = data.draw(st.sampled_from(_recognisable()))
    assert secret not in redact(before + secret + after)
    assert secret not in quote(before + secret + after)


@given(
    field=st.sampled_from(FIELDS),
    secret=st.text(
        alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"\\'), min_size=6
    ),
    form=st.sampled_from(['"{}":"{}"', '"{}": "{}"', '{{"a": 1, "{}" : "{}"}}']),
)
def test_the_value_of_a_secret_field_never_survives(field: str, secret: str, form: str) -> None:
    assert secret not in redact(form.format(field, secret)).replace(field, "").replace(HIDDEN, "")


@given(
    field=st.sampled_from(["password", "login_password", "ipmi_password", "token"]),
    secret=st.text(alphabet=st.characters(categories=["L", "N"]), min_size=6),
    form=st.sampled_from(["{}: {}", "{}={}", "vnc port: 5999, {}: {}"]),
)
def test_a_password_in_a_log_line_never_survives(field: str, secret: str, form: str) -> None:
    assert secret not in redact(form.format(field, secret)).replace(field, "").replace(HIDDEN, "")


@given(secret=st.text(alphabet="0123456789abcdefABCDEF", min_size=32, max_size=200), before=surroundings)
def test_no_long_run_of_hex_survives(secret: str, before: str) -> None:
    assert secret not in redact(f"{before}{secret}")


@given(secret=st.text(alphabet=BASE58, min_size=44, max_size=60), before=surroundings)
def test_no_session_id_survives(secret: str, before: str) -> None:
    assert secret not in redact(f"{before} {secret} ")


@pytest.mark.parametrize(
    "text",
    [
        "ipmitool -H bmc7.example -U admin -P s3cr3t chassis power status",
        "Address lookup for bmc7.example failed",
        "Error: could not connect to bmc7.example",
        "no route to 10.20.30.40",
        "no route to 10.20.30.40:623",
        "fe80::1:2:3:4 is down",
    ],
)
def test_addresses_and_logins_of_bmcs_never_survive(text: str) -> None:
    shown = redact(text)
    assert not any(secret in shown for secret in ("bmc7", "admin", "s3cr3t", "10.20.30.40", "fe80"))


@pytest.mark.parametrize(
    "text",
    [
        "check authority failed: session_id is invalid",
        "check authority failed: nonce check failed",
        "task_id not exist",
        "Error: Unable to establish LAN session <line> Error: Unable to establish IPMI v1.5 / RMCP session",
        "create request session failed",
    ],
)
def test_the_servers_usual_words_stay_readable(text: str) -> None:
    assert redact(text) == text


def test_a_quote_is_one_short_printable_line() -> None:
    assert quote("a\r\nb") == "a  b"
    assert len(quote("word " * 1000)) == SAID_LIMIT


def test_a_secret_cut_by_the_reading_limit_is_not_shown_in_part() -> None:
    text = "0 " + "ab" * 2000 + " " * 85 + "cdefcdefcdef" + "ab" * 40
    assert "cdefcdef" not in quote(text)
    assert quote("ab" * 4000) == ""


@given(surroundings)
def test_redacting_never_fails_and_finds_nothing_new_the_second_time(text: str) -> None:
    once = redact(text)
    assert redact(once) == redact(redact(once))
