"""What the README shows works as written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from dbc_exporter import check_config
from dbc_exporter.config.load import read
from dbc_exporter.metrics.catalogue import ALL

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def block(start: str) -> str:
    """Return the README's YAML block that begins with a line."""
    found = re.search(rf"```yaml\n({re.escape(start)}.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    seed = tmp_path / "renter.seed"
    seed.write_text("0x" + "22" * 32)
    seed.chmod(0o600)
    (tmp_path / "targets").mkdir()
    file = tmp_path / "dbc-exporter.yml"
    file.write_text(block("# dbc-exporter.yml").replace("/etc/dbc-exporter/renter.seed", str(seed)))
    return file


def test_the_example_configuration_is_accepted_and_its_pace_is_told(config: Path) -> None:
    loaded = read(["check-config", f"--config.file={config}"], {})
    told = check_config.report(loaded)
    assert "OK" in told
    for line in ("client", "node", "tasks", "vms", "power"):
        assert re.search(rf"^{line} +\d+ .* (s|min)\b", told, re.MULTILINE), told
    assert "22" * 32 not in told


def test_the_scrape_configuration_is_one() -> None:
    jobs = yaml.safe_load(block("scrape_configs"))["scrape_configs"]
    assert jobs[0]["static_configs"] == [{"targets": ["localhost:10177"]}]


def test_every_page_it_links_to_is_there() -> None:
    for link in re.findall(r"(?:\]\(|src(?:set)?=\")(?!http)([^)#\"]+)", README):
        assert (ROOT / link).exists(), link


def test_it_names_the_commands_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in re.findall(r"^make ([a-z-]+)", README, re.MULTILINE):
        assert command in targets


def test_every_test_that_the_list_of_lies_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[^`]+)`", (ROOT / "docs" / "truth.md").read_text()))
    assert len(named) > 5
    for path in named:
        assert (ROOT / path).exists(), path


def test_every_metric_that_the_list_of_lies_names_is_declared() -> None:
    text = (ROOT / "docs" / "truth.md").read_text()
    named = set(re.findall(r"`(dbc_[a-z_]+)(?:\{[^`]*)?`", text))
    assert len(named) > 10
    known = {family.name for family in ALL}
    assert {name for name in named if name not in known and not name.endswith("_")} == set()
