"""The configuration page and the examples keep up with the settings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dbc_exporter.config import docs
from dbc_exporter.config.flags import flags
from dbc_exporter.config.load import read
from dbc_exporter.config.references import Names
from dbc_exporter.config.settings import CollectorsSettings, Settings
from dbc_exporter.target_files import read_targets

EXAMPLES = docs.PAGE.parent / "examples"
ENV = {"TEAM_SESSION_ID": "3QRjS1", "TEAM_SESSION_SIGN": "ab" * 64}


def test_the_page_is_up_to_date() -> None:
    assert docs.PAGE.read_text(encoding="utf-8") == docs.page()


def test_an_outdated_page_fails_the_check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(docs, "PAGE", tmp_path / "configuration.md")
    assert docs.main(["--check"]) == 1
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    (tmp_path / "configuration.md").write_text("old")
    assert docs.main(["--check"]) == 1


def test_the_page_has_every_setting_and_flag() -> None:
    page = docs.page()
    for name in (*Settings.model_fields, *CollectorsSettings.model_fields):
        assert f"`{name}`" in page
    for flag in flags():
        if not flag.name.startswith("collector."):
            assert f"--{flag.name}" in page


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    (tmp_path / "secrets").mkdir()
    for name in ("renter.seed", "rack-manager.key"):
        (tmp_path / "secrets" / name).write_text("5e" * 32)
    (tmp_path / "targets").mkdir()
    shutil.copy(tmp_path / "targets.yml", tmp_path / "targets" / "t.yml")
    (tmp_path / "web.yml").write_text("basic_auth_users: {}\n")
    return tmp_path


@pytest.mark.parametrize(("name", "targets"), [("minimal.yml", 0), ("pool-owner.yml", 4), ("renter.yml", 2)])
def test_the_examples_load_without_a_warning(name: str, targets: int, examples: Path) -> None:
    loaded = read(["--config.file", str(examples / name)], ENV)
    assert loaded.warnings == ()
    assert len(loaded.targets) == targets


def test_the_example_of_a_target_file_is_one() -> None:
    assert len(read_targets(EXAMPLES / "targets.yml", Names())) == 3
