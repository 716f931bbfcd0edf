from __future__ import annotations

import logging
from pathlib import Path

import bcrypt
import pytest

from dbc_exporter.web.live import LiveConfig, check
from dbc_exporter.web.webconfig import WebConfigError
from tests.unit.web.web_certificates import authority, localhost

USERS = "basic_auth_users: {%s: " + bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode() + "}\n"
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key%s}\n"
REQUIRED = ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    signer = authority()
    localhost(signer).write(tmp_path, "server")
    (tmp_path / "ca.crt").write_bytes(signer.issued.cert_pem)
    path = tmp_path / "web.yml"
    path.write_text(USERS % "anna")
    return path


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return each warning's own account of the problem."""
    fields = (record.__dict__["dbc_fields"] for record in caplog.records if record.levelno == logging.WARNING)
    return [str(each["problems"]) for each in fields]


def test_without_a_file_nothing_is_asked_of_anybody() -> None:
    live = LiveConfig(None)
    assert not live.https
    assert not live.current().authenticated


def test_a_changed_file_is_in_force_at_the_next_look(file: Path) -> None:
    live = LiveConfig(file)
    file.write_text(USERS % "bert")
    assert set(live.current().users) == {"bert"}


@pytest.mark.parametrize("bad", ["basic_auth_users: {anna: plain}", "a: [", "what: 1\n"])
def test_a_bad_file_keeps_the_old_one_and_is_logged_once(
    file: Path, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    live = LiveConfig(file)
    file.write_text(bad)
    assert set(live.current().users) == {"anna"}
    assert set(live.current().users) == {"anna"}
    assert len(warnings(caplog)) == 1
    assert "plain" not in warnings(caplog)[0]


def test_a_file_that_vanished_keeps_the_old_one(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    live = LiveConfig(file)
    file.unlink()
    assert set(live.current().users) == {"anna"}
    assert "cannot be read" in warnings(caplog)[0]


def test_a_repaired_file_is_in_force_and_said_to_be(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    live = LiveConfig(file)
    file.write_text("what: 1\n")
    live.current()
    file.write_text(USERS % "bert")
    assert set(live.current().users) == {"bert"}
    assert "good again" in caplog.text


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param(USERS % "anna", "", "users cannot be taken away", id="emptied while being written"),
        pytest.param(
            TLS % "" + USERS % "anna", TLS % "", "users cannot be taken away", id="cut off half-way"
        ),
        pytest.param(TLS % "", "", "TLS cannot be turned on or off", id="TLS gone"),
        pytest.param("", TLS % "", "TLS cannot be turned on or off", id="TLS new"),
        pytest.param(
            TLS % REQUIRED, TLS % "", "client certificates cannot become optional", id="certificates gone"
        ),
    ],
)
def test_protection_is_never_taken_away_without_a_restart(
    file: Path, before: str, after: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(before)
    live = LiveConfig(file)
    old = live.current()
    file.write_text(after)
    assert live.current() == old
    assert live.current() == old
    assert [said in warning for warning in warnings(caplog)] == [True]


def test_a_new_certificate_makes_a_new_context_and_an_unchanged_one_does_not(file: Path) -> None:
    file.write_text(TLS % "")
    live = LiveConfig(file)
    first = live.context()
    assert live.context() is first
    localhost(authority()).write(file.parent, "server")
    assert live.context() is not first


def test_a_certificate_half_replaced_keeps_the_old_pair_until_the_key_follows(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(TLS % "")
    live = LiveConfig(file)
    first = live.context()
    replacement = localhost(authority())
    (file.parent / "server.crt").write_bytes(replacement.cert_pem)
    assert live.context() is first
    assert live.context() is first
    assert len(warnings(caplog)) == 1
    (file.parent / "server.key").write_bytes(replacement.key_pem())
    assert live.context() is not first


@pytest.mark.parametrize(
    "text", ["what: 1", TLS.replace("server.crt", "none") % "", "basic_auth_users: {a: b}"]
)
def test_at_start_a_bad_file_or_certificate_is_an_error(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(WebConfigError, match=str(file)):
        check(file)


def test_at_start_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WebConfigError, match="cannot be read"):
        check(tmp_path / "none.yml")


def test_a_good_file_passes_the_check(file: Path) -> None:
    file.write_text(TLS % REQUIRED + USERS % "anna")
    check(file)
