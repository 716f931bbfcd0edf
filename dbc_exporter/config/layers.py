"""The three layers of settings, which wins, and where a value came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from dbc_exporter.config.problems import Path

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Layer:
    """One source's part of the tree; `where` names the place a path was written in."""

    kind: str
    data: dict[str, Any]
    where: Callable[[Path], str]


def lookup(data: Any, path: Path) -> Any:
    """Return what lies at a path, or a marker that `has` understands."""
    for part in path:
        if isinstance(part, int):
            data = data[part] if isinstance(data, list) and part < len(data) else _MISSING
        else:
            data = data.get(part, _MISSING) if isinstance(data, dict) else _MISSING
    return data


def has(data: Any, path: Path) -> bool:
    """Whether something lies at a path."""
    return lookup(data, path) is not _MISSING


def merge(layers: Sequence[Layer]) -> dict[str, Any]:
    """Merge layers, strongest first: groups of keys are merged, everything else is replaced whole."""
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        merged = _over(merged, layer.data)
    return merged


def _over(low: Any, high: Any) -> Any:
    if isinstance(low, dict) and isinstance(high, dict):
        return low | {key: _over(low[key], value) if key in low else value for key, value in high.items()}
    return high


def origin(layers: Sequence[Layer], path: Path) -> Layer | None:
    """Return the layer a path's value came from; of a path that is nowhere, that of the nearest group around it."""
    for length in range(len(path), 0, -1):
        for layer in layers:
            if has(layer.data, path[:length]):
                return layer
    return None


def where(layers: Sequence[Layer], path: Path) -> str:
    """Say where a path's value was written; empty when nowhere."""
    layer = origin(layers, path)
    return layer.where(path) if layer else ""


def absolute_paths(data: Any, base: FilePath, key: str = "") -> Any:
    """Return a file's settings with its relative file names made relative to the file's own directory."""
    if isinstance(data, dict):
        return {
            name: value if name == "labels" else absolute_paths(value, base, name)
            for name, value in data.items()
        }
    if isinstance(data, list):
        return [absolute_paths(item, base, key if key == "files" else "") for item in data]
    if isinstance(data, str) and (key in ("files", "path") or key.endswith("_file")):
        return str(base / data)
    return data


class Draft:
    """Merged settings from which what is wrong can be taken out, so that the rest can be judged too."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self._removed: set[Path] = set()
        self._kept: dict[Path, list[int]] = {}

    def remove(self, paths: Iterable[Path]) -> bool:
        """Take out what lies at the paths (or the nearest thing around each); whether there was something everywhere."""
        before = frozenset(self._removed)
        for path in paths:
            found = path
            while found and (found in before or not has(self.data, found)):
                found = found[:-1]
            self._removed.add(found)
        return () not in self._removed

    def current(self) -> dict[str, Any]:
        """Return what is left."""
        left: dict[str, Any] = self._build(self.data, ())
        return left

    def original(self, path: Path) -> Path:
        """Translate a path in `current()`, where lists may be shorter, to one in the data as written."""
        written: Path = ()
        for part in path:
            kept = self._kept.get(written) if isinstance(part, int) else None
            written = (*written, kept[part] if kept and isinstance(part, int) else part)
        return written

    def _build(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {
                k: self._build(v, (*path, k)) for k, v in value.items() if (*path, k) not in self._removed
            }
        if isinstance(value, list):
            kept = [index for index in range(len(value)) if (*path, index) not in self._removed]
            self._kept[path] = kept
            return [self._build(value[index], (*path, index)) for index in kept]
        return value
