"""YAML and JSON files as plain data, with the line of every key.

Scalars stay text: the settings' own types decide what they mean, so that `on`, `012` and `1:30` are never read as
something else. An empty value is as if its key were absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from dbc_exporter.config.problems import ConfigError, Path, Problem

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_QUOTES = re.compile(r"'[^']*'|\"[^\"]*\"")
MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """A file's data and the line (from 1) of each path in it."""

    name: str
    data: Any
    lines: Mapping[Path, int] = field(default_factory=dict)

    def where(self, path: Path) -> str:
        """Say where a path, or the nearest thing around it, was written."""
        for length in range(len(path), -1, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return f"{self.name}, line {line}"
        return self.name


def read_text(path: FilePath, limit: int = MAX_BYTES) -> str:
    """Return a file's text. Raises ConfigError with the system's reason and the remedy."""
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            [Problem((), f"cannot be read: {reason}; check path and permissions", str(path))]
        ) from None
    if len(raw) > limit:
        raise ConfigError([Problem((), f"is larger than {limit} bytes; is it the right file?", str(path))])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError([Problem((), "is not UTF-8 text; save it as UTF-8", str(path))]) from None


def parse(text: str, name: str) -> Document:
    """Parse JSON (when `name` ends in .json) or YAML. Raises ConfigError naming the line."""
    return _parse_json(text, name) if name.endswith(".json") else _parse_yaml(text, name)


def _parse_json(text: str, name: str) -> Document:
    try:
        return Document(name, _without_nulls(json.loads(text, parse_int=str, parse_float=str)))
    except json.JSONDecodeError as error:
        raise ConfigError(
            [Problem((), f"is no valid JSON: {error.msg}", f"{name}, line {error.lineno}")]
        ) from None
    except RecursionError:
        raise ConfigError([Problem((), "is nested too deeply", name)]) from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _parse_yaml(text: str, name: str) -> Document:
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        # the parser quotes what it stumbled on, which could be a secret
        reason = _QUOTES.sub("…", error.problem or "syntax error")
        raise ConfigError([Problem((), f"is no valid YAML: {reason}", f"{name}, line {line}")]) from None
    except (yaml.YAMLError, RecursionError):
        raise ConfigError(
            [Problem((), "is no valid YAML: it holds characters or nesting YAML forbids", name)]
        ) from None
    builder = _Builder()
    data = builder.build(root, ()) if root is not None else None
    document = Document(name, data, builder.lines)
    if builder.problems:
        raise ConfigError([problem.at(document.where(problem.path)) for problem in builder.problems])
    return document


class _Builder:
    """Turns YAML nodes into data, collecting lines and what YAML allows but we do not."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()

    def build(self, node: yaml.Node, path: Path) -> Any:
        """Return the node's data; a scalar is text or None."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        if node.tag.startswith("!"):
            self.problems.append(
                Problem(path, "carries a YAML tag, which is not supported; write the value plainly")
            )
        if isinstance(node, yaml.ScalarNode):
            return None if not node.style and node.value in _NULLS else node.value
        if id(node) in self._open:
            self.problems.append(Problem(path, "is a YAML alias of something that contains it; write it out"))
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        built: dict[str, Any] = {}
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(path, "has a key that is no plain text; write a plain key"))
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in seen:
                self.problems.append(Problem(here, "is given twice; keep one of the two"))
            seen.add(key)
            self.lines[here] = key_node.start_mark.line + 1
            value = self.build(value_node, here)
            if value is not None:
                built[key] = value
        return built
