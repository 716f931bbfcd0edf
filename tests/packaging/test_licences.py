"""Every package that is installed with the exporter has known terms, and the page tells them."""

from __future__ import annotations

import re
from importlib.metadata import distribution
from pathlib import Path

import pytest

from scripts import licences


def test_the_page_is_up_to_date() -> None:
    assert licences.main(["--check"]) == 0


def test_every_pinned_package_is_listed_with_its_version() -> None:
    pinned = re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)(.*)$", licences.LOCK.read_text(), re.MULTILINE)
    expected = {(name, version) for name, version, rest in pinned if "win32" not in rest}
    assert {(name, version) for name, version, _terms in licences.rows()} == expected


def test_what_is_not_permissive_is_remarked_on() -> None:
    assert {name for name, _version, terms in licences.rows() if not licences.permissive(terms)} == set(
        licences.REMARKS
    )


def test_terms_that_metadata_do_not_tell_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "BY_HAND", {})
    with pytest.raises(licences.UnknownLicenceError, match="smoldot-light: the metadata say"):
        licences.licence("smoldot-light", distribution("smoldot-light"))


def test_a_stale_page_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = tmp_path / "licences.md"
    stale.write_text(licences.page().replace("aiohttp", "other"))
    monkeypatch.setattr(licences, "PAGE", stale)
    assert licences.main(["--check"]) == 1
    assert "does not match" in capsys.readouterr().err


def test_another_version_than_the_pinned_one_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "run.txt"
    lock.write_text("aiohttp==0.0.1 \\\n")
    monkeypatch.setattr(licences, "LOCK", lock)
    assert licences.main(["--check"]) == 1
    assert "0.0.1 is pinned" in capsys.readouterr().err
