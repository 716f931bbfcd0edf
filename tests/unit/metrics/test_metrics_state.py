"""The state file survives restarts, and its faults do not stop the exporter."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dbc_exporter.metrics.saved import Saved, SavedFreshness, SavedTarget
from dbc_exporter.state import StateFile
from dbc_exporter.targets import DesiredState, Kind, Target
from tests.unit.metrics.fleet import MANAGER, NODE, SERVER, FakeClock, full_store

SAVED = Saved(
    (
        SavedFreshness("", NODE, "", "node", 60.0, 1.5, 1.25),
        SavedFreshness("left", "", "", "lan", 300.0, 2.5, None),
    ),
    (
        SavedTarget(Target(NODE, labels=(("rack", "r1"),), clients=("left",), expected_gpus=8)),
        SavedTarget(Target(SERVER, Kind.SERVER, MANAGER, desired_state=DesiredState.ON), left_at=7.5),
    ),
)


def sorted_rows(saved: Saved) -> tuple[list[SavedFreshness], list[SavedTarget]]:
    by_collector = sorted(saved.freshness, key=lambda row: (row.client, row.node_id, row.collector))
    return by_collector, sorted(saved.targets, key=lambda row: row.target.id)


def test_what_was_saved_is_loaded_by_the_next_process(tmp_path: Path) -> None:
    StateFile(tmp_path).save(SAVED)
    state = StateFile(tmp_path)
    assert sorted_rows(state.load()) == sorted_rows(SAVED)
    assert state.persistent


def test_a_whole_store_comes_back(tmp_path: Path) -> None:
    saved = full_store(FakeClock()).saved()
    StateFile(tmp_path).save(saved)
    assert sorted_rows(StateFile(tmp_path).load()) == sorted_rows(saved)


def test_a_save_replaces_the_one_before(tmp_path: Path) -> None:
    state = StateFile(tmp_path)
    state.save(SAVED)
    state.save(Saved())
    assert StateFile(tmp_path).load() == Saved()


def test_values_by_key_reach_the_disk_with_the_next_save(tmp_path: Path) -> None:
    state = StateFile(tmp_path)
    state.set("unanswered/left", {"count": 3})
    assert state.get("unanswered/left") == {"count": 3}
    state.save(Saved())
    again = StateFile(tmp_path)
    again.load()
    assert again.get("unanswered/left") == {"count": 3}
    assert again.get("unanswered/other") is None


def test_a_value_set_before_loading_is_not_overwritten(tmp_path: Path) -> None:
    first = StateFile(tmp_path)
    first.set("key", 1)
    first.save(Saved())
    second = StateFile(tmp_path)
    second.set("key", 2)
    second.load()
    assert second.get("key") == 2


def test_a_missing_directory_is_made(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "a" / "b")
    state.save(SAVED)
    assert state.persistent


def test_without_a_directory_all_works_in_memory() -> None:
    state = StateFile(None)
    state.set("key", 1)
    state.save(SAVED)
    assert (state.load(), state.get("key"), state.persistent) == (Saved(), 1, False)


def test_a_file_that_is_no_database_is_told_once_and_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database, but long enough to be taken for one" * 50)
    state = StateFile(tmp_path)
    assert state.load() == Saved()
    state.save(SAVED)
    state.save(SAVED)
    assert not state.persistent
    assert caplog.text.count("running without it") == 1


def test_a_file_of_another_version_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    StateFile(tmp_path).save(SAVED)
    path = tmp_path / "state.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    state = StateFile(tmp_path)
    assert state.load() == Saved()
    state.save(Saved())
    assert not state.persistent
    assert "schema 99" in caplog.text


@pytest.mark.parametrize("damage", ["UPDATE inventory SET target = '{'", "DROP TABLE freshness"])
def test_damaged_content_is_done_without(tmp_path: Path, damage: str) -> None:
    StateFile(tmp_path).save(SAVED)
    database = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    database.execute(damage)
    database.close()
    state = StateFile(tmp_path)
    assert state.load() == Saved()
    assert not state.persistent


def test_a_directory_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    state = StateFile(tmp_path / "file" / "below")
    state.save(SAVED)
    assert not state.persistent


def persistent_after_save(state: StateFile) -> bool:
    state.save(SAVED)
    return state.persistent


def test_it_is_persistent_again_once_a_save_works(tmp_path: Path) -> None:
    path = tmp_path / "place"
    path.write_text("in the way")
    state = StateFile(path)
    assert not persistent_after_save(state)
    path.unlink()
    assert persistent_after_save(state)
    assert sorted_rows(StateFile(path).load()) == sorted_rows(SAVED)
