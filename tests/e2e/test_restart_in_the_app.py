"""What a new process takes over from the one before it, and what not."""

from __future__ import annotations

from pathlib import Path

from dbc_exporter.app import App
from dbc_exporter.config.settings import Settings
from dbc_exporter.metrics.owner import Owner

ONE, OTHER = "http://127.0.0.1:1", "http://127.0.0.1:2"


def started(path: Path, **urls: str) -> App:
    """Build an application on a state file, with these clients."""
    clients = [{"name": name, "url": url} for name, url in urls.items()]
    settings = Settings.model_validate({"clients": clients, "storage": {"path": path}})
    return App(settings, reload=lambda: settings)


def unanswered(app: App) -> dict[str, int]:
    return {client.name: client.unanswered for client in app.engine.clients}


def test_the_sessions_that_a_client_lost_are_counted_on_at_the_same_address_alone(tmp_path: Path) -> None:
    before = started(tmp_path, a=ONE)
    before.engine.clients[0].unanswered = 512
    before._save()
    assert unanswered(started(tmp_path, a=ONE)) == {"a": 512}
    assert unanswered(started(tmp_path, a=OTHER)) == {"a": 0}
    assert unanswered(started(tmp_path, a=OTHER, renamed=ONE)) == {"a": 0, "renamed": 512}


def test_lost_sessions_of_which_the_address_was_not_saved_are_not_counted_on(tmp_path: Path) -> None:
    before = started(tmp_path, a=ONE)
    before.state.set("unanswered", {"a": 512})
    before.state.save(before.store.saved())
    assert unanswered(started(tmp_path, a=ONE)) == {"a": 0}


def test_a_client_taken_out_of_the_settings_before_a_restart_is_forgotten(tmp_path: Path) -> None:
    before = started(tmp_path, a=ONE, left=OTHER)
    for name in ("a", "left"):
        before.store.attempt(Owner(client=name), "client", 15.0)
        before.store.commit(Owner(client=name), "client", {})
    before._save()
    after = started(tmp_path, a=ONE)
    page = after.exposition.reply({}, {}).body.decode()
    assert 'dbc_collector_last_success_timestamp_seconds{client="a"' in page
    assert 'client="left"' not in page
    assert after.store.freshness(Owner(client="left")) == []
