"""A policy file is read strictly, and everything wrong in it is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbc_exporter.config.problems import ConfigError
from dbc_exporter.remediation.model import Mode
from dbc_exporter.remediation.policy_file import load, parse


def test_a_file_becomes_a_policy_with_its_text_and_a_hash_of_it(tmp_path: Path) -> None:
    file = tmp_path / "policy.yml"
    file.write_text("version: 1\nmode: approve # for a week\n")
    loaded = load(file)
    assert loaded.policy.mode is Mode.APPROVE
    assert loaded.text == file.read_text()
    assert len(bytes.fromhex(loaded.hash)) == 16


def test_the_hash_names_the_text_and_nothing_else() -> None:
    text = "version: 1\n"
    assert parse(text, "a.yml").hash == parse(text, "b.yml").hash
    assert parse(text, "a.yml").hash != parse(f"{text}# a remark\n", "a.yml").hash


def test_json_is_read_too() -> None:
    assert parse('{"version": "1", "mode": "act"}', "policy.json").policy.mode is Mode.ACT


def test_without_rules_and_mode_nothing_is_done() -> None:
    policy = parse("version: 1\n", "p.yml").policy
    assert (policy.mode, policy.rules) == (Mode.DRY_RUN, ())


def test_all_problems_come_at_once_each_with_its_line() -> None:
    text = "version: 1\nmode: loud\nrules:\n  - name: a\n    kind: vm\n    match: {}\n    ladder: [{action: stop}]\n"
    with pytest.raises(ConfigError) as caught:
        parse(text, "p.yml")
    heads = [str(problem).split(" ", 1)[0] for problem in caught.value.problems]
    assert heads == ["mode:", "rules[0].ladder[0].action:"]
    assert str(caught.value.problems[0]).endswith("(p.yml, line 2)")
    assert str(caught.value.problems[1]).endswith("(p.yml, line 7)")


def test_a_place_in_the_policy_is_told_with_its_line() -> None:
    loaded = parse("version: 1\nlimits:\n  budgets:\n    - {scope: fleet, window: 1h, most: 5}\n", "p.yml")
    assert loaded.where(("limits", "budgets", 0, "most")) == "p.yml, line 4"
    assert loaded.where(("limits", "storm", "bad_least")) == "p.yml, line 2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no policy; it begins with `version: 1`"),
        ("- a\n", "is no policy"),
        ("version: 1\nversion: 1\n", "is given twice"),
        (
            "version: 1\nwindows: [{name: n, begin: 1:00, end: '25:00'}]\n",
            "windows[0].end: is no time of day",
        ),
        (
            "version: 1\nwindows: [{name: n, begin: '1', end: '2:00'}]\n",
            "windows[0].begin: is no time of day",
        ),
        ("version: 1\nwindows: [{name: n, timezone: Mars, begin: '1:00', end: '2:00'}]\n", "is no time zone"),
        ("version: 1\nlimits: {budgets: []}\n", "limits.budgets: must not be empty"),
    ],
)
def test_what_is_no_policy_is_refused_with_the_remedy(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "p.yml")
    assert said in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        load(tmp_path / "nowhere.yml")
