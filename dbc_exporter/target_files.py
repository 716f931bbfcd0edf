"""Target files: lists of target records, re-read when they change. A bad file keeps its old targets and says so."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from dbc_exporter.config.documents import Document, parse, read_text
from dbc_exporter.config.problems import ConfigError, Path, Problem, explain
from dbc_exporter.config.records import TargetGroup, TargetRecord
from dbc_exporter.config.references import Names, check_target
from dbc_exporter.logs import get_logger
from dbc_exporter.targets import Target

log = get_logger(__name__)

_Stamp = tuple[int, int, int]


@dataclass(slots=True)
class _File:
    stamp: _Stamp | None
    targets: tuple[Target, ...]
    problems: tuple[Problem, ...]


class TargetFiles:
    """The targets of all files that match the patterns.

    `names` are the credentials and clients a record may name, `static_ids` the ids given elsewhere, which no file may
    repeat. Nothing is read before the first `refresh`, which blocks on the disk.
    """

    def __init__(self, patterns: Sequence[str], names: Names, static_ids: Collection[str] = ()) -> None:
        self._patterns = tuple(patterns)
        self._names = names
        self._static_ids = frozenset(static_ids)
        self._files: dict[str, _File] = {}
        self._targets: tuple[Target, ...] = ()
        self._duplicates: tuple[Problem, ...] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets, each id once, in the order of the files' names."""
        return self._targets

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the files now; empty when all is well."""
        return tuple(problem for file in self._files.values() for problem in file.problems) + self._duplicates

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Patterns that no file matches."""
        return tuple(pattern for pattern in self._patterns if not _expand(pattern))

    def refresh(self, *, force: bool = False, quiet: bool = False) -> bool:
        """Read what is new or changed (with `force`: everything); whether the targets changed.

        A file that is gone takes its targets with it. New problems are logged, unless `quiet`.
        """
        known = self.problems
        paths = sorted({path for pattern in self._patterns for path in _expand(pattern)})
        for gone in self._files.keys() - set(paths):
            lost = self._files.pop(gone)
            log.warning("target file is gone, its targets leave", file=gone, targets=len(lost.targets))
        for path in paths:
            stamp = _stamp(path)
            old = self._files.get(path)
            if force or old is None or old.stamp != stamp or stamp is None:
                self._files[path] = self._read(path, stamp, old)
        self._files = {path: self._files[path] for path in paths}
        before = self._targets
        self._join()
        for problem in () if quiet else self.problems:
            if problem not in known:
                log.error("target file has a problem, its last good targets stay", problem=str(problem))
        return self._targets != before

    def _read(self, path: str, stamp: _Stamp | None, old: _File | None) -> _File:
        try:
            return _File(stamp, read_targets(FilePath(path), self._names), ())
        except ConfigError as error:
            return _File(stamp, old.targets if old else (), error.problems)

    def _join(self) -> None:
        """Make one list of all files'; a target given twice is the first file's."""
        owner: dict[str, str] = dict.fromkeys(self._static_ids, "targets.static")
        joined: list[Target] = []
        duplicates: list[Problem] = []
        for path, file in self._files.items():
            for target in file.targets:
                if target.id in owner:
                    text = f"target {target.id} is already given in {owner[target.id]}; keep one of the two"
                    duplicates.append(Problem((), text, path))
                else:
                    owner[target.id] = path
                    joined.append(target)
        self._targets, self._duplicates = tuple(joined), tuple(duplicates)


def read_targets(path: FilePath, names: Names) -> tuple[Target, ...]:
    """Read one file. Raises ConfigError with all its problems and their lines."""
    document = parse(read_text(path), str(path))
    if document.data is None:
        return ()
    if not isinstance(document.data, list):
        raise ConfigError(
            [Problem((), "must be a list of targets; start each with `- id:`", document.where(()))]
        )
    targets: list[Target] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for index, item in enumerate(document.data):
        here: Path = (index,)
        try:
            found = _record(item).targets()
        except ValidationError as error:
            problems += [
                Problem(here + problem.path, problem.text) for problem in explain(error, _shape(item))
            ]
            continue
        for target in found:
            if target.id in seen:
                problems.append(Problem(here, f"target {target.id} is given twice; keep one of the two"))
            seen.add(target.id)
        problems += [Problem(here + p.path, p.text) for p in check_target(found[0], names)] if found else []
        targets.extend(found)
    if problems:
        raise ConfigError(_placed(problems, document))
    return tuple(targets)


def _placed(problems: Sequence[Problem], document: Document) -> list[Problem]:
    return [problem.at(document.where(problem.path)) for problem in problems]


def _shape(item: Any) -> type[TargetGroup | TargetRecord]:
    return TargetGroup if isinstance(item, Mapping) and "targets" in item else TargetRecord


def _record(item: Any) -> TargetGroup | TargetRecord:
    return _shape(item).model_validate(item)


def _expand(pattern: str) -> list[str]:
    return glob.glob(pattern)  # noqa: PTH207 (Path.glob wants a root; patterns may be absolute)


def _stamp(path: str) -> _Stamp | None:
    try:
        status = os.stat(path)  # noqa: PTH116 (one call, no object per file and look)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
