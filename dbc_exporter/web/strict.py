"""Strict reading of a small YAML file: every key known, every value of its type, every problem reported at once."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any

import yaml

_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")


class _TextLoader(yaml.SafeLoader):
    """Scalars stay text (a user may be called `1` or `yes`), and a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is not plain text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_NULL = "tag:yaml.org,2002:null"
_TextLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == _NULL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str) -> Any:
    """Parse YAML into dicts, lists, text and `None`. Raises ValueError, which names a place but never a value."""
    try:
        return yaml.load(text, _TextLoader)  # noqa: S506 -- _TextLoader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"not valid YAML: {place}{error.problem or 'unreadable'}") from None
    except yaml.YAMLError:
        raise ValueError("not valid YAML: it holds characters that YAML does not allow") from None


class Section:
    """One mapping of the file. Each `take` uses up a key; `finish` reports the keys that nobody knows.

    Problems are appended to the list shared by all sections, each starting with the key's full path. Values are
    never quoted where they could be secrets.
    """

    def __init__(self, value: Any, path: str, problems: list[str]) -> None:
        self._path = path
        self._problems = problems
        self._left: dict[str, Any] = {}
        if isinstance(value, Mapping):
            self._left = dict(value)
        elif value is not None:
            self.problem("", "must be a mapping of keys to values")

    def problem(self, key: str, text: str) -> None:
        """Report `text` against the key `key` of this section (empty: the section itself)."""
        path = ".".join(part for part in (self._path, key) if part)
        self._problems.append(f"{path}: {text}" if path else text)

    def has(self, key: str) -> bool:
        """Tell whether the key is given with a value and not used up."""
        return self._left.get(key) not in (None, "")

    def section(self, key: str) -> Section:
        """Take a nested mapping; an absent one reads as empty."""
        path = f"{self._path}.{key}" if self._path else key
        return Section(self._left.pop(key, None), path, self._problems)

    def text(self, key: str) -> str | None:
        """Take text; absent, null and empty all read as `None`."""
        value = self._left.pop(key, None)
        if value is None or isinstance(value, str):
            return value or None
        self.problem(key, "must be text")
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of text."""
        value = self._left.pop(key, None)
        if value is None:
            return ()
        if isinstance(value, list) and all(isinstance(item, str) and item for item in value):
            return tuple(value)
        self.problem(key, "must be a list of texts")
        return ()

    def choice(self, key: str, allowed: Mapping[str, Any], default: Any) -> Any:
        """Take one of the allowed words and return what it stands for."""
        word = self.text(key)
        if word is None:
            return default
        if word in allowed:
            return allowed[word]
        self.problem(key, f"must be one of {', '.join(allowed)}, not {word!r}")
        return default

    def flag(self, key: str, default: bool) -> bool:
        """Take a boolean in any spelling of YAML 1.1."""
        word = self.text(key)
        if word is None:
            return default
        if word.lower() in _TRUE | _FALSE:
            return word.lower() in _TRUE
        self.problem(key, "must be true or false")
        return default

    def whole(self, key: str) -> int | None:
        """Take a whole number, zero or more."""
        word = self.text(key)
        if word is None:
            return None
        if word.isascii() and word.isdigit():
            return int(word)
        self.problem(key, "must be a whole number, zero or more")
        return None

    def seconds(self, key: str) -> float | None:
        """Take a duration such as `1s`, `250ms`, `1m30s` or `0` and return seconds."""
        word = self.text(key)
        if word is None:
            return None
        parts = _DURATION_PART.findall(word)
        if word == "0":
            return 0.0
        if parts and "".join(number + unit for number, unit in parts) == word:
            return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
        self.problem(key, "must be a duration with a unit, such as 1s or 250ms (or 0)")
        return None

    def pairs(self, *, blank: bool = False) -> dict[str, str]:
        """Take everything that is left as names with text values (headers, users); `blank`: null reads as ""."""
        pairs: dict[str, str] = {}
        for key, given in self._left.items():
            value = "" if blank and given is None else given
            if isinstance(key, str) and isinstance(value, str):
                pairs[key] = value
            else:
                self.problem(str(key), "must have a text value")
        self._left.clear()
        return pairs

    def finish(self) -> None:
        """Report every key that was not taken."""
        for key in self._left:
            self.problem(str(key), "is not a known key")
        self._left.clear()
