"""Target files are followed as they change, and a bad one never costs a target."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dbc_exporter.config.problems import ConfigError
from dbc_exporter.config.references import Names
from dbc_exporter.target_files import TargetFiles, read_targets
from dbc_exporter.targets import Kind

A, B, C = "aa" * 32, "bb" * 32, "cc" * 32
NAMES = Names({"me": "wallet", "m": "manager"}, ("a:1",))


def write(path: Path, text: str) -> None:
    """Write a file so that it never looks like the one before, whatever the clock's grain."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def ids(files: TargetFiles) -> list[str]:
    return [target.id for target in files.targets]


def test_records_and_groups_may_be_mixed(tmp_path: Path) -> None:
    file = tmp_path / "t.yml"
    file.write_text(
        f"- id: {A}\n  credential: me\n  clients: ['a:1']\n"
        f"- targets: [{B}, {C}]\n  labels: {{site: berlin}}\n  kind: bare_metal_manager\n  credential: m\n"
    )
    first, second, third = read_targets(file, NAMES)
    assert (first.id, first.credential, first.clients) == (A, "me", ("a:1",))
    assert [second.id, third.id] == [B, C]
    assert second.kind is third.kind is Kind.MANAGER
    assert third.labels == (("site", "berlin"),)


def test_json_works_as_yaml_does(tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    file.write_text(
        f'[\n\t{{"targets": ["{A}"], "labels": {{"rack": 12, "x": "\\ud83d\\ude00"}}}},\n\t{{"id": "{B}", "credential": null}}\n]'
    )
    first, second = read_targets(file, NAMES)
    assert first.labels == (("rack", "12"), ("x", "😀"))
    assert second.credential is None


def test_an_empty_file_has_no_targets(tmp_path: Path) -> None:
    (tmp_path / "t.yml").write_text("# nothing yet\n")
    assert read_targets(tmp_path / "t.yml", NAMES) == ()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.yml", f"id: {A}", "must be a list of targets"),
        ("t.yml", f"- id: {A}\n- id: {A}", f"[1]: target {A} is given twice; keep one of the two"),
        ("t.yml", f"- targets: [{A}, {A}]", "is given twice"),
        ("t.yml", "- just text", "must be a group of keys"),
        ("t.yml", "- targets: [x]", "[0].targets[0]: must be a node id"),
        ("t.yml", f"- targets: [{A}]\n  lables: {{}}", "did you mean labels?"),
        ("t.yml", f"- id: {A}\n  credential: you", "[0].credential: names no credential; known are m, me"),
        ("t.yml", f"- id: {A}\n  clients: [b]", "[0].clients[0]: names no DBC client; known are a:1"),
        ("t.yml", "- id: [", "is no valid YAML"),
        ("t.json", "[{]", "is no valid JSON"),
        ("t.json", "[" * 100_000, "is nested too deeply"),
        ("t.yml", "[" * 2_000, "is no valid YAML"),
    ],
)
def test_a_bad_file_is_told_with_key_line_and_remedy(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_targets(tmp_path / name, NAMES)
    assert words in str(refused.value)
    assert str(tmp_path / name) in str(refused.value)


def test_files_are_followed_as_they_come_change_and_go(tmp_path: Path) -> None:
    files = TargetFiles([str(tmp_path / "*.yml")], NAMES)
    assert not files.refresh()
    write(tmp_path / "1.yml", f"- id: {A}")
    assert files.refresh()
    assert not files.refresh()
    write(tmp_path / "0.yml", f"- id: {B}")
    assert files.refresh()
    assert ids(files) == [B, A]
    write(tmp_path / "1.yml", f"- id: {C}")
    assert files.refresh()
    assert ids(files) == [B, C]
    (tmp_path / "0.yml").unlink()
    assert files.refresh()
    assert ids(files) == [C]
    assert files.problems == ()


def test_a_bad_file_keeps_its_last_good_targets_until_it_is_good_again(tmp_path: Path) -> None:
    files = TargetFiles([str(tmp_path / "*.yml")], NAMES)
    write(tmp_path / "1.yml", f"- id: {A}")
    write(tmp_path / "2.yml", f"- id: {B}")
    files.refresh()
    write(tmp_path / "1.yml", "- id: half-writt")
    assert not files.refresh()
    assert ids(files) == [A, B]
    assert [str(problem) for problem in files.problems] == [
        f"[0].id: must be a node id: 64 lower-case hex characters (this has 10 characters) ({tmp_path}/1.yml, line 1)"
    ]
    write(tmp_path / "1.yml", f"- id: {C}")
    assert files.refresh()
    assert (ids(files), files.problems) == ([C, B], ())


def test_a_problem_is_logged_once_not_at_every_look(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = TargetFiles([str(tmp_path / "*.yml")], NAMES)
    write(tmp_path / "1.yml", "- id: x")
    for _ in range(3):
        files.refresh(force=True)
    assert len(caplog.records) == 1


def test_a_target_of_two_files_is_the_firsts_and_told(tmp_path: Path) -> None:
    files = TargetFiles([str(tmp_path / "*.yml")], NAMES, static_ids=[C])
    write(tmp_path / "1.yml", f"- {{id: {A}, labels: {{from: one}}}}")
    write(tmp_path / "2.yml", f"- {{id: {A}}}\n- {{id: {C}}}\n- {{id: {B}}}")
    files.refresh(quiet=True)
    assert ids(files) == [A, B]
    assert files.targets[0].labels == (("from", "one"),)
    assert [str(problem) for problem in files.problems] == [
        f"target {A} is already given in {tmp_path}/1.yml; keep one of the two ({tmp_path}/2.yml)",
        f"target {C} is already given in targets.static; keep one of the two ({tmp_path}/2.yml)",
    ]


def test_patterns_without_files_are_named(tmp_path: Path) -> None:
    write(tmp_path / "1.yml", "")
    files = TargetFiles([str(tmp_path / "*.yml"), str(tmp_path / "other.yml")], NAMES)
    assert files.unmatched == (str(tmp_path / "other.yml"),)
