"""What the command line does about remediation without a running exporter: lint a policy, replay the history with one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from dbc_exporter.config.load import read
from dbc_exporter.config.problems import ConfigError, Problem
from dbc_exporter.remediation import journal_view, lint, policy_file, replay
from dbc_exporter.remediation.history import Past
from dbc_exporter.remediation.model import Intent
from dbc_exporter.targets import Kind


def lint_policy(policy: Path | None, config: Sequence[str], env: Mapping[str, str]) -> tuple[str, int]:
    """Return the linter's findings and exit code for a policy, or for the one that the settings name.

    `config` are flags that name the settings; with them the policy is also held against the targets.
    """
    if policy is not None and not config:
        alone = policy_file.load(policy)
        return lint.report(alone.policy, where=alone.where)
    loaded = read(["check-config", *config], env)
    settings = loaded.settings
    file = policy or settings.remediation.policy_file
    if file is None:
        raise ConfigError([Problem((), "the settings name no policy; give --policy FILE")])
    chosen = policy_file.load(file)
    found = settings.targets.discover
    managed = found.bare_metal and any(target.kind is Kind.MANAGER for target in loaded.targets)
    return lint.report(
        chosen.policy,
        loaded.targets,
        complete=not (settings.targets.discovering or managed),
        intervals={name: one.interval_seconds for name, one in settings.collectors.by_name().items()},
        where=chosen.where,
    )


def replay_policy(
    policy: Path,
    since: float,
    storage: Path | None,
    config: Sequence[str],
    env: Mapping[str, str],
    *,
    as_json: bool,
) -> str:
    """Return what a policy would have done in the last `since` recorded seconds. The exporter may be running."""
    directory = storage or read(["check-config", *config], env).settings.storage.path
    if directory is None:
        raise ConfigError([Problem((), "the settings have no storage.path; give --storage.path DIRECTORY")])
    chosen = policy_file.load(policy).policy
    try:
        begin, end, offset = _recorded(directory, since)
        found = replay.replay(directory, chosen, begin, end, real=_intents(directory, begin), offset=offset)
    except FileNotFoundError:
        raise ConfigError([Problem((), f"nothing is recorded in {directory}")]) from None
    except sqlite3.Error as error:
        raise ConfigError([Problem((), f"the history in {directory} cannot be read: {error}")]) from None
    return msgspec.json.encode(found).decode() if as_json else found.text()


def _recorded(directory: Path, since: float) -> tuple[float, float, float]:
    """Return the steady times between which to look, and how far Unix time is ahead of them."""
    past = Past(directory)
    try:
        span = past.span()
        if span is None:
            raise FileNotFoundError(directory)
        first, last = span
        *_, latest = past.fleets(last, last)
    finally:
        past.close()
    return max(first, last - since), last, latest.wall - latest.at


def _intents(directory: Path, since: float) -> tuple[Intent, ...]:
    """Return what was really done, read beside a running exporter; nothing where there is no journal."""
    path = directory / "journal.db"
    if not path.exists():
        return ()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        return journal_view.intents(db, "created >= ?", since)
